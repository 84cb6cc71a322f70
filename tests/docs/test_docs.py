"""What the pages name is there: links, files, commands, settings. What a page lists is the list that the code has."""

from __future__ import annotations

import dataclasses
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.outcome import OUTCOME
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.report import STATUS
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.agreement import Agreement
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.app import App
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.environment import SECRETS_NAME

from pages import FENCED, PAGES, blocks, prose
from project import PROJECT, keys_of_no_release

# What stands at the root and is written as a path of the project: `docs/apps.md`, `group_vars/all/`.
ROOMS = {path.name for path in PROJECT.iterdir() if path.is_dir() and path.name not in {".git", ".venv", "static"}}
# What a reader makes for his own servers.
READERS_OWN = (
    "group_vars/production/", "group_vars/staging/", "group_vars/*/secrets.yml", "inventory/staging.yml", "molecule/<",
)  # fmt: skip
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"`([^`\n]+)`")

by_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def anchors(page: Path) -> set[str]:
    """What a heading is called in a link, by GitHub's rule: small, without punctuation, spaces as hyphens."""
    headings = re.findall(r"^#+ (.+)$", FENCED.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


def commands(page: Path) -> list[list[str]]:
    """Every line that a reader is told to type, as words."""
    typed = "\n".join(it.text for it in blocks(page, "sh")).splitlines() + CODE.findall(prose(page))
    lines = [line.partition(" #")[0] for line in typed]
    return [line.split() for line in lines if line.strip()]


@by_page
def test_links_lead_somewhere(page: Path) -> None:
    broken = []
    for link in LINK.findall(prose(page)):
        path, _hash, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not link.startswith("https://") and (not target.exists() or (anchor and anchor not in anchors(target))):
            broken.append(link)
    assert broken == []


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached, ahead = set(), [PROJECT / "README.md"]
    while ahead:
        page = ahead.pop()
        reached.add(page)
        links = [(page.parent / link.partition("#")[0]).resolve() for link in LINK.findall(prose(page))]
        ahead += [link for link in links if link.suffix == ".md" and link not in reached]
    assert set(PAGES) <= reached


@by_page
def test_paths_of_the_project_are_there(page: Path) -> None:
    named = [word.rstrip(".") for word in CODE.findall(prose(page)) if word.partition("/")[0] in ROOMS and "/" in word]
    mine = [path for path in named if not path.startswith(READERS_OWN)]
    missing = [path for path in mine if not list(PROJECT.glob(path.partition(" ")[0].rstrip("/")))]
    assert missing == []


def test_the_tree_is_what_is_there() -> None:
    (tree,) = [it.text for it in blocks(PROJECT / "CONTRIBUTING.md", "text") if it.text.startswith("site.yml ")]
    folder, named = "", []
    for line in tree.splitlines():
        # A name is told from its description by the two spaces between them, and from a comment by its ending.
        for word in re.split(r" {2,}", line.strip())[0].split():
            if not line.startswith(" "):
                folder = word if word.endswith("/") else ""
            named.append(word if not line.startswith(" ") else folder + word)
    assert [path for path in named if not (PROJECT / path).exists()] == []
    hidden_or_single = {name for name in ROOMS if name.startswith(".")}
    assert ROOMS - hidden_or_single - {"__pycache__"} <= {path.split("/")[0] for path in named}


@by_page
def test_make_targets_are_there(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE))
    named = {words[1] for words in commands(page) if words[0] == "make" and len(words) > 1 and "=" not in words[1]}
    assert named <= targets


@by_page
def test_playbooks_and_what_is_given_to_them_are_there(page: Path) -> None:
    for words in (words for words in commands(page) if words[0] == "ansible-playbook"):
        playbooks = [word for word in words if word.endswith(".yml") and not word.startswith(("inventory/", "~/"))]
        assert [path for path in playbooks if not (PROJECT / path).is_file()] == [], words
        texts = "".join((PROJECT / path).read_text() for path in playbooks)
        extra = [words[at + 1].partition("=")[0].lstrip('"') for at, word in enumerate(words) if word == "-e"]
        assert [name for name in extra if not re.search(rf"\b{name}\b", texts)] == [], words


