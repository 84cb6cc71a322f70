"""What of a folder is code, and what stays at home: ignore files, patterns of the app, and what is never meant.

Patterns are those of gitignore(5). What the app itself says (`exclude`, .deployignore) comes first, so that it can
bring anything back; then what is never meant; then the .gitignore files of the folder, and of the work tree around it.
"""

from __future__ import annotations

import contextlib
import enum
import fnmatch
import functools
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.source import command
from pathspec import GitIgnoreSpec

# Version control, and byte code, which each host makes itself. Nothing brings these back.
NEVER = (".git", ".hg", ".svn", "__pycache__", "*.pyc")
# Somebody's virtualenv, caches.
NOT_CODE = (".venv", "venv", "node_modules", ".*_cache", ".tox", ".nox")
# Secrets and data, which people forget to name.
PRIVATE = (
    ".env",
    ".env.*",
    "*.pem",
    "*.key",
    "*.p12",
    "*.pfx",
    "id_rsa",
    "id_dsa",
    "id_ecdsa",
    "id_ed25519",
    "*.sqlite",
    "*.sqlite3",
    "*.db",
)
# Flask's own folder for what belongs to one machine.
PRIVATE_FOLDERS = ("instance",)
EXAMPLES = (".env.example", ".env.sample", ".env.template", ".env.dist")

OWN = ".deployignore"
GITS = ".gitignore"


def _any_of(names: Sequence[str]) -> re.Pattern[str]:
    return re.compile("|".join(map(fnmatch.translate, names)))


_never, _not_code, _private = _any_of(NEVER), _any_of(NOT_CODE), _any_of(PRIVATE)


class Fate(enum.Enum):
    SHIPPED = 1
    AT_HOME = 2
    # As before, but nobody said so: worth a word.
    HELD_BACK = 3


class BadPattern(Exception):
    """A line of .deployignore is no pattern."""


class Entry(NamedTuple):
    """What a folder holds: its path inside it (a folder's ends in "/"), and what becomes of it."""

    path: str
    entry: os.DirEntry[str]
    fate: Fate


class _Level(NamedTuple):
    """The patterns of one .gitignore. A path is judged by them without its first `cut` characters, behind `add`."""

    patterns: GitIgnoreSpec
    cut: int = 0
    add: str = ""

    def says(self, path: str) -> bool | None:
        return self.patterns.check_file(self.add + path[self.cut :]).include


