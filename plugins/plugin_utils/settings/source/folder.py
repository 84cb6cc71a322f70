"""What a source folder holds: its files with their digests, and everything in it that a release can't hold."""

from __future__ import annotations

import functools
import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from ansible_collections.uwsgi_flask.web.plugins.module_utils import static_files
from ansible_collections.uwsgi_flask.web.plugins.module_utils.files import sha256
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.app import App
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.entry import entry_faults
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.source import forms
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.source.origin import Origin
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.source.patterns import (
    OWN,
    BadPattern,
    Fate,
    Patterns,
)

# More is rarely code, and each host gets it with each release.
LARGE = 50 << 20
# What git LFS puts in place of a file, with its own bounds (its spec, "The Pointer").
_POINTER = b"version https://git-lfs.github.com/spec/v1"
_POINTER_SIZES = range(len(_POINTER), 1024)

LET_READ = "let the user who deploys read it"


class Unreadable(Exception):
    """A file or folder of the source can't be read: path and reason in one line."""

    def __init__(self, error: OSError) -> None:
        super().__init__(f"{quoted(os.fsdecode(error.filename or ''))} can't be read ({error.strerror}); {LET_READ}")


class CodeFile(NamedTuple):
    """One file of the source: its path inside it, the SHA-256 of its content, whether it may be executed."""

    path: str
    sha256: str
    executable: bool


def code_files(folder: str, exclude: Sequence[str] = (), *, by_gitignore: bool = True) -> list[CodeFile]:
    """Every file of the source that is shipped, sorted by path. A link to a file counts as the file.

    Raises Unreadable.
    """
    try:
        found = _shipped(folder, exclude, by_gitignore=by_gitignore)
        return sorted(_code_file(path, entry) for path, entry in found if entry.is_file())
    except OSError as error:
        raise Unreadable(error) from None


def _code_file(path: str, entry: os.DirEntry[str]) -> CodeFile:
    status = entry.stat()
    stamp = (status.st_mtime_ns, status.st_ctime_ns, status.st_size)
    return CodeFile(path, _sha256(entry.path, stamp), bool(status.st_mode & 0o100))


def _shipped(folder: str, exclude: Sequence[str], *, by_gitignore: bool) -> Iterator[tuple[str, os.DirEntry[str]]]:
    for path, entry, fate in Patterns(folder, exclude, by_gitignore=by_gitignore).entries():
        if fate is Fate.SHIPPED:
            yield path, entry


@functools.cache
def _sha256(path: str, stamp: tuple[int, int, int]) -> str:
    """The digest of a file. `stamp` (times of change, size) tells one state of it from the next."""
    del stamp
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def notices(app: App, origin: Origin) -> Iterator[str]:
    """What a person may want to know of a source that can be used, as the ends of sentences that begin with the app."""
    found = list(Patterns(str(origin.folder), app.exclude, by_gitignore=origin.is_worked_in).entries())
    if held := sorted(path for path, _entry, fate in found if fate is Fate.HELD_BACK):
        more = f" and {len(held) - 5} more" if len(held) > 5 else ""
        listed = ", ".join(map(quoted, held[:5]))
        yield f"keeps {listed}{more} at home; to ship one, write '!{held[0]}' into {OWN} or 'exclude'"
    sizes = {path: entry.stat().st_size for path, entry, fate in found if fate is Fate.SHIPPED and entry.is_file()}
    if (total := sum(sizes.values())) > LARGE:
        largest = sorted(sizes, key=lambda path: -sizes[path])[:3]
        listed = ", ".join(f"{quoted(path)} ({sizes[path] >> 20} MiB)" for path in largest if sizes[path] >> 20)
        named = f"; the largest: {listed}" if listed else f", in {len(sizes)} files"
        yield f"has a source of {total >> 20} MiB, all of it sent to each host{named}"


