"""Logs that are files: their last lines, and what is written to them from then on, over rotations."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from ansible_collections.uwsgi_flask.web.plugins.module_utils.logs.line import Asked, Line

BLOCK = 1 << 16
# Bytes of a file that are looked at in one go, whatever is searched for.
SCAN = 1 << 26
# Bytes that are taken in one go onwards, and how far one may fall behind before the rest is left out.
STEP, BEHIND = 1 << 20, 1 << 23

# What makes a line of its bytes: None if it isn't wanted. Gets the time of the line after it, for one without its own.
Parse = Callable[[bytes, float], Line | None]
# Where one is in a file: its inode, and the offset behind the last whole line.
Mark = tuple[int, int]


def last(path: Path, asked: Asked, parse: Parse) -> tuple[list[Line], Mark | None]:
    """The last lines, of the file before the last rotation too, and the end of this one; None if it isn't there."""
    found: list[Line] = []
    mark = None
    for file in (path, _rotated(path)):
        try:
            with file.open("rb") as opened:
                end = _end(opened)
                if file == path:
                    mark = (os.fstat(opened.fileno()).st_ino, end)
                if _collect(opened, end, asked, parse, found):
                    break
        except FileNotFoundError:
            continue
    return found[::-1], mark


def _collect(opened: IO[bytes], end: int, asked: Asked, parse: Parse, found: list[Line]) -> bool:
    """Add what is wanted, newest first. True if no older line is."""
    time = os.fstat(opened.fileno()).st_mtime
    for raw in _backwards(opened, end):
        line = parse(raw, time)
        if line is None:
            continue
        time = line.time
        if time < asked.since:
            return True
        if asked.wants(line):
            found.append(line)
        if len(found) >= asked.count:
            return True
    return end > SCAN


def after(path: Path, mark: Mark | None, asked: Asked, parse: Parse) -> tuple[list[Line], Mark | None, int]:
    """What was written since, the new end, and how many bytes were left out because they came too fast."""
    found: list[Line] = []
    left_out = 0
    # Each is opened once, because it may be rotated at any moment; the new one may not be there yet.
    with contextlib.ExitStack() as stack:
        now, before = (_opened(file, stack) for file in (path, _rotated(path)))
        if mark and before and _inode(before) == mark[0] != (now and _inode(now)):
            found, mark, left_out = _read_on(before, mark, asked, parse)
            if mark[1] < _end(before):
                return found, mark, left_out
        if now is None:
            return found, mark, left_out
        begin = mark if mark and mark[0] == _inode(now) else (_inode(now), 0)
        more, end, missed = _read_on(now, begin, asked, parse)
    return [*found, *more], end, left_out + missed


def _read_on(opened: IO[bytes], mark: Mark, asked: Asked, parse: Parse) -> tuple[list[Line], Mark, int]:
    inode, offset = mark
    left_out = 0
    end, time = _end(opened), os.fstat(opened.fileno()).st_mtime
    # Somebody has emptied it.
    offset = offset if offset <= end else 0
    if end - offset > BEHIND:
        left_out = end - STEP - offset
        offset += left_out
    opened.seek(offset)
    text = opened.read(min(end - offset, STEP))
    # A line that is longer than a step comes in parts.
    whole = text[: text.rfind(b"\n") + 1] or text
    lines = (parse(raw, time) for raw in whole.splitlines())
    return [line for line in lines if line and asked.wants(line)], (inode, offset + len(whole)), left_out


def _backwards(opened: IO[bytes], end: int) -> Iterator[bytes]:
    """Whole lines before an offset, the last one first."""
    rest, start, lowest = b"", end, max(0, end - SCAN)
    while start > lowest:
        begin = max(lowest, start - BLOCK)
        opened.seek(begin)
        first, *lines = (opened.read(start - begin) + rest).split(b"\n")
        yield from (line for line in reversed(lines) if line)
        # Of a line that is longer than a block, the beginning will do.
        rest, start = first[:BLOCK], begin
    if rest and start == 0:
        yield rest


def _end(opened: IO[bytes]) -> int:
    """Behind the last whole line."""
    size = opened.seek(0, os.SEEK_END)
    begin = max(0, size - BLOCK)
    opened.seek(begin)
    return begin + opened.read(size - begin).rfind(b"\n") + 1


def _rotated(path: Path) -> Path:
    return path.with_name(f"{path.name}.1")


def _opened(path: Path, stack: contextlib.ExitStack) -> IO[bytes] | None:
    try:
        return stack.enter_context(path.open("rb"))
    except FileNotFoundError:
        return None


def _inode(opened: IO[bytes]) -> int:
    return os.fstat(opened.fileno()).st_ino
