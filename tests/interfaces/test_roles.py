"""Every role is built alike: learn one, know all."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.template import Templar
from ansible_collections.uwsgi_flask.web.plugins.module_utils.release_layout import MEND, PARTS, WATCH
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.app import App
from jinja2 import Environment, meta, nodes

from project import PLAYBOOKS, PROJECT, ROLES, defaults, options, read, specs, tasks
from settings import Workshop, app

ROOMS = {"defaults", "meta", "tasks", "templates"}
ROOMS_IF_NEEDED = {"handlers", "vars"}
TASK_FILES = sorted(PROJECT.glob("roles/*/tasks/*.yml"))
TEMPLATES = sorted(PROJECT.glob("roles/*/templates/*"))
PREFIX = {role: f"{role}_" for role in ROLES}


def called(path: Path) -> str:
    return path.relative_to(PROJECT / "roles").as_posix()


by_role = pytest.mark.parametrize("role", ROLES)
by_task_file = pytest.mark.parametrize("path", TASK_FILES, ids=called)
by_template = pytest.mark.parametrize("path", TEMPLATES, ids=called)


def test_these_are_the_roles() -> None:
    """So that the rest can't pass by finding nothing."""
    assert ROLES == ["flask_app", "nginx", "uwsgi"]
    assert len(TASK_FILES) > len(ROLES)
    assert TEMPLATES


# --- Rooms --------------------------------------------------------------------------------------------------------


@by_role
def test_a_role_has_the_rooms_it_needs(role: str) -> None:
    folder = PROJECT / "roles" / role
    rooms = {path.name for path in folder.iterdir() if path.is_dir()}
    # The app server brings templates to flask_app, which has none of its own.
    assert rooms >= ROOMS - ({"templates"} if role == "flask_app" else set())
    assert rooms <= ROOMS | ROOMS_IF_NEEDED
    assert [path.name for path in folder.iterdir() if path.is_file()] == ["README.md"]
    assert all(any(file.is_file() for file in (folder / room).rglob("*")) for room in rooms)


@by_role
def test_a_role_says_what_it_is_and_needs_no_other(role: str) -> None:
    described = read(f"roles/{role}/meta/main.yml")
    assert described["dependencies"] == []
    assert described["galaxy_info"]["license"] == "MIT"
    assert described["galaxy_info"]["platforms"] == [{"name": "Debian", "versions": ["bookworm", "trixie"]}]
    assert described["galaxy_info"]["description"]


def test_all_roles_ask_for_the_same_ansible() -> None:
    assert len({read(f"roles/{role}/meta/main.yml")["galaxy_info"]["min_ansible_version"] for role in ROLES}) == 1


# --- Variables ----------------------------------------------------------------------------------------------------


@by_role
def test_every_variable_has_a_default_and_a_description(role: str) -> None:
    assert set(defaults(role)) == set(options(role))


@by_role
def test_every_entry_point_takes_the_same_variables(role: str) -> None:
    for name, entry_point in specs(role).items():
        assert entry_point["short_description"], name
        assert entry_point["options"] == options(role), name


@by_role
def test_every_default_is_of_the_type_that_is_described(role: str) -> None:
    kinds = {"list": list, "dict": dict, "str": str, "path": str, "int": int, "bool": bool}
    for name, value in defaults(role).items():
        # One that follows from the play is known when that runs.
        if isinstance(value, str) and value.startswith("{{"):
            continue
        assert type(value) is kinds[options(role)[name]["type"]], name


