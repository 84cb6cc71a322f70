"""nginx's whole configuration as files, ours and others': its digest, and a copy of it that can be tested."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from ansible_collections.uwsgi_flask.web.plugins.module_utils.files import OwnedFile
from ansible_collections.uwsgi_flask.web.plugins.module_utils.layout import PROBE_SOCKET
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.exchange import Source
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.places import BASE, KEPT, OURS_TOO

# Stands in a file's text for the digest of the whole tree, which is known only when all else is.
GENERATION = "@generation@"
# Stands in a file's text for the digest of this text.
OWN_DIGEST = "@digest@"
# The name of the server block that proves which configuration runs.
PROOF_NAME = re.compile(rb"^ *server_name ([0-9a-f]{32})\.invalid;", re.MULTILINE)
# The same of each app's file: a tree that was loaded as a half doesn't answer to all of them.
OWN_PROOF_NAME = re.compile(rb"^ *server_name ([0-9a-f]{32}\.[a-z0-9._-]+)\.invalid;", re.MULTILINE)
# What `nginx -t` would make on the host if it isn't there: an empty pid file, and logs that everybody may read.
WRITTEN = re.compile(rb"\b(access_log|error_log|pid)(\s+)(/[^\s;]+)")


def read_tree(root: Path) -> dict[str, bytes]:
    """{path below the root: content} of everything that nginx may read there: ours and others'."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes() if path.is_file() else b""
        for folder, names in _walk(root)
        for path in (folder / name for name in names)
    }


def times_of(root: Path) -> str:
    """A digest that changes whenever a file or folder that nginx may read there does, be it to what it was before."""
    digest = hashlib.sha256()
    for folder, names in _walk(root):
        for path in (folder, *(folder / name for name in names)):
            times = [path.lstat().st_ctime_ns, path.stat().st_ctime_ns if path.exists() else 0]
            digest.update(os.fsencode(f"{path.relative_to(root)}\0{times}\0"))
    return digest.hexdigest()[:32]


def _walk(root: Path) -> Iterator[tuple[Path, list[str]]]:
    """Each folder and the names of its files; nothing that begins with a dot."""
    for where, folders, names in os.walk(root, followlinks=True):
        # Others' links lead to modules, which are large; those to a folder that we write into are part of the tree.
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".")
            and (not Path(where, name).is_symlink() or (Path(where) == root and name in OURS_TOO))
        )
        yield Path(where), sorted(name for name in names if not name.startswith("."))


def digest_of(texts: Mapping[str, bytes], load: int) -> str:
    """32 hexadecimal digits, for the tree as it is loaded for the `load`-th time."""
    digest = hashlib.sha256(str(load).encode())
    for relative, content in sorted(texts.items()):
        # A name may be of any bytes.
        digest.update(os.fsencode(f"{relative}\0{len(content)}\0") + content)
    return digest.hexdigest()[:32]


def generation_in(texts: Mapping[str, bytes]) -> str:
    """The digest that the tree on the disk was deployed with; "" if it isn't ours."""
    found = PROOF_NAME.search(texts.get(BASE, b""))
    return found.group(1).decode() if found else ""


def proof_names(text: bytes) -> list[str]:
    """What the running nginx answers to, without `.invalid`, if it has loaded this file as it is."""
    return [name.decode() for pattern in (PROOF_NAME, OWN_PROOF_NAME) for name in pattern.findall(text)]


def with_own_digest(text: str) -> str:
    """A file's text with its digest in its place."""
    return text.replace(OWN_DIGEST, hashlib.sha256(text.encode()).hexdigest()[:32])


def plain(texts: Mapping[str, bytes], generation: str) -> dict[str, bytes]:
    """The texts as they were before they got their digest."""
    return {path: text.replace(generation.encode(), GENERATION.encode()) for path, text in texts.items()}


def stage(root: Path, changes: Mapping[str, Source], made: Path) -> Path:
    """Copy the tree with these changes to a folder below `made`, and return it.

    A test of the copy reads nothing but the copy, and makes neither log nor pid file nor socket outside `made`.
    """
    staged = made / "nginx"
    # Others' links to folders, such as modules, lead where they led.
    for where, folders, names in os.walk(root):
        target = staged / Path(where).relative_to(root)
        target.mkdir()
        for linked in [Path(where, name) for name in folders if Path(where, name).is_symlink()]:
            if any(path.startswith(f"{linked.relative_to(root)}/") for path in changes):
                # Through a link, a change of the copy would be one of the real folder.
                (target / linked.name).mkdir()
                for inner in linked.iterdir():
                    if inner.is_dir():
                        (target / linked.name / inner.name).symlink_to(inner.resolve())
                    else:
                        _put(target / linked.name / inner.name, inner, root, made)
            else:
                (target / linked.name).symlink_to(linked.resolve())
        folders[:] = [name for name in folders if name != KEPT]
        for name in names:
            _put(target / name, Path(where, name), root, made)
    for path, source in changes.items():
        if not path.startswith("/"):
            _put(staged / path, source, root, made, place=root / path)
    (made / "logs").mkdir()
    return staged


def _put(target: Path, source: Source, root: Path, made: Path, place: Path | None = None) -> None:
    """Put a file into the copy. `place` is where it belongs if it is saved elsewhere: a relative link starts there."""
    target.unlink(missing_ok=True)
    if isinstance(source, OwnedFile):
        content = source.content
    elif source is None:
        return
    else:
        read = source
        if source.is_symlink():
            read = (place or source).parent / os.readlink(source)
        if not read.is_file():
            # A link that leads nowhere, which nginx will refuse.
            target.symlink_to(os.fspath(read))
            return
        content = read.read_bytes()
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(_redirected(content, root, made))


def _redirected(content: bytes, root: Path, made: Path) -> bytes:
    """A file's content with every path that a test would read or write inside `made`."""
    folder = os.fsencode(made)

    def inside(found: re.Match[bytes]) -> bytes:
        return found[1] + found[2] + folder + b"/logs/" + found[3].replace(b"/", b"_")

    content = WRITTEN.sub(inside, content)
    content = content.replace(PROBE_SOCKET.encode(), folder + b"/probe")
    return content.replace(os.fsencode(root) + b"/", folder + b"/nginx/")
