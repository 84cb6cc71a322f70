"""What is handed from a person's settings to the roles: every variable has a sender and a taker, under one name."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import re
from collections.abc import Iterator
from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from project import PLAYBOOKS, PROJECT, ROLES, defaults, options, read, render, tasks
from settings import Workshop, app
from web_apps import Contract, web_plan

GROUP_VARS = sorted((PROJECT / "group_vars").rglob("*.yml"))
# The filter's own; everything else in the wiring is a variable of some role.
DERIVED = {"web_plan", "web_problems", "web_circumstances", "web_deployed_by", "web_own_names"}
ROLE_VARIABLES = {name for role in ROLES for name in defaults(role)}
PREFIXES = tuple(f"{role}_" for role in ROLES)


def test_the_wiring_sets_only_what_a_role_knows() -> None:
    wired = set(read("group_vars/all/wiring.yml"))
    assert wired - DERIVED <= ROLE_VARIABLES
    assert wired >= DERIVED


@pytest.mark.parametrize("path", GROUP_VARS, ids=lambda path: path.relative_to(PROJECT).as_posix())
def test_no_environment_sets_what_no_role_knows(path: Any) -> None:
    """Ansible takes a misspelt variable without a word."""
    given = read(path.relative_to(PROJECT).as_posix())
    assert {name for name in given if name.startswith(PREFIXES)} <= ROLE_VARIABLES
    assert {name for name in given if name.startswith("web_")} <= _public() | DERIVED


def _public() -> set[str]:
    """What a person may set: the contract and the apps."""
    return set(read("group_vars/all/contract.yml")) | set(read("group_vars/all/web_apps.yml"))


@pytest.mark.parametrize("path", PLAYBOOKS, ids=lambda path: path.name)
def test_no_playbook_sets_what_no_role_knows(path: Any) -> None:
    given = {name for task in tasks(path) for name in task.get("vars", {}) if name.startswith(PREFIXES)}
    assert given <= ROLE_VARIABLES


def test_whatever_a_person_may_set_reaches_somebody() -> None:
    wiring = (PROJECT / "group_vars/all/wiring.yml").read_text()
    assert {name for name in _public() if not re.search(rf"\b{name}\b", wiring)} == set()


def test_whatever_the_wiring_hands_on_is_there() -> None:
    wiring = (PROJECT / "group_vars/all/wiring.yml").read_text()
    used = set(
        re.findall(r"(?<!\| )(?<!facts\.)\bweb_\w+", wiring.replace("web_apps.py", "").replace("web_apps.yml", ""))
    )
    assert used == _public() | DERIVED


def test_the_contract_is_complete() -> None:
    circumstances = read("group_vars/all/wiring.yml")["web_circumstances"]
    agreed = {agreed.name for agreed in dataclasses.fields(Contract)}
    assert set(circumstances["contract"]) == agreed
    assert circumstances["contract"] == {name: f"{{{{ web_{name} }}}}" for name in agreed}


def test_the_circumstances_are_what_the_filter_asks_for() -> None:
    asked = inspect.signature(web_plan).parameters.values()
    wanted = {parameter.name for parameter in asked if parameter.kind is parameter.KEYWORD_ONLY}
    assert set(read("group_vars/all/wiring.yml")["web_circumstances"]) == wanted


def test_every_value_is_said_to_mean_something() -> None:
    """A comment stands above each public value, with what breaks if it changes."""
    for path in ("contract", "web_apps"):
        lines = (PROJECT / f"group_vars/all/{path}.yml").read_text().splitlines()
        for number, line in enumerate(lines):
            if line.startswith("web_") and not lines[number - 1].startswith("web_"):
                assert lines[number - 1].startswith("#"), line


# --- The slices, as the real wiring makes them --------------------------------------------------------------------


@pytest.fixture
def settings(workshop: Workshop) -> dict[str, Any]:
    """Two apps that are there and one that is not, with all that an app may have."""
    source = str(workshop.source)
    return {
        "web_apps": [
            app(source=source, environment={"A": 1}, before_live=["true"]),
            app(name="second", source=source, server_names=["*.second.test"], static_url="/"),
            {"name": "old", "state": "absent"},
        ],
        "web_app_secrets": {"shop": {"TOKEN": "hidden"}},
    }


def handed(role: str, settings: dict[str, Any]) -> dict[str, Any]:
    """All variables of a role, as it gets them."""
    every = ", ".join(f"{name!r}: {name}" for name in defaults(role))
    return dict(render(role, f"{{{{ {{{every}}} }}}}", settings))


def refused(role: str, values: dict[str, Any]) -> str:
    """What Ansible says of a role's variables before its first task."""
    return "\n".join(ArgumentSpecValidator(options(role)).validate(values).error_messages)


@pytest.mark.parametrize("role", ROLES)
def test_a_role_takes_what_it_is_handed(role: str, settings: dict[str, Any]) -> None:
    values = handed(role, settings)
    assert refused(role, values) == ""
    for name, option in options(role).items():
        if "options" in option:
            assert values[name], f"{name} is empty, so nothing was tested"
            assert all(_keys(item) == _described(option["options"]) for item in values[name]), name


