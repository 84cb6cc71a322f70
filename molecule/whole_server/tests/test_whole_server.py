"""A server with a kernel of its own: what happens to it, and what visitors get meanwhile. The order saves boots."""

from __future__ import annotations

import contextlib
import http.client
import os
import random
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from testinfra.host import Host

from fault_table import begin, record
from load import Load
from server import Server

MACHINE = Path(__file__).parents[1] / "machine.sh"
# As emulation goes: a boot took 40 s on a machine with nothing else to do, and four minutes on a busy one.
PATIENCE = 900
GO_LIVE = "Deploy in one call, where nginx already runs what it should"
HUNGRY = """

@app.get("/eat")
def eat():
    return str(len(b"x" * (1 << 30)))
"""
# Says that SSH listens elsewhere, as a wrong setting might.
WRONG_SSH = r"""#!/bin/sh
[ "$1" = -Hltnp ] && echo "LISTEN 0 128 0.0.0.0:2022 0.0.0.0:* users:((\"sshd\",pid=1,fd=3))"
exit 0
"""
TICKS = "/var/lib/uwsgi-flask/ticks"


class Whole(Server):
    """The server, whose power can be cut."""

    def __init__(self, host: Host, folder: Path) -> None:
        super().__init__(host, folder)
        variables = host.ansible.get_variables()
        self.ports = [
            str(variables[name]) for name in ("ansible_port", "test_server_http_port", "test_server_more_port")
        ]

    def machine(self, *words: str) -> None:
        subprocess.run([str(MACHINE), self.name, *words], check=True)

    @contextlib.contextmanager
    def light_load(self) -> Iterator[Load]:
        with self.load(connections=2, pause=1.0) as load:
            yield load

    def wait(self) -> float:
        """Seconds until a visitor gets an answer."""
        began = time.monotonic()
        while self.get("/health")[0] != 200:
            assert time.monotonic() - began < PATIENCE
            time.sleep(0.5)
        return time.monotonic() - began

    def after_boot(self) -> float:
        """Seconds from when systemd began until a visitor gets an answer."""
        self.wait()
        answered = time.monotonic()
        uptime = float(self.sh("cut -d' ' -f1 /proc/uptime"))
        began = int(self.sh("systemctl show --value -p UserspaceTimestampMonotonic")) / 1e6
        return uptime - (time.monotonic() - answered) - began

    def boots(self) -> str:
        return self.sh("cat /proc/sys/kernel/random/boot_id")

    def is_open(self) -> bool:
        """Whether a stranger gets an answer from port 9100. The emulator itself takes every connection."""
        connection = http.client.HTTPConnection("127.0.0.1", int(self.ports[2]), timeout=20)
        with contextlib.closing(connection):
            try:
                connection.request("GET", "/")
                return connection.getresponse().status == 200
            except (OSError, http.client.HTTPException):
                return False


