"""Files that change together or not at all.

What is new is written beside its place first. Then renames alone change anything, and they need no room: a full disk
is met while everything is as it was. What was there stays beside its place until all is well, to be renamed back.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from ansible_collections.uwsgi_flask.web.plugins.module_utils import files
from ansible_collections.uwsgi_flask.web.plugins.module_utils.files import OwnedFile, unfinished_name

# What is wanted at a place: a file of ours, a copy of a file or link that was saved, or nothing.
Source = OwnedFile | Path | None


class Exchange:
    """`changes` says what is wanted at each place, in order; `changing` is called before each step."""

    def __init__(self, changes: Mapping[Path, Source], changing: Callable[[str], None]) -> None:
        self.changes = changes
        self.changing = changing
        self.prepared: list[Path] = []

    def prepare(self) -> None:
        """Write all that is new and hold on to all that is there; nothing that nginx reads changes. Raises OSError."""
        clear(self.changes)
        for place, source in self.changes.items():
            self.changing(f"write {place}")
            fresh = unfinished_name(place)
            if isinstance(source, OwnedFile):
                dataclasses.replace(source, path=fresh).put()
            elif source is not None:
                copy(source, fresh)
            if os.path.lexists(place):
                # Of a link, the link itself.
                os.link(place, old_name(place), follow_symlinks=False)
            self.prepared.append(place)

    def do(self) -> None:
        """Change everything. Raises OSError."""
        for place, source in self.changes.items():
            self.changing(f"exchange {place}")
            if source is None:
                place.unlink(missing_ok=True)
            else:
                os.replace(unfinished_name(place), place)
            if place.parent.is_dir():
                files.sync(place.parent)

    def undo(self) -> None:
        """Put everything back."""
        for place in reversed(self.prepared):
            if os.path.lexists(old_name(place)):
                os.replace(old_name(place), place)
            else:
                place.unlink(missing_ok=True)
        self.clear()

    def clear(self) -> None:
        """Let go of what was there."""
        clear(self.changes)


def clear(places: Iterable[Path]) -> None:
    """Remove what an exchange keeps beside these places, that of one that was cut off included."""
    for place in places:
        for name in (old_name(place), unfinished_name(place)):
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                name.unlink()


def old_name(place: Path) -> Path:
    """Where what was at a place is kept during an exchange. No `include` of nginx's matches a name with a dot first."""
    return place.with_name(f".{place.name}.old")


def copy(source: Path, target: Path) -> None:
    """Copy a file with its mode and owner, or a link as a link, durably; the target's folder is made."""
    files.make_directory(target.parent)
    if source.is_symlink():
        files.link(target, os.readlink(source))
        return
    fresh = unfinished_name(target)
    # For root alone until mode and owner are set.
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(source.read_bytes())
        file.flush()
        os.fsync(file.fileno())
    status = source.stat()
    os.chown(fresh, status.st_uid, status.st_gid)
    shutil.copystat(source, fresh)
    os.replace(fresh, target)
    files.sync(target.parent)
