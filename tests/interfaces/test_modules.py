"""What a module's documentation says is what it takes."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.uwsgi_flask.web.plugins.action import lease as lease_action
from ansible_collections.uwsgi_flask.web.plugins.module_utils import lease
from ansible_collections.uwsgi_flask.web.plugins.module_utils.flock import FLOCK
from ansible_collections.uwsgi_flask.web.plugins.module_utils.lease import LEASE_OPTION
from ansible_collections.uwsgi_flask.web.plugins.module_utils.leasing import LEASING_OPTIONS
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.batch import RELEASE_OPTIONS

from project import PLAYBOOKS, PROJECT

MODULES = sorted(PROJECT.glob("plugins/modules/*.py"))
# What the controller's half keeps to itself.
KEPT = {
    "begin": {"packs"},
    "deploy": {"plan", "look", "fleet", "left", "packages", "hooks", "connections", "templates"},
    "host_key": {"fingerprint"},
    "logs_follow": {"app", "grep", "cursor"},
    "lease": {"look", "wait"},
    "nginx_config": {"sites", "shared", "web", "terms", "templates"},
    "plan": {"host", "fleet", "app", "restart", "refresh"},
    "print": {"text", "file"},
    "refuse": {"by_host", "problems", "otherwise"},
    "release": {"templates", "web", "known"},
    "settings": {"each_alone", "app", "restart", "refresh"},
    "wheelhouse": {"host", "app"},
}
# Handed over as one text each, so that Ansible doesn't mask every value wherever else it occurs.
AS_TEXT = {"environments", "build_environment", "certificates", "nginx", "packed"}

by_module = pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)


def assigned(path: Path) -> dict[str, Any]:
    """The constants of a module, read without importing it: its imports exist only on a host."""
    found = {}
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            if isinstance(target, ast.Name) and target.id in ("DOCUMENTATION", "RETURN", "OPTIONS"):
                found[target.id] = _literal(node.value)
    return found


def _literal(node: ast.expr) -> Any:
    """A constant, with options that several modules take and the lease's own constants put in."""
    shared = {"LEASE_OPTION": LEASE_OPTION, "RELEASE_OPTIONS": RELEASE_OPTIONS}
    values = {"lease.PATH": lease.PATH, "FLOCK": FLOCK, "LEASING_OPTIONS": LEASING_OPTIONS}
    if isinstance(node, ast.Dict):
        found: dict[str, Any] = {}
        for key, value in zip(node.keys, node.values, strict=True):
            found |= shared[ast.unparse(value)] if key is None else {ast.literal_eval(key): _literal(value)}
        return found
    return values[ast.unparse(node)] if ast.unparse(node) in values else ast.literal_eval(node)


def documented(path: Path) -> dict[str, Any]:
    """A module's documentation, with the options that it has in common with others."""
    told: dict[str, Any] = yaml.safe_load(assigned(path)["DOCUMENTATION"])
    for fragment in told.get("extends_documentation_fragment", []):
        place = PROJECT / "plugins/doc_fragments" / f"{fragment.rpartition('.')[2]}.py"
        (found,) = [node for node in ast.parse(place.read_text()).body if isinstance(node, ast.ClassDef)]
        (text,) = [node.value for node in found.body if isinstance(node, ast.Assign)]
        told["options"] |= yaml.safe_load(ast.literal_eval(text))["options"]
    return told


def test_there_are_modules() -> None:
    assert len(MODULES) >= 6
    assert len({path.stem for path in MODULES}) == len(MODULES)


@by_module
def test_a_module_says_what_it_does(path: Path) -> None:
    described = documented(path)
    assert described["module"] == path.stem
    assert described["short_description"]
    assert described["description"]
    assert all(option["description"] for option in described["options"].values())


@by_module
def test_a_module_takes_what_it_says(path: Path) -> None:
    constants = assigned(path)
    described = documented(path)["options"]
    taken = constants.get("OPTIONS", {})
    assert set(described) - set(taken) == KEPT.get(path.stem, set())
    for name, option in taken.items():
        told = {word: value for word, value in described[name].items() if word not in ("description", "options")}
        if name in AS_TEXT:
            continue
        assert told == {word: value for word, value in option.items() if word not in ("no_log", "options")}, name


@by_module
def test_secrets_of_a_module_are_not_logged(path: Path) -> None:
    for name, option in assigned(path).get("OPTIONS", {}).items():
        assert option.get("no_log", False) is ("secret" in name or name in AS_TEXT), name


@by_module
def test_a_module_says_what_it_returns(path: Path) -> None:
    described = yaml.safe_load(assigned(path).get("RETURN", "{}"))
    assert all({"description", "type", "returned"} <= set(value) for value in described.values())


def test_what_is_packed_ahead_is_what_is_called_first() -> None:
    """Another name would fail where nobody sees it, and the run would only be slower."""
    packed = {
        path.stem: play["vars"]["begin_packs"]
        for path in PLAYBOOKS
        for play in yaml.safe_load(path.read_text())
        if "begin_packs" in play.get("vars", {})
    }
    assert packed == {
        "rollback": [lease_action.MODULE, "uwsgi_flask.web.rollback"],
        "site": [lease_action.LOOKING],
        "status": ["uwsgi_flask.web.status"],
    }
    names = {f"uwsgi_flask.web.{path.stem}" for path in MODULES}
    assert {name for modules in packed.values() for name in modules} <= names