class Patterns:
    """What decides for one folder. `by_gitignore` where people work in it, so that it holds what git doesn't. Raises
    BadPattern, and OSError where .deployignore can't be read.
    """

    def __init__(self, folder: str, exclude: Sequence[str] = (), *, by_gitignore: bool = True) -> None:
        self.folder = folder
        self.by_gitignore = by_gitignore
        own = [*_lines(os.path.join(folder, OWN)), *exclude]
        self._brought_back = [back for line in own if (back := _fixed_part(line))]
        self._own = GitIgnoreSpec.from_lines(map(_good, own))

    def entries(self) -> Iterator[Entry]:
        """All files that are shipped, and all that is held back. Links are not followed.

        Every host of a run asks for it, hence os.scandir: it knows most of what os.walk would ask the disk for again.
        """
        return self._below(self.folder, "", self._from_above() if self.by_gitignore else [], is_out=False)

    def _below(self, folder: str, inside: str, levels: Sequence[_Level], *, is_out: bool) -> Iterator[Entry]:
        if self.by_gitignore and (patterns := _gitignore(folder)):
            levels = [*levels, _Level(patterns, cut=len(inside))]
        with os.scandir(folder) as entries:
            for entry in entries:
                if _never.match(entry.name):
                    continue
                is_folder = entry.is_dir(follow_symlinks=False)
                path = f"{inside}{entry.name}{'/' if is_folder else ''}"
                fate = self._fate(path, entry.name, is_folder, levels, is_out)
                if fate is Fate.HELD_BACK or not (is_folder or fate is Fate.AT_HOME):
                    yield Entry(path, entry, fate)
                if is_folder and (fate is Fate.SHIPPED or any(it.startswith(path) for it in self._brought_back)):
                    yield from self._below(entry.path, path, levels, is_out=fate is not Fate.SHIPPED)

    def _fate(self, path: str, name: str, is_folder: bool, levels: Sequence[_Level], is_out: bool) -> Fate:
        own = self._own.check_file(path).include
        if own is not None:
            return Fate.AT_HOME if own else Fate.SHIPPED
        if is_out or _not_code.match(name) or self._is_ignored(path, levels):
            return Fate.AT_HOME
        private = name in PRIVATE_FOLDERS if is_folder else _private.match(name) and name not in EXAMPLES
        return Fate.HELD_BACK if private else Fate.SHIPPED

    def _is_ignored(self, path: str, levels: Sequence[_Level]) -> bool:
        """The nearest .gitignore that says anything decides. What git tracks isn't ignored, whatever that says."""
        said = next((word for level in reversed(levels) if (word := level.says(path)) is not None), False)
        return said and path.removesuffix("/") not in self._tracked

    @functools.cached_property
    def _tracked(self) -> set[str]:
        """What git tracks though a .gitignore names it, and the folders that it is in."""
        words = ["ls-files", "-z", "--cached", "--ignored", f"--exclude-per-directory={GITS}"]
        try:
            paths = [os.fsdecode(path) for path in command.run(words, folder=self.folder).split(b"\0") if path]
        except command.GitFailed:
            return set()
        return {str(part) for path in paths for part in (path, *Path(path).parents)}

    def _from_above(self) -> list[_Level]:
        """The .gitignore files between the work tree's root and the folder."""
        here = Path(os.path.abspath(self.folder))
        top = work_tree(here)
        levels = []
        for above in reversed(here.relative_to(top).parents[:] if here != top else []):
            add = f"{here.relative_to(top / above).as_posix()}/"
            patterns = _gitignore(str(top / above))
            # Where the whole folder is ignored, as a build's result is, that says nothing of what is in it.
            if patterns and not patterns.check_file(add).include:
                levels.append(_Level(patterns, add=add))
        return levels


def work_tree(folder: Path) -> Path:
    """The root of the work tree that a folder is in; itself where it is in none."""
    return next((it for it in (folder, *folder.parents) if os.path.lexists(it / ".git")), folder)


def pattern_fault(line: str) -> str:
    """What is wrong with a pattern; "" if it can be used."""
    try:
        GitIgnoreSpec.from_lines([line])
    except ValueError:
        return "is no pattern, as .gitignore has them"
    return ""


def _good(line: str) -> str:
    if fault := pattern_fault(line):
        raise BadPattern(f"{OWN}: {line!r} {fault}")
    return line


def _fixed_part(line: str) -> str:
    """Which place a line brings back by name: "instance/a.sql" of "!/instance/a.sql"; "" if it is no such line."""
    line = line.rstrip()
    if not line.startswith("!") or "/" not in line.rstrip("/"):
        return ""
    return re.split(r"[*?\[\\]", line[1:].lstrip("/"), maxsplit=1)[0]


def _lines(path: str) -> list[str]:
    if not os.path.isfile(path):
        return []
    with open(path, encoding="utf-8-sig", errors="surrogateescape") as file:
        return file.read().splitlines()


def _gitignore(folder: str) -> GitIgnoreSpec | None:
    """Its patterns. As with git, a line that is none is passed over, and so is a file that is a link."""
    path = os.path.join(folder, GITS)
    if os.path.islink(path):
        return None
    lines: list[str] = []
    with contextlib.suppress(OSError):
        lines = _lines(path)
    return _patterns(tuple(lines))


@functools.cache
def _patterns(lines: tuple[str, ...]) -> GitIgnoreSpec | None:
    """Compiled once, because that of a work tree's root is asked for each app in it."""
    good = [line for line in lines if not pattern_fault(line)]
    return GitIgnoreSpec.from_lines(good) if good else None
