"""What of nginx's configuration is ours, and what it replaced.

Other people's files are never removed, nor overwritten without a copy.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import re
from collections.abc import Iterable
from dataclasses import field
from pathlib import Path

from ansible_collections.uwsgi_flask.web.plugins.module_utils import files
from ansible_collections.uwsgi_flask.web.plugins.module_utils.files import OwnedFile
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.exchange import copy
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.places import (
    EDITED,
    KEPT,
    MANIFEST,
    is_server_block,
)
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.rejected import Rejected
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.tree import proof_names, times_of

# How many of our own texts of a file are remembered: the previous one too, because a run may be cut off in between.
REMEMBERED = 2


@dataclasses.dataclass
class Ours:
    """The manifest beside the configuration at `root`.

    `files` has the SHA-256 of what we wrote last at each path, `first` where what was there before us is saved ("" if
    nothing was), `logs` the names of logs that we made. Whatever we replace later is saved in the folder `edited`.
    `load` counts how often nginx was made to load the same again, and `times` are those of the tree that it loaded
    last: files may be changed, loaded by somebody, and changed back.
    """

    root: Path
    files: dict[str, list[str]] = field(default_factory=dict)
    first: dict[str, str] = field(default_factory=dict)
    logs: list[str] = field(default_factory=list)
    load: int = 0
    times: str = ""
    edited: Path = EDITED

    @classmethod
    def read(cls, root: Path) -> Ours:
        """The manifest that is there, or an empty one. Raises Rejected."""
        path = root / MANIFEST
        try:
            content = json.loads(path.read_text())
            noted = content["files"], content["first"], content["logs"]
            return cls(root, *noted, load=content.get("load", 0), times=content.get("times", ""))
        except FileNotFoundError:
            return cls(root, first=_left(root / KEPT))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise Rejected(
                f"{path} says what of {root} is ours, and can't be read ({error}). Bring it back from a backup, or "
                "remove it: then every file there counts as somebody else's, and is saved before it is replaced."
            ) from error

    @property
    def kept(self) -> Path:
        return self.root / KEPT

    @property
    def manifest(self) -> Path:
        return self.root / MANIFEST

    def exists(self) -> bool:
        return self.manifest.exists()

    def file(self) -> OwnedFile:
        """The manifest as it should be."""
        content = {name: getattr(self, name) for name in ("files", "first", "load", "logs", "times")}
        return OwnedFile(self.manifest, json.dumps(content, indent=2, sort_keys=True) + "\n", mode=0o600)

    def withdraw(self, saved: Iterable[Path]) -> None:
        """Remove the copies that were made for a change that isn't made."""
        for copy_ in saved:
            copy_.unlink(missing_ok=True)
        self._remove_empty_folders()

    def wrote(self, path: str) -> bool:
        """Whether what is at a path is what we wrote there."""
        place = self.root / path
        return place.is_file() and not place.is_symlink() and files.sha256(place) in self.files.get(path, [])

    def next_load(self) -> int:
        """The number of the load to come: another one if a file was touched since the last, to be proven anew."""
        if self.times != times_of(self.root):
            self.load += 1
        return self.load

    def proof_names(self) -> list[str]:
        """All that nginx answers to, without `.invalid`, if it has loaded our files as they are; see `proof_names`."""
        written = [path for path in self.files if is_server_block(path) and self.wrote(path)]
        return [name for path in written for name in proof_names((self.root / path).read_bytes())]

    def note(self, path: str, file: OwnedFile) -> None:
        """Remember what will be written at a path.

        Before it is, so that after a cut a file that we wrote is never mistaken for somebody else's.
        """
        digest, place = file.digest(), self.root / path
        known = [*(it for it in self.files.get(path, []) if it != digest), digest]
        # However often runs are cut off and undone, what is there now stays known.
        there = files.sha256(place) if place.is_file() else ""
        self.files[path] = [*(it for it in known[:-REMEMBERED] if it == there), *known[-REMEMBERED:]]

    def save(self, path: str) -> Path | None:
        """Save what is at a path, if there is anything and it isn't ours. The copy, or None. Raises OSError."""
        place = self.root / path
        # One that came back from a backup, or after the manifest was lost, isn't what was there before us.
        was_ours = place.is_file() and bool(proof_names(place.read_bytes()))
        is_first = path not in self.first and not was_ours
        original = self.original(path)
        # The last: a run that was cut off has saved it and not replaced it yet, or has put it back.
        if not os.path.lexists(place) or self.wrote(path) or (original and _same(original, place)):
            self.first.setdefault(path, "")
            return None
        folder = self.kept if is_first else self.edited
        saved, is_new = _copied(place, folder / path.lstrip("/"), folder)
        self.first.setdefault(path, saved.relative_to(self.kept).as_posix() if is_first else "")
        return saved if is_new else None

    def save_place(self, place: Path) -> Path | None:
        """The same for a place anywhere. Raises OSError."""
        return self.save(place.relative_to(self.root).as_posix() if place.is_relative_to(self.root) else str(place))

    def let_go(self, paths: Iterable[str]) -> None:
        """Forget what was ours at these paths. Where something was before us, that is remembered."""
        for path in paths:
            self.files.pop(path, None)
            if not self.first.get(path):
                self.first.pop(path, None)

    def original(self, path: str) -> Path | None:
        """Where what was at a path before us is saved."""
        name = self.first.get(path, "")
        return self.kept / name if name else None

    def forget(self) -> None:
        """Remove the manifest, and the copies of what was put back. Raises OSError.

        The manifest before the copies that it names: without one, a copy is only left over.
        """
        copies = {path: copy_ for path in self.first if (copy_ := self.original(path)) and os.path.lexists(copy_)}
        for path, copy_ in copies.items():
            if not _same(copy_, self.root / path):
                # Somebody has put something else there since.
                _copied(copy_, self.edited / path.lstrip("/"), self.edited)
        self.manifest.unlink(missing_ok=True)
        files.sync(self.kept)
        for copy_ in copies.values():
            copy_.unlink(missing_ok=True)
        self._remove_empty_folders()

    def _remove_empty_folders(self) -> None:
        for top in (self.kept, self.edited):
            for folder, _folders, _names in os.walk(top, topdown=False):
                with contextlib.suppress(OSError):
                    os.rmdir(folder)


def _left(kept: Path) -> dict[str, str]:
    """What was saved before a manifest was lost, by its path below the root."""
    found = [path for path in kept.rglob("*") if path.is_symlink() or path.is_file()]
    # Neither our own notes nor later copies.
    firsts = [path for path in found if not re.search(r"^\.|\.json$|~\d+$", path.name)]
    names = [path.relative_to(kept).as_posix() for path in firsts]
    return dict(zip(names, names, strict=True))


def _copied(place: Path, plain: Path, folder: Path) -> tuple[Path, bool]:
    """A copy of what is at a place, called `plain` or by a number after it, and whether it is a new one."""
    saved, number = plain, 1
    while os.path.lexists(saved):
        if _same(saved, place):
            return saved, False
        number += 1
        saved = plain.with_name(f"{plain.name}~{number}")
    # Only root may look: others' files may hold secrets.
    files.make_directory(folder, 0o700)
    copy(place, saved)
    return saved, True


def _same(one: Path, other: Path) -> bool:
    if one.is_symlink() or other.is_symlink():
        return one.is_symlink() and other.is_symlink() and os.readlink(one) == os.readlink(other)
    return one.is_file() and other.is_file() and one.read_bytes() == other.read_bytes()
