"""The units of an app, and what tmpfiles.d makes for it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.uwsgi_flask.web.plugins.module_utils.layout import AppLayout
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.places import DROP_IN
from ansible_collections.uwsgi_flask.web.plugins.module_utils.release_layout import MEND, PARTS, STEPS, WATCH
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.instance import tmpfiles

from rendered import Rendered, rendered

Unit = dict[str, list[tuple[str, str]]]

SERVICES = ["service", *STEPS]
ALL = [*SERVICES, "socket", "target", WATCH, MEND]


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


@pytest.mark.parametrize("kind", ALL)
def test_a_unit_has_known_sections(made: Rendered, kind: str) -> None:
    own = {"target": {"Install"}, "socket": {"Socket"}, WATCH: {"Path"}}.get(kind, {"Service"})
    assert set(parsed(made.unit(kind))) == {"Unit"} | own


@pytest.mark.parametrize("kind", ALL)
def test_only_these_keys_stand_twice(made: Rendered, kind: str) -> None:
    for section, pairs in parsed(made.unit(kind)).items():
        keys = [key for key, _value in pairs]
        assert {key for key in keys if keys.count(key) > 1} <= {"SystemCallFilter", "Wants", "PathChanged"}, section


@pytest.mark.parametrize("kind", ALL)
def test_a_unit_is_a_releases_own(made: Rendered, kind: str) -> None:
    """Concrete files: nothing in them is filled in by systemd, so no release shares any with another."""
    assert "%" not in str(parsed(made.unit(kind)))
    assert made.release["id"] in made.unit(kind)


def test_the_target_holds_the_parts(made: Rendered) -> None:
    """It alone is enabled; whoever stops it stops them all."""
    names = made.release["unit_names"]
    target = parsed(made.unit("target"))
    wanted = [unit for name, value in target["Unit"] if name == "Wants" for unit in value.split()]
    assert wanted == [
        names["socket"],
        names["service"],
        names["watch"],
        *made.release["worker_units"],
        *made.release["timer_units"],
    ]
    assert one(target, "Install", "WantedBy") == "multi-user.target"
    for part in PARTS:
        assert one(parsed(made.unit(part)), "Unit", "PartOf") == names["target"]
        assert "Install" not in parsed(made.unit(part))


@pytest.mark.parametrize("kind", SERVICES)
def test_a_service_runs_as_the_apps_user(made: Rendered, kind: str) -> None:
    service = parsed(made.unit(kind))
    assert one(service, "Service", "User") == made.app["user"]
    assert one(service, "Service", "Group") == made.app["group"]


@pytest.mark.parametrize("kind", SERVICES)
def test_a_service_gets_its_environment_from_the_releases_file_alone(made: Rendered, kind: str) -> None:
    """`Environment=` is shown to every user of the host; a `-` before the file would let it start without."""
    service = parsed(made.unit(kind))
    file = one(service, "Service", "EnvironmentFile")
    assert file == made.release["environment"]
    named = [value.partition("=")[0] for key, value in service["Service"] if key == "Environment"]
    assert named == ["PATH"]


@pytest.mark.parametrize("kind", SERVICES)
def test_a_service_finds_the_virtualenvs_commands_first(made: Rendered, kind: str) -> None:
    service = parsed(made.unit(kind))
    assert one(service, "Service", "Environment").startswith(f"PATH={made.release['virtualenv']}/bin:")


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
        ("RemoveIPC", "yes"),
        ("SystemCallArchitectures", "native"),
        ("UMask", "0007"),
    ],
)
def test_a_service_is_in_the_sandbox(made: Rendered, kind: str, key: str, value: str) -> None:
    """What is run once, and the import check, as much as what serves."""
    assert one(parsed(made.unit(kind)), "Service", key) == value


@pytest.mark.parametrize("kind", SERVICES)
def test_system_calls_are_those_of_a_service(made: Rendered, kind: str) -> None:
    filters = [value for key, value in parsed(made.unit(kind))["Service"] if key == "SystemCallFilter"]
    assert filters == ["@system-service", "~@privileged @resources"]


# systemd's own judgement, and the highest that is good enough: ten times what it prints.
EXPOSURE, EXPOSURE_OF_NGINX = 12, 25


def _judges_files() -> bool:
    """Since 250, systemd judges a file."""
    if not shutil.which("systemd-analyze"):
        return False
    said = subprocess.run(["systemd-analyze", "--version"], capture_output=True, text=True, check=True).stdout
    return int(re.findall(r"\d+", said)[0]) >= 250


can_judge = pytest.mark.skipif(not _judges_files(), reason="needs systemd-analyze of systemd 250 or newer")


def judged(text: str, name: str, folder: Path, threshold: int) -> subprocess.CompletedProcess[str]:
    """What systemd says of a unit by itself; exit code 1 where it is more exposed than it may be."""
    # It wants to know the program, which this machine need not have.
    (folder / name).write_text(re.sub("^ExecStart=.*", "ExecStart=/bin/true", text, flags=re.MULTILINE))
    words = ["systemd-analyze", "security", "--offline=true", f"--threshold={threshold}", "--no-pager", f"./{name}"]
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)


@can_judge
def test_systemd_finds_little_to_say_of_any_service(apps: list[Rendered], tmp_path: Path) -> None:
    kinds = [*SERVICES, "worker-mail", "job-clean"]
    for kind in kinds:
        done = judged(apps[0].unit(kind), f"{kind}.service", tmp_path, EXPOSURE)
        assert done.returncode == 0, (kind, done.stdout[-3000:], done.stderr)
        # It can say no.
        assert judged(apps[0].unit(kind), f"{kind}.service", tmp_path, EXPOSURE - 1).returncode != 0


@can_judge
def test_nor_of_nginx(base: dict[str, str], tmp_path: Path) -> None:
    """Its own unit adds nothing that counts: a service of root's."""
    text = f"{base[DROP_IN]}ExecStart=/bin/true\n"
    done = judged(text, "nginx.service", tmp_path, EXPOSURE_OF_NGINX)
    assert done.returncode == 0, (done.stdout[-3000:], done.stderr)
    assert judged(text, "nginx.service", tmp_path, EXPOSURE_OF_NGINX - 1).returncode != 0


