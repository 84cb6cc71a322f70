"""docs/apps.md says what the settings do: every key, its default and meaning, the examples, the messages."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.agreement import Agreement
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.app import App
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.checked import parse
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.request import Request

from project import PROJECT, keys_of_no_release
from settings import Workshop

PAGE = (PROJECT / "docs/apps.md").read_text()
COMMAND = PROJECT / "tools/apps_page.py"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


def problems(settings: dict[str, Any], base: Path) -> list[str]:
    _settings, found = parse(Request(variables=settings, base=str(base)))
    return found


def write_page(project: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(project / "tools/apps_page.py"), *words], capture_output=True, text=True, check=False
    )


# --- What is written from the dataclasses -------------------------------------------------------------------------


def test_the_page_is_fresh() -> None:
    checked = write_page(PROJECT, "--check")
    assert (checked.returncode, checked.stderr) == (0, "")


@pytest.fixture
def stale(tmp_path: Path) -> Path:
    """A project whose page has another default."""
    for name in ("tools", "docs"):
        (tmp_path / name).mkdir()
    for name in ("collections", "plugins", "roles"):
        (tmp_path / name).symlink_to(PROJECT / name)
    (tmp_path / "tools/apps_page.py").write_text(COMMAND.read_text())
    (tmp_path / "docs/apps.md").write_text(PAGE.replace("| `tasks_max` | `4096` |", "| `tasks_max` | `4097` |"))
    return tmp_path


def test_a_stale_page_is_told_and_mended(stale: Path) -> None:
    page = stale / "docs/apps.md"
    before = page.read_text()
    assert before != PAGE
    checked = write_page(stale, "--check")
    assert (checked.returncode, checked.stderr) == (1, "docs/apps.md is stale; run `python tools/apps_page.py`\n")
    assert page.read_text() == before
    assert write_page(stale).returncode == 0
    assert page.read_text() == PAGE


def rows(heading: str) -> dict[str, tuple[str, str]]:
    """Default and meaning of each row of the table below a heading."""
    section = PAGE.partition(f"## {heading}")[2].partition("\n## ")[0]
    found = re.findall(r"^\| `(\w+)` \| (.*?) \| (.*) \|$", section, re.MULTILINE)
    return {key: (given, means) for key, given, means in found}


def test_every_key_and_variable_is_there_in_order() -> None:
    assert list(rows("Every key")) == [public.name for public in dataclasses.fields(App)]
    assert list(rows("What all apps share")) == [f"web_{agreed.name}" for agreed in dataclasses.fields(Agreement)]


@pytest.mark.parametrize(
    ("key", "given"),
    [
        ("name", "required"),
        ("source", ""),
        ("module", "`flask_wsgi`"),
        ("purge", "`false`"),
        ("environment", "`{}`"),
        ("before_live", "`[]`"),
        ("max_requests", "`100000`"),
    ],
)
def test_a_default_is_written_as_yaml_has_it(key: str, given: str) -> None:
    assert rows("Every key")[key][0] == given


def test_what_makes_no_new_release_is_told() -> None:
    sentence = " ".join(PAGE.split()).partition("A change of ")[2].partition(" takes effect")[0]
    assert set(re.findall(r"`(\w+)`", sentence)) == keys_of_no_release()


def test_the_longest_name_is_told(workshop: Workshop) -> None:
    match = re.search(r"at most (\d+)", rows("Every key")["name"][1])
    assert match
    for letters, faults in ((int(match[1]), 0), (int(match[1]) + 1, 1)):
        given = {"name": "s" * letters, "source": str(workshop.source), "server_names": ["a.test"]}
        assert len(problems({"web_apps": [given]}, workshop.folder)) == faults


# --- What is written by hand --------------------------------------------------------------------------------------


def test_the_smallest_example_is_enough(workshop: Workshop) -> None:
    smallest = yaml.safe_load(blocks("yaml")[0])
    (workshop.folder / "playbook").mkdir()
    assert problems(smallest, workshop.folder / "playbook") == []


def test_the_mistakes_are_told_in_these_words() -> None:
    mistaken = yaml.safe_load(blocks("yaml")[-1])
    (shown,) = blocks("text")
    found = problems(mistaken, PROJECT)
    assert len(found) == len(shown.splitlines())
    for problem, line in zip(found, shown.splitlines(), strict=True):
        # Three dots stand for what depends on the machine, or would fill the page.
        assert re.fullmatch(".*".join(map(re.escape, line.split("…"))), problem), problem


def test_the_other_examples_are_good_settings(workshop: Workshop) -> None:
    smallest, *others, _mistaken = [yaml.safe_load(block) for block in blocks("yaml")]
    (workshop.folder / "playbook").mkdir()
    assert len(others) == 1
    for other in others:
        # Three dots stand for a secret.
        long = yaml.safe_load(yaml.safe_dump(other, allow_unicode=True).replace("…", "long enough"))
        assert problems({**smallest, **long}, workshop.folder / "playbook") == []


def test_links_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)#]+)", PAGE)
    assert links
    assert [link for link in links if not (PROJECT / "docs" / link).exists()] == []