@by_page
def test_extra_variables_in_the_text_are_some_playbooks(page: Path) -> None:
    texts = "".join(path.read_text() for path in PROJECT.glob("*.yml"))
    named = re.findall(r"`-e (\w+)=", prose(page))
    assert [name for name in named if not re.search(rf"\b{name}\b", texts)] == []


def items(page: Path) -> Iterator[dict[str, Any]]:
    for it in blocks(page, "yaml"):
        yield from (yaml.safe_load(it.text) or {}).get("web_apps", [])


@by_page
def test_examples_have_keys_that_apps_have(page: Path) -> None:
    # docs/apps.md shows what a mistake looks like, and has tests of its own.
    keys = {field.name for field in dataclasses.fields(App)}
    known = {*keys, "procceses"} if page.name == "apps.md" else keys
    assert [key for item in items(page) for key in item if key not in known] == []


@by_page
def test_variables_are_defined(page: Path) -> None:
    settings = {"web_apps", "web_app_defaults", *(f"web_{field.name}" for field in dataclasses.fields(Agreement))}
    named = {name for name in CODE.findall(prose(page)) if re.fullmatch(r"web_[a-z_]+", name)}
    named |= {key for it in blocks(page, "yaml") for key in yaml.safe_load(it.text) if str(key).startswith("web_")}
    assert {name for name in named if not SECRETS_NAME.fullmatch(name)} <= settings


def test_settings_that_make_no_release_are_all_named() -> None:
    text = prose(PROJECT / "docs/deploying.md")
    listed = text.split("doesn't carry make none: ")[1].split(".\n")[0]
    # Another name is another app.
    assert set(CODE.findall(listed)) == keys_of_no_release() - {"name"}


def test_defaults_that_the_pages_tell_are_the_filters() -> None:
    defaults = {field.name: field.default for field in dataclasses.fields(App)}
    how = (PROJECT / "docs/how-it-works.md").read_text()
    failed = (PROJECT / "docs/reading-a-failed-deploy.md").read_text()
    assert f"| `listen_queue` {defaults['listen_queue']} |" in how
    assert f"within {defaults['start_timeout']} s;" in failed
    assert defaults["health_successes"] == 3
    assert "several times in a row" in how
    assert defaults["keep_releases"] == 5
    assert "five newest good releases are kept (`keep_releases`)" in (PROJECT / "docs/rolling-back.md").read_text()


def test_the_status_page_shows_the_reports_columns() -> None:
    page = PROJECT / "docs/status.md"
    (shown,) = [it.text.splitlines()[0] for it in blocks(page, "") if it.text.startswith("HOST")]
    assert tuple(shown.split()) == STATUS


@pytest.mark.parametrize("page", ["deploying.md", "rolling-back.md"])
def test_the_table_at_the_end_of_a_run_has_the_reports_columns(page: str) -> None:
    shown = [it.text.splitlines()[0] for it in blocks(PROJECT / "docs" / page, "") if it.text.startswith("HOST")]
    assert shown
    assert {tuple(line.split()) for line in shown} == {OUTCOME}


@by_page
def test_what_is_typed_is_whole(page: Path) -> None:
    """A quote that is left open would leave the reader at a prompt that waits."""
    for it in blocks(page, "sh"):
        shlex.split(it.text, comments=True)


def test_patterns_of_units_that_journalctl_is_given_can_match() -> None:
    """It completes a name with `.service`, but no pattern."""
    asked = [it for page in PAGES for it in re.findall(r"journalctl -u '([^']*[*][^']*)'", page.read_text())]
    assert asked
    assert [pattern for pattern in asked if not pattern.endswith(("*", ".service"))] == []


def test_a_promise_names_tests_that_are_there() -> None:
    """Each row that says what proves it names a file, and functions of it."""
    rows = [line for line in prose(PROJECT / "docs/security.md").splitlines() if "/tests/" in line]
    assert len(rows) > 15
    for row in rows:
        named = re.findall(r"\]\(\.\./([^)]+\.py)\)((?:(?!\]\().)*)", row)
        assert named, row
        for file, rest in named:
            functions = set(re.findall(r"^def (test_\w+)", (PROJECT / file).read_text(), re.MULTILINE))
            assert set(re.findall(r"`(test_\w+)`", rest)) <= functions, (file, rest)
