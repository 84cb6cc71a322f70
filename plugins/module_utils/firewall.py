"""The host's firewall: a table of ours in nftables, which lets in what is named and drops the rest.

New rules are tried first: a timer puts the old ones back unless somebody who could still connect has them kept. Other
tables are never touched, so what Docker or fail2ban have there stays. No Ansible in here.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.uwsgi_flask.web.plugins.module_utils.files import OwnedFile
from ansible_collections.uwsgi_flask.web.plugins.module_utils.layout import FirewallLayout

TABLE = "inet web_firewall"
# Replaces the table whatever was in it, in one transaction: the first line makes sure that there is one to delete.
ANEW = f"table {TABLE}\ndelete table {TABLE}\n"

RULES = """\
# Managed by Ansible (firewall.yml): the next run puts back what is edited here.
{anew}
table {table} {{
	chain input {{
		# After the tables of others, so that what they drop is never let in by this one.
		type filter hook input priority filter + 10; policy drop;

		ct state established,related accept
		ct state invalid drop
		iifname "lo" accept

		# Without these, IPv6 finds neither router nor neighbour, and large packets get lost.
		icmpv6 type {{ destination-unreachable, packet-too-big, time-exceeded, parameter-problem, echo-request, \
nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert, nd-redirect, mld-listener-query }} accept
		icmp type {{ destination-unreachable, time-exceeded, parameter-problem, echo-request }} accept
		# Answers of a DHCP server may come as no answer that the kernel knows of.
		udp sport 67 udp dport 68 accept
		ip6 saddr fe80::/10 udp dport 546 accept

		# SSH, where it listens now
		tcp dport {{ {ssh} }} accept
		# nginx
		tcp dport {{ {web} }} accept
{openings}\
	}}
}}
"""
UNIT = """\
# Managed by Ansible (firewall.yml): the next run puts back what is edited here.
[Unit]
Description=Firewall of the web apps
Wants=network-pre.target
# Debian's nftables.service begins and ends with `flush ruleset`: what it does to all tables, this follows.
After=nftables.service
PartOf=nftables.service
ReloadPropagatedFrom=nftables.service
Before=network-pre.target shutdown.target
Conflicts=shutdown.target
DefaultDependencies=no

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart={nft} -f {rules}
ExecReload={nft} -f {rules}
ExecStop=-{nft} delete table {table}