def test_an_app_may_have_options_of_its_own_behind_all_others(settings: dict[str, Any]) -> None:
    first = {**settings["web_apps"][0], "sandbox": {"MemoryDenyWriteExecute": False, "SystemCallFilter": ["@chown"]}}
    (made,) = rendered({**settings, "web_apps": [first]})
    for kind in [*SERVICES, "worker-mail", "job-clean"]:
        assert made.unit(kind).splitlines()[-2:] == ["MemoryDenyWriteExecute=no", "SystemCallFilter=@chown"], kind


@pytest.mark.parametrize("kind", SERVICES)
def test_the_app_writes_in_one_place_only(made: Rendered, kind: str) -> None:
    service = parsed(made.unit(kind))
    assert one(service, "Service", "ReadWritePaths") == made.app["data"]
    # systemd would give the folder to the user of whatever it starts, under the one that serves.
    keys = {key for key, _value in service["Service"]}
    assert not {"StateDirectory", "CacheDirectory", "LogsDirectory"} & keys


def test_the_service_starts_the_releases_ini(made: Rendered) -> None:
    service = parsed(made.unit("service"))
    assert one(service, "Service", "ExecStart") == f"/usr/bin/uwsgi --ini {made.release['ini']}"
    assert one(service, "Service", "Type") == "notify"
    assert "PIDFile" not in made.unit("service")


def test_the_service_needs_its_socket(made: Rendered) -> None:
    service = parsed(made.unit("service"))
    socket = made.release["unit_names"]["socket"]
    assert one(service, "Unit", "Requires") == socket
    assert socket in one(service, "Unit", "After").split()


@pytest.mark.parametrize("run_root", ["/run", "/run/web"])
def test_the_service_makes_the_directory_of_its_own_sockets(settings: dict[str, Any], run_root: str) -> None:
    made = rendered({**settings, "web_run_root": run_root})[1]
    directory = f"/run/{one(parsed(made.unit('service')), 'Service', 'RuntimeDirectory')}"
    for socket in ("http_socket", "stats_socket"):
        assert made.release[socket].rpartition("/")[0] == directory


def test_the_service_comes_back_and_is_never_given_up(made: Rendered) -> None:
    service = parsed(made.unit("service"))
    assert one(service, "Unit", "StartLimitIntervalSec") == "0"
    assert one(service, "Service", "Restart") == "always"
    assert one(service, "Service", "RestartSec") == "500ms"


def test_the_service_ends_gracefully_in_time(made: Rendered) -> None:
    service = parsed(made.unit("service"))
    assert one(service, "Service", "KillSignal") == "SIGTERM"
    assert one(service, "Service", "KillMode") == "mixed"
    assert int(one(service, "Service", "TimeoutStopSec")) > made.app["request_timeout"]
    assert int(one(service, "Service", "TimeoutStartSec")) == made.app["start_timeout"]


def test_the_socket_admits_nginx_and_nobody_else(made: Rendered) -> None:
    socket = parsed(made.unit("socket"))
    assert one(socket, "Socket", "ListenStream") == made.release["socket"]
    assert one(socket, "Socket", "SocketUser") == "root"
    assert one(socket, "Socket", "SocketGroup") == "www-data"
    assert one(socket, "Socket", "SocketMode") == "0660"
    assert one(socket, "Socket", "Backlog") == str(made.app["listen_queue"])
    assert one(socket, "Socket", "RemoveOnStop") == "yes"
    # At boot it is there before anybody asks nginx.
    assert one(socket, "Unit", "Before") == "nginx.service"


@pytest.mark.parametrize("step", STEPS)
def test_a_step_runs_a_script_of_the_release_once(made: Rendered, step: str) -> None:
    unit = parsed(made.unit(step))
    assert one(unit, "Service", "Type") == "oneshot"
    assert one(unit, "Service", "ExecStart") == f"{made.release['steps']}/{step}"
    assert one(unit, "Service", "WorkingDirectory") == made.release["code"]
    assert one(unit, "Service", "Environment").startswith(f"PATH={made.release['virtualenv']}/bin:")


