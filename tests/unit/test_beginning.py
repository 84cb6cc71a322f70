"""How a run was started: by which configuration, and with which `-e`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from ansible import constants
from ansible.template import trust_as_template
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.beginning import faults
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.refusal import once
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.meant import ASKED

from project import PROJECT

CONFIGURATION = {"INTERPRETER_PYTHON": "/usr/bin/python3", "DEFAULT_STRATEGY": "linear"}


class Hostvars(dict[str, Any]):
    """What the run knows of hosts, unrendered."""

    def raw_get(self, host: str) -> Any:
        return self[host]


@pytest.fixture(autouse=True)
def configuration(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What Ansible's configuration says; a test may change it."""
    said = dict(CONFIGURATION)
    monkeypatch.setattr(constants.config, "get_config_value", said.__getitem__)
    return said


def told(given: dict[str, Any], **more: Any) -> list[str]:
    """What a run on two hosts is told."""
    hosts = {"one": {}, "two": more.pop("of_two", {})}
    playbooks = more.pop("playbooks", ())
    known = {
        "playbook_dir": str(PROJECT),
        "groups": {"all": [*hosts], "web": [*hosts], "ungrouped": []},
        "hostvars": Hostvars(hosts),
        "ansible_inventory_sources": ["/etc/hosts.yml"],
        "ansible_config_file": None,
        **more,
    }
    return list(faults(known, given, playbooks))


# --- -e -----------------------------------------------------------------------------------------------------------

KEY = "is a key of an app: write it into the app's item of web_apps"
MEANT: list[tuple[str, str]] = [
    *((name, "did you mean 'app'?") for name in ("aap", "ap", "apps", "app_name", "appname", "name", "application")),
    ("processes", f"'processes' {KEY}"),
    ("ref", f"'ref' {KEY}"),
    ("environment", f"'environment' {KEY}"),
    ("restrat", "did you mean 'restart'?"),
    ("refesh", "did you mean 'refresh'?"),
    ("hook", "did you mean 'hooks'?"),
    ("relase", "did you mean 'release'?"),
    ("version", "did you mean 'release'?"),
    ("stat", "did you mean 'state'?"),
    ("comand", "did you mean 'command'?"),
    ("confrim", "did you mean 'confirm'?"),
    ("yes", "did you mean 'confirm'?"),
    *((name, "did you mean 'app'?") for name in ("APP", "App", "app-name", "application_name", "webapp", "only")),
    *((name, "did you mean 'confirm'?") for name in ("CONFIRM", "Confrim")),
    ("keep-environment", "did you mean 'keep_environment'?"),
    ("remove_package", "did you mean 'remove_packages'?"),
    ("keep_enviroment", "did you mean 'keep_environment'?"),
    *((name, "choose hosts with --limit") for name in ("host", "hosts", "limit", "server")),
    *((name, "rehearse with --check") for name in ("check", "dry_run")),
    ("http_port", "did you mean 'web_http_port'?"),
    ("web_htp_port", "did you mean 'web_http_port'?"),
    ("app_secrets", "did you mean 'web_app_secrets'?"),
    ("web_tls", "'tls' is a key of each app in web_apps"),
]


@pytest.mark.parametrize(("name", "remedy"), MEANT, ids=[name for name, _remedy in MEANT])
def test_what_nothing_reads_is_told_with_what_was_meant(name: str, remedy: str) -> None:
    assert told({name: "hunter2"}) == [f"-e {name!r}: nothing reads this variable; {remedy}"]


@pytest.mark.parametrize(
    "given",
    [
        {"app": "shop", "restart": "shop", "refresh": "shop", "hooks": "run"},
        {"confirm": "yes", "purge": "true", "remove_packages": "true", "remove_users": "true"},
        {"state": "on", "let_pass": "10.0.0.1", "page": "x", "undo_after": "60", "format": "json"},
        {"command": "flask", "_raw_params": "shell"},
        {"web_http_port": "80", "web_app_secrets_ci": {}, "nginx_ipv6": False, "services_redis": []},
        {"ansible_user": "me", "ansible_become_password": "hunter2", "build": "7", "ticket": "A-1", "nginx_vhosts": []},
    ],
    ids=str,
)
def test_what_is_read_and_what_is_somebody_elses_passes(given: dict[str, Any]) -> None:
    assert told(given) == []


def test_what_a_template_reads_is_somebodys_own() -> None:
    """Such as the branch that CI deploys: `ref: "{{ ref }}"`."""
    apps = [{"name": "shop", "ref": trust_as_template("{{ ref | default('') }}")}]
    assert told({"ref": "main"}, of_two={"web_apps": apps}) == []
    assert told({"ref": "main", "web_apps": apps}) == []
    assert told({"ref": "main"}, of_two={"web_apps": [{"name": "shop", "ref": "ref"}]}) != []


