"""What of nginx's configuration is ours, and what it replaced: nothing of others is removed or overwritten unsaved."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from ansible_collections.uwsgi_flask.web.plugins.module_utils import files
from ansible_collections.uwsgi_flask.web.plugins.module_utils.files import OwnedFile
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.tree import Found, put_back, there

# Where what we replace is kept until a teardown puts it back; nginx reads nothing there.
KEPT = ".distribution"
# Where edits by hand of files that are ours are kept, before they are overwritten.
EDITED = Path("/var/backups/nginx-edited")


class Ours:
    """The manifest below nginx's directory `root`: {path: SHA-256 of what we wrote, or "" for what we removed}."""

    def __init__(self, root: Path, edited: Path = EDITED) -> None:
        self.root = root
        self.kept = root / KEPT
        self.edited = edited
        self.manifest = self.kept / "manifest.json"

    def exists(self) -> bool:
        return self.kept.is_dir()

    def written(self) -> dict[str, str]:
        """What we wrote or removed, by path."""
        try:
            return dict(json.loads(self.manifest.read_text()))
        except (OSError, ValueError):
            return {}

    def files(self) -> list[str]:
        """Paths of the files that are ours."""
        return [path for path, digest in self.written().items() if digest]

    def save(self, paths: Iterable[str]) -> None:
        """Keep what is at these paths, unless it is what we wrote."""
        written = self.written()
        for path in paths:
            content = there(self.root / path)
            if content is None or (isinstance(content, bytes) and _sha256(content) == written.get(path)):
                continue
            if path not in written:
                put_back(self.kept, {path: content})
            else:
                name = f"{path}.{_sha256(content if isinstance(content, bytes) else content.encode())[:8]}"
                put_back(self.edited, {name: content})

    def note(self, owned: Mapping[str, str], removed: Iterable[str]) -> None:
        """Note what is about to be written and removed, so that after a cut nothing of ours passes for others'."""
        noted = {path: _sha256(text.encode()) for path, text in owned.items()}
        gone = {path: "" for path in removed if path not in noted}
        content = {**self.written(), **noted, **gone}
        files.make_directory(self.kept)
        OwnedFile(self.manifest, json.dumps(content, indent=2, sort_keys=True) + "\n", mode=0o600).put()

    def originals(self) -> dict[str, Found]:
        """What was at each path before us."""
        return {path: there(self.kept / path) for path in self.written()}

    def forget(self) -> None:
        files.remove(self.kept)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