# --- Workers ------------------------------------------------------------------------------------------------------


@pytest.fixture(params=["mail", "slow"])
def worker(apps: list[Rendered], request: pytest.FixtureRequest) -> tuple[Rendered, str]:
    """The app that has workers, and the kind of one."""
    return apps[0], f"worker-{request.param}"


def test_there_are_workers(apps: list[Rendered]) -> None:
    assert [len(made.release["worker_units"]) for made in apps] == [2, 2]


def test_a_worker_is_like_a_step_but_for_how_it_runs(worker: tuple[Rendered, str]) -> None:
    """User, environment, folder, path and sandbox."""
    made, kind = worker
    own, step = parsed(made.unit(kind))["Service"], parsed(made.unit("check"))["Service"]
    apart = {"Type", "ExecStart", "TimeoutStartSec"}
    assert [pair for pair in step if pair[0] not in apart and pair not in own] == []


def test_a_worker_hangs_on_the_target_and_comes_back(worker: tuple[Rendered, str]) -> None:
    made, kind = worker
    unit = parsed(made.unit(kind))
    assert one(unit, "Unit", "PartOf") == made.release["target"]
    assert one(unit, "Unit", "StartLimitIntervalSec") == "0"
    assert one(unit, "Service", "Restart") == "always"
    assert one(unit, "Service", "ExecStart") == f"{made.release['steps']}/{kind}"
    assert "Install" not in unit
    assert "%" not in str(unit)


def test_a_worker_has_its_time_to_finish_a_job(apps: list[Rendered]) -> None:
    times = {
        name: one(parsed(apps[0].unit(f"worker-{name}")), "Service", "TimeoutStopSec") for name in ("mail", "slow")
    }
    assert times == {"mail": "60", "slow": "900"}


def test_a_workers_command_stands_in_no_unit(worker: tuple[Rendered, str]) -> None:
    """systemd would fill in what begins with a percent or dollar sign, and shows units to everybody."""
    made, kind = worker
    assert "celery" not in made.unit(kind)


# --- Timers -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["clean", "look"])
def test_a_timer_starts_its_job(made: Rendered, name: str) -> None:
    unit = parsed(made.unit(f"timer-{name}"))
    assert set(unit) == {"Unit", "Timer"}
    assert one(unit, "Unit", "PartOf") == made.release["target"]
    assert one(unit, "Timer", "Unit") == made.release["unit_names"][f"job-{name}"]
    assert one(unit, "Timer", "OnCalendar") == made.app["timers"][name]["calendar"]


@pytest.mark.parametrize("name", ["clean", "look"])
def test_a_job_is_like_a_step_and_hangs_on_nothing(made: Rendered, name: str) -> None:
    own, step = parsed(made.unit(f"job-{name}")), parsed(made.unit("check"))["Service"]
    apart = {"ExecStart", "TimeoutStartSec"}
    assert [pair for pair in step if pair[0] not in apart and pair not in own["Service"]] == []
    assert one(own, "Service", "ExecStart") == f"{made.release['steps']}/job-{name}"
    # Or it would be left out now and then where it is due every second.
    assert one(own, "Unit", "StartLimitIntervalSec") == "0"
    assert "PartOf" not in dict(own["Unit"])
    # Only of the live release.
    live = f"/usr/bin/test {made.app['current']} -ef {made.release['directory']}"
    assert one(own, "Service", "ExecCondition") == live


def test_a_job_that_runs_once_looks_whether_this_host_is_the_first(apps: list[Rendered]) -> None:
    units = {name: dict(parsed(apps[0].unit(f"job-{name}"))["Unit"]) for name in ("clean", "look")}
    assert units["clean"]["ConditionPathExists"] == "/opt/shop/first-host"
    assert "ConditionPathExists" not in units["look"]


def test_the_names_that_nginx_connects_to_are_made_at_boot() -> None:
    """The same for every release, so nothing of it changes before a release is proven. The app's data is made too."""
    layout = AppLayout("shop", group="web-shop")
    lines = [line.split() for line in tmpfiles(layout).text.splitlines() if not line.startswith("#")]
    assert lines == [
        ["d", "/run/shop", "0711", "root", "root"],
        ["d", "/var/lib/shop", "2770", "root", "web-shop"],
        ["L+", "/run/shop/shop.sock", "-", "-", "-", "-", "/opt/shop/current/socket"],
        ["L+", "/run/shop/candidate.sock", "-", "-", "-", "-", "/opt/shop/candidate/socket"],
    ]


def test_the_watch_looks_where_visitors_are_led(made: Rendered) -> None:
    unit = parsed(made.unit(WATCH))
    assert [value for key, value in unit["Path"] if key == "PathChanged"] == [made.app["run"], made.app["root"]]
    assert one(unit, "Path", "Unit") == made.release["unit_names"][MEND]
    assert one(unit, "Unit", "PartOf") == made.release["target"]
    assert one(parsed(made.unit(MEND)), "Service", "ExecStart") == made.release["mend"]