def _keys(item: dict[str, Any], described: str = "") -> set[str]:
    keys = set()
    for name, value in item.items():
        keys.add(f"{described}{name}")
        if isinstance(value, dict):
            keys |= _keys(value, f"{described}{name}.")
    return keys


def _described(described: dict[str, Any], inside: str = "") -> set[str]:
    keys = set()
    for name, option in described.items():
        keys.add(f"{inside}{name}")
        keys |= _described(option.get("options", {}), f"{inside}{name}.")
    return keys


@pytest.mark.parametrize("role", ROLES)
def test_values_are_of_the_type_that_is_described(role: str, settings: dict[str, Any]) -> None:
    """Ansible converts where it can ("4" passes for an int), and the templates get what was there before."""
    values = handed(role, settings)
    for name, option in options(role).items():
        for item in values[name] if "options" in option else []:
            for where, value, described in _pairs(item, option["options"], name):
                wanted = {"path": str}.get(
                    described, {"str": str, "int": int, "bool": bool, "list": list}.get(described)
                )
                assert wanted is not None, where
                assert isinstance(value, wanted), where
                assert isinstance(value, bool) is (wanted is bool), where


def _pairs(item: dict[str, Any], described: dict[str, Any], where: str) -> Iterator[tuple[str, Any, str]]:
    for name, option in described.items():
        if "options" in option:
            yield from _pairs(item[name], option["options"], f"{where}.{name}")
        else:
            yield f"{where}.{name}", item[name], option["type"]


SLICES = [(role, name) for role in ROLES for name, option in options(role).items() if "options" in option]


@pytest.mark.parametrize(("role", "name"), SLICES)
def test_a_role_refuses_a_slice_with_a_key_more_or_less(role: str, name: str, settings: dict[str, Any]) -> None:
    good = handed(role, settings)
    for key in good[name][0]:
        values = copy.deepcopy(good)
        del values[name][0][key]
        assert f"missing required arguments: {key} found in {name}" in refused(role, values)
    values = copy.deepcopy(good)
    values[name][0]["procceses"] = 4
    assert f"{name}.procceses. Supported parameters include:" in refused(role, values)


@pytest.mark.parametrize("role", ROLES)
def test_a_role_refuses_a_wrong_type(role: str, settings: dict[str, Any]) -> None:
    wrong = {"list": {}, "dict": 5, "int": "many", "bool": "flase"}
    typed = {name: option["type"] for name, option in options(role).items() if option["type"] in wrong}
    assert typed
    good = handed(role, settings)
    for name, kind in typed.items():
        assert f"'{name}' is of type" in refused(role, {**good, name: wrong[kind]}), name


def test_secrets_reach_the_one_role_that_writes_them(settings: dict[str, Any]) -> None:
    values = {name: value for role in ROLES for name, value in handed(role, settings).items()}
    assert values.pop("flask_app_secrets") == {"shop": {"TOKEN": "hidden"}, "second": {}}
    assert "hidden" not in str(values)


def test_the_roles_agree_on_user_sockets_and_places(settings: dict[str, Any]) -> None:
    settings |= {"web_user": "u", "web_group": "g", "web_nginx_group": "n", "web_http_port": 81}
    settings |= {"web_app_root": "/srv", "web_run_root": "/run/x"}
    code, instance, site = (handed(role, settings) for role in ("flask_app", "uwsgi", "nginx"))
    assert (code["flask_app_user"], code["flask_app_group"]) == ("u", "g")
    assert (instance["uwsgi_user"], instance["uwsgi_group"], instance["uwsgi_nginx_group"]) == ("u", "g", "n")
    assert site["nginx_port"] == 81
    assert site["nginx_sites_absent"] == ["old"]
    assert instance["uwsgi_app_root"] == "/srv"
    for release, run, served in zip(
        code["flask_app_releases"], instance["uwsgi_instances"], site["nginx_sites"], strict=True
    ):
        assert release["release"] == run["release"]
        assert release["id"] == run["id"]
        assert run["live_socket"] == served["socket"]
        assert run["live_socket"].startswith("/run/x/")
        assert served["static_root"] == f"{release['root']}/current/code/{release['public_folder']}"
        assert release["root"].startswith("/srv/")
        assert run["front"]["address"] == "127.0.0.1:81"


def test_a_deploy_settles_what_it_deploys_before_anything_else() -> None:
    """Evaluated anew by each task, the plan would follow a file that is saved in the middle of a run."""
    (play,) = [play for play in read("site.yml") if "tasks" in play]
    look, settle = play["tasks"][:2]
    # The host's Python is part of a release's id.
    assert "web_host" in look
    assert settle["ansible.builtin.set_fact"] == {"web_plan": "{{ web_plan }}"}
    assert settle["no_log"] is True