def _described(options_: dict[str, Any], inside: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    for name, option in options_.items():
        yield f"{inside}{name}", option
        yield from _described(option.get("options", {}), f"{inside}{name}.")


@by_role
def test_a_spec_describes_and_decides_nothing(role: str) -> None:
    for name, option in _described(options(role)):
        # A default here would be a second one: the first is in defaults/main.yml, or an app's in the dataclass.
        assert set(option) <= {"description", "type", "elements", "options", "required", "no_log", "choices"}, name
        assert re.fullmatch(r"\w.+\.", option["description"], re.DOTALL), name
        assert option["type"] in {"list", "dict", "str", "path", "int", "bool"}, name


@by_role
def test_a_misspelt_key_of_an_item_is_refused(role: str) -> None:
    """A list of dictionaries says which keys these have. What is in an app or a release is the plan's affair: no role
    lists its keys again."""
    for name, option in _described(options(role)):
        assert (option.get("elements") == "dict") <= ("options" in option), name


@by_role
def test_secrets_are_never_logged(role: str) -> None:
    for name, option in _described(options(role)):
        assert option.get("no_log", False) is ("secret" in name or "certificates" in name), name


def _own_names(role: str) -> Iterator[str]:
    """Every name that the role gives to something: variables, results, facts, loop variables."""
    yield from defaults(role)
    own = PROJECT / "roles" / role / "vars/main.yml"
    yield from yaml.safe_load(own.read_text()) if own.exists() else {}
    for path in (PROJECT / "roles" / role / "tasks").glob("*.yml"):
        for task in tasks(path):
            yield from task.get("vars", {})
            yield from [task["register"]] if "register" in task else []
            yield from task.get("ansible.builtin.set_fact", {})
            control = task.get("loop_control", {})
            yield from [control[word] for word in ("loop_var", "index_var") if word in control]


@by_role
def test_every_name_begins_with_the_roles(role: str) -> None:
    strangers = {name for name in _own_names(role) if not name.startswith(PREFIX[role])}
    assert strangers == set()


@by_role
def test_a_role_knows_nothing_of_the_others(role: str) -> None:
    foreign = {name for other in ROLES if other != role for name in _own_names(other)}
    files = [path for room in ("defaults", "meta", "tasks", "templates", "vars") for path in _files(role, room)]
    for path in files:
        assert foreign & set(re.findall(r"\w+", path.read_text())) == set(), path


def _files(role: str, room: str) -> list[Path]:
    return [path for path in (PROJECT / "roles" / role / room).rglob("*") if path.is_file()]


# --- Tasks --------------------------------------------------------------------------------------------------------


@by_role
def test_main_reads_as_a_table_of_contents(role: str) -> None:
    allowed = {"name", "loop", "loop_control", "when", "ansible.builtin.import_tasks", "ansible.builtin.include_tasks"}
    for task in tasks(PROJECT / "roles" / role / "tasks/main.yml"):
        assert set(task) <= allowed, task["name"]
        assert {"ansible.builtin.import_tasks", "ansible.builtin.include_tasks"} & set(task), task["name"]


@by_task_file
def test_a_task_file_fits_a_screen(path: Path) -> None:
    assert len(path.read_text().splitlines()) < 80


@by_task_file
def test_a_task_file_is_used(path: Path) -> None:
    """By another one, by a playbook, or as the role's main."""
    role = path.parents[1].name
    imports = {
        str(task[word])
        for other in (PROJECT / "roles" / role / "tasks").glob("*.yml")
        for task in tasks(other)
        for word in ("ansible.builtin.import_tasks", "ansible.builtin.include_tasks")
        if word in task
    }
    assert path.name == "main.yml" or path.name in imports or path.stem in _entered(role)


def _entered(role: str) -> set[str]:
    """The entry points of a role that the playbooks use."""
    imported = (task.get("ansible.builtin.import_role", {}) for path in PLAYBOOKS for task in tasks(path))
    return {one.get("tasks_from", "main") for one in imported if one.get("name") == role}


@by_role
def test_every_entry_point_that_is_used_is_described(role: str) -> None:
    assert _entered(role) == set(specs(role))


@by_task_file
def test_a_loop_names_its_variable_and_its_items(path: Path) -> None:
    for task in tasks(path):
        if "loop" in task and "item" in re.findall(r"\w+", str({**task, "loop": None, "name": None})):
            # A list of paths, which say all there is to say.
            assert str(task.get("ansible.builtin.file", {}).get("path")) == "{{ item }}", task["name"]
        elif "loop" in task:
            assert {"loop_var", "label"} <= set(task["loop_control"]), task["name"]


# --- Templates ----------------------------------------------------------------------------------------------------


def _included() -> set[str]:
    """Templates that are parts of others."""
    return {name for path in TEMPLATES for name in re.findall(r"{% include '([^']+)' \+?%}", path.read_text())}


@by_template
def test_a_template_begins_with_the_warning(path: Path) -> None:
    if path.name in _included():
        assert "ansible_managed" not in path.read_text()
    else:
        assert path.read_text().splitlines()[0] == "{{ ansible_managed | comment }}"


@by_template
def test_a_template_is_used(path: Path) -> None:
    """By another one, or by the action plugin that renders it."""
    rendered = "".join(file.read_text() for file in (PROJECT / "plugins/action").glob("*.py"))
    of_units = {f"{kind}.j2" for kind in ("target", *PARTS, WATCH, MEND)}
    assert path.name in _included() | of_units or f'"{path.name}"' in rendered


@by_template
def test_control_words_stand_in_the_first_column(path: Path) -> None:
    """The blanks before an indented one would be left in the file."""
    assert re.findall(r"^[ \t]+{%.*", path.read_text(), re.MULTILINE) == []


@pytest.fixture(scope="module")
def jinja() -> Environment:
    engine = Templar().environment
    assert isinstance(engine, Environment)
    return engine


@by_template
def test_a_template_uses_values_and_computes_none(path: Path, jinja: Environment) -> None:
    tree = jinja.parse(path.read_text())
    filters = {node.name for node in tree.find_all(nodes.Filter)}
    assert filters <= {"comment", "join"}
    assert list(tree.find_all((nodes.Call, nodes.Assign))) == []


# What the action plugins hand to templates.
HANDED = {
    "hook",
    "system_trust",
    "trusted",
    "trusted_folder",
    "app",
    "release",
    "site",
    "web",
    "step",
    "worker",
    "timer",
    "logs",
    "logs_rules",
    "logs_timer",
    "logs_state",
    "logs_state_name",
    "probe_socket",
    "probe_directory",
    "probe_sockets",
    "lock",
    "bodies",
    "cache_folder",
    "cache_folders",
    "pid_file",
    "proxied",
    "descriptors",
    "drop_in",
    "started_with",
    "sandbox_lines",
    "pem",
    "webroot",
    "log",
    "parts",
    "candidates",
    "server_file",
    "parts_digest",
    "url",
    "folder",
    "ca_bundle",
}


@by_template
def test_a_template_uses_only_what_it_is_given(path: Path, jinja: Environment) -> None:
    role = path.relative_to(PROJECT / "roles").parts[0]
    used = meta.find_undeclared_variables(jinja.parse(path.read_text()))
    assert used <= set(defaults(role)) | HANDED | {"ansible_managed"}


@by_template
def test_a_template_asks_only_for_what_the_plan_holds(path: Path, jinja: Environment, workshop: Workshop) -> None:
    plan = workshop.plan(app(workers={"mail": "work"}, timers={"clean": {"command": "work", "calendar": "daily"}}))
    (item,) = plan["apps"]
    release = item["release"]
    given = {**item, "web": plan["web"], "worker": release["workers"]["mail"], "timer": release["timers"]["clean"]}
    for node in jinja.parse(path.read_text()).find_all(nodes.Getattr):
        chain = _chain(node)
        if chain[0] == "loop":
            continue
        known = given[chain[0]]
        for key in chain[1:]:
            assert key in known, ".".join(chain)
            known = known[key]


def _chain(node: nodes.Node) -> list[str]:
    """`a.b.c` as its words."""
    if isinstance(node, nodes.Getattr):
        return [*_chain(node.node), node.attr]
    assert isinstance(node, nodes.Name)
    return [node.name]


def test_what_stands_in_a_releases_files_is_part_of_its_identity(jinja: Environment) -> None:
    """Or a changed value would be written into the files of a release that serves."""
    free = {field.name for field in dataclasses.fields(App) if not field.metadata["carried"]} - {"name"}
    used = {
        _chain(node)[1]
        for path in (PROJECT / "roles/uwsgi/templates").iterdir()
        for node in jinja.parse(path.read_text()).find_all(nodes.Getattr)
        if _chain(node)[0] == "app"
    }
    assert used & free == set()
    assert "processes" in used
