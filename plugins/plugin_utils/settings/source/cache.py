"""Where sources from elsewhere are kept on this machine."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path


def place(*parts: str) -> Path:
    """A folder for these parts. All of it may be deleted at any time, and comes back; nobody else may read it."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    folder = Path(base if os.path.isabs(base) else os.path.expanduser("~/.cache"), "uwsgi-flask")
    folder.mkdir(parents=True, exist_ok=True)
    for part in parts:
        folder = folder / part
        folder.mkdir(exist_ok=True, mode=0o700)
    return folder


def digest(*words: str) -> str:
    return hashlib.sha256("\0".join(words).encode(errors="surrogateescape")).hexdigest()[:16]


@contextlib.contextmanager
def alone(folder: Path, what: str = "lock") -> Iterator[None]:
    """One process at a time does this here: the hosts of a run are workers side by side."""
    with open(folder / f".{what}", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def whole(target: Path, fill: Callable[[Path], None]) -> Path:
    """The folder `target`, filled by `fill` unless it is there: whole or not at all."""
    if not target.is_dir():
        for left in target.parent.glob(".unfinished-*"):
            shutil.rmtree(left, ignore_errors=True)
        made = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=target.parent))
        try:
            fill(made)
            made.rename(target)
        except BaseException:
            shutil.rmtree(made, ignore_errors=True)
            raise
    return target
