"""Each page, as somebody reads it who types what it says and compares what she sees."""

from __future__ import annotations

from pathlib import Path

import pytest

from pages import PAGES, blocks
from reader import Reader
from scenes import LAST, SCENES, Scene


def order(page: Path) -> tuple[int, str]:
    """The scenes' own order, with the pages that have none before the last ones."""
    names = [*(name for name in SCENES if name not in LAST), "", *LAST]
    return names.index(page.name if page.name in names else ""), page.name


@pytest.fixture(scope="module")
def reader() -> Reader:
    anna = Reader()
    anna.unpack()
    return anna


# Those with something to type, or something to see.
READ = sorted((page for page in PAGES if any(not it.not_tried for it in blocks(page, "sh", ""))), key=order)


@pytest.mark.parametrize("page", READ, ids=lambda page: str(page.name))
def test_a_page_tells_the_truth(reader: Reader, page: Path) -> None:
    scene = SCENES.get(page.name, Scene())
    reader.shown.clear()
    scene.before(reader)
    faults = []
    for block in (it for it in blocks(page, "sh", "yaml", "") if not it.not_tried):
        if block.language == "yaml":
            if scene.writes and scene.writes in block.text:
                reader.writes(block.text.split()[1], block.text)
            continue
        for command in block.commands:
            code = reader.types(command)
            if code != 0:
                faults.append(f"{command}\nended with {code}:\n{reader.shown[-1][-1500:]}")
    scene.after(reader)
    faults += [f"never shown:\n{it.text}" for it in blocks(page, "") if not it.not_tried and not reader.saw(it.shown)]
    assert faults == [], "\n\n".join(faults)
