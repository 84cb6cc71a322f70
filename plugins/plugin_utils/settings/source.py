"""What a source folder holds: its files with their digests, and everything in it that a release can't hold."""

from __future__ import annotations

import fnmatch
import functools
import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.app import App
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.words import nearest

# What never belongs to a release: version control, caches, somebody's virtualenv.
NOT_CODE = (
    ".git",
    ".hg",
    ".svn",
    "__pycache__",
    "*.pyc",
    ".venv",
    "venv",
    "node_modules",
    ".*_cache",
    ".tox",
    ".nox",
)
_is_not_code = re.compile("|".join(map(fnmatch.translate, NOT_CODE))).match

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


def code_files(folder: str) -> list[CodeFile]:
    """Every file of the source but what NOT_CODE names, sorted by path. A link to a file counts as the file.

    Raises Unreadable.
    """
    try:
        return sorted(_code_file(path, entry) for path, entry in _entries(folder) if entry.is_file())
    except OSError as error:
        raise Unreadable(error) from None


def _code_file(path: str, entry: os.DirEntry[str]) -> CodeFile:
    status = entry.stat()
    stamp = (status.st_mtime_ns, status.st_ctime_ns, status.st_size)
    return CodeFile(path, _sha256(entry.path, stamp), bool(status.st_mode & 0o100))


def _entries(folder: str, inside: str = "") -> Iterator[tuple[str, os.DirEntry[str]]]:
    """All but the folders, and but what NOT_CODE names, with its path inside `folder`. Links are not followed.

    Every host of a run asks for it, hence os.scandir: it knows most of what os.walk would ask the disk for again.
    """
    with os.scandir(folder) as entries:
        for entry in entries:
            if _is_not_code(entry.name):
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from _entries(entry.path, f"{inside}{entry.name}/")
            else:
                yield f"{inside}{entry.name}", entry


@functools.cache
def _sha256(path: str, stamp: tuple[int, int, int]) -> str:
    """The digest of a file. `stamp` (times of change, size) tells one state of it from the next."""
    del stamp
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def source_faults(app: App, folder: Path) -> Iterator[str]:
    """What is wrong with the app's source, as the ends of sentences that begin with the app. Digests nothing."""
    if not folder.is_dir():
        yield f"has 'source': there is no folder {str(folder)!r}; give one, relative to the playbook or absolute"
        return
    files = []
    try:
        for path, entry in _entries(str(folder)):
            if fault := _entry_fault(path, entry, folder):
                yield f"has 'source': {quoted(path)} {fault}"
            else:
                files.append(path)
    except OSError as error:
        yield f"has 'source': {Unreadable(error)}"
        return
    files.sort()
    yield from _module_faults(app, folder, files)
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
    return "" if os.access(entry.path, os.R_OK) else f"can't be read; {LET_READ}"


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


def _module_faults(app: App, folder: Path, files: list[str]) -> Iterator[str]:
    module = app.module.replace(".", "/")
    if f"{module}.py" not in files and f"{module}/__init__.py" not in files:
        found = [path.removesuffix(".py") for path in files if path.endswith(".py") and "/" not in path]
        hint = nearest(app.module, found, "modules")
        yield f"has 'module': {app.module!r}, but there is no such module in {str(folder)!r}{hint}"


def _static_faults(app: App, folder: Path, files: list[str]) -> Iterator[str]:
    public = [path for path in files if path.startswith(f"{app.static_folder}/")]
    if not public and app.static_folder != App.static_folder:
        yield f"has 'static_folder': there are no files in {str(folder / app.static_folder)!r}"
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