@pytest.fixture(scope="module")
def whole(host: Host, tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """The server with an app that can be told to eat its memory, and with a timer that writes down that it was due."""
    begin("whole_server")
    server = Whole(host, tmp_path_factory.mktemp("server"))
    entry = server.source / "flask_wsgi.py"
    entry.write_text(entry.read_text() + HUNGRY)
    (server.source / "tick.sh").write_text(f"date +%s >> {TICKS}\n")
    server.app |= {
        "processes": 2,
        "memory_max": "300M",
        "timers": {"tick": {"command": "sh tick.sh", "calendar": "*:*:0/20"}},
    }
    run = server.deploy()
    print(f"\nfirst deploy: {run.seconds:.0f} s")
    return server


def told(load: Load, fault: str, done: str, seconds: float, note: str = "") -> None:
    figures = load.summary()
    record("whole_server", fault, done, figures["answers"], figures["failed"], seconds, note)


def test_a_worker_that_eats_memory_is_killed_alone(whole: Whole) -> None:
    unit = f"uwsgi-flask@{whole.live()}.service"
    state = f"systemctl show --value -p ActiveState -p MainPID -p NRestarts {unit}"
    before = whole.sh(state)
    with whole.light_load() as load:
        began = time.monotonic()
        status, _body = whole.get("/eat")
        seconds = time.monotonic() - began + whole.wait()
        time.sleep(5)
    told(load, "a worker eats memory", "1 GiB asked for where memory_max is 300M", seconds, "the eater got no answer")
    assert status != 200
    assert "Memory cgroup out of memory: Killed process" in whole.sh("journalctl -k -b --no-pager")
    assert whole.sh(state) == before
    # Those that the same worker was serving just then.
    assert load.failed <= 2, load.summary()
    whole.assert_serves(whole.live())


def test_it_answers_again_after_a_reboot(whole: Whole) -> None:
    live, boot = whole.live(), whole.boots()
    with whole.light_load() as load:
        began = time.monotonic()
        with contextlib.suppress(AssertionError):
            whole.sh("systemctl reboot")
        while whole.get("/health")[0] == 200:
            assert time.monotonic() - began < PATIENCE
            time.sleep(0.5)
        up = whole.after_boot()
        seconds = time.monotonic() - began
    told(load, "reboot", "systemctl reboot", seconds, f"{up:.0f} s after systemd began")
    assert whole.boots() != boot
    whole.assert_serves(live)


def test_a_cut_of_power_in_the_middle_of_a_deploy(whole: Whole) -> None:
    before = whole.live()
    whole.say("after the cut")
    seed = int(os.environ.get("CUT_SEED") or time.time())
    delay = random.Random(seed).uniform(0, 30)
    with whole.light_load() as load:
        process = whole.start()
        assert process.stdout is not None
        for line in process.stdout:
            if GO_LIVE in line:
                break
        time.sleep(delay)
        whole.machine("cut")
        began = time.monotonic()
        process.kill()
        process.communicate(timeout=60)
        whole.machine("boot", *whole.ports)
        up = whole.after_boot()
        seconds = time.monotonic() - began
    live = whole.live()
    which = "the old release" if live == before else "the new release"
    note = f"{delay:.1f} s into the last task (CUT_SEED={seed}); {which} served, {up:.0f} s after systemd began"
    told(load, "cut of power", "kill -9 of QEMU while a release goes live", seconds, note)
    whole.deploy()
    whole.assert_serves(whole.live())
    assert whole.live() != before
    assert "after the cut" in whole.get("/")[1]
    assert whole.run().changed == 0


@pytest.mark.parametrize(("way", "by"), [("back", "-1 day"), ("forward", "+1 day")])
def test_a_clock_that_jumps(whole: Whole, way: str, by: str) -> None:
    before = whole.live()
    with whole.light_load() as load:
        whole.sh(f"date --set='{by}'")
        count = int(whole.sh(f"wc -l < {TICKS}"))
        began = time.monotonic()
        while int(whole.sh(f"wc -l < {TICKS}")) == count:
            assert time.monotonic() - began < 180, "the timer is stuck"
            time.sleep(2)
        due = time.monotonic() - began
        whole.say(f"clock {way}")
        whole.deploy()
    told(load, f"clock set {way}", f"date --set '{by}', then a deploy", 0, f"a timer was due {due:.0f} s later")
    assert load.failed == 0, load.summary()
    assert f"clock {way}" in whole.get("/")[1]
    after = whole.live()
    assert after != before
    assert whole.run("rollback.yml").code == 0
    # The one before, whatever the clock said then.
    assert whole.live() == before
    whole.deploy()


def test_a_firewall_that_locks_out_is_taken_back(whole: Whole) -> None:
    whole.sh("systemd-run --unit=listener python3 -m http.server 9100")
    end = time.monotonic() + 120
    while not whole.is_open():
        assert time.monotonic() < end
        time.sleep(1)
    with whole.light_load() as load:
        run = whole.run("firewall.yml")
        assert run.code == 0, run.output[-3000:]
        closed = not whole.is_open()
        # As if SSH listened elsewhere.
        whole.sh(f"echo '{WRONG_SSH}' > /usr/local/sbin/ss; chmod +x /usr/local/sbin/ss")
        assert "2022" in whole.sh("/usr/local/sbin/ss -Hltnp")
        locked = whole.run("firewall.yml", "-e", "undo_after=180")
        began = time.monotonic()
        while not speaks_ssh(int(whole.ports[0])):
            assert time.monotonic() - began < 600
            time.sleep(1)
        seconds = time.monotonic() - began
        whole.sh("rm /usr/local/sbin/ss")
        again = whole.run("firewall.yml")
    told(load, "a firewall that locks out", "firewall.yml with a wrong port for SSH", seconds, "undo_after=180")
    assert closed
    assert locked.code != 0
    assert "no new connection got to whole-server" in " ".join(locked.output.split()), locked.output[-3000:]
    assert (again.code, again.changed) == (0, 0), again.output[-3000:]
    assert load.failed == 0, load.summary()


def speaks_ssh(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
            return connection.recv(3) == b"SSH"
    except OSError:
        return False


def test_replaced_libraries_leave_with_their_instance(whole: Whole) -> None:
    before = whole.live()
    whole.sh("DEBIAN_FRONTEND=noninteractive apt-get -q -y install --reinstall libssl3t64")
    with whole.light_load() as load:
        run = whole.run("libraries.yml")
    assert run.code == 0, run.output[-4000:]
    assert "whole-server: uwsgi-flask got a new instance; nginx was replaced" in run.output
    told(load, "replaced libraries", "libssl reinstalled, then libraries.yml", 0, f"{run.seconds:.0f} s")
    assert load.failed == 0, load.summary()
    assert whole.live() != before
    whole.assert_serves(whole.live())
