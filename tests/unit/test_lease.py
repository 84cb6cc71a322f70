"""One run at a time changes a host: whoever has lost its lease changes nothing more."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.uwsgi_flask.web.plugins.action import lease as action
from ansible_collections.uwsgi_flask.web.plugins.module_utils import flock as locks
from ansible_collections.uwsgi_flask.web.plugins.module_utils import lease
from ansible_collections.uwsgi_flask.web.plugins.module_utils.flock import FLOCK
from ansible_collections.uwsgi_flask.web.plugins.module_utils.lease import PATH, TTL, Broken, Lease
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils import run

# Runs that do what they like at the same time, each in a process of its own; what such a process needs to be one.
RUNS = "abcd"
ALONE = {**os.environ, "PYTHONPATH": f"{Path(__file__).parents[2] / 'collections'}:{Path(__file__).parent}"}
ANN, BEN = {"by": "ann", "controller": "laptop"}, {"by": "ben", "controller": "desk"}


class Failed(Exception):
    """The module ends here."""


class Module:
    """As much of AnsibleModule as `held` asks for."""

    def __init__(self, token: str, check_mode: bool = False) -> None:
        self.params = {"lease": token}
        self.check_mode = check_mode

    def fail_json(self, msg: str) -> None:
        raise Failed(msg)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The host's clock; a test sets it."""
    seconds = [1000.0]
    monkeypatch.setattr(lease, "clock", lambda: seconds[0])
    monkeypatch.setattr(lease, "WAIT_SECONDS", 0.0)
    return seconds


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "web-deploy.lease"


def take(path: Path, token: str, holder: dict[str, Any]) -> bool:
    """Whether a run gets the lease."""
    taken, _found = lease.claim(path, token, holder)
    return taken


def there(path: Path) -> Lease:
    found = lease.read(path)
    assert found is not None
    return found


@contextlib.contextmanager
def changing(path: Path, token: str, **options: Any) -> Iterator[None]:
    module: Any = Module(token, **options)
    with lease.held(module, str(path), str(path.with_suffix(".flock"))):
        yield


def changes(path: Path, token: str, **options: Any) -> bool:
    """Whether a changing module of this run does its work."""
    try:
        with changing(path, token, **options):
            return True
    except Failed:
        return False


def why(path: Path, token: str) -> str:
    with pytest.raises(Failed) as failed, changing(path, token):
        pass
    return str(failed.value)


