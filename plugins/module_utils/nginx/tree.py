"""nginx's whole configuration as files: ours and others', its digest, and what is where."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from pathlib import Path

from ansible_collections.uwsgi_flask.web.plugins.module_utils import files
from ansible_collections.uwsgi_flask.web.plugins.module_utils.files import OwnedFile

# Stands in a file's text for the digest of the whole tree, which is known only when all else is.
GENERATION = "@generation@"
# The name of the server block that proves which configuration runs.
PROOF_NAME = re.compile(rb"server_name ([0-9a-f]{32})\.invalid;")

# What is at a path: a file's content, a link's target as a string, or nothing.
Found = bytes | str | None


def read_tree(root: Path) -> dict[str, bytes]:
    """{path below the root: content} of everything that nginx may read there: ours and others'."""
    texts: dict[str, bytes] = {}
    for where, folders, names in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for path in (Path(where, name) for name in names if not name.startswith(".")):
            texts[path.relative_to(root).as_posix()] = path.read_bytes() if path.is_file() else b""
    return texts


def digest_of(texts: Mapping[str, bytes]) -> str:
    """32 hexadecimal digits."""
    digest = hashlib.sha256()
    for relative, content in sorted(texts.items()):
        digest.update(f"{relative}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()[:32]


def generation_in(texts: Mapping[str, bytes]) -> str:
    """The digest that the tree on the disk was deployed with; "" if it isn't ours."""
    found = {match.group(1) for text in texts.values() if (match := PROOF_NAME.search(text))}
    return found.pop().decode() if len(found) == 1 else ""


def there(path: Path) -> Found:
    """What is at a path."""
    if path.is_symlink():
        return os.readlink(path)
    return path.read_bytes() if path.is_file() else None


def put_back(root: Path, before: Mapping[str, Found]) -> None:
    """Let each path below the root be what it was."""
    for path, content in before.items():
        full = root / path
        if there(full) == content:
            continue
        if isinstance(content, bytes):
            OwnedFile(full, content.decode(errors="surrogateescape")).put()
        elif content is None:
            files.remove(full)
        else:
            files.make_directory(full.parent)
            files.link(full, content)
