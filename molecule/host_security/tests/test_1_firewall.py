"""firewall.yml on a server with tables of others: what it closes, and that nobody is locked out for long."""

from __future__ import annotations

import re
import socket
import subprocess
import time

import pytest

from server import Run, Server

PORT = 9100
# On the machine that the tests run on; the server has it as its neighbour.
SECONDS = 1.0
TABLE = "nft list table inet web_firewall"
# Says that SSH listens elsewhere, as a wrong setting might.
WRONG_SSH = """#!/bin/sh
[ "$1" = -Hltnp ] && echo 'LISTEN 0 128 0.0.0.0:2022 0.0.0.0:* users:(("sshd",pid=1,fd=3))'
exit 0
"""


def inside(server: Server, command: str) -> str:
    """What a command prints on the server; without SSH, because that may be closed."""
    words = ["podman", "exec", f"uwsgi-flask-{server.name}", "sh", "-euc", command]
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip()


def is_open(server: Server, port: int) -> bool:
    """Whether a stranger gets a connection, to the server's own address."""
    address = subprocess.run(
        ["podman", "inspect", "--format", "{{.NetworkSettings.IPAddress}}", f"uwsgi-flask-{server.name}"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    try:
        with socket.create_connection((address, port), timeout=SECONDS):
            return True
    except OSError:
        return False


def firewall(server: Server, *words: str) -> Run:
    run = server.run("firewall.yml", *words)
    assert run.code == 0, run.output[-4000:]
    return run


@pytest.fixture(scope="module")
def listening(installed: Server) -> Server:
    """The server with a program that listens on a port of its own, and a table that belongs to another."""
    installed.sh(f"systemd-run --unit=listener python3 -m http.server {PORT}")
    end = time.monotonic() + 20
    while not is_open(installed, PORT):
        assert time.monotonic() < end
        time.sleep(0.2)
    return installed


def test_a_rehearsal_shows_the_rules_and_changes_nothing(listening: Server) -> None:
    run = firewall(listening, "--check", "--diff")
    assert re.search(r"^\+.*tcp dport \{ 80, 443 \} accept", run.output, re.MULTILINE), run.output[-4000:]
    assert run.changed > 0
    assert is_open(listening, PORT)
    assert listening.sh("ls /etc/web-firewall.nft 2>&1; true").endswith("No such file or directory")


def test_it_closes_what_nobody_needs(listening: Server) -> None:
    with listening.load(pause=0.2, connections=4) as load:
        run = firewall(listening)
    print(f"\nfirewall ({run.seconds:.1f} s): {load.summary()['answers']} answers, {load.failed} other than 200")
    assert load.failed == 0
    assert not is_open(listening, PORT)
    assert is_open(listening, 22)
    assert is_open(listening, 80)
    assert listening.get("/health")[0] == 200
    assert firewall(listening).changed == 0
    assert listening.sh("systemctl list-units --all --plain --no-legend 'web-firewall-undo*'") == ""


def test_a_port_is_opened_to_those_who_need_it(listening: Server) -> None:
    listening.web["web_firewall_open"] = [{"port": PORT, "from": ["192.0.2.0/24", "2001:db8::/32"]}]
    firewall(listening)
    assert not is_open(listening, PORT)
    listening.web["web_firewall_open"] = [{"port": PORT}]
    firewall(listening)
    assert is_open(listening, PORT)
    del listening.web["web_firewall_open"]
    firewall(listening)
    assert not is_open(listening, PORT)


def test_what_was_edited_by_hand_is_put_back(listening: Server) -> None:
    listening.sh(f"nft add rule inet web_firewall input tcp dport {PORT} accept")
    assert is_open(listening, PORT)
    assert firewall(listening).changed > 0
    assert not is_open(listening, PORT)


def test_tables_of_others_stay_and_debians_own_service_takes_ours_not_away(listening: Server) -> None:
    listening.sh("nft add table ip theirs")
    firewall(listening, "-e", "state=absent")
    assert is_open(listening, PORT)
    firewall(listening)
    assert listening.sh("nft list tables") == "table ip theirs\ntable inet web_firewall"
    # It begins with `flush ruleset`.
    listening.sh("systemctl enable --now nftables.service")
    for does in ("restart", "reload"):
        listening.sh(f"systemctl {does} nftables.service")
        assert "policy drop" in listening.sh(TABLE), does
    listening.sh("systemctl disable --now nftables.service")
    firewall(listening)


def test_rules_that_lock_out_are_taken_back(listening: Server) -> None:
    before = inside(listening, TABLE)
    inside(listening, f"cat > /usr/local/sbin/ss <<'EOF'\n{WRONG_SSH}EOF\nchmod +x /usr/local/sbin/ss")
    began = time.monotonic()
    run = listening.run("firewall.yml", "-e", "undo_after=15")
    told = " ".join(run.output.split())
    assert run.code != 0
    assert "with the new rules no new connection got to host-security, so they weren't kept" in told
    while not is_open(listening, 22):
        assert time.monotonic() - began < 60
        time.sleep(0.2)
    print(f"\nlocked out, and open again {time.monotonic() - began:.1f} s after the run began")
    inside(listening, "rm /usr/local/sbin/ss")
    assert inside(listening, TABLE) == before
    assert "dport 2022" not in inside(listening, "cat /etc/web-firewall.nft")
    assert firewall(listening).changed == 0


def test_rules_of_a_run_that_was_cut_off_are_taken_back(listening: Server) -> None:
    before = inside(listening, TABLE)
    listening.web["web_firewall_open"] = [{"port": PORT}]
    process = listening.start("firewall.yml", "-e", "undo_after=15")
    inside(listening, "for n in $(seq 300); do [ -e /run/web-firewall/before.nft ] && exit; sleep 0.1; done; exit 1")
    process.kill()
    process.communicate(timeout=60)
    end = time.monotonic() + 60
    while inside(listening, TABLE) != before:
        assert time.monotonic() < end
        time.sleep(0.2)
    assert not is_open(listening, PORT)
    firewall(listening)
    assert is_open(listening, PORT)
    del listening.web["web_firewall_open"]
    firewall(listening)


def test_it_is_there_after_a_boot_and_goes_when_it_is_told(listening: Server) -> None:
    subprocess.run(["podman", "restart", f"uwsgi-flask-{listening.name}"], check=True, capture_output=True)
    end = time.monotonic() + 60
    while listening.get("/health")[0] != 200:
        assert time.monotonic() < end
        time.sleep(0.5)
    assert "policy drop" in inside(listening, TABLE)
    assert firewall(listening).changed == 0
    assert firewall(listening, "-e", "state=absent").changed > 0
    left = "ls -d /etc/web-firewall.nft /etc/systemd/system/*web-firewall* 2>/dev/null || true; nft list tables"
    assert inside(listening, left) == ""
    assert firewall(listening, "-e", "state=absent").changed == 0