@contextlib.contextmanager
def at_work(flock: Path, seconds: float) -> Iterator[int]:
    """A process that changes the host for so long; its number."""
    script = (
        f"import sys, time; from pathlib import Path; from {lease.__name__} import flock\n"
        "with flock(Path(sys.argv[1]), 1): print('.', flush=True); time.sleep(float(sys.argv[2]))"
    )
    command = [sys.executable, "-c", script, str(flock), str(seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=ALONE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process.pid
        process.kill()


class TestHeld:
    def test_with_the_lease(self, path: Path, clock: list[float]) -> None:
        take(path, "a", ANN)
        assert changes(path, "a")

    def test_each_change_renews_it(self, path: Path, clock: list[float]) -> None:
        take(path, "a", ANN)
        clock[0] += TTL - 1
        assert changes(path, "a")
        assert there(path).left() == TTL
        assert there(path).age() == TTL - 1

    def test_one_that_expired_and_that_nobody_took_is_still_ours(self, path: Path, clock: list[float]) -> None:
        take(path, "a", ANN)
        clock[0] += 10 * TTL
        assert changes(path, "a")

    def test_not_with_anothers(self, path: Path, clock: list[float]) -> None:
        take(path, "b", BEN)
        assert "lost its lease on the host: ben on desk has been deploying" in why(path, "a")

    def test_not_without_any(self, path: Path, clock: list[float]) -> None:
        assert "nobody has it now" in why(path, "a")

    def test_whoever_never_took_one_is_told_how(self, path: Path, clock: list[float]) -> None:
        take(path, "b", BEN)
        told = why(path, "")
        assert told.startswith("this task was given no lease; take one first (uwsgi_flask.web.lease, state: held)")

    def test_a_rehearsal_needs_none(self, path: Path, clock: list[float]) -> None:
        assert changes(path, "", check_mode=True)
        assert list(path.parent.iterdir()) == []

    def test_keeps_the_flock_to_the_end(self, path: Path) -> None:
        take(path, "a", ANN)
        flock = path.with_suffix(".flock")
        with changing(path, "a"):
            with pytest.raises(locks.Busy, match=f"process {os.getpid()} of this host"), locks.flock(flock, 0):
                pass
            # Neither waits for the change to end, which may take minutes.
            assert lease.renew(path, "a")
            lease.give_back(path, "a")
        with locks.flock(flock, 0):
            assert not path.exists()

    def test_an_orphan_that_is_still_at_work_is_waited_for(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        take(path, "a", ANN)
        with at_work(path.with_suffix(".flock"), 1):
            began = time.monotonic()
            assert changes(path, "a")
            assert time.monotonic() - began > 0.5
        monkeypatch.setattr(lease, "WAIT_SECONDS", 0.1)
        with at_work(path.with_suffix(".flock"), 30) as pid:
            told = why(path, "a")
            assert "still at work on this host after 0.1 s" in told
            assert f"process {pid} of this host" in told

    def test_whoever_has_lost_it_waits_for_nobody(self, path: Path) -> None:
        take(path, "b", BEN)
        with at_work(path.with_suffix(".flock"), 30):
            began = time.monotonic()
            assert "lost its lease" in why(path, "a")
            assert time.monotonic() - began < 5

    def test_one_that_is_lost_during_the_wait_is_lost(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        take(path, "a", ANN)

        @contextlib.contextmanager
        def slow(flock: Path, seconds: float) -> Iterator[None]:
            if flock.name == "web-deploy.flock":
                lease.write(path, Lease("b", BEN, locks.clock(), locks.clock()))
            yield

        monkeypatch.setattr(lease, "flock", slow)
        assert "lost its lease" in why(path, "a")


class TestFile:
    def test_is_for_root_alone(self, path: Path) -> None:
        take(path, "a", ANN)
        assert path.stat().st_mode & 0o777 == 0o600

    def test_both_are_gone_after_a_boot(self) -> None:
        assert {Path(PATH).parent, Path(FLOCK).parent} == {Path("/run")}

    @pytest.mark.parametrize(
        "text",
        ["nonsense", "[]", "{}", '{"token": "a", "holder": "ann", "renewed": 1, "since": 1}', "null", "\udcff"],
    )
    def test_a_broken_one_is_told_as_what_it_is(self, path: Path, clock: list[float], text: str) -> None:
        path.write_bytes(text.encode(errors="surrogateescape"))
        assert "isn't a lease" in why(path, "a")
        assert "Nothing more was changed here" in why(path, "a")
        with pytest.raises(Broken, match="remove it"):
            lease.read(path)

    def test_a_file_of_other_values_is_broken(self, path: Path, clock: list[float]) -> None:
        path.write_text(json.dumps({"token": "a", "holder": {}, "renewed": "noon", "since": 1}))
        with pytest.raises(Broken, match="noon"):
            lease.read(path)

    def test_one_that_cannot_be_read_is_told_as_what_it_is(self, path: Path) -> None:
        path.mkdir()
        told = why(path, "a")
        assert f"the lease {path} can't be used" in told
        assert "Is a directory" in told


class TestTaking:
    def test_a_living_one_is_refused(self, path: Path, clock: list[float]) -> None:
        assert take(path, "a", ANN)
        clock[0] += TTL
        assert not take(path, "b", BEN)
        assert there(path).holder == ANN

    def test_one_that_expired_is_taken(self, path: Path, clock: list[float]) -> None:
        take(path, "a", ANN)
        clock[0] += TTL + 1
        assert take(path, "b", BEN)
        assert not changes(path, "a")

    def test_a_dead_runs_is_taken_at_once(self, path: Path, clock: list[float]) -> None:
        take(path, "a", ANN)
        assert lease.claim(path, "b", BEN, displaces="a")[0]
        # But of that run only: another was faster.
        assert not lease.claim(path, "c", ANN, displaces="a")[0]

    def test_one_of_before_a_boot_has_expired(self, path: Path, clock: list[float]) -> None:
        take(path, "a", ANN)
        clock[0] = 5
        assert take(path, "b", BEN)

    def test_a_clock_set_back_does_no_harm(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        take(path, "a", ANN)
        monkeypatch.setattr(time, "time", lambda: 0.0)
        assert not take(path, "b", BEN)
        assert 0 <= there(path).age() < 5

    def test_it_says_itself_when_it_expires(self, path: Path, clock: list[float]) -> None:
        lease.claim(path, "a", ANN, ttl=5)
        clock[0] += 4
        assert lease.renew(path, "a")
        clock[0] += 4
        assert not take(path, "b", BEN)
        clock[0] += 2
        assert take(path, "b", BEN)


class TestOthersAreLeftAlone:
    def test_renewing(self, path: Path, clock: list[float]) -> None:
        assert not lease.renew(path, "a")
        assert not path.exists()
        take(path, "b", BEN)
        before = path.read_text()
        clock[0] += 1
        assert not lease.renew(path, "a")
        assert path.read_text() == before

    def test_giving_back(self, path: Path, clock: list[float]) -> None:
        lease.give_back(path, "a")
        take(path, "b", BEN)
        lease.give_back(path, "a")
        assert there(path).token == "b"
        lease.give_back(path, "b")
        assert not path.exists()


class TestRandomOrders:
    """Two runs take, renew, change and give back in any order, while time passes.

    Who may change the host is known here apart from the file: whoever took it last, until it gave it back.
    """

    @pytest.mark.parametrize("seed", range(20))
    def test_never_two_that_may_change_the_host(self, path: Path, clock: list[float], seed: int) -> None:
        dice = random.Random(seed)
        owner, renewed = "", 0.0
        for _step in range(60):
            token, holder = dice.choice([("a", ANN), ("b", BEN)])
            what = dice.choice(["take", "take", "renew", "give back", "change", "wait", "wait long"])
            mine = owner == token
            if what == "take":
                may = owner in ("", token) or clock[0] - renewed > TTL
                assert take(path, token, holder) is may
                owner, renewed = (token, clock[0]) if may else (owner, renewed)
            elif what == "renew":
                assert lease.renew(path, token) is mine
                renewed = clock[0] if mine else renewed
            elif what == "give back":
                lease.give_back(path, token)
                owner = "" if mine else owner
            elif what == "change":
                assert changes(path, token) is mine
                renewed = clock[0] if mine else renewed
            else:
                clock[0] += 10 if what == "wait" else TTL + 1

    def test_nor_when_they_do_it_at_the_same_time(self, path: Path) -> None:
        """Each process writes down what it got done while nobody else could: a change follows its own run's taking."""
        log = path.with_suffix(".log")
        script = (
            f"import sys; from pathlib import Path; from {__name__} import live\n"
            "live(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])"
        )
        runs = [
            subprocess.Popen([sys.executable, "-c", script, str(path), str(log), token], env=ALONE) for token in RUNS
        ]
        assert [run.wait(60) for run in runs] == [0] * len(RUNS)
        owner, changed = "", 0
        for line in log.read_text().splitlines():
            token, what = line.split()
            if what == "took":
                owner = token
            else:
                assert owner == token
                changed += 1
        assert changed > 20


def live(path: Path, log: Path, token: str) -> None:
    """Take, renew, change and give back for two seconds, while every lease expires at once."""
    # Never left waiting for one that couldn't start.
    signal.alarm(50)
    path.with_name(f"{token}.ready").touch()
    while len(list(path.parent.glob("*.ready"))) < len(RUNS):
        time.sleep(0.01)
    dice, end = random.Random(token), time.monotonic() + 2
    locks.PAUSE = 0.0001
    while time.monotonic() < end:
        what = dice.choice(["take", "renew", "change", "change", "change", "give back"])
        if what == "take":
            with locks.flock(path.with_suffix(".flock"), 10):
                if lease.claim(path, token, {}, ttl=0.0001)[0]:
                    _note(log, f"{token} took")
        elif what == "renew":
            lease.renew(path, token)
        elif what == "change":
            with contextlib.suppress(Failed), changing(path, token):
                _note(log, f"{token} changed")
        else:
            lease.give_back(path, token)


def _note(log: Path, line: str) -> None:
    with log.open("a") as file:
        file.write(line + "\n")


class TestIdentity:
    def test_this_run_lives(self) -> None:
        assert run.is_near(run.this_run())
        assert not run.is_dead(run.this_run())

    def test_a_process_that_has_ended_is_dead(self) -> None:
        with subprocess.Popen(["sleep", "60"]) as process:
            holder = {**run.this_run(), "pid": process.pid, "started": run.started(process.pid)}
            assert not run.is_dead(holder)
            process.kill()
            # Before anybody has asked how it ended, and after.
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
            assert run.is_dead(holder)
            process.wait()
            assert run.is_dead(holder)

    def test_a_later_process_with_its_number_is_another(self) -> None:
        assert run.is_dead({**run.this_run(), "pid": os.getpid(), "started": "1"})

    @pytest.mark.parametrize("part", ["machine", "boot", "namespace"])
    def test_of_another_machine_nothing_is_certain(self, part: str) -> None:
        """Two CI jobs have the same host name: neither may take the other's living lease."""
        holder = {**run.this_run(), "pid": 4_000_000, part: "another"}
        assert holder["controller"] == run.this_run()["controller"]
        assert not run.is_dead(holder)
        told = action.refusal({"holder": holder, "told": "ann on ci", "left": 40, "at_work": ""})
        assert "its lease ends in 40 s" in told

    @pytest.mark.parametrize("part", ["machine", "boot", "namespace"])
    def test_what_cannot_be_known_proves_nothing(self, part: str, monkeypatch: pytest.MonkeyPatch) -> None:
        unknown = {**run.this_run(), part: ""}
        monkeypatch.setattr(run, "this_run", lambda: unknown)
        assert not run.is_dead({**unknown, "pid": 4_000_000})

    def test_another_users_process_that_is_hidden_is_not_dead(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where /proc is mounted with hidepid, nothing is seen of it, but it can be told that it is there."""

        def kill(pid: int, number: int) -> None:
            raise PermissionError

        holder = {**run.this_run(), "pid": 4_000_000}
        assert run.is_dead(holder)
        monkeypatch.setattr(os, "kill", kill)
        assert not run.is_dead(holder)

    def test_a_process_that_may_not_be_looked_at_is_not_seen(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def read_text(path: Path) -> str:
            raise PermissionError

        monkeypatch.setattr(Path, "read_text", read_text)
        assert run.started(1) == ""


class TestNotes:
    def test_remember_the_token(self, tmp_path: Path) -> None:
        notes = action.Notes(tmp_path / "notes")
        assert notes.token() == ""
        notes.write(os.getpid(), "a")
        assert notes.token() == "a"

    def test_dismiss_the_keeper(self, tmp_path: Path) -> None:
        notes = action.Notes(tmp_path / "notes")
        notes.dismiss_keeper()
        with subprocess.Popen(["sleep", "60"]) as keeper:
            notes.write(keeper.pid, "a")
            notes.dismiss_keeper()
            assert keeper.wait(10) == -signal.SIGTERM
        assert notes.token() == ""

    def test_leave_a_stranger_alone_who_has_the_keepers_number_now(self, tmp_path: Path) -> None:
        notes = action.Notes(tmp_path / "notes")
        with subprocess.Popen(["sleep", "60"]) as stranger:
            (tmp_path / "notes").write_text(json.dumps({"keeper": stranger.pid, "started": "1", "token": "a"}))
            notes.dismiss_keeper()
            with pytest.raises(subprocess.TimeoutExpired):
                stranger.wait(0.2)
            stranger.kill()


class TestRefusal:
    def told(self, at_work: str = "", **holder: Any) -> str:
        return action.refusal(
            {"holder": {**run.this_run(), **holder}, "told": "ann on laptop", "left": 40, "at_work": at_work}
        )

    def test_of_a_run_of_this_machine(self) -> None:
        told = self.told(pid=os.getpid(), started=run.started(os.getpid()))
        assert told == f"ann on laptop: process {os.getpid()} of this machine; wait for it, or end it."

    def test_of_this_run_itself(self) -> None:
        assert "under two names" in self.told()

    def test_of_a_dead_run_that_has_left_somebody_at_work(self) -> None:
        told = self.told(at_work="4711", pid=4_000_000)
        assert "has ended, but process 4711 of the host is still at work for it" in told

    def test_of_another_machines_that_is_at_work(self) -> None:
        told = self.told(at_work="4711", machine="another")
        assert "process 4711 of the host is changing it just now; wait for it" in told

    def test_when_nobody_has_the_lease(self) -> None:
        told = action.refusal({"holder": {}, "told": "somebody is at work", "left": 0, "at_work": "4711"})
        assert "process 4711 of the host" in told
