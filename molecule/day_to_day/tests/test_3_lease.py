"""One run at a time changes a host, and one that was interrupted keeps nobody waiting."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from server import Run, Server

LEASE = "/run/web-deploy.lease"
IS_HELD = f"for n in $(seq 200); do [ -e {LEASE} ] && break; sleep 0.1; done; [ -e {LEASE} ]"
IS_FREE = f"for n in $(seq 100); do [ -e {LEASE} ] || break; sleep 0.1; done; [ ! -e {LEASE} ]"


def refused(run: Run, *words: str) -> None:
    assert run.code != 0, run.output[-3000:]
    told = re.sub(r"\s+", " ", run.last_lines(40))
    assert all(word in told for word in words), run.output[-3000:]


def hold(server: Server, seconds: float, **holder: Any) -> None:
    """A lease of another machine's run, that was renewed so many seconds ago."""
    boot = float(server.sh("cut -d' ' -f1 /proc/uptime"))
    who = {"by": "ann", "controller": "another-machine", "machine": "other", "pid": 1, "started": "1", "since": "noon"}
    lease = {"token": "theirs", "holder": {**who, **holder}, "renewed": boot - seconds, "since": boot - seconds - 60}
    server.sh(f"echo '{json.dumps(lease)}' > {LEASE}")


def test_another_machines_lease(server: Server) -> None:
    before = server.live()
    hold(server, seconds=0)
    refused(server.run(), "ann on another-machine", "since noon", "its lease ends in")
    refused(server.run("rollback.yml"), "ann on another-machine")
    assert server.live() == before
    assert "theirs" in server.sh(f"cat {LEASE}")
    hold(server, seconds=1_000)
    run = server.run()
    assert run.code == 0, run.output[-3000:]
    assert "took over a lease" in run.output
    assert server.orphans() == ""


@pytest.fixture
def slow(server: Server) -> Iterator[None]:
    """A run lasts for as long as another one takes to come to its lease, and asks for its own several times."""
    server.app |= {"before_live": ["sleep 8"]}
    yield
    server.app |= {"before_live": []}


@pytest.mark.usefixtures("slow")
def test_two_runs_at_once(server: Server) -> None:
    server.say("two at once")
    first = server.start()
    server.sh(IS_HELD)
    second = server.run()
    output, _nothing = first.communicate(timeout=120)
    refused(second, "has been deploying to this host since", f"process {first.pid} of this machine")
    assert first.returncode == 0, output[-3000:]
    assert server.orphans() == ""


@pytest.mark.usefixtures("slow")
def test_a_run_that_lost_its_lease_stops(server: Server) -> None:
    """A laptop slept, and somebody else deployed meanwhile."""
    server.say("lost")
    before = server.live()
    run = server.start()
    server.sh(IS_HELD)
    hold(server, seconds=0)
    output, _nothing = run.communicate(timeout=120)
    assert run.returncode != 0
    assert "lost its lease on the host: ann on another-machine" in output, output[-3000:]
    assert server.live() == before
    server.sh(f"rm {LEASE}")


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGKILL"])
def test_an_interrupted_run_leaves_no_lease(server: Server, name: str) -> None:
    server.say(f"interrupted by {name}")
    run = server.start()
    server.sh(IS_HELD)
    run.send_signal(signal.Signals[name])
    run.communicate(timeout=60)
    assert run.returncode != 0
    server.sh(IS_FREE)


def test_a_broken_lease_is_told(server: Server) -> None:
    server.sh(f"echo nonsense > {LEASE}")
    refused(server.run(), LEASE, "isn't a lease")
    server.sh(f"rm {LEASE}")
