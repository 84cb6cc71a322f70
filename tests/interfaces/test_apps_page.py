"""docs/apps.md says what the filter does: every key, its default and meaning, the examples, the messages."""

from __future__ import annotations

import dataclasses
import json
import re
from typing import Any

import pytest
import yaml

from project import PROJECT
from settings import CONTRACT, Workshop
from web_apps import NOT_IN_RELEASE, App, public_keys, web_problems

PAGE = (PROJECT / "docs/apps.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


def table() -> dict[str, tuple[str, str]]:
    """Default and meaning of each key, as the page has them."""
    section = PAGE.partition("## Every key")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \| (.*) \|$", section, re.MULTILINE)
    return {key: (given, means) for key, given, means in rows}


def problems(settings: dict[str, Any], base: str) -> list[str]:
    return web_problems(
        settings["web_apps"],
        settings.get("web_app_secrets", {}),
        base=base,
        contract=CONTRACT,
        python="",
        recipe=str(PROJECT / "roles/uwsgi/templates"),
    )


def test_every_key_is_there_in_order() -> None:
    assert list(table()) == list(public_keys())


@pytest.mark.parametrize("key", public_keys())
def test_a_key_has_its_default_and_its_meaning(key: str) -> None:
    given, means = table()[key]
    public = {one.name: one for one in dataclasses.fields(App)}[key]
    if public.default_factory is not dataclasses.MISSING:
        assert given == f"`{json.dumps(public.default_factory())}`"
    elif public.default is dataclasses.MISSING:
        assert given == "has to be"
    elif isinstance(public.default, bool):
        assert given == f"`{json.dumps(public.default)}`"
    else:
        assert given == (f"`{public.default}`" if public.default else "the app's name")
    assert means.startswith(public_keys()[key])


def test_what_makes_no_new_release_is_told() -> None:
    sentence = PAGE.partition("A change of ")[2].partition(" takes effect")[0]
    # A release isn't live where its app is absent.
    assert set(re.findall(r"`(\w+)`", sentence)) == set(NOT_IN_RELEASE) - {"state", "purge"}


def test_the_smallest_example_is_enough(workshop: Workshop) -> None:
    (folder,) = [yaml.safe_load(block) for block in blocks("yaml")[:1]]
    (workshop.folder / "playbook").mkdir()
    assert problems(folder, str(workshop.folder / "playbook")) == []


def test_the_longest_name_is_told(workshop: Workshop) -> None:
    match = re.search(r"no more than (\d+)", table()["name"][1])
    assert match
    for letters, faults in ((int(match[1]), 0), (int(match[1]) + 1, 1)):
        given = {"name": "s" * letters, "source": str(workshop.source), "server_names": ["a.test"]}
        assert len(problems({"web_apps": [given]}, "")) == faults


def test_the_mistakes_are_told_in_these_words() -> None:
    mistaken = yaml.safe_load(blocks("yaml")[-1])
    (shown,) = blocks("text")
    found = problems(mistaken, str(PROJECT))
    assert len(found) == len(shown.splitlines())
    for problem, line in zip(found, shown.splitlines(), strict=True):
        # Three dots stand for what depends on the machine, or would fill the page.
        assert re.fullmatch(".*".join(map(re.escape, line.split("…"))), problem), problem


def test_links_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)#]+)", PAGE)
    assert links
    assert [link for link in links if not (PROJECT / "docs" / link).exists()] == []
