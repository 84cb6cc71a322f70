"""What a module's documentation says is what it takes."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest
import yaml

from project import PROJECT

MODULES = sorted([*PROJECT.glob("plugins/modules/*.py"), *PROJECT.glob("roles/*/library/*.py")])
# What the controller's half keeps to itself.
KEPT = {"flask_app_release": {"source"}, "web_lock": {"take", "take_age"}, "web_print": {"text"}}

by_module = pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)


def assigned(path: Path) -> dict[str, Any]:
    """The constants of a module, read without importing it: its imports exist only on a host."""
    found = {}
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            if isinstance(target, ast.Name) and target.id in ("DOCUMENTATION", "RETURN", "OPTIONS"):
                found[target.id] = ast.literal_eval(node.value)
    return found


def test_there_are_modules() -> None:
    assert len(MODULES) >= 6
    assert len({path.stem for path in MODULES}) == len(MODULES)


@by_module
def test_a_module_says_what_it_does(path: Path) -> None:
    described = yaml.safe_load(assigned(path)["DOCUMENTATION"])
    assert described["module"] == path.stem
    assert described["short_description"]
    assert described["description"]
    assert all(option["description"] for option in described["options"].values())


@by_module
def test_a_module_takes_what_it_says(path: Path) -> None:
    constants = assigned(path)
    described = yaml.safe_load(constants["DOCUMENTATION"])["options"]
    taken = constants.get("OPTIONS", {})
    assert set(described) - set(taken) == KEPT.get(path.stem, set())
    for name, option in taken.items():
        told = {word: value for word, value in described[name].items() if word not in ("description", "options")}
        assert told == {word: value for word, value in option.items() if word not in ("no_log", "options")}, name


@by_module
def test_secrets_of_a_module_are_not_logged(path: Path) -> None:
    for name, option in assigned(path).get("OPTIONS", {}).items():
        assert option.get("no_log", False) is ("secret" in name), name


@by_module
def test_a_module_says_what_it_returns(path: Path) -> None:
    described = yaml.safe_load(assigned(path).get("RETURN", "{}"))
    assert all({"description", "type", "returned"} <= set(value) for value in described.values())
