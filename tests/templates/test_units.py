"""The units of an app, and what tmpfiles.d makes for it."""

from __future__ import annotations

import re
from typing import Any

import pytest

from rendered import Rendered, rendered

Unit = dict[str, list[tuple[str, str]]]

SERVICES = ["@.service", "-check@.service", "-before@.service", "-after@.service"]
ALL = [*SERVICES, "@.socket"]


def parsed(text: str) -> Unit:
    """Sections with their keys and values in order; systemd lets a key stand twice, and has no inline comments."""
    unit: Unit = {}
    for line in text.splitlines():
        if section := re.fullmatch(r"\[(\w+)\]", line):
            unit[section[1]] = []
        elif line and not line.startswith(("#", ";")):
            key, equals, value = line.partition("=")
            assert equals, line
            assert re.fullmatch(r"[A-Z]\w+", key), line
            assert value == value.strip(), line
            unit[list(unit)[-1]].append((key, value))
    return unit


def one(unit: Unit, section: str, key: str) -> str:
    """The value of a key that stands there once."""
    (value,) = [value for name, value in unit[section] if name == key]
    return value


def of_the_instance(made: Rendered, value: str) -> str:
    """As systemd fills it in for the release's own instance."""
    return value.replace("%i", made.instance["id"]).replace("%p", made.instance["name"])


@pytest.mark.parametrize("kind", ALL)
def test_a_unit_has_known_sections(made: Rendered, kind: str) -> None:
    own = "Socket" if kind == "@.socket" else "Service"
    installed = {"Install"} if kind in ("@.service", "@.socket") else set()
    assert set(parsed(made.unit(kind))) == {"Unit", own} | installed


@pytest.mark.parametrize("kind", ALL)
def test_only_these_keys_stand_twice(made: Rendered, kind: str) -> None:
    for section, pairs in parsed(made.unit(kind)).items():
        keys = [key for key, _value in pairs]
        assert {key for key in keys if keys.count(key) > 1} <= {"SystemCallFilter"}, section


@pytest.mark.parametrize("kind", ALL)
def test_the_release_is_named_without_unescaping(made: Rendered, kind: str) -> None:
    """%I would turn the hyphen of a name into a slash."""
    values = " ".join(value for pairs in parsed(made.unit(kind)).values() for _key, value in pairs)
    specifiers = set(re.findall(r"%.", values))
    assert "%i" in specifiers
    assert specifiers <= {"%i", "%p", "%j"}


@pytest.mark.parametrize("kind", SERVICES)
def test_a_service_runs_as_the_apps_user(made: Rendered, kind: str) -> None:
    service = parsed(made.unit(kind))
    assert one(service, "Service", "User") == "www"
    assert one(service, "Service", "Group") == "www"


@pytest.mark.parametrize("kind", SERVICES)
def test_a_service_gets_its_environment_from_the_releases_file_alone(made: Rendered, kind: str) -> None:
    """`Environment=` is shown to every user of the host; a `-` before the file would let it start without."""
    service = parsed(made.unit(kind))
    file = one(service, "Service", "EnvironmentFile")
    assert of_the_instance(made, file) == f"{made.instance['release']}/environment"
    named = [value.partition("=")[0] for key, value in service["Service"] if key == "Environment"]
    assert named == ([] if kind == "@.service" else ["PATH"])


@pytest.mark.parametrize("kind", SERVICES)
@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("NoNewPrivileges", "yes"),
        ("CapabilityBoundingSet", ""),
        ("AmbientCapabilities", ""),
        ("ProtectSystem", "strict"),
        ("ProtectHome", "yes"),
        ("PrivateTmp", "yes"),
        ("PrivateDevices", "yes"),
        ("ProtectProc", "invisible"),
        ("ProtectKernelTunables", "yes"),
        ("ProtectKernelModules", "yes"),
        ("ProtectKernelLogs", "yes"),
        ("ProtectControlGroups", "yes"),
        ("ProtectClock", "yes"),
        ("ProtectHostname", "yes"),
        ("RestrictNamespaces", "yes"),
        ("RestrictSUIDSGID", "yes"),
        ("RestrictRealtime", "yes"),
        ("RestrictAddressFamilies", "AF_UNIX AF_INET AF_INET6"),
        ("LockPersonality", "yes"),
        ("MemoryDenyWriteExecute", "yes"),
        ("SystemCallArchitectures", "native"),
        ("UMask", "0027"),
    ],
)
def test_a_service_is_in_the_sandbox(made: Rendered, kind: str, key: str, value: str) -> None:
    """What is run once, and the import check, as much as what serves."""
    assert one(parsed(made.unit(kind)), "Service", key) == value