def source_faults(app: App, origin: Origin) -> Iterator[str]:
    """What is wrong with the app's source, as the ends of sentences that begin with the app. Digests nothing."""
    folder = origin.folder
    if folder.is_file():
        yield f"has 'source': {str(folder)!r} is a file; give the folder that it is in"
        return
    if not folder.is_dir():
        url = forms.meant(app.folder)
        hint = f"did you mean {url!r}?" if url else "give one, relative to the playbook or absolute"
        yield f"has 'source': there is no folder {str(folder)!r}; {hint}"
        return
    files = []
    try:
        for path, entry in _shipped(str(folder), app.exclude, by_gitignore=origin.is_worked_in):
            if fault := _entry_fault(path, entry, folder):
                yield f"has 'source': {quoted(path)} {fault}"
            else:
                files.append(path)
    except BadPattern as error:
        yield f"has 'source': {error}"
        return
    except OSError as error:
        yield f"has 'source': {Unreadable(error)}"
        return
    files.sort()
    yield from entry_faults(app.module, app.callable, app.chdir, folder, files, app.python)
    yield from _static_faults(app, folder, files)
    yield from _page_faults(app, folder, files)


def _entry_fault(path: str, entry: os.DirEntry[str], folder: Path) -> str:
    """Why a release can't hold this; "" if it can."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return "has a name that isn't UTF-8; rename it"
    if entry.is_symlink() and (fault := _link_fault(entry, folder)):
        return f"is a link {fault}; replace it with what it stands for"
    if not entry.is_file():
        return "is a pipe, a socket or a device; remove it"
    if not os.access(entry.path, os.R_OK):
        return f"can't be read; {LET_READ}"
    if _is_pointer(entry):
        return "is a pointer of git LFS, not the file; run 'git lfs pull' in a folder, and give that or an archive"
    return ""


def _is_pointer(entry: os.DirEntry[str]) -> bool:
    if entry.stat().st_size not in _POINTER_SIZES:
        return False
    with open(entry.path, "rb") as file:
        return file.read(len(_POINTER)) == _POINTER


def _link_fault(link: os.DirEntry[str], folder: Path) -> str:
    """Why a release can't hold the link; "" if it can, which then holds what the link leads to."""
    try:
        os.stat(link.path)
    except FileNotFoundError:
        return "to nothing"
    except OSError as error:
        return f"that can't be followed ({error.strerror})"
    if os.path.isdir(link.path):
        return "to a folder"
    return "" if Path(link.path).resolve().is_relative_to(folder.resolve()) else "out of the source"


def _static_faults(app: App, folder: Path, files: list[str]) -> Iterator[str]:
    public = [path for path in files if path.startswith(f"{app.static_folder}/")]
    if not public and app.static_folder != App.static_folder:
        yield f"has 'static_folder': there are no files in {str(folder / app.static_folder)!r}"
    for path in public:
        original = path.removesuffix(static_files.SUFFIX)
        if original != path and original in public:
            full, beside = folder / path, folder / original
            if not static_files.holds(full, beside, sha256(beside)):
                told = f"{quoted(path)} isn't {quoted(original)} compressed, and nginx would send it in its place"
                yield f"has 'static_folder': {told}; remove it, or make it anew"
    if code := next((path for path in public if path.endswith(".py")), ""):
        yield f"has 'static_folder': nginx would publish the code in {code!r}; keep the two apart"


def _page_faults(app: App, folder: Path, files: list[str]) -> Iterator[str]:
    """nginx would send its own pages, and say nothing."""
    pages = f"{app.static_folder}/{app.error_pages}"
    page = re.compile(rf"{re.escape(pages)}/(error|(?!503)[45]\d\d)\.html")
    if app.error_pages and not any(map(page.fullmatch, files)):
        yield (
            f"has 'error_pages': there is neither error.html nor a page like 404.html in {str(folder / pages)!r}; "
            "put one there, or name another folder of the static folder"
        )


def quoted(path: str) -> str:
    """The path in quotes, with what isn't UTF-8 spelled out, or it couldn't be printed."""
    return repr(os.fsencode(path).decode("utf-8", "backslashreplace"))
