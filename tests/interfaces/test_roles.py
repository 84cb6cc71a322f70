"""What the roles promise each other and whoever reads them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from web_apps import web_plan

PROJECT = Path(__file__).parents[2]
ROLES = sorted(path.name for path in (PROJECT / "roles").iterdir())
CONTRACT = {"user": "w", "group": "w", "nginx_group": "n", "app_root": "/opt", "run_root": "/run", "http_port": 80}
SLICES = {
    "flask_app": {"flask_app_releases": "flask_app", "flask_app_absent": "absent"},
    "nginx": {"nginx_sites": "nginx"},
    "uwsgi": {"uwsgi_instances": "uwsgi", "uwsgi_absent": "absent"},
}


def read(path: str) -> Any:
    return yaml.safe_load((PROJECT / path).read_text())


def options(role: str) -> dict[str, Any]:
    return dict(read(f"roles/{role}/meta/argument_specs.yml")["argument_specs"]["main"]["options"])


@pytest.fixture(scope="module")
def plan() -> dict[str, Any]:
    apps = [
        {"name": "uwsgi-flask", "server_names": ["a.test"], "before_live": ["true"]},
        {"name": "gone", "state": "absent"},
    ]
    recipe = str(PROJECT / "roles/uwsgi/templates")
    return web_plan(apps, {}, base=str(PROJECT), contract=CONTRACT, python="3.13.5", recipe=recipe)


@pytest.mark.parametrize("role", ROLES)
class TestRole:
    def test_every_default_is_described_and_every_description_has_a_default(self, role: str) -> None:
        assert set(read(f"roles/{role}/defaults/main.yml")) == set(options(role))

    def test_a_variable_bears_its_roles_name(self, role: str) -> None:
        assert [name for name in options(role) if not name.startswith(f"{role}_")] == []

    def test_no_default_stands_in_a_spec(self, role: str) -> None:
        """It would be a second home, and Ansible never fills it in."""
        assert "default:" not in (PROJECT / f"roles/{role}/meta/argument_specs.yml").read_text()

    def test_each_entry_point_is_described(self, role: str) -> None:
        described = read(f"roles/{role}/meta/argument_specs.yml")["argument_specs"]
        entries = {"main", "rollback", "status", "teardown", "remove"}
        called = set(re.findall(rf"name: {role}\n\s+tasks_from: (\w+)", playbooks())) | {"main"}
        assert called <= set(described) <= entries

    def test_a_slice_is_described_to_the_letter(self, role: str, plan: dict[str, Any]) -> None:
        for variable, part in SLICES[role].items():
            described = options(role)[variable]["options"]
            assert all(set(item) == set(described) for item in plan[part]), variable
            assert plan[part], part

    def test_rooms(self, role: str) -> None:
        rooms = {path.name for path in (PROJECT / "roles" / role).iterdir()}
        assert {"defaults", "library", "meta", "module_utils", "tasks"} <= rooms

    def test_tasks_are_short_and_main_only_imports(self, role: str) -> None:
        for path in (PROJECT / f"roles/{role}/tasks").glob("*.yml"):
            assert len(path.read_text().splitlines()) <= 80, path
        modules = {key for task in read(f"roles/{role}/tasks/main.yml") for key in task if "." in key}
        assert modules <= {"ansible.builtin.import_tasks", "ansible.builtin.include_tasks"}

    def test_a_role_knows_no_other(self, role: str) -> None:
        others = [name for name in ROLES if name != role]
        for path in (PROJECT / f"roles/{role}").rglob("*.yml"):
            words = set(re.findall(r"\b[a-z_]+\b", re.sub(r"#.*", "", path.read_text())))
            strangers = [word for word in words for other in others if word.startswith(f"{other}_")]
            # nginx's group is a fact of the host that the sockets are for.
            assert [word for word in strangers if word not in options(role)] == [], path


def playbooks() -> str:
    return "\n".join(path.read_text() for path in PROJECT.glob("*.yml"))


def test_wiring_sets_what_roles_take_and_nothing_else() -> None:
    known = {name for role in ROLES for name in options(role)}
    own = {"web_plan", "web_problems", "web_circumstances", "web_deployed_by"}
    assert set(read("group_vars/all/wiring.yml")) - own <= known


@pytest.mark.parametrize("path", sorted((PROJECT / "roles").rglob("templates/*.j2")), ids=lambda path: path.name)
def test_templates_compute_nothing(path: Path) -> None:
    text = path.read_text()
    assert not re.search(r"\|\s*default\(", text)
    assert not re.search(r"^[ \t]+{%", text, re.MULTILINE), "a control tag that isn't in column 0 leaks its indent"
    if not path.name.startswith("sandbox"):
        assert text.startswith("{{ ansible_managed | comment }}")


def test_sample_app_stands_above_the_known_faults() -> None:
    """No audit tool can be trusted without its database; these are the versions that the known faults ended with."""
    text = (PROJECT / "uwsgi-flask/requirements.txt").read_text()
    pinned = re.findall(r"^(\w+)==([\d.]+)", text, re.MULTILINE)
    versions = {name: tuple(map(int, version.split("."))) for name, version in pinned}
    assert versions["flask"] >= (3, 1, 3)
    assert versions["werkzeug"] >= (3, 1, 6)
    assert versions["jinja2"] >= (3, 1, 6)