[Install]
WantedBy=sysinit.target
"""

# What runs a command and returns its exit code, what it printed, and its errors.
Run = Callable[[Sequence[str]], tuple[int, str, str]]


class Refused(Exception):
    """Why the host keeps the firewall that it has."""


@dataclasses.dataclass(frozen=True)
class Opening:
    """A port that somebody needs besides SSH and the web, from everywhere unless `sources` are given."""

    port: int
    protocol: str = "tcp"
    sources: tuple[str, ...] = ()

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Opening:
        return cls(given["port"], given["protocol"], tuple(given["from"]))

    def lines(self) -> list[str]:
        """A rule, or one for each family of addresses."""
        accept = f"{self.protocol} dport {self.port} accept"
        if not self.sources:
            return [accept]
        families = {
            "ip": [source for source in self.sources if ":" not in source],
            "ip6": [source for source in self.sources if ":" in source],
        }
        return [f"{name} saddr {{ {', '.join(of)} }} {accept}" for name, of in families.items() if of]


def rules(ssh: Sequence[int], web: Sequence[int], openings: Sequence[Opening]) -> str:
    """The text that nft loads."""
    more = [f"\t\t{line}\n" for opening in openings for line in opening.lines()]
    return RULES.format(
        anew=ANEW,
        table=TABLE,
        ssh=", ".join(map(str, sorted(set(ssh)))),
        web=", ".join(map(str, sorted(set(web)))),
        openings="\t\t# web_firewall_open\n" + "".join(more) if more else "",
    )


class Firewall:
    """The firewall of one host."""

    def __init__(self, run: Run, layout: FirewallLayout) -> None:
        self.run = run
        self.layout = layout

    # --- Looking ----------------------------------------------------------------------------------------------------

    def is_installed(self) -> bool:
        return self.layout.nft.exists()

    def ssh_ports(self) -> list[int]:
        """Where SSH listens, whatever its settings say, and by which port this very run has come."""
        _code, listening, _errors = self.run(["ss", "-Hltnp"])
        _code, connected, _errors = self.run(["ss", "-Htnp", "state", "established"])
        ours = {f"pid={pid}," for pid in ancestors(os.getpid())}
        found = [_local_port(line, 3) for line in listening.splitlines() if re.search(r'"sshd(-session)?"', line)]
        found += [_local_port(line, 2) for line in connected.splitlines() if any(pid in line for pid in ours)]
        if not found:
            raise Refused(
                "no SSH server was found on this host (ss shows no sshd that listens), so its port isn't known"
            )
        return sorted(set(found))

    def active(self) -> str:
        """The table as the kernel has it, "" if there is none."""
        code, printed, _errors = self.run([str(self.layout.nft), "-s", "list", "table", *TABLE.split()])
        return printed if code == 0 else ""

    def loaded(self, text: str) -> str:
        """The table as the kernel would have it: loaded for once where nobody is, in a network of its own."""
        with self._on_trial(text) as path:
            self._nft("-c", "-f", path)
            words = f"{self.layout.nft} -f {path} && {self.layout.nft} -s list table {TABLE}"
            code, printed, errors = self.run(["unshare", "--net", "sh", "-c", words])
            if code != 0:
                raise Refused(f"the rules can't be loaded: {_first_line(errors)}")
        return printed

    def is_kept(self, text: str) -> bool:
        """Whether the next boot brings these rules."""
        code, _printed, _errors = self.run(["systemctl", "is-enabled", "--quiet", self.layout.unit])
        return code == 0 and all(file.is_right() for file in self._files(text))

    def is_tried(self) -> bool:
        """Whether rules are being tried, and the old ones come back unless they are kept."""
        code, _printed, _errors = self.run(["systemctl", "is-active", "--quiet", f"{self.layout.undo}.timer"])
        return code == 0

    # --- Doing ------------------------------------------------------------------------------------------------------

    def try_out(self, text: str, seconds: int) -> None:
        """Load the rules for so many seconds, then the old ones again unless they are kept meanwhile."""
        self._disarm()
        OwnedFile(self.layout.before, f"{ANEW}{self.active()}", 0o600).put()
        timer = [
            "--quiet",
            "--collect",
            f"--unit={self.layout.undo}",
            f"--on-active={seconds}",
            "--timer-property=AccuracySec=1s",
        ]
        self._must(["systemd-run", *timer, str(self.layout.nft), "-f", str(self.layout.before)])
        with self._on_trial(text) as path:
            self._nft("-f", path)

    def keep(self, text: str) -> None:
        """Have the rules, which somebody who asks for this could connect with, from now on and after a boot."""
        self._disarm()
        # The last moment at which the timer may have been faster.
        if self.active() != self.loaded(text):
            raise Refused(
                "the old rules are back already, because the new ones weren't confirmed in time; run it again"
            )
        for file in self._files(text):
            file.put()
        self._must(["systemctl", "daemon-reload"])
        self._must(["systemctl", "enable", "--quiet", "--now", self.layout.unit])

    def remove(self) -> None:
        self._disarm()
        if self.layout.unit_file.exists():
            self._must(["systemctl", "disable", "--quiet", "--now", self.layout.unit])
        for path in (self.layout.unit_file, self.layout.rules):
            path.unlink(missing_ok=True)
        self._must(["systemctl", "daemon-reload"])
        if self.active():
            self._nft("delete", "table", *TABLE.split())

    def _disarm(self) -> None:
        self.run(["systemctl", "stop", f"{self.layout.undo}.timer", f"{self.layout.undo}.service"])
        self.layout.before.unlink(missing_ok=True)

    def _files(self, text: str) -> list[OwnedFile]:
        unit = UNIT.format(nft=self.layout.nft, rules=self.layout.rules, table=TABLE)
        return [OwnedFile(self.layout.rules, text, 0o600), OwnedFile(self.layout.unit_file, unit)]

    @contextlib.contextmanager
    def _on_trial(self, text: str) -> Iterator[str]:
        """A file with the rules, for as long as nft reads it."""
        trial = OwnedFile(self.layout.trial, text, 0o600)
        trial.put()
        try:
            yield str(trial.path)
        finally:
            trial.path.unlink()

    def _nft(self, *words: str) -> None:
        self._must([str(self.layout.nft), *words])

    def _must(self, words: Sequence[str]) -> None:
        code, _printed, errors = self.run(words)
        if code != 0:
            raise Refused(f"`{' '.join(words)}` failed: {_first_line(errors)}")


def ancestors(pid: int, proc: Path = Path("/proc")) -> list[int]:
    """A process, its parent, and so on."""
    found = []
    while pid > 1:
        found.append(pid)
        # After the name, which may hold anything: state, parent.
        pid = int((proc / str(pid) / "stat").read_text().rpartition(")")[2].split()[1])
    return found


def _local_port(line: str, column: int) -> int:
    return int(line.split()[column].rpartition(":")[2])


def _first_line(text: str) -> str:
    return next(iter(text.strip().splitlines()), "it says nothing")
