"""Back to an older release, from what is on the host alone: through the same gate, and never to a bad one."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.uwsgi_flask.web.plugins.module_utils.files import OwnedFile, unfinished_name
from ansible_collections.uwsgi_flask.web.plugins.module_utils.layout import AppLayout
from ansible_collections.uwsgi_flask.web.plugins.module_utils.release_layout import ReleaseLayout
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.golive import GoLive
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.place import damage
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.records import GOOD, Records
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.refused import Impossible, Refused
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.system import System
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.wanted import wanted_of

# What a release has become is no part of what it is made of.
NOT_COPIED = ("result.json", "failure.log")


class Rollback:
    """Chooses an older release of an app and makes it live; the one that it leaves is marked as bad."""

    def __init__(self, layout: AppLayout, front: Mapping[str, Any], system: System, by: str = "") -> None:
        self.layout = layout
        self.front = front
        self.system = system
        self.by = by
        self.records = Records(layout, system, by)

    def target(self, wanted: str = "") -> str:
        """The id to return to, `wanted` or the last good one before the live. Raises Impossible."""
        live = self.records.live()
        if not live:
            raise Impossible("no release is live on this host, so there is none to roll back from")
        usable = [release for release in self.records.good() if release != live]
        known = f"Good ones on this host: {', '.join(usable) or 'none'}"
        if not wanted:
            changed = {release: damage(self.layout, release) for release in usable}
            whole = next((release for release, differences in changed.items() if not differences), "")
            if not whole:
                why = "".join(f". Release {release} isn't as it was: {lines[0]}" for release, lines in changed.items())
                raise Impossible(f"there is no earlier good release on this host to return to{why}")
            return whole
        if wanted not in self.records.releases():
            raise Impossible(f"there is no release {wanted!r} on this host. {known}")
        if wanted == live:
            raise Impossible(f"release {wanted} is live already. {known}")
        if wanted not in usable:
            cause = self.records.of(wanted).get("cause", "it was never proven")
            raise Impossible(f"release {wanted} is marked as bad ({cause}). {known}")
        if differences := damage(self.layout, wanted):
            raise Impossible(f"release {wanted} isn't as it was: {differences[0]}. {known}")
        return wanted

    def golive(self, release: str, keep_environment: bool = False) -> GoLive:
        """What makes the release live. With `keep_environment` a copy of it gets the live release's environment."""
        left = self.records.live()
        if keep_environment:
            release = self._with_environment_of(release, left)
        # Whether it must fit beside the live one is a matter of today.
        now = {"memory_check": self.records.described(left).get("memory_check", True)}
        described = {**self.records.described(release), **now}
        wanted = wanted_of(self.layout.release(release), described, self.front)
        return GoLive(wanted, self.system, self.by, action="rollback", leaves=left)

    def _with_environment_of(self, release: str, other: str) -> str:
        """A new release with the code and settings of one and the environment of another; its id.

        Raises Refused if it can't be made.
        """
        old, environment = self.records.layout_of(release), self.layout.release(other).environment.read_text()
        if environment.replace(other, release) == old.environment.read_text():
            return release
        content = f"{release}\n{environment.replace(other, '')}"
        made = hashlib.sha256(content.encode()).hexdigest()[: len(release)]
        new = dataclasses.replace(old, id=made)
        # One that is live serves: what a run that was cut off lacks is done by the gate, never by another copy.
        if made != other and self.records.result(made) != GOOD:
            try:
                self._copy(old, new, environment.replace(other, made))
            except OSError as error:
                raise Refused("copy", f"{type(error).__name__}: {error}") from error
        return made

    def _copy(self, old: ReleaseLayout, new: ReleaseLayout, environment: str) -> None:
        """Copy a release under another id, its units included, and give it this environment."""
        self.system.remove(new.directory)
        unfinished = unfinished_name(new.directory)
        self.system.remove(unfinished)
        self.system.changing(f"copy {old.directory}")
        code, printed = self.system.run(["cp", "--archive", "--", os.fspath(old.directory), os.fspath(unfinished)])
        if code != 0:
            raise OSError(printed)
        for name in NOT_COPIED:
            self.system.remove(unfinished / name)
        self.system.changing(f"rename {unfinished}")
        unfinished.rename(new.directory)
        self.system.link(new.socket_link, os.fspath(new.socket))
        self.system.put(OwnedFile(new.environment, environment, 0o600))
        for path in (new.ini, new.mend):
            self._renamed(path, old.id, new.id)
        for kind in old.unit_names:
            text = old.unit_file(kind).read_text()
            self.system.put(OwnedFile(new.unit_file(kind), text.replace(old.id, new.id)))
        self._describe(old, new)
        self.system.reload_units()

    def _renamed(self, path: Path, old: str, new: str) -> None:
        status = path.stat()
        text = path.read_text().replace(old, new)
        self.system.put(OwnedFile(path, text, status.st_mode & 0o7777, path.group()))

    def _describe(self, old: ReleaseLayout, new: ReleaseLayout) -> None:
        """Let the copy's description say what the copy is made of."""
        self._renamed(new.description, old.id, new.id)
        text = new.description.read_text()
        for name, digest in self.records.described(new.id)["files"].items():
            text = text.replace(digest, hashlib.sha256(Path(name).read_bytes()).hexdigest())
        status = new.description.stat()
        self.system.put(OwnedFile(new.description, text, status.st_mode & 0o7777, new.description.group()))
