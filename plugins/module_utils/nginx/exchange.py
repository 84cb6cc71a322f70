"""Files that change together or not at all.

What is new is written beside its place first. Then renames alone change anything, and they need no room: a full disk
is met while everything is as it was. What was there stays beside its place until all is well, to be renamed back; a
journal knows what was to be renamed, so that a later run can do so after a cut.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from ansible_collections.uwsgi_flask.web.plugins.module_utils import files
from ansible_collections.uwsgi_flask.web.plugins.module_utils.files import OwnedFile, unfinished_name

# What is wanted at a place: a file of ours, a copy of a file or link that was saved, or nothing.
Source = OwnedFile | Path | None
# Makes a copy of what is at a place, if it isn't ours.
Save = Callable[[Path], Path | None]


class Exchange:
    """`changes` says what is wanted at each place, in order; `changing` is called before each step.

    `before` has the marks of what was at these places when it was looked at, or saved: nothing else is replaced.
    """

    def __init__(
        self,
        changes: Mapping[Path, Source],
        journal: Path,
        changing: Callable[[str], None],
        before: Mapping[Path, str],
    ) -> None:
        self.changes = changes
        self.before = before
        marks = {place: mark_of(source) for place, source in changes.items()}
        self.journal = Journal(
            journal, marks, [place for place in changes if not os.path.lexists(place)], is_ready=False
        )
        self.changing = changing

    def prepare(self) -> None:
        """Write all that is new and hold on to all that is there; nothing that nginx reads changes. Raises OSError."""
        clear(self.changes)
        self._note(is_ready=False)
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
        self._note(is_ready=True)

    def _note(self, is_ready: bool) -> None:
        self.changing(f"write {self.journal.path}")
        self.journal = dataclasses.replace(self.journal, is_ready=is_ready)
        self.journal.file().put()

    def do(self) -> None:
        """Change everything. Raises OSError."""
        for place, source in self.changes.items():
            self.changing(f"exchange {place}")
            if mark_of(place) != self.before[place]:
                raise OSError(f"{place} was changed by somebody else just now; run it again")
            if source is None:
                place.unlink(missing_ok=True)
            else:
                os.replace(unfinished_name(place), place)
            if place.parent.is_dir():
                files.sync(place.parent)

    def undo(self, save: Save) -> list[Path]:
        """Put everything back; what is kept beside the places stays until `clear`. Raises OSError.

        Returns the copies of what somebody has changed meanwhile, which `save` makes.
        """
        return self.journal.undo(save)

    def clear(self) -> None:
        """Let go of what was there. Raises OSError."""
        self.journal.clear()


@dataclasses.dataclass(frozen=True)
class Journal:
    """What an exchange puts at each place, as `mark_of` tells it, in order.

    At the places in `new` was nothing. It is there before anything else is written, and `is_ready` before the first
    rename.
    """

    path: Path
    marks: Mapping[Path, str]
    new: Sequence[Path]
    is_ready: bool

    @classmethod
    def read(cls, path: Path) -> Journal | None:
        """That of an exchange that was cut off, if there is one. Raises OSError, and ValueError if it isn't whole."""
        try:
            content = json.loads(path.read_text())
        except FileNotFoundError:
            return None
        marks = {Path(place): mark for place, mark in content["marks"].items()}
        return cls(path, marks, [*map(Path, content["new"])], content["is_ready"])

    def file(self) -> OwnedFile:
        marks = {os.fspath(place): mark for place, mark in self.marks.items()}
        content = {"marks": marks, "new": [*map(os.fspath, self.new)], "is_ready": self.is_ready}
        return OwnedFile(self.path, json.dumps(content, indent=2) + "\n", 0o600)

    def is_done(self) -> bool:
        """Whether everything is there that was to be."""
        return self.is_ready and all(mark_of(place) == mark for place, mark in self.marks.items())

    def undo(self, save: Save, but_for: Path | None = None) -> list[Path]:
        """Put back what was at each place but one; may be repeated. Raises OSError.

        `save` is called before a change goes that somebody has made since. Returns the copies that it made.
        """
        saved = []
        for place, mark in reversed(list(self.marks.items())):
            if place == but_for or not self._is_exchanged(place):
                continue
            if mark_of(place) not in (mark, mark_of(old_name(place))) and (copied := save(place)):
                saved.append(copied)
            if place in self.new:
                place.unlink()
            else:
                os.replace(old_name(place), place)
            if place.parent.is_dir():
                files.sync(place.parent)
        return saved

    def _is_exchanged(self, place: Path) -> bool:
        """Whether something else is at a place than before; not where that was put back already."""
        if os.path.lexists(unfinished_name(place)):
            return False
        if place in self.new:
            return os.path.lexists(place)
        if not os.path.lexists(old_name(place)):
            return False
        return not os.path.lexists(place) or not os.path.samestat(place.lstat(), old_name(place).lstat())

    def clear(self) -> None:
        """Forget the exchange. What is kept beside the places goes first, once it means nothing: it may be a key."""
        try:
            if self.is_ready and self.path.exists():
                dataclasses.replace(self, is_ready=False).file().put()
        except OSError:
            # A full disk: without the journal it means nothing either.
            self.path.unlink(missing_ok=True)
        clear([*self.marks, self.path])
        self.path.unlink(missing_ok=True)
        if self.path.parent.is_dir():
            files.sync(self.path.parent)


def mark_of(source: Source) -> str:
    """What tells a file of ours, a file or a link from any other; "" for nothing."""
    if isinstance(source, OwnedFile):
        return source.digest()
    if source is None or not os.path.lexists(source):
        return ""
    if source.is_symlink():
        return f"-> {os.readlink(source)}"
    return files.sha256(source) if source.is_file() else "no file"


def clear(places: Iterable[Path]) -> None:
    """Remove what an exchange keeps beside these places, that of one that was cut off included."""
    for place in places:
        for name in (old_name(place), unfinished_name(place)):
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                name.unlink()


def old_name(place: Path) -> Path:
    """Where what was at a place is kept during an exchange: a name that nobody else would choose.

    No `include` of nginx's matches a name with a dot first, and logrotate leaves out what ends in `.old`.
    """
    return place.with_name(f".{place.name}.before-exchange.old")


def copy(source: Path, target: Path) -> None:
    """Copy a file with its mode and owner, or a link as a link, durably; the target's folder is made."""
    files.make_directory(target.parent)
    if source.is_symlink():
        files.link(target, os.readlink(source))
        return
    with files.unfinished(target) as fresh:
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
