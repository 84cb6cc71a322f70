"""nginx's whole configuration as one transaction: staged, tested, put in place, loaded, proven; or nothing of it.

No Ansible in here. What touches nginx itself is in `System`; the unit tests put another in its place.
"""

from __future__ import annotations

import dataclasses
import hashlib
import http.client
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

# Stands in a file's text for the digest of the whole tree, which is known only when all else is.
GENERATION = "@generation@"
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
    """The tree below `root` (/etc/nginx), the `files` that are ours ({path below it: text}) and paths to take away."""

    root: Path
    files: Mapping[str, str]
    absent: Sequence[str]
    address: str
    system: System = dataclasses.field(default_factory=System)

    def __post_init__(self) -> None:
        self.generation = self._digest()
        self.texts = {path: text.replace(GENERATION, self.generation) for path, text in self.files.items()}

    def differences(self) -> dict[str, tuple[str, str]]:
        """{path: (text on the host, text as it should be)} where the two differ; "" where there is no file."""
        wanted = {**self.texts, **dict.fromkeys(self.absent, "")}
        current = {path: _text(self.root / path) for path in wanted}
        return {path: (current[path], text) for path, text in wanted.items() if current[path] != text or self._is_off(path)}

    def is_live(self) -> bool:
        """Whether all is in place, and it is what the running nginx has loaded."""
        state = self.system.show()
        return (
            not self.differences()
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
            _put(staged, self.texts, self.absent)
            code, said = self.system.test(staged)
            said = said.replace(os.fspath(staged), os.fspath(self.root))
        warnings = [line for line in said.splitlines() if any(words in line for words in FATAL_WARNINGS)]
        if code != 0 or warnings:
            raise Rejected("the new configuration is wrong, so the old one stays:\n" + ("\n".join(warnings) if code == 0 else said))

    def apply(self) -> None:
        """Test, put in place, load, prove. Raises Rejected with everything as it was."""
        self.test()
        before = {path: _bytes(self.root / path) for path in [*self.texts, *self.absent]}
        _put(self.root, self.texts, self.absent)
        self.system.systemctl("daemon-reload")
        self.system.systemctl("enable", "nginx.service")
        code, said = self.system.systemctl("reload-or-restart", "nginx.service")
        if code == 0 and self._is_proven():
            return
        log = self.system.error_log()
        _restore(self.root, before)
        self.system.systemctl("reload-or-restart", "nginx.service")
        raise Rejected(f"nginx didn't take the new configuration, so the old files are back: {said}\n{log}".strip())

    def _is_proven(self) -> bool:
        end = self.system.now() + PROOF_SECONDS
        while not self.system.answers_to(self.generation, self.address):
            if self.system.now() >= end:
                return False
            self.system.sleep(PAUSE)
        return True

    def _digest(self) -> str:
        """32 hexadecimal digits of everything that nginx may read below the root, as it would be: ours and others'."""
        texts: dict[str, bytes] = {}
        for where, _folders, names in os.walk(self.root):
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

    def _is_off(self, path: str) -> bool:
        """Whether a file's owner or mode was changed."""
        full = self.root / path
        if path in self.absent:
            return full.is_symlink() or full.exists()
        if full.is_symlink() or not full.is_file():
            return True
        status = full.stat()
        return status.st_mode & 0o7777 != 0o644 or (status.st_uid, status.st_gid) != (os.geteuid(), os.getegid())


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def _bytes(path: Path) -> bytes | str | None:
    """What is there: a file's content, a link's target as a string, or None."""
    if path.is_symlink():
        return os.readlink(path)
    return path.read_bytes() if path.is_file() else None


def _put(root: Path, texts: Mapping[str, str], absent: Sequence[str]) -> None:
    for path, text in texts.items():
        _replace(root / path, text.encode())
    for path in absent:
        (root / path).unlink(missing_ok=True)


def _restore(root: Path, before: Mapping[str, bytes | str | None]) -> None:
    for path, content in before.items():
        full = root / path
        if content is None:
            full.unlink(missing_ok=True)
        elif isinstance(content, str):
            full.unlink(missing_ok=True)
            full.symlink_to(content)
        else:
            _replace(full, content)


def _replace(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # A name that no `include *.conf` matches.
    fresh = path.with_name(f".{path.name}.new")
    with fresh.open("wb") as file:
        file.write(content)
        os.fchmod(file.fileno(), 0o644)
        os.fchown(file.fileno(), os.geteuid(), os.getegid())
        file.flush()
        os.fsync(file.fileno())
    os.replace(fresh, path)
