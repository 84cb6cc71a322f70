"""An archive: looked at, unpacked into a folder, whole or not at all, and nothing of it outside."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple

# Whatever the archive's own size: more is an attack, or data that belongs elsewhere.
LARGEST = 2 << 30
MOST = 200_000

BROKEN = (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError)


class BadArchive(Exception):
    """An archive that can't be used, with the reason as the end of a sentence."""


class _Member(NamedTuple):
    """A file, with what opens it, or a link, with where it leads."""

    path: str
    is_executable: bool
    size: int
    leads_to: str | None
    member: tarfile.TarInfo | zipfile.ZipInfo


def unpack(archive: Path, folder: Path, *, name: str) -> None:
    """Unpack it into `folder`, without the one folder that everything in it may be in. `name` tells its kind."""
    try:
        if name.lower().endswith(".zip"):
            with zipfile.ZipFile(archive) as zipped:
                _write(list(_of_zip(zipped)), folder, zipped)
        else:
            with tarfile.open(archive) as tar:
                _write(list(_of_tar(tar)), folder, tar)
    except BadArchive:
        raise
    except BROKEN as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise BadArchive(f"can't be unpacked ({' '.join(reason.split())}); make it anew") from None


def _of_tar(tar: tarfile.TarFile) -> Iterator[_Member]:
    for count, member in enumerate(tar):
        _count(count)
        if member.isdir():
            _path(member.name)
        elif member.issym():
            yield _Member(_path(member.name), False, 0, member.linkname, member)
        elif member.isreg() or member.islnk():
            if member.islnk():
                # Another name of a file that came before it.
                _path(member.linkname)
            yield _Member(_path(member.name), bool(member.mode & 0o100), member.size, None, member)
        else:
            raise BadArchive(f"holds {member.name!r}, a pipe or a device; leave it out")


def _of_zip(zipped: zipfile.ZipFile) -> Iterator[_Member]:
    for count, member in enumerate(zipped.infolist()):
        _count(count)
        mode = member.external_attr >> 16
        if member.flag_bits & 1:
            raise BadArchive("is encrypted; make it without a password")
        if member.is_dir():
            _path(member.filename)
        elif stat.S_ISLNK(mode):
            yield _Member(_path(member.filename), False, 0, os.fsdecode(zipped.read(member)[:4096]), member)
        elif stat.S_IFMT(mode) in (0, stat.S_IFREG):
            yield _Member(_path(member.filename), bool(mode & 0o100), member.file_size, None, member)
        else:
            raise BadArchive(f"holds {member.filename!r}, a pipe or a device; leave it out")


def _count(count: int) -> None:
    if count >= MOST:
        raise BadArchive(f"holds more than {MOST} files; leave out what isn't code")


def _path(name: str) -> str:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\0" in name:
        raise BadArchive(f"holds {name!r}, which would be outside of it; make it from inside the folder")
    return path.as_posix()


def _write(members: list[_Member], folder: Path, archive: tarfile.TarFile | zipfile.ZipFile) -> None:
    if not members:
        raise BadArchive("is empty; give one that holds the app")
    # The last of a name counts, as with tar.
    latest = {member.path: member for member in members}
    top = _only_folder(latest)
    left = LARGEST
    for path, member in latest.items():
        if member.leads_to is None:
            target = _made(folder, path.removeprefix(top))
            mode = 0o700 if member.is_executable else 0o600
            with (
                _opened(archive, member) as source,
                open(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file,
            ):
                # Counted here, because what an archive says of its sizes may be a lie.
                while part := source.read(1 << 20):
                    left -= len(part)
                    if left < 0:
                        raise BadArchive(f"unpacks to more than {LARGEST >> 30} GiB; leave out what isn't code")
                    file.write(part)
    # Last, so that nothing is written through one. Where they lead is looked at with the rest.
    for path, member in latest.items():
        if member.leads_to is not None:
            _made(folder, path.removeprefix(top)).symlink_to(member.leads_to)


def _only_folder(paths: dict[str, _Member]) -> str:
    first = next(iter(paths)).partition("/")[0] + "/"
    return first if all(path.startswith(first) for path in paths) else ""


def _made(folder: Path, path: str) -> Path:
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    return target


@contextlib.contextmanager
def _opened(archive: tarfile.TarFile | zipfile.ZipFile, member: _Member) -> Iterator[IO[bytes]]:
    if isinstance(archive, zipfile.ZipFile):
        assert isinstance(member.member, zipfile.ZipInfo)
        with archive.open(member.member) as file:
            yield file
    else:
        assert isinstance(member.member, tarfile.TarInfo)
        try:
            found = archive.extractfile(member.member)
        except KeyError:
            found = None
        if found is None:
            raise BadArchive(f"holds {member.path!r}, a link to a file that isn't in it; make it anew")
        with found as file:
            yield file


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