@pytest.mark.parametrize("kind", SERVICES)
def test_system_calls_are_those_of_a_service(made: Rendered, kind: str) -> None:
    filters = [value for key, value in parsed(made.unit(kind))["Service"] if key == "SystemCallFilter"]
    assert filters == ["@system-service", "~@privileged @resources"]


@pytest.mark.parametrize("kind", SERVICES)
def test_the_app_writes_in_one_place_only(made: Rendered, kind: str) -> None:
    service = parsed(made.unit(kind))
    assert one(service, "Service", "StateDirectory") == made.instance["name"]
    assert one(service, "Service", "StateDirectoryMode") == "0750"
    assert not {"ReadWritePaths", "CacheDirectory", "LogsDirectory"} & {key for key, _value in service["Service"]}


def test_the_service_starts_the_releases_ini(made: Rendered) -> None:
    service = parsed(made.unit("@.service"))
    started = of_the_instance(made, one(service, "Service", "ExecStart"))
    assert started == f"/usr/bin/uwsgi --ini {made.instance['release']}/{made.instance['name']}.ini"
    assert one(service, "Service", "Type") == "notify"
    assert "PIDFile" not in made.unit("@.service")


def test_the_service_needs_its_socket(made: Rendered) -> None:
    service = parsed(made.unit("@.service"))
    socket = f"{made.instance['name']}@{made.instance['id']}.socket"
    assert of_the_instance(made, one(service, "Unit", "Requires")) == socket
    assert socket in of_the_instance(made, one(service, "Unit", "After")).split()


@pytest.mark.parametrize("run_root", ["/run", "/run/web"])
def test_the_service_makes_the_directory_of_its_own_sockets(settings: dict[str, Any], run_root: str) -> None:
    made = rendered({**settings, "web_run_root": run_root})[1]
    directory = of_the_instance(made, f"/run/{one(parsed(made.unit('@.service')), 'Service', 'RuntimeDirectory')}")
    for socket in ("http_socket", "stats_socket"):
        assert made.instance[socket].rpartition("/")[0] == directory


def test_the_service_comes_back_and_is_never_given_up(made: Rendered) -> None:
    service = parsed(made.unit("@.service"))
    assert one(service, "Unit", "StartLimitIntervalSec") == "0"
    assert one(service, "Service", "Restart") == "always"
    assert one(service, "Service", "RestartSec") == "500ms"
    assert one(service, "Install", "WantedBy") == "multi-user.target"


def test_the_service_ends_gracefully_in_time(made: Rendered) -> None:
    service = parsed(made.unit("@.service"))
    assert one(service, "Service", "KillSignal") == "SIGTERM"
    assert one(service, "Service", "KillMode") == "mixed"
    assert int(one(service, "Service", "TimeoutStopSec")) > made.instance["request_timeout"]
    assert int(one(service, "Service", "TimeoutStartSec")) == made.instance["start_timeout"]


def test_the_socket_admits_nginx_and_nobody_else(made: Rendered) -> None:
    socket = parsed(made.unit("@.socket"))
    assert of_the_instance(made, one(socket, "Socket", "ListenStream")) == made.instance["socket"]
    assert one(socket, "Socket", "SocketUser") == "root"
    assert one(socket, "Socket", "SocketGroup") == "www-data"
    assert one(socket, "Socket", "SocketMode") == "0660"
    assert one(socket, "Socket", "Backlog") == str(made.instance["backlog"])
    assert one(socket, "Socket", "RemoveOnStop") == "yes"
    assert one(socket, "Install", "WantedBy") == "sockets.target"


@pytest.mark.parametrize("step", ["check", "before", "after"])
def test_a_step_runs_a_script_of_the_release_once(made: Rendered, step: str) -> None:
    unit = parsed(made.unit(f"-{step}@.service"))
    release = made.instance["release"]
    assert one(unit, "Service", "Type") == "oneshot"
    started = of_the_instance(made, one(unit, "Service", "ExecStart")).replace("%j", step)
    assert started == f"{release}/steps/{step}"
    assert of_the_instance(made, one(unit, "Service", "WorkingDirectory")) == f"{release}/code"
    path = one(unit, "Service", "Environment")
    assert of_the_instance(made, path).startswith(f"PATH={release}/venv/bin:")


def test_the_name_that_nginx_connects_to_is_made_at_boot(made: Rendered) -> None:
    instance = made.instance
    lines = [line.split() for line in made.files["tmpfiles"].splitlines() if line and not line.startswith("#")]
    assert lines == [
        ["d", instance["run"], "0751", "root", "www-data"],
        ["L+", instance["live_socket"], "-", "-", "-", "-", f"{instance['root']}/current/socket"],
    ]


def test_nginx_comes_back_too(base: dict[str, str]) -> None:
    assert parsed(base["restart.conf"]) == {
        "Unit": [("StartLimitIntervalSec", "0")],
        "Service": [("Restart", "always"), ("RestartSec", "200ms")],
    }
