"""Text files that the deploy owns on a host: compared and replaced whole, by a rename, so no reader sees half of one.

Shared by the modules of several roles. No Ansible in here.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import grp
import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

# What a file that is being written is called until it is whole. No `include *.conf` and no unit name matches it.
UNFINISHED = ".{name}.unfinished"


@dataclasses.dataclass(frozen=True)
class OwnedFile:
    """A file of root's: its path, its text, its mode and the name of its group."""

    path: Path
    text: str
    mode: int = 0o644
    group: str = "root"

    def is_right(self) -> bool:
        """Whether content, mode and owner are as they should be."""
        if self.path.is_symlink() or not self.path.is_file():
            return False
        status = self.path.stat()
        return (
            self.current() == self.text
            and stat.S_IMODE(status.st_mode) == self.mode
            and (status.st_uid, status.st_gid) == (os.geteuid(), gid(self.group))
        )

    def current(self) -> str:
        """The text that is there, or nothing."""
        return self.path.read_text(encoding="utf-8", errors="replace") if self.path.is_file() else ""

    def digest(self) -> str:
        """SHA-256 of the text as it should be."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def put(self) -> None:
        """Write it, durably; the folder is made if it isn't there."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self.path.with_name(UNFINISHED.format(name=self.path.name))
        with open(unfinished, "w", encoding="utf-8", opener=_private) as file:
            file.write(self.text)
            os.fchown(file.fileno(), os.geteuid(), gid(self.group))
            os.fchmod(file.fileno(), self.mode)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, self.path)


@contextlib.contextmanager
def exclusive(directory: Path) -> Iterator[None]:
    """Be the only one that changes what is in a directory; wait for another to end.

    The deploy lock keeps runs apart; this keeps a run from what a lost connection has left working on the host. The
    kernel gives it back when the process ends, however it ends.
    """
    handle = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def put_those_that_differ(files: Iterable[OwnedFile]) -> list[OwnedFile]:
    """Write the files that aren't right; returns them."""
    wrong = [file for file in files if not file.is_right()]
    for file in wrong:
        file.put()
    return wrong


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
        if not file.is_right()
    ]


def gid(group: str) -> int:
    """The number of a group; root's is 0 whatever the system calls it, and a test may run as anybody."""
    return os.getegid() if group == "root" else grp.getgrnam(group).gr_gid


def _private(path: str, flags: int) -> int:
    """Open for nobody but root until owner and mode are set, for the text may be a secret."""
    return os.open(path, flags, 0o600)
