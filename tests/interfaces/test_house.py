"""The rooms of the house: what each may know of, where a thing is spelt, and how long a file may be."""

from __future__ import annotations

import ast
import graphlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from project import PROJECT

PREFIX = "ansible_collections.uwsgi_flask.web.plugins."
FILES = sorted(path for path in (PROJECT / "plugins").rglob("*.py") if path.name != "__init__.py")
LONGEST = 300

by_file = pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PROJECT / "plugins").as_posix())


def name_of(path: Path) -> str:
    return path.relative_to(PROJECT / "plugins").with_suffix("").as_posix().replace("/", ".")


NAMES = {name_of(path) for path in FILES}


def imports(path: Path) -> Iterator[str]:
    """The project's own modules that a file imports, but for what only its annotations name."""
    tree = ast.parse(path.read_text())
    for_types = [node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    unseen = {id(node) for block in for_types for node in ast.walk(block)}
    for node in ast.walk(tree):
        if id(node) in unseen:
            continue
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PREFIX):
            module = str(node.module).removeprefix(PREFIX)
            inner = {f"{module}.{alias.name}" for alias in node.names} & NAMES
            yield from inner or {module}


def strings(path: Path) -> Iterator[str]:
    """Every text in the code, but for docstrings and documentation."""
    tree = ast.parse(path.read_text())
    said = {
        id(node.value)
        for parent in ast.walk(tree)
        if isinstance(parent, ast.Module | ast.ClassDef | ast.FunctionDef)
        for node in parent.body
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in ("DOCUMENTATION", "RETURN"):
            said.add(id(node.value))
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in said:
            yield node.value


def test_there_are_files() -> None:
    assert len(FILES) > 40


@by_file
def test_a_file_can_be_read_at_one_go(path: Path) -> None:
    assert len(path.read_text().splitlines()) < LONGEST


def test_no_imports_go_round_in_a_circle() -> None:
    graph = {name_of(path): set(imports(path)) for path in FILES}
    assert list(graphlib.TopologicalSorter(graph).static_order())


@by_file
def test_a_file_imports_only_what_it_may_know_of(path: Path) -> None:
    name, known = name_of(path), set(imports(path))
    if name.startswith("module_utils."):
        # It is sent to hosts.
        assert {it for it in known if not it.startswith("module_utils.")} == set()
    if name.startswith("module_utils.releases"):
        assert {it for it in known if ".nginx" in it or ".uwsgi" in it} == set()
    if name.startswith("module_utils.nginx"):
        assert {it for it in known if ".releases" in it} == set()
    if name.startswith("plugin_utils.settings"):
        assert {it for it in known if ".releases" in it or ".nginx" in it} == set()


@pytest.mark.parametrize("pattern", [r"^venvs$", r"/var/lib/", r"\.sock\b"])
def test_a_place_is_spelt_in_the_layout_alone(pattern: str) -> None:
    """What an app's key or a setting means may name it for people."""
    meant = re.compile(r"`[^`]*`|in /var/lib$")
    homes = {
        name_of(path)
        for path in FILES
        for text in strings(path)
        if re.search(pattern, meant.sub("", text)) and " " not in text.strip()
    }
    assert homes <= {"module_utils.layout", "module_utils.release_layout"}
    assert homes


def test_the_heart_knows_no_app_server() -> None:
    """Another one would be another folder of templates."""
    for path in (PROJECT / "plugins/module_utils/releases").glob("*.py"):
        assert [text for text in strings(path) if re.search(r"(?<!/)uwsgi(?!_flask)", text, re.IGNORECASE)] == [], path


def test_no_list_loses_its_order() -> None:
    """Ansible makes a set of what goes through these filters, in another order from run to run."""
    unordered = re.compile(r"\| *(?:ansible\.builtin\.)?(?:intersect|difference|union|symmetric_difference)\b")
    written = [*PROJECT.glob("*.yml"), *PROJECT.glob("roles/**/*.yml"), *PROJECT.glob("roles/**/*.j2")]
    assert len(written) > 40
    assert [path.name for path in written if unordered.search(path.read_text())] == []
