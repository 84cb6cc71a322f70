"""The link that decides which release visitors get: moved in one rename, and moved back."""

from __future__ import annotations

import contextlib
import os
import threading

from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.records import Records
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.system import System

# Apps are deployed side by side, but links move one by one: should one take nginx or the host down, no other follows
# before it is back.
TURN = threading.Lock()


class Flip:
    """Moves socket and static files from one release to another. `leaves` is the release that a rollback abandons."""

    def __init__(self, records: Records, system: System, leaves: str = "") -> None:
        self.records = records
        self.app = records.layout
        self.system = system
        self.leaves = leaves
        self.was_previous = ""

    def to(self, release: str, before: str) -> None:
        """Let visitors get a release in place of `before`, durable before anything else follows."""
        if self.leaves:
            self.records.leaving(self.leaves, release)
        self.was_previous = self.records.previous()
        if before:
            self.system.link(self.app.previous, self.app.release(before).link_target)
        self.system.link(self.app.current, self.app.release(release).link_target)

    def back(self, before: str) -> None:
        """Let them get `before` again, or nothing if there was none."""
        if before:
            try:
                self.system.link(self.app.current, self.app.release(before).link_target)
            except OSError:
                # A full disk: renaming the link that is there needs no room.
                if self.records.previous() != before:
                    raise
                os.replace(self.app.previous, self.app.current)
        else:
            self.system.remove(self.app.current)
        # A disk that is full must not keep the release from being stopped.
        with contextlib.suppress(OSError):
            if self.was_previous:
                self.system.link(self.app.previous, self.app.release(self.was_previous).link_target)
