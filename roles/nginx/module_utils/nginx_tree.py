"""nginx's whole configuration as one transaction: staged, tested, put in place, loaded, proven; or nothing of it.

No Ansible in here. What touches nginx itself is in `System`; the unit tests put another in its place.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import http.client
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from ansible.module_utils.web_files import OwnedFile, diff_of

# Stands in a file's text for the digest of the whole tree, which is known only when all else is.
GENERATION = "@generation@"
# Where what we replace is kept; nginx reads nothing there.
DISTRIBUTION = ".distribution"
PROOF_SECONDS = 10.0
# The name of the server block that proves which configuration runs.
PROOF_NAME = rb"server_name ([0-9a-f]{32})\.invalid;"
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

    def diff(self) -> list[dict[str, str]]:
        """What `--diff` shows: the files that aren't right, and those that go."""
        going = [OwnedFile(self.root / path, "") for path in self.unwanted()]
        # A link's own text is its target; that it goes is all there is to show.
        gone = [
            {**one, "after_header": "/dev/null"}
            for one in diff_of(file for file in going if not file.path.is_symlink())
        ]
        return [*diff_of(self.wrong()), *gone]

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

    def is_ours(self) -> bool:
        """Whether anything of ours is there."""
        return (self.root / DISTRIBUTION).exists() or (self.drop_in is not None and self.drop_in.path.exists())

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
        return Path(file.path).relative_to(self.root).as_posix()

    def _keep_distribution(self, before: Mapping[str, bytes | str | None]) -> None:
        kept = self.root / DISTRIBUTION
        if not kept.exists():
            unfinished = self.root / f"{DISTRIBUTION}.unfinished"
            with contextlib.suppress(FileNotFoundError):
                shutil.rmtree(unfinished)
            unfinished.mkdir()
            _restore(unfinished, before)
            unfinished.rename(kept)

    def _digest(self) -> str:
        """The digest of the tree as it would be."""
        texts = _tree(self.root)
        for path in self.absent:
            texts.pop(path, None)
        return _digest_of({**texts, **{path: text.encode() for path, text in self.files.items()}})

    def restore(self) -> None:
        """Take away all that is ours and put back what it replaced. Raises Rejected with everything as it was."""
        kept = self.root / DISTRIBUTION
        before = {path: _there(kept / path) for path in [*self.files, *self.absent]}
        now = {path: _there(self.root / path) for path in before}
        _restore(self.root, before)
        code, said = self.system.test(self.root)
        if code != 0:
            _restore(self.root, now)
            raise Rejected(f"{said}\nwithout our files nginx's configuration is wrong; they stay")
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(kept)
        if self.drop_in:
            self.drop_in.path.unlink(missing_ok=True)
            if self.drop_in.path.parent.is_dir() and not any(self.drop_in.path.parent.iterdir()):
                self.drop_in.path.parent.rmdir()
        self.system.systemctl("daemon-reload")
        self.system.systemctl("reload-or-restart", "nginx.service")


def drift(root: Path, address: str, system: System) -> list[str]:
    """One line for each way in which nginx isn't as it was deployed, found without knowing what was to be deployed."""
    texts = _tree(root)
    deployed = {found.group(1) for text in texts.values() if (found := re.search(PROOF_NAME, text))}
    if len(deployed) != 1:
        return [f"{root} holds no configuration of ours"]
    (generation,) = deployed
    name = generation.decode()
    plain = {path: text.replace(generation, GENERATION.encode()) for path, text in texts.items()}
    lines = []
    if _digest_of(plain) != name:
        lines.append(f"files below {root} were changed since the last deploy")
    if not system.answers_to(name, address):
        lines.append("nginx runs another configuration than the one that was deployed")
    return lines


def _tree(root: Path) -> dict[str, bytes]:
    """{path below the root: content} of everything that nginx may read there: ours and others'."""
    texts: dict[str, bytes] = {}
    for where, folders, names in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for path in (Path(where, name) for name in names if not name.startswith(".")):
            texts[path.relative_to(root).as_posix()] = path.read_bytes() if path.is_file() else b""
    return texts


def _digest_of(texts: Mapping[str, bytes]) -> str:
    """32 hexadecimal digits."""
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
