"""The command that a person typed, and those that they may type next, without anything that may be a secret."""

from __future__ import annotations

import dataclasses
import os
import re
import shlex
import shutil
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.meant import ASKED

# What the playbooks take by -e. Of anything else there, nobody knows what it is.
KNOWN = tuple(name for name in ASKED if name != "command")
_PAIR = re.compile(r"(\w+)=([\w.,:/~+-]+)")
# Without these, whoever typed them isn't let in: by Ansible's name for it, the option.
_ACCESS = {
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
PROGRAM = "ansible-playbook"


def called(own: str, environment: Mapping[str, str], folder: Path) -> str:
    """How a shell in `folder` calls Ansible as it was called now: `own` is the program's path.

    `./web` needs nothing activated and works from any folder, so what it runs may not be found by its name alone.
    """
    found = shutil.which(PROGRAM, path=environment.get("PATH"))
    is_found = found is not None and os.path.exists(own) and os.path.samefile(found, own)
    words = PROGRAM if is_found or os.path.basename(own) != PROGRAM else shlex.quote(_near(own))
    chosen = environment.get("ANSIBLE_CONFIG")
    # Ansible reads none from a folder that everybody may write to.
    by_itself = chosen and Path(chosen) == folder / "ansible.cfg" and not folder.stat().st_mode & stat.S_IWOTH
    return words if not chosen or by_itself else f"ANSIBLE_CONFIG={shlex.quote(chosen)} {words}"


@dataclasses.dataclass(frozen=True)
class CommandLine:
    """`given` is what Ansible made of the command line, `usual` the inventory that is used if none is given, `called`
    how the shell calls Ansible.
    """

    playbook: str
    given: Mapping[str, Any]
    usual: Sequence[str] = ()
    called: str = PROGRAM

    def again(self, check: bool | None = None, limit: str = "", **extra: str) -> str:
        """The same command, with other values of -e; without --check if `check` is false; for the hosts of `limit`."""
        pairs, files, is_whole = self._extra()
        pairs |= extra
        words = [*self._start(self.playbook), *_given("-e", files)]
        words += [word for name, value in pairs.items() for word in ("-e", f"{name}={value}")]
        words += ["--limit", hosts] if (hosts := limit or str(self.given.get("subset") or "")) else []
        words += ["--check"] if self.given.get("check") and check is None else []
        return f"{self.called} {shlex.join(words)}" + ("" if is_whole else " -e …")

    def other(self, playbook: str) -> str:
        """Another playbook, with the same files of settings, for the same servers."""
        _pairs, files, _is_whole = self._extra()
        words = [*self._start(playbook), *_given("-e", files), *_given("--limit", self.given.get("subset"))]
        return f"{self.called} {shlex.join(words)}"

    def _start(self, playbook: str) -> list[str]:
        words: list[str] = []
        if (inventories := list(self.given.get("inventory") or [])) != list(self.usual):
            words += [word for path in inventories for word in ("-i", _near(path))]
        words += [word for name, option in _ACCESS.items() for word in _given(option, self.given.get(name))]
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
