"""A release's code on the host: compare it with what it should be, and make it so.

No Ansible in here: the unit tests drive it in a temporary directory.
"""

from __future__ import annotations

import compileall
import contextlib
import dataclasses
import hashlib
import json
import os
import shutil
import stat
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ansible.module_utils.web_files import gid

PYCACHE = "__pycache__"


@dataclasses.dataclass(frozen=True)
class Wanted:
    """A file that the release consists of: its path inside the code, the SHA-256 of its content, if it may be run."""

    path: str
    sha256: str
    executable: bool


@dataclasses.dataclass(frozen=True)
class Tree:
    """The directory of a release's code and what it should hold.

    All belongs to root and is read by the app's group, but for `public_folder`, which nginx reads too. `group` is the
    name of the app's group. Nobody but root may write: a request can't change what the next one runs.
    """

    root: Path
    wanted: Sequence[Wanted]
    public_folder: str
    group: str

    def faults(self) -> list[str]:
        """Paths in the tree that aren't as they should be: changed, missing, or not ours. None if all is well."""
        if not self.root.is_dir():
            return ["."]
        wanted = {file.path: file for file in self.wanted}
        group = gid(self.group)
        found = set()
        wrong = []
        for path, full in self._entries():
            status = full.lstat()
            file = wanted.get(path)
            found.add(path)
            if full.is_dir() and not full.is_symlink():
                is_right = any(name.startswith(f"{path}/") for name in wanted)
            else:
                is_right = file is not None and stat.S_ISREG(status.st_mode) and _sha256(full) == file.sha256
            mode = self._mode(path, full.is_dir(), file is not None and file.executable)
            is_right &= stat.S_IMODE(status.st_mode) == mode
            is_right &= (status.st_uid, status.st_gid) == (os.geteuid(), group)
            if not is_right:
                wrong.append(path)
        return sorted(wrong + [path for path in wanted if path not in found])

    def place(self, archive: Path) -> None:
        """Make the tree from `archive`.

        A new tree appears whole or not at all: it is made beside its place and renamed into it. In one that is there,
        each file that differs is replaced by a rename, for an instance may be reading it, and what isn't ours goes.
        """
        for left_over in self.root.parent.glob(".code-*"):
            shutil.rmtree(left_over)
        with tempfile.TemporaryDirectory(prefix=".code-", dir=self.root.parent) as made:
            fresh = Path(made, "code")
            fresh.mkdir()
            with tarfile.open(archive) as tar:
                # Debian 12's Python has no filters yet; the archive is the controller's own.
                if hasattr(tarfile, "data_filter"):
                    tar.extraction_filter = tarfile.data_filter
                tar.extractall(fresh)
            made_tree = dataclasses.replace(self, root=fresh)
            made_tree._own()
            compileall.compile_dir(fresh, quiet=2, stripdir=str(fresh), prependdir=str(self.root))
            made_tree._own()
            wrong = made_tree.faults()
            if wrong:
                raise ValueError(f"the source changed while it was read: {', '.join(wrong[:5])}; run again")
            os.sync()
            if not self.root.exists():
                fresh.rename(self.root)
            else:
                self._replace_from(fresh)

    def _replace_from(self, fresh: Path) -> None:
        wanted = {file.path for file in self.wanted}
        for path, full in sorted(self._entries(), reverse=True):
            if path not in wanted and not any(name.startswith(f"{path}/") for name in wanted):
                shutil.rmtree(full) if full.is_dir() and not full.is_symlink() else full.unlink()
            elif path in wanted and full.is_dir() and not full.is_symlink():
                shutil.rmtree(full)
        for where, _folders, names in os.walk(fresh):
            target = self.root / Path(where).relative_to(fresh)
            if target.is_symlink() or (target.exists() and not target.is_dir()):
                target.unlink()
            target.mkdir(exist_ok=True)
            for name in names:
                os.replace(Path(where, name), target / name)
        self._own()

    def _own(self) -> None:
        group = gid(self.group)
        executable = {file.path for file in self.wanted if file.executable}
        os.chown(self.root, os.geteuid(), group)
        # nginx passes through to the public folder but lists nothing.
        self.root.chmod(0o751)
        for where, folders, names in os.walk(self.root):
            for name in folders + names:
                full = Path(where, name)
                path = full.relative_to(self.root).as_posix()
                os.chown(full, os.geteuid(), group, follow_symlinks=False)
                if not full.is_symlink():
                    full.chmod(self._mode(path, full.is_dir(), path in executable))

    def _mode(self, path: str, is_folder: bool, executable: bool) -> int:
        public = path == self.public_folder or path.startswith(f"{self.public_folder}/")
        passed_through = is_folder and self.public_folder.startswith(f"{path}/")
        if public:
            return 0o755 if is_folder or executable else 0o644
        if passed_through:
            return 0o751
        return 0o750 if is_folder or executable else 0o640

    def _entries(self) -> Iterator[tuple[str, Path]]:
        """Each file and folder below the root with its path, but for byte code: Python remakes and checks that."""
        for where, folders, names in os.walk(self.root):
            folders[:] = [name for name in folders if name != PYCACHE]
            for name in folders + names:
                full = Path(where, name)
                yield full.relative_to(self.root).as_posix(), full


def environment_file(variables: dict[str, str]) -> str:
    """The text of a systemd EnvironmentFile that gives the app exactly these values.

    Rules: systemd.exec(5), EnvironmentFile=. In double quotes only these four are special after a backslash, and a
    newline stands for itself.
    """
    lines = []
    for name, value in sorted(variables.items()):
        quoted = value
        for special in '\\"`$':
            quoted = quoted.replace(special, "\\" + special)
        lines.append(f'{name}="{quoted}"\n')
    return "".join(lines)


def changes(live: Path, files: Sequence[Sequence[Any]]) -> tuple[str, str]:
    """The files by which new code differs from the live release's, before and after: a line with path and digest each.

    `live` is the live release's directory, if there is one; `files` are the new ones, each [path, SHA-256, executable].
    """
    before: dict[str, str] = {}
    with contextlib.suppress(OSError, ValueError, KeyError):
        described = json.loads((live / "release.json").read_text())
        before = {path: sha256 for path, (sha256, _executable) in described["code"].items()}
    after = {path: sha256 for path, sha256, _executable in files}
    differ = sorted(path for path in {*before, *after} if before.get(path) != after.get(path))
    shown = ["".join(f"{path} {side[path][:12]}\n" for path in differ if path in side) for side in (before, after)]
    return shown[0], shown[1]


def owner_of_data(data: Path, user: str) -> str:
    """Who else owns the directory that systemd would give to an app's user; "" if nobody does.

    Nobody does either when the app's user was removed and its data was kept.
    """
    try:
        owner = data.owner()
    except (FileNotFoundError, KeyError):
        return ""
    return "" if owner == user else owner


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()
