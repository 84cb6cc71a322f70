"""The key by which a server shows that it is the one: whether it is known here, and what it is, asked of ssh itself.

So whatever ssh's own configuration says (names, ports, jump hosts, where known keys are) counts here too.
"""

from __future__ import annotations

import dataclasses
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

# Nobody is logged in: the key comes before that.
ASK = ("BatchMode=yes", "PreferredAuthentications=none", "ControlMaster=no", "ControlPath=none", "LogLevel=INFO")
CONNECT_SECONDS = 10
# What ssh says last of a key that it doesn't know, and first of one that isn't the one it knows.
UNKNOWN = "Host key verification failed"
CHANGED = "REMOTE HOST IDENTIFICATION HAS CHANGED"
FINGERPRINT = re.compile(r"^\d+ (?P<fingerprint>\S+) .* \((?P<kind>\S+)\)$", re.MULTILINE)


@dataclasses.dataclass(frozen=True)
class HostKey:
    """A key as `fingerprint` and `kind` (ED25519), and its `lines` of a file of known hosts."""

    fingerprint: str
    kind: str
    lines: str


class NoAnswer(Exception):
    """ssh got no key; its text is why."""


def is_checked(words: Sequence[str]) -> bool:
    """Whether ssh checks the key at all, for these words that name a server."""
    return _configured(words, "stricthostkeychecking") not in ("false", "no", "off")


def known_hosts(words: Sequence[str]) -> Path:
    """Where keys are noted that a person has agreed to."""
    return Path(_configured(words, "userknownhostsfile").split()[0]).expanduser()


def is_known(words: Sequence[str]) -> bool:
    """Raises NoAnswer, and ValueError where another key is known."""
    said = _ask("StrictHostKeyChecking=yes", words=words)
    if CHANGED in said:
        raise ValueError("this isn't the key that is known of the server")
    return UNKNOWN not in said


def offered(words: Sequence[str], scratch: Path) -> HostKey:
    """The key that the server shows, by a file that may be written to. Raises NoAnswer."""
    scratch.unlink(missing_ok=True)
    told = (f"UserKnownHostsFile={scratch}", "GlobalKnownHostsFile=/dev/null", "StrictHostKeyChecking=accept-new")
    said = _ask(*told, words=words)
    if not scratch.exists():
        raise NoAnswer(said)
    listed = subprocess.run(["ssh-keygen", "-l", "-f", str(scratch)], capture_output=True, text=True, check=True).stdout
    found = FINGERPRINT.search(listed)
    if not found:
        raise NoAnswer(listed)
    return HostKey(found["fingerprint"], found["kind"], scratch.read_text())


def remember(path: Path, key: HostKey) -> None:
    """Note a key as known. Raises OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    before = path.read_text() if path.exists() else ""
    end = "" if not before or before.endswith("\n") else "\n"
    with path.open("a") as opened:
        opened.write(end + key.lines)


def _ask(*options: str, words: Sequence[str]) -> str:
    """What ssh says of a connection that nobody is logged in by. Raises NoAnswer."""
    given = [word for option in (*options, *ASK, f"ConnectTimeout={CONNECT_SECONDS}") for word in ("-o", option)]
    done = subprocess.run(
        ["ssh", *given, *words, "true"], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    said = done.stderr.strip()
    answered = done.returncode == 0 or any(words in said for words in (UNKNOWN, CHANGED, "Permission denied"))
    if not answered:
        raise NoAnswer(said.rpartition("\n")[2])
    return said


def _configured(words: Sequence[str], name: str) -> str:
    told = subprocess.run(["ssh", "-G", *words], capture_output=True, text=True, check=True).stdout
    return next((line.partition(" ")[2] for line in told.splitlines() if line.startswith(f"{name} ")), "")
