"""The command that a person typed, and those that they may type next, without anything that may be a secret."""

from __future__ import annotations

import dataclasses
import os
import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

# What the playbooks take by -e. Of anything else there, nobody knows what it is.
KNOWN = (
    "app", "restart", "refresh", "hooks", "state", "let_pass", "page", "release", "keep_environment", "confirm",
    "purge", "remove_packages", "remove_users", "undo_after", "wait",
)  # fmt: skip
_PAIR = re.compile(r"(\w+)=([\w.,:/~-]+)")
# How one is let in, by Ansible's names of what was given; without it the next command wouldn't get there. No option of
# these holds a secret itself.
LET_IN = {
    "remote_user": "--user",
    "private_key_file": "--private-key",
    "ask_pass": "--ask-pass",
    "connection_password_file": "--connection-password-file",
    "become_ask_pass": "--ask-become-pass",
    "become_password_file": "--become-password-file",
    "ask_vault_pass": "--ask-vault-pass",
    "vault_ids": "--vault-id",
    "vault_password_files": "--vault-password-file",
}


@dataclasses.dataclass(frozen=True)
class CommandLine:
    """`given` is what Ansible made of the command line, `usual` the inventory that is used if none is given."""

    playbook: str
    given: Mapping[str, Any]
    usual: Sequence[str] = ()

    def again(self, check: bool | None = None, **extra: str) -> str:
        """The same command, with other values of -e; without --check if `check` is false."""
        pairs, files, is_whole = self._extra()
        pairs |= extra
        words = [*self._start(self.playbook), *(word for file in files for word in ("-e", file))]
        words += [word for name, value in pairs.items() for word in ("-e", f"{name}={value}")]
        words += ["--limit", str(self.given["subset"])] if self.given.get("subset") else []
        words += ["--check"] if self.given.get("check") and check is None else []
        return shlex.join(words) + ("" if is_whole else " -e …")

    def other(self, playbook: str) -> str:
        """Another playbook, for the same servers."""
        return shlex.join(self._start(playbook))

    def _start(self, playbook: str) -> list[str]:
        words = ["ansible-playbook"]
        if (inventories := list(self.given.get("inventory") or [])) != list(self.usual):
            words += [word for path in inventories for word in ("-i", _near(path))]
        words += [word for name, option in LET_IN.items() for word in _given(option, self.given.get(name))]
        # Where the one that was typed is.
        folder = os.path.dirname(next(iter(self.given.get("args") or ()), ""))
        return [*words, os.path.join(folder, playbook)]

    def _extra(self) -> tuple[dict[str, str], list[str], bool]:
        """Known pairs, files, and whether that was all."""
        pairs: dict[str, str] = {}
        files: list[str] = []
        is_whole = True
        for words in self.given.get("extra_vars") or ():
            if str(words).startswith("@"):
                files.append(f"@{_near(str(words)[1:])}")
                continue
            for word in str(words).split():
                pair = _PAIR.fullmatch(word)
                if pair and pair[1] in KNOWN:
                    pairs[pair[1]] = pair[2]
                else:
                    is_whole = False
        return pairs, files, is_whole


def _given(option: str, value: Any) -> list[str]:
    if isinstance(value, bool) or not value:
        return [option] if value else []
    return [word for one in ([value] if isinstance(value, str) else value) for word in (option, _near(str(one)))]


def _near(path: str) -> str:
    """As a person here would write it."""
    near = os.path.relpath(path) if os.path.isabs(path) else path
    return path if near.startswith("..") else near
