"""nginx's whole configuration as one transaction: staged, tested, put in place, loaded, proven; or nothing of it.

No Ansible in here. What touches nginx itself is in `System`; the unit tests put another in its place.
"""

from __future__ import annotations

import dataclasses
import hashlib
import http.client
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from ansible.module_utils.web_files import OwnedFile

# Stands in a file's text for the digest of the whole tree, which is known only when all else is.
GENERATION = "@generation@"
# Where what we replace is kept; nginx reads nothing there.
DISTRIBUTION = ".distribution"
PROOF_SECONDS = 10.0
PAUSE = 0.1
# nginx only warns of these, and then serves one of the two.
FATAL_WARNINGS = ("conflicting server name",)


class Rejected(Exception):
    """The new configuration can't be used; the old one is on disk and runs."""


class System:
    """nginx and its service."""

    def test(self, root: Path) -> tuple[int, str]:
        """`nginx -t` of the tree at `root`: exit code and what it said, one fault a line."""
        words = ["nginx", "-t", "-q", "-c", os.fspath(root / "nginx.conf")]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        return done.returncode, (done.stdout + done.stderr).strip()

    def systemctl(self, *words: str) -> tuple[int, str]:
        done = subprocess.run(["systemctl", *words], capture_output=True, text=True, check=False)
        return done.returncode, (done.stdout + done.stderr).strip()

    def show(self) -> dict[str, str]:
        wanted = "--property=ActiveState,UnitFileState,NeedDaemonReload"
        _code, printed = self.systemctl("show", wanted, "nginx.service")
        return dict(line.split("=", 1) for line in printed.splitlines() if "=" in line)

    def answers_to(self, generation: str, address: str) -> bool:
        """Whether the running nginx has loaded the configuration with this digest."""
        name, _colon, port = address.rpartition(":")
        connection = http.client.HTTPConnection(name, int(port), timeout=2.0)
        try:
            connection.request("GET", "/", headers={"Host": f"{generation}.invalid", "Connection": "close"})
            return connection.getresponse().status == 204
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def error_log(self) -> str:
        log = Path("/var/log/nginx/error.log")
        return "\n".join(log.read_text(errors="replace").splitlines()[-10:]) if log.exists() else ""

    def now(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


@dataclasses.dataclass
class Configuration:
    """The tree below `root` (/etc/nginx), the `files` that are ours ({path below it: text}) and paths to take away.

    `drop_in` is nginx's own unit as we change it. What a file of ours or an absent path replaces for the first time is
    kept in `.distribution/` below the root, for the day when all is to be as it was.
    """

    root: Path
    files: Mapping[str, str]
    absent: Sequence[str]
    address: str
    drop_in: OwnedFile | None = None
    system: System = dataclasses.field(default_factory=System)

    def __post_init__(self) -> None:
        self.generation = self._digest()
        texts = {path: text.replace(GENERATION, self.generation) for path, text in self.files.items()}
        self.owned = [OwnedFile(self.root / path, text) for path, text in texts.items()]

    def wrong(self) -> list[OwnedFile]:
        """The files that aren't as they should be."""
        all_files = [*self.owned, *([self.drop_in] if self.drop_in else [])]
        return [file for file in all_files if not file.is_right()]

    def unwanted(self) -> list[str]:
        """Paths that are there and should not be."""
        return [path for path in self.absent if os.path.lexists(self.root / path)]

    def is_live(self) -> bool:
        """Whether all is in place, and it is what the running nginx has loaded."""
        state = self.system.show()
        return (
            not self.wrong()
            and not self.unwanted()
            and state.get("ActiveState") == "active"
            and state.get("UnitFileState") == "enabled"
            and state.get("NeedDaemonReload") != "yes"
            and self.system.answers_to(self.generation, self.address)
        )

    def test(self) -> None:
        """Test the tree as it would be, in a place of its own. Raises Rejected."""
        with tempfile.TemporaryDirectory(prefix="nginx-staged-") as made:
            staged = Path(made, "nginx")
            shutil.copytree(self.root, staged, symlinks=True)
            _put(
                staged, [dataclasses.replace(file, path=staged / self._below(file)) for file in self.owned], self.absent
            )
            code, said = self.system.test(staged)
            said = said.replace(os.fspath(staged), os.fspath(self.root))
        conflicts = [line for line in said.splitlines() if any(words in line for words in FATAL_WARNINGS)]
        if code != 0 or conflicts:
            fault = said if code != 0 else "\n".join(conflicts)
            raise Rejected(
                f"{fault}\nnginx's new configuration is wrong; the old one serves, and its files are untouched"
            )

    def apply(self) -> None:
        """Test, put in place, load, prove. Raises Rejected with everything as it was."""
        self.test()
        before = {path: _there(self.root / path) for path in [*map(self._below, self.owned), *self.absent]}
        self._keep_distribution(before)
        if self.drop_in:
            self.drop_in.put()
        _put(self.root, self.owned, self.absent)
        self.system.systemctl("daemon-reload")
        self.system.systemctl("enable", "nginx.service")
        code, said = self.system.systemctl("reload-or-restart", "nginx.service")
        if code == 0 and self._is_proven():
            return
        log = self.system.error_log()
        _restore(self.root, before)
        self.system.systemctl("reload-or-restart", "nginx.service")
        raise Rejected(f"{log}\n{said}\nnginx didn't take the new configuration; the old files are back".strip())

    def _is_proven(self) -> bool:
        end = self.system.now() + PROOF_SECONDS
        while not self.system.answers_to(self.generation, self.address):
            if self.system.now() >= end:
                return False
            self.system.sleep(PAUSE)
        return True

    def _below(self, file: OwnedFile) -> str:
        return file.path.relative_to(self.root).as_posix()

    def _keep_distribution(self, before: Mapping[str, bytes | str | None]) -> None:
        kept = self.root / DISTRIBUTION
        if not kept.exists():
            unfinished = self.root / f"{DISTRIBUTION}.unfinished"
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir()
            _restore(unfinished, before)
            unfinished.rename(kept)

    def _digest(self) -> str:
        """32 hexadecimal digits of everything that nginx may read below the root, as it would be: ours and others'."""
        texts: dict[str, bytes] = {}
        for where, folders, names in os.walk(self.root):
            folders[:] = [name for name in folders if not name.startswith(".")]
            for name in names:
                path = Path(where, name)
                relative = path.relative_to(self.root).as_posix()
                if not name.startswith(".") and relative not in self.absent:
                    texts[relative] = path.read_bytes() if path.is_file() else b""
        texts |= {path: text.encode() for path, text in self.files.items()}
        digest = hashlib.sha256()
        for relative, content in sorted(texts.items()):
            digest.update(f"{relative}\0{len(content)}\0".encode() + content)
        return digest.hexdigest()[:32]


def _there(path: Path) -> bytes | str | None:
    """What is there: a file's content, a link's target as a string, or None."""
    if path.is_symlink():
        return os.readlink(path)
    return path.read_bytes() if path.is_file() else None


def _put(root: Path, files: Sequence[OwnedFile], absent: Sequence[str]) -> None:
    for file in files:
        file.put()
    for path in absent:
        (root / path).unlink(missing_ok=True)


def _restore(root: Path, before: Mapping[str, bytes | str | None]) -> None:
    for path, content in before.items():
        full = root / path
        if isinstance(content, bytes):
            OwnedFile(full, content.decode(errors="surrogateescape")).put()
            continue
        full.unlink(missing_ok=True)
        if content is not None:
            full.parent.mkdir(parents=True, exist_ok=True)
            full.symlink_to(content)
