"""The firewall's rules, and what is done in which order: nothing is loaded without a way back."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from ansible_collections.uwsgi_flask.web.plugins.module_utils.firewall import (
    Firewall,
    Opening,
    Refused,
    ancestors,
    rules,
)
from ansible_collections.uwsgi_flask.web.plugins.module_utils.layout import FirewallLayout

LISTENING = """\
LISTEN 0 128 0.0.0.0:22 0.0.0.0:* users:(("sshd",pid=65,fd=3))
LISTEN 0 128 [::]:2222 [::]:* users:(("sshd",pid=65,fd=4))
LISTEN 0 511 0.0.0.0:80 0.0.0.0:* users:(("nginx",pid=9,fd=5))
"""


class Host:
    """Answers commands, and remembers the order in which they came."""

    def __init__(self, folder: Path) -> None:
        self.layout = FirewallLayout(prefix=str(folder))
        self.said: list[str] = []
        self.table = ""
        self.trial = "canonical"
        self.listening = LISTENING
        self.connected = ""
        self.fails = ""
        self.firewall = Firewall(self.run, self.layout)

    def run(self, words: Sequence[str]) -> tuple[int, str, str]:
        line = " ".join(words).replace(str(self.layout.prefix), "")
        self.said.append(line)
        if self.fails and self.fails in line:
            return 1, "", "no such thing\nand more"
        if words[0] == "ss":
            return 0, self.connected if "established" in words else self.listening, ""
        if words[0] == "unshare":
            return 0, self.trial, ""
        if "list" in words:
            return (0, self.table, "") if self.table else (1, "", "No such file or directory")
        if "-f" in words and "-c" not in words and words[0] != "systemd-run":
            self.table = self.trial
        return 0, "", ""


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_what_is_let_in() -> None:
    text = rules([2222, 22], [443, 80, 80], [Opening(9100), Opening(53, "udp", ("192.0.2.0/24", "2001:db8::7"))])
    lines = [line.strip() for line in text.splitlines()]
    assert "tcp dport { 22, 2222 } accept" in lines
    assert "tcp dport { 80, 443 } accept" in lines
    assert "tcp dport 9100 accept" in lines
    assert "ip saddr { 192.0.2.0/24 } udp dport 53 accept" in lines
    assert "ip6 saddr { 2001:db8::7 } udp dport 53 accept" in lines
    assert "type filter hook input priority filter + 10; policy drop;" in lines


def test_one_family_needs_one_rule() -> None:
    assert Opening(9100, "tcp", ("192.0.2.1",)).lines() == ["ip saddr { 192.0.2.1 } tcp dport 9100 accept"]


def test_no_table_of_others_is_touched() -> None:
    text = rules([22], [80], [])
    assert "flush" not in text
    assert [line for line in text.splitlines() if line.startswith(("table", "delete"))] == [
        "table inet web_firewall",
        "delete table inet web_firewall",
        "table inet web_firewall {",
    ]


def test_ssh_is_where_it_listens_and_where_the_run_came_in(host: Host) -> None:
    assert host.firewall.ssh_ports() == [22, 2222]
    host.connected = f'0 0 10.0.0.1:2200 10.0.0.9:50000 users:(("dropbear",pid={os.getppid()},fd=4))\n'
    assert host.firewall.ssh_ports() == [22, 2200, 2222]
    # Somebody else's connection says nothing.
    host.connected = '0 0 10.0.0.1:5432 10.0.0.9:50000 users:(("postgres",pid=99999999,fd=4))\n'
    assert host.firewall.ssh_ports() == [22, 2222]


def test_sshd_of_a_session_counts_too(host: Host) -> None:
    host.listening = 'LISTEN 0 128 0.0.0.0:2022 0.0.0.0:* users:(("sshd-session",pid=65,fd=3))\n'
    assert host.firewall.ssh_ports() == [2022]


def test_without_an_ssh_server_nothing_is_closed(host: Host) -> None:
    host.listening = 'LISTEN 0 511 0.0.0.0:80 0.0.0.0:* users:(("nginx",pid=9,fd=5))\n'
    with pytest.raises(Refused, match="no SSH server was found"):
        host.firewall.ssh_ports()


def test_the_way_back_is_there_before_the_rules_are(host: Host) -> None:
    host.table = "table inet web_firewall {\n}\n"
    host.firewall.try_out("new", 45)
    timer = next(at for at, line in enumerate(host.said) if line.startswith("systemd-run"))
    load = host.said.index("/usr/sbin/nft -f /run/web-firewall/trial.nft")
    assert timer < load
    assert "--on-active=45" in host.said[timer]
    assert host.said[timer].endswith("/usr/sbin/nft -f /run/web-firewall/before.nft")
    back = host.layout.before.read_text()
    assert back == "table inet web_firewall\ndelete table inet web_firewall\ntable inet web_firewall {\n}\n"
    # Only what is kept is there after a boot.
    assert not host.layout.rules.exists()
    assert not host.layout.trial.exists()


def test_without_a_way_back_no_rules_are_loaded(host: Host) -> None:
    host.fails = "systemd-run"
    with pytest.raises(Refused, match=r"systemd-run .* failed: no such thing$"):
        host.firewall.try_out("new", 60)
    assert not any("trial.nft" in line for line in host.said)


def test_what_is_kept_is_there_after_a_boot(host: Host) -> None:
    host.firewall.try_out("new", 60)
    host.said.clear()
    host.firewall.keep("new")
    assert host.said[0] == "systemctl stop web-firewall-undo.timer web-firewall-undo.service"
    assert host.layout.rules.read_text() == "new"
    unit = host.layout.unit_file.read_text()
    assert f"ExecStart={host.layout.nft} -f {host.layout.rules}" in unit
    assert "PartOf=nftables.service" in unit
    assert host.said[-1] == "systemctl enable --quiet --now web-firewall.service"
    assert not host.layout.before.exists()


def test_rules_that_were_taken_back_already_are_not_kept(host: Host) -> None:
    host.table = "old"
    with pytest.raises(Refused, match="the old rules are back already"):
        host.firewall.keep("new")
    assert not host.layout.rules.exists()


def test_rules_that_nft_refuses_are_told_in_one_line(host: Host) -> None:
    host.fails = "-c -f"
    with pytest.raises(Refused, match=r"-c -f .*trial.nft` failed: no such thing$"):
        host.firewall.loaded("bad")
    assert not host.layout.trial.exists()


def test_nothing_is_left_of_it(host: Host) -> None:
    host.firewall.try_out("new", 60)
    host.firewall.keep("new")
    host.firewall.remove()
    assert not host.layout.rules.exists()
    assert not host.layout.unit_file.exists()
    assert "systemctl disable --quiet --now web-firewall.service" in host.said
    assert host.said[-1] == "/usr/sbin/nft delete table inet web_firewall"


def test_a_process_knows_where_it_comes_from(tmp_path: Path) -> None:
    assert ancestors(os.getpid())[:2] == [os.getpid(), os.getppid()]
    for pid, parent in ((7, 5), (5, 1)):
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "stat").write_text(f"{pid} (a) b) S {parent} 0 0")
    assert ancestors(7, tmp_path) == [7, 5]
