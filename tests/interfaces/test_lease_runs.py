"""The lease as playbooks take it: real runs, ended in every way in which a run may end, and runs that meet."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.uwsgi_flask.web.plugins.module_utils import flock as locks
from ansible_collections.uwsgi_flask.web.plugins.module_utils import lease
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.run import this_run

from project import PROJECT

HOSTS = ("one", "two", "three")
# Seconds after which a lease expires that shall do so.
SHORT = 5
# A module that changes the host, as all of the project's do it.
CHANGE = """
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.uwsgi_flask.web.plugins.module_utils.lease import LEASE_OPTION, held

OPTIONS = {"path": {"type": "path"}, "flock": {"type": "path"}, **LEASE_OPTION}
module = AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True)
with held(module, module.params["path"], module.params["flock"]):
    module.exit_json(changed=True)
"""


class Place:
    """What hosts of a test share: each is this machine, with a lease of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.flock = folder / "flock"
        self.runs: list[subprocess.Popen[str]] = []
        for name in ("library", "tmp"):
            (folder / name).mkdir()
        (folder / "library/change.py").write_text(CHANGE)

    def start(self, *between: dict[str, Any], hosts: tuple[str, ...] = ("one",), options: str = "") -> int:
        """Start a run that takes the lease of each host, does something and gives it back. Returns its number.

        Options are those of ansible-playbook, "wait=…", "short" for leases that expire soon, and "shared" for one for
        all hosts.
        """
        name = "one" if "shared" in options else "{{ inventory_hostname }}"
        files = {"path": f"{self.folder}/{name}.lease", "flock": str(self.flock)}
        held = {"state": "held", **files, **({"ttl": SHORT} if "short" in options else {})}
        held |= dict(option.split("=") for option in options.split() if option.startswith("wait="))
        change = {"change": {**files, "lease": "{{ host.token }}"}}
        tasks = [
            {"uwsgi_flask.web.lease": held, "register": "host"},
            *between,
            change,
            {"uwsgi_flask.web.lease": {"state": "free", **files}},
        ]
        play = self.folder / f"play-{len(self.runs)}.yml"
        variables = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
        play.write_text(yaml.safe_dump([{"hosts": "all", "gather_facts": False, "vars": variables, "tasks": tasks}]))
        playbook = str(Path(sys.executable).with_name("ansible-playbook"))
        # A job in the background of a shell ignores SIGINT, and hands that on.
        command = ["env", "--default-signal=INT", playbook, "-i", f"{','.join(hosts)},", str(play)]
        run = subprocess.Popen(
            command + [option for option in options.split() if option.startswith("-")],
            cwd=PROJECT,
            env={
                **os.environ,
                "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg"),
                "ANSIBLE_LIBRARY": str(self.folder / "library"),
                "ANSIBLE_NOCOLOR": "1",
                "ANSIBLE_LOCAL_TEMP": str(self.folder / "local"),
                "TMPDIR": str(self.folder / "tmp"),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.runs.append(run)
        return len(self.runs) - 1

    def end(self, number: int, code: int = 0) -> str:
        """What a run said, in one line. It has to end with this code; -1 is any but 0."""
        run = self.runs[number]
        output, _nothing = run.communicate(timeout=120)
        assert run.returncode == code or (code == -1 and run.returncode != 0), output
        return re.sub(r"\s+", " ", output)

    def run(self, *between: dict[str, Any], code: int = 0, options: str = "") -> str:
        return self.end(self.start(*between, options=options), code)

    def held(self, ending: str = "lease") -> set[str]:
        return {path.stem for path in self.folder.glob(f"*.{ending}")}

    def wait_for(self, wanted: set[str], ending: str = "lease") -> None:
        end = time.monotonic() + 60
        while self.held(ending) != wanted:
            assert time.monotonic() < end, self.held(ending)
            time.sleep(0.05)

    def lease(self) -> lease.Lease:
        found = lease.read(self.path)
        assert found is not None
        return found

    @property
    def path(self) -> Path:
        return self.folder / "one.lease"

    def leave(self, seconds: float = 0, **holder: Any) -> None:
        """A lease of a run of this machine, but for what is given, renewed so many seconds ago."""
        now = locks.clock()
        who = {**this_run(), "by": "ann", **holder}
        lease.write(self.path, lease.Lease("theirs", who, renewed=now - seconds, since=now - seconds))

    def keeper(self) -> int:
        """The process that keeps the lease of the only run there is."""
        (notes,) = self.folder.glob("local/*/lease-one")
        return int(json.loads(notes.read_text())["keeper"])

    def left(self) -> list[int]:
        """The processes of this place's runs."""
        asked = ["pgrep", "-f", str(self.folder / "play-")]
        return [int(pid) for pid in subprocess.run(asked, capture_output=True, check=False).stdout.split()]

    def is_quiet(self) -> bool:
        """Whether nothing of any run is left: no process, and nothing in the folder for temporary files."""
        end = time.monotonic() + 30
        while self.left():
            if time.monotonic() > end:
                return False
            time.sleep(0.05)
        # What is called ansible_* is Ansible's own, left by a module that was ended.
        return [path for path in (self.folder / "tmp").iterdir() if not path.name.startswith("ansible_")] == []

    def is_clean(self) -> bool:
        """Whether nothing is left of runs that ended by themselves, in Ansible's own folder either."""
        return self.is_quiet() and list((self.folder / "local").iterdir()) == []


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    yield made
    for run in made.runs:
        if run.poll() is None:
            run.kill()
        run.communicate(timeout=60)
    for pid in made.left():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def pause(seconds: float) -> dict[str, Any]:
    return {"ansible.builtin.command": f"sleep {seconds}"}


class TestEnds:
    def test_well(self, place: Place) -> None:
        place.run()
        assert place.held() == set()
        assert place.is_clean()

    @pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGKILL"])
    def test_by_a_signal(self, place: Place, name: str) -> None:
        """Given back on every host, though Ansible itself does nothing any more."""
        busy = f"touch {place.folder}/{{{{ inventory_hostname }}}}.busy && sleep 60"
        number = place.start({"ansible.builtin.shell": busy}, hosts=HOSTS)
        place.wait_for({*HOSTS}, ending="busy")
        assert place.held() == {*HOSTS}
        place.runs[number].send_signal(signal.Signals[name])
        place.end(number, code=-1)
        place.wait_for(set())
        # `kill -9` leaves the worker of the task that was running, too.
        assert name == "SIGKILL" or place.is_quiet()

    def test_without_giving_it_back(self, place: Place) -> None:
        """A task failed, or the host couldn't be reached for a while."""
        place.run({"ansible.builtin.fail": {}}, code=-1)
        place.wait_for(set())
        assert place.is_clean()

    def test_a_rehearsal_takes_nothing(self, place: Place) -> None:
        place.leave(machine="another")
        place.run(options="--check")
        assert place.lease().token == "theirs"


class TestMeets:
    def test_a_living_run_of_this_machine(self, place: Place) -> None:
        first = place.start(pause(60))
        place.wait_for({"one"})
        told = place.run(code=-1)
        assert "has been deploying to this host since" in told
        assert f"process {place.runs[first].pid} of this machine; wait for it, or end it." in told
        assert place.held() == {"one"}

    def test_a_living_run_that_it_waits_for(self, place: Place) -> None:
        first = place.start(pause(25))
        place.wait_for({"one"})
        told = place.run(options="wait=100")
        assert re.search(r"one: \S+ on \S+ has been deploying .*; waiting for up to 100 s", told)
        place.end(first)
        assert place.held() == set()

    def test_a_living_run_that_outlasts_its_patience(self, place: Place) -> None:
        place.start(pause(60))
        place.wait_for({"one"})
        assert "of this machine; wait for it, or end it." in place.run(code=-1, options="wait=4")

    @pytest.mark.parametrize("wait", ["soon", "-1", "inf"])
    def test_no_patience_that_is_none(self, place: Place, wait: str) -> None:
        assert f"wait: must be a number of seconds, not '{wait}'" in place.run(code=-1, options=f"wait={wait}")
        assert place.held() == set()

    def test_a_living_run_of_another_machine_of_the_same_name(self, place: Place) -> None:
        place.leave(pid=4_000_000, machine="another")
        before = place.path.read_text()
        told = place.run(code=-1)
        assert f"ann on {this_run()['controller']} has been deploying" in told
        assert re.search(r"its lease ends in [89]\d s", told)
        assert place.path.read_text() == before
        assert place.is_quiet()

    def test_one_that_expired(self, place: Place) -> None:
        place.leave(seconds=lease.TTL + 1, machine="another")
        assert "took over a lease that had expired: ann on" in place.run()
        assert place.held() == set()

    def test_one_of_a_dead_run(self, place: Place) -> None:
        place.leave(pid=4_000_000)
        place.run()
        assert place.held() == set()

    def test_one_of_a_dead_run_that_has_left_a_module_at_work(self, place: Place) -> None:
        place.leave(pid=4_000_000)
        with place.flock.open("w") as file:
            file.write("4711\n")
            file.flush()
            fcntl.flock(file, fcntl.LOCK_EX)
            told = place.run(code=-1)
        assert "that run has ended, but process 4711 of the host is still at work for it" in told
        assert place.lease().token == "theirs"

    def test_a_module_at_work_for_a_run_that_gave_its_lease_back(self, place: Place) -> None:
        with place.flock.open("w") as file:
            file.write("4711\n")
            file.flush()
            fcntl.flock(file, fcntl.LOCK_EX)
            told = place.run(code=-1)
        assert "a run that was interrupted is still at work on this host: process 4711" in told

    def test_itself_by_another_name(self, place: Place) -> None:
        number = place.start(pause(2), hosts=("one", "two"), options="shared")
        told = place.end(number, code=-1)
        assert "under two names" in told

    def test_what_is_no_lease(self, place: Place) -> None:
        place.path.write_text("nonsense")
        told = place.run(code=-1)
        assert re.search(rf"{place.path} isn't a lease .* if no deploy is running, remove it\.", told)
        assert place.path.read_text() == "nonsense"

    def test_what_cannot_be_read(self, place: Place) -> None:
        place.path.mkdir()
        told = place.run(code=-1)
        assert f"the lease {place.path} can't be used" in told
        assert "Is a directory" in told


class TestKeeps:
    def test_it_renewed_while_it_lives(self, place: Place) -> None:
        place.start(pause(60), options="short")
        place.wait_for({"one"})
        first = place.lease()
        while place.lease().renewed < first.renewed + SHORT:
            assert not place.lease().has_expired()
            time.sleep(0.1)
        assert (place.lease().token, place.lease().since) == (first.token, first.since)
        assert "of this machine; wait for it" in place.run(code=-1)

    def test_it_not_where_the_keeper_was_killed_and_stops_once_another_has_it(self, place: Place) -> None:
        first = place.start(pause(15), options="short")
        place.wait_for({"one"})
        os.kill(place.keeper(), signal.SIGKILL)
        while not place.lease().has_expired():
            time.sleep(0.1)
        second = place.start(pause(15))
        told = place.end(first, code=-1)
        assert "lost its lease on the host" in told
        assert "Nothing more was changed here" in told
        assert "took over a lease that had expired" in place.end(second)

    def test_it_through_a_second_taking(self, place: Place) -> None:
        again = {
            "uwsgi_flask.web.lease": {"state": "held", "path": str(place.path), "flock": str(place.flock)},
            "register": "host",
        }
        place.run(again)
        assert place.is_quiet()
