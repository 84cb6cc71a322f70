"""One run at a time changes a host: whoever has lost its lease changes nothing more."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.uwsgi_flask.web.plugins.action import lease as action
from ansible_collections.uwsgi_flask.web.plugins.module_utils import lease
from ansible_collections.uwsgi_flask.web.plugins.module_utils.lease import TTL, Broken

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


def changes(path: Path, token: str, **options: Any) -> bool:
    """Whether a changing module of this run does its work."""
    module: Any = Module(token, **options)
    try:
        with lease.held(module, str(path), str(path.with_suffix(".flock"))):
            return True
    except Failed:
        return False


def why(path: Path, token: str) -> str:
    module: Any = Module(token)
    with pytest.raises(Failed) as failed, lease.held(module, str(path), str(path.with_suffix(".flock"))):
        pass
    return str(failed.value)


class TestHeld:
    def test_with_the_lease(self, path: Path, clock: list[float]) -> None:
        lease.take(path, "a", ANN)
        assert changes(path, "a")

    def test_each_change_renews_it(self, path: Path, clock: list[float]) -> None:
        lease.take(path, "a", ANN)
        clock[0] += TTL - 1
        assert changes(path, "a")
        found = lease.read(path)
        assert found is not None
        assert found.left() == TTL
        assert found.age() == TTL - 1

    def test_one_that_expired_and_that_nobody_took_is_still_ours(self, path: Path, clock: list[float]) -> None:
        lease.take(path, "a", ANN)
        clock[0] += 10 * TTL
        assert changes(path, "a")

    def test_not_with_anothers(self, path: Path, clock: list[float]) -> None:
        lease.take(path, "b", BEN)
        assert "lost its lease on the host: ben on desk has been deploying" in why(path, "a")

    @pytest.mark.parametrize("token", ["", "a"])
    def test_not_without_any(self, path: Path, clock: list[float], token: str) -> None:
        assert "nobody has it now" in why(path, token)

    def test_a_rehearsal_needs_none(self, path: Path, clock: list[float]) -> None:
        assert changes(path, "", check_mode=True)
        assert not path.exists()

    def test_a_broken_lease_is_told_as_what_it_is(self, path: Path, clock: list[float]) -> None:
        path.write_text("nonsense")
        assert "isn't a lease" in why(path, "a")
        with pytest.raises(Broken, match="remove it"):
            lease.read(path)

    def test_an_orphan_that_is_still_at_work_is_waited_for(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        lease.take(path, "a", ANN)
        flock = path.with_suffix(".flock")
        script = (
            f"import fcntl, time; f = open({str(flock)!r}, 'w'); fcntl.flock(f, fcntl.LOCK_EX)\n"
            "print('.', flush=True); time.sleep(1)"
        )
        with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as orphan:
            assert orphan.stdout is not None
            orphan.stdout.readline()
            began = time.monotonic()
            assert changes(path, "a")
            assert time.monotonic() - began > 0.5
        monkeypatch.setattr(lease, "WAIT_SECONDS", 0.1)
        script = script.replace("sleep(1)", "sleep(30)")
        with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as orphan:
            assert orphan.stdout is not None
            orphan.stdout.readline()
            assert "still at work" in why(path, "a")
            orphan.kill()


class TestRandomOrders:
    """Two runs take, renew, change and give back in any order, while time passes."""

    @pytest.fixture(params=range(30))
    def dice(self, request: pytest.FixtureRequest) -> random.Random:
        return random.Random(request.param)

    def test_never_two_that_may_change_the_host(self, path: Path, clock: list[float], dice: random.Random) -> None:
        for _step in range(60):
            token, holder = dice.choice([("a", ANN), ("b", BEN)])
            what = dice.choice(["take", "take", "renew", "give back", "change", "wait", "wait long"])
            if what == "take":
                found = lease.read(path)
                if found is None or found.token == token or found.left() < 0:
                    lease.take(path, token, holder)
            elif what == "renew":
                lease.renew(path, token)
            elif what == "give back":
                lease.give_back(path, token)
            elif what == "change":
                changes(path, token)
            else:
                clock[0] += 10 if what == "wait" else TTL + 1
            allowed = [one for one in ("a", "b") if (found := lease.read(path)) and found.token == one]
            assert [one for one in ("a", "b") if changes(path, one)] == allowed
            assert len(allowed) <= 1


class TestIdentity:
    def test_this_run_lives(self) -> None:
        assert action.is_near(action.this_run())
        assert not action.is_dead(action.this_run())

    def test_a_process_that_has_ended_is_dead(self) -> None:
        with subprocess.Popen(["sleep", "60"]) as process:
            holder = {**action.this_run(), "pid": process.pid, "started": action.started(process.pid)}
            assert not action.is_dead(holder)
            process.kill()
            process.wait()
            assert action.is_dead(holder)

    def test_a_later_process_with_its_number_is_another(self) -> None:
        assert action.is_dead({**action.this_run(), "pid": os.getpid(), "started": "1"})

    @pytest.mark.parametrize("part", ["machine", "boot", "namespace"])
    def test_of_another_machine_nothing_is_certain(self, part: str) -> None:
        """Two CI jobs have the same host name: neither may take the other's living lease."""
        holder = {**action.this_run(), "pid": 4_000_000, part: "another"}
        assert holder["controller"] == action.this_run()["controller"]
        assert not action.is_dead(holder)
        told = action.refusal({"holder": holder, "told": "ann on ci", "left": 40, "at_work": False})
        assert "its lease ends in 40 s" in told
