"""A release's code on the host: compare it with what it should be, and make it, whole or not at all."""

from __future__ import annotations

import compileall
import contextlib
import dataclasses
import functools
import io
import json
import os
import shutil
import stat
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.uwsgi_flask.web.plugins.module_utils import files, static_files

PYCACHE = "__pycache__"


@dataclasses.dataclass(frozen=True)
class Wanted:
    """A file of the release: its path inside the code, the SHA-256 of its content, whether it may be run."""

    path: str
    sha256: str
    executable: bool


@dataclasses.dataclass(frozen=True)
class Tree:
    """The directory of a release's code and what it should hold.

    Everything belongs to root and can be read by `group`, the app's; `public_folder` can be read by nginx too, and need
    not exist. Only root may write, so a request can't change what the next one runs.
    """

    root: Path
    wanted: Sequence[Wanted]
    public_folder: str
    group: str

    def damage(self) -> list[str]:
        """Paths in the tree whose content isn't as it should be: changed, missing, or not ours. None if all is well.

        Byte code is Python's affair: it compares it with the source. A static file's smaller form may be there or not,
        but it must be that of the file.
        """
        if self.root.is_symlink() or not self.root.is_dir():
            return ["."]
        found = {path: Path(entry) for path, entry in files.entries(self.root, but_for=PYCACHE)}
        wrong = [path for path, full in found.items() if not self._is_intact(path, full)]
        return sorted(wrong + [path for path in self._files if path not in found])

    def unguarded(self) -> list[str]:
        """Paths whose mode or owner isn't as it should be, byte code included."""
        return sorted(path for path, full in self._every() if not self._is_guarded(path, full))

    def guard(self) -> None:
        """Give everything its mode and owner, where it is."""
        group = files.gid(self.group)
        for path, full in self._every():
            if not self._is_guarded(path, full):
                os.chown(full, os.geteuid(), group, follow_symlinks=False)
                if not full.is_symlink():
                    full.chmod(self._mode(path, full))

    def place(self, archive: Path | bytes) -> None:
        """Make the tree from `archive`, a file or its content, beside its place, and rename it into place.

        Raises OSError and ValueError.

        Nothing may be running from a tree that is there already: it is moved away as a whole.
        """
        for left_over in self.root.parent.glob(".code-*"):
            shutil.rmtree(left_over)
        with tempfile.TemporaryDirectory(prefix=".code-", dir=self.root.parent) as made:
            fresh = Path(made, "code")
            fresh.mkdir()
            # Piece by piece: code may be as large as what is free, and several apps are placed side by side.
            packed = archive.open("rb") if isinstance(archive, Path) else io.BytesIO(archive)
            with packed, tarfile.open(fileobj=packed) as tar:
                # Debian 12's Python has no filters yet; the archive is the controller's own.
                if hasattr(tarfile, "data_filter"):
                    tar.extraction_filter = tarfile.data_filter
                tar.extractall(fresh)
            made_tree = dataclasses.replace(self, root=fresh)
            compileall.compile_dir(fresh, quiet=2, stripdir=str(fresh), prependdir=str(self.root))
            made_tree._prepare_static_files()
            made_tree.guard()
            if wrong := made_tree.damage():
                raise ValueError(f"the source changed while it was read: {', '.join(wrong[:5])}; run again")
            os.sync()
            if self.root.exists() or self.root.is_symlink():
                self.root.rename(Path(made, "replaced"))
            fresh.rename(self.root)
        files.sync(self.root.parent)

    def _prepare_static_files(self) -> None:
        for file in self.wanted:
            full = self.root / file.path
            if self._is_public(file.path) and full.is_file():
                static_files.stamp(full, file.sha256)
                # One that a build has made may be smaller still.
                if file.path + static_files.SUFFIX not in self._files:
                    static_files.compress(full, file.sha256)

    @functools.cached_property
    def _files(self) -> dict[str, Wanted]:
        return {file.path: file for file in self.wanted}

    @functools.cached_property
    def _folders(self) -> set[str]:
        """Every folder that holds something of the release."""
        return {parent.as_posix() for file in self.wanted for parent in Path(file.path).parents}

    def _every(self) -> Iterator[tuple[str, Path]]:
        """The root, as ".", and everything below it; nothing if there is no tree."""
        if self.root.is_dir() and not self.root.is_symlink():
            yield ".", self.root
            yield from ((path, Path(entry)) for path, entry in files.entries(self.root))

    def _is_intact(self, path: str, full: Path) -> bool:
        kind = full.lstat().st_mode
        if stat.S_ISDIR(kind):
            return path in self._folders
        if not stat.S_ISREG(kind):
            return False
        if path in self._files:
            return files.sha256(full) == self._files[path].sha256
        original = path.removesuffix(static_files.SUFFIX)
        is_smaller_form = original != path and original in self._files and self._is_public(path)
        return is_smaller_form and static_files.holds(full, self.root / original, self._files[original].sha256)

    def _is_guarded(self, path: str, full: Path) -> bool:
        status = full.lstat()
        is_owned = (status.st_uid, status.st_gid) == (os.geteuid(), files.gid(self.group))
        return is_owned and (full.is_symlink() or stat.S_IMODE(status.st_mode) == self._mode(path, full))

    def _is_public(self, path: str) -> bool:
        """Whether it is in the public folder."""
        return path.startswith(f"{self.public_folder}/")

    def _mode(self, path: str, full: Path) -> int:
        is_folder = full.is_dir()
        executable = is_folder or (path in self._files and self._files[path].executable)
        if path == self.public_folder or self._is_public(path):
            return 0o755 if executable else 0o644
        # nginx passes through to the public folder but lists nothing.
        if is_folder and (path == "." or self.public_folder.startswith(f"{path}/")):
            return 0o751
        return 0o750 if executable else 0o640


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


def changes(described: Path, wanted: Sequence[Sequence[Any]]) -> tuple[str, str]:
    """The files in which new code differs from a release's, before and after: a line with path and digest for each.

    `described` is that release's description, if it has one; `wanted` are the new files as [path, SHA-256, …].
    """
    before: dict[str, str] = {}
    with contextlib.suppress(OSError, ValueError, KeyError):
        before = {path: file[0] for path, file in json.loads(described.read_text())["code"].items()}
    after = {file[0]: file[1] for file in wanted}
    differ = sorted(path for path in {*before, *after} if before.get(path) != after.get(path))
    shown = ["".join(f"{path} {side[path][:12]}\n" for path in differ if path in side) for side in (before, after)]
    return shown[0], shown[1]
