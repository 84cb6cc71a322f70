"""A release's static files as nginx needs them: a time that follows from the content, and a smaller form beside it."""

from __future__ import annotations

import gzip
import hashlib
import os
import zlib
from pathlib import Path

# Of these, gzip makes much less; pictures, fonts and archives are small already.
TEXTS = frozenset(
    {
        *(".css", ".htm", ".html", ".js", ".json", ".map", ".mjs", ".svg", ".txt", ".wasm", ".webmanifest", ".xml"),
        *(".csv", ".geojson", ".ico", ".md", ".rss", ".ttf"),
    }
)
# Bytes. What is smaller fits into a packet or two anyway.
WORTH_IT = 1024
SUFFIX = ".gz"
# Seconds since 1970: the year 2000, and a span of eight years after it. nginx makes an ETag of a file's time and size.
EPOCH, SPAN = 946_684_800, 1 << 28
CHUNK = 1 << 16


def stamp(path: Path, sha256: str) -> None:
    """Give a file a time that follows from its content: the same in each release and on each host, and so is its ETag.

    Its own would be that of a checkout: another for the same content, or the same for another.
    """
    seconds = EPOCH + int(sha256, 16) % SPAN
    os.utime(path, (seconds, seconds))


def compress(path: Path, sha256: str) -> None:
    """Put `style.css.gz` beside `style.css`, if that is worth it; nginx sends it to whoever takes it."""
    if path.suffix.lower() not in TEXTS or path.stat().st_size <= WORTH_IT:
        return
    content = path.read_bytes()
    smaller = gzip.compress(content, 9, mtime=0)
    if len(smaller) < len(content):
        made = path.with_name(path.name + SUFFIX)
        made.write_bytes(smaller)
        stamp(made, sha256)


def holds(path: Path, original: Path, sha256: str) -> bool:
    """Whether what is compressed in a file is the original, whose digest should be this."""
    left = original.stat().st_size if original.is_file() else -1
    digest = hashlib.sha256()
    try:
        with gzip.open(path) as file:
            while left >= 0 and (part := file.read(CHUNK)):
                left -= len(part)
                digest.update(part)
    except (OSError, EOFError, zlib.error):
        return False
    return left == 0 and digest.hexdigest() == sha256
