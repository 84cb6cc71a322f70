"""Files that the deploy owns on a host: compared and replaced whole, by a rename, so no reader sees half of one.

No Ansible in here.
"""

from __future__ import annotations

import contextlib
import dataclasses
import grp
import hashlib
import os
import shutil
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

# What is being made is called so until it is whole. No `include *.conf` and no unit's name matches it.
UNFINISHED = ".{name}.unfinished"


@dataclasses.dataclass(frozen=True)
class OwnedFile:
    """A file of root's: its path, its text, its mode and the name of its group."""

    path: Path
    text: str
    mode: int = 0o644
    group: str = "root"

    @property
    def content(self) -> bytes:
        """The text as bytes. One that was read from a file that isn't UTF-8 becomes the same bytes again."""
        return self.text.encode(errors="surrogateescape")

    def is_right(self) -> bool:
        """Whether content, mode and owner are as they should be."""
        return self.has_its_text() and self.is_guarded()

    def has_its_text(self) -> bool:
        return not self.path.is_symlink() and self.path.is_file() and self.path.read_bytes() == self.content

    def is_guarded(self) -> bool:
        """Whether mode and owner are right."""
        return _has_guard(self.path.lstat(), self.mode, self.group)

    def current(self) -> str:
        """The text that is there, or nothing."""
        return self.path.read_bytes().decode(errors="replace") if self.path.is_file() else ""

    def digest(self) -> str:
        """SHA-256 of the text as it should be."""
        return hashlib.sha256(self.content).hexdigest()

    def put(self) -> None:
        """Write it, durably; its folder is made if it isn't there."""
        make_directory(self.path.parent)
        with unfinished(self.path) as fresh:
            # For root alone until owner and mode are set, because the text may be a secret.
            with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(self.content)
                os.fchown(file.fileno(), os.geteuid(), gid(self.group))
                os.fchmod(file.fileno(), self.mode)
                file.flush()
                os.fsync(file.fileno())
            os.replace(fresh, self.path)
        sync(self.path.parent)


def unfinished_name(path: Path) -> Path:
    """Where `path` is made before it is renamed into place."""
    return path.with_name(UNFINISHED.format(name=path.name))


@contextlib.contextmanager
def unfinished(path: Path) -> Iterator[Path]:
    """The place where `path` is made. What is there goes if that fails."""
    fresh = unfinished_name(path)
    try:
        yield fresh
    except OSError:
        with contextlib.suppress(OSError):
            fresh.unlink()
        raise


def make_directory(path: Path, mode: int = 0o755, group: str = "root") -> None:
    """Make a directory with this mode, whatever the umask; missing parents get 0755. One that is there stays."""
    if not path.parent.is_dir():
        make_directory(path.parent)
    with contextlib.suppress(FileExistsError):
        path.mkdir()
        os.chown(path, os.geteuid(), gid(group))
        path.chmod(mode)


def is_guarded(path: Path, mode: int, group: str) -> bool:
    """Whether a directory is there and has this mode, and its owner and group are right."""
    try:
        return _has_guard(path.stat(), mode, group)
    except OSError:
        return False


def _has_guard(status: os.stat_result, mode: int, group: str) -> bool:
    return (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid) == (mode, os.geteuid(), gid(group))


def link(path: Path, target: str) -> None:
    """Let `path` be a link to `target`, by one rename that is on the disk when this returns."""
    fresh = unfinished_name(path)
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(target)
    os.replace(fresh, path)
    sync(path.parent)


def leads_to(path: Path, target: str) -> bool:
    """Whether `path` is a link with exactly this target."""
    return path.is_symlink() and os.readlink(path) == target


def remove(path: Path) -> None:
    """Remove a file, a link or a tree, if it is there. A tree is renamed first: cut off, it doesn't look whole."""
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
        return
    doomed = path if path.name.startswith(".") else unfinished_name(path)
    if doomed != path:
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(doomed)
        path.rename(doomed)
    shutil.rmtree(doomed)


def sync(folder: Path) -> None:
    """Let the names in a folder be on the disk before anything follows."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sha256(path: Path) -> str:
    """The digest of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def entries(root: Path, but_for: str = "") -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Every file, link and folder below `root` with its path inside it, a folder before what it holds; folders called
    `but_for`, and links to one, are left out. Not as Path, because that takes longer than all else for the thousands
    of a virtualenv.
    """
    beginning = len(os.path.join(root, ""))
    folders = [os.fspath(root)]
    while folders:
        # One that can't be listed has nothing to show.
        with contextlib.suppress(OSError), os.scandir(folders.pop()) as found:
            for entry in found:
                if entry.name == but_for and entry.is_dir():
                    continue
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                yield entry.path[beginning:], entry


def diff_of(files: Iterable[OwnedFile]) -> list[dict[str, str]]:
    """What `--diff` shows for the files that aren't right. Never call it for one that holds a secret."""
    return [
        {
            "before_header": os.fspath(file.path),
            "after_header": os.fspath(file.path),
            "before": file.current(),
            "after": file.text,
        }
        for file in files
        if not file.has_its_text()
    ]


def gid(group: str) -> int:
    """The number of a group; root's is 0 whatever the system calls it, and a test may run as anybody."""
    return os.getegid() if group == "root" else grp.getgrnam(group).gr_gid