def test_which_release_is_said_to_the_playbook_that_reads_it() -> None:
    """`prune.yml` would remove all that are old."""
    release = {"app": "shop", "release": "0123456789ab"}
    assert told(release, playbooks=["/here/rollback.yml"]) == []
    assert told(release, playbooks=[str(PROJECT / "prune.yml")]) == [
        "-e 'release': rollback.yml reads this variable, and prune.yml does more without it"
    ]
    apps = [{"name": "shop", "ref": trust_as_template("{{ release }}")}]
    assert told(release, of_two={"web_apps": apps}, playbooks=[str(PROJECT / "site.yml")]) == []


def test_a_word_without_a_name_is_refused_without_being_shown() -> None:
    assert told({"_raw_params": "hunter2"}) == [
        "-e: needs name=value; put the value in quotes of its own if it has spaces"
    ]


def test_every_word_that_a_playbook_reads_is_known() -> None:
    """They are named where it begins."""
    heads = [re.split(r"^- ", path.read_text(), maxsplit=1, flags=re.MULTILINE)[0] for path in PROJECT.glob("*.yml")]
    named = {name for head in heads for name in re.findall(r"-e \"?(\w+)=", head)}
    assert named <= {*ASKED}
    assert len(named) > 10


# --- The configuration --------------------------------------------------------------------------------------------

OWN = f"{PROJECT}/ansible.cfg"
GUESSED = "ansible.cfg: 'interpreter_python' is auto, so each server's newest Python would be taken, not Debian's. "


def test_a_configuration_of_somebodys_own_may_say_what_is_needed() -> None:
    assert told({}, ansible_config_file="/etc/ansible/ansible.cfg") == []


def test_none_was_read(configuration: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configuration["INTERPRETER_PYTHON"] = "auto"
    monkeypatch.chdir(tmp_path)
    assert told({}) == [f"{GUESSED}Ansible has read none: run this in {PROJECT}, or export ANSIBLE_CONFIG={OWN}"]


def test_another_was_read(configuration: dict[str, str]) -> None:
    configuration["INTERPRETER_PYTHON"] = "auto"
    assert told({}, ansible_config_file="/etc/x.cfg") == [
        f"{GUESSED}Ansible has read /etc/x.cfg: set it there as {OWN} does, or export ANSIBLE_CONFIG={OWN}"
    ]


def test_where_everybody_may_write_none_is_read(
    configuration: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configuration["INTERPRETER_PYTHON"] = "auto_silent"
    (tmp_path / "ansible.cfg").touch()
    tmp_path.chmod(0o777)
    monkeypatch.chdir(tmp_path)
    (line,) = told({})
    assert line.endswith(
        f"Ansible takes no ansible.cfg from {tmp_path}, where everybody may write: chmod o-w {tmp_path}, "
        f"or export ANSIBLE_CONFIG={OWN}"
    )


def test_the_inventory_may_name_the_python(configuration: dict[str, str]) -> None:
    configuration["INTERPRETER_PYTHON"] = "auto"
    named = {"ansible_python_interpreter": "/usr/bin/python3"}
    hosts = {"groups": {"web": ["two"]}, "of_two": named}
    assert told({}, **hosts) == []
    assert told({}, of_two=named) != []


def test_hosts_go_in_step(configuration: dict[str, str]) -> None:
    configuration["DEFAULT_STRATEGY"] = "free"
    (line,) = told({})
    assert line.startswith("ansible.cfg: 'strategy' is free, so servers wouldn't wait for each other. ")


def test_without_a_host_the_nearest_group_is_named(configuration: dict[str, str]) -> None:
    (line,) = told({}, groups={"all": ["a"], "wbe": ["a"], "ungrouped": []})
    assert line.startswith("There is no host in the group 'web'. Looked in /etc/hosts.yml: does it exist, and is the ")
    assert line.endswith("group name spelled correctly? Known groups: wbe")
    # Then there is no inventory either, and that isn't the fault.
    configuration["INTERPRETER_PYTHON"] = "auto"
    (line,) = told({}, groups={})
    assert line.startswith(GUESSED)


def test_a_limit_has_to_choose_a_host_that_serves_apps() -> None:
    groups = {"groups": {"all": ["one", "two", "db"], "web": ["one", "two"], "database": ["db"], "ungrouped": []}}
    assert told({}, **groups, ansible_limit="one,db", ansible_play_hosts_all=["one", "db"]) == []
    assert told({}, **groups, ansible_limit="database", ansible_play_hosts_all=["db"]) == [
        "--limit database: chooses none of the hosts in the group 'web'; they are one, two"
    ]


# --- Each fault once ----------------------------------------------------------------------------------------------


def test_a_fault_of_all_hosts_names_none() -> None:
    assert once({"one": ["a", "b", "a"], "two": ["b"], "three": ["b", "c"]}) == ["one: a", "b", "three: c"]
    assert once({str(number): ["a"] if number else [] for number in range(9)}) == ["1, 2, 3, 4, 5, 6 and 2 more: a"]
    assert once({"one": []}) == []
