"""nginx's logs: made before nginx makes them for everybody to read, and removed with the app that they belong to."""

from __future__ import annotations

import dataclasses
import os
import re

from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.aim import Aim
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.ours import Ours
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.places import (
    COMMON_LOGS,
    apps_of,
    log_name,
    site_file,
)
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.system import System

# What logrotate makes of a log: shop.log.1, shop.log.2.gz.
ROTATED = r"(\.\d+(\.gz)?)?"


@dataclasses.dataclass
class Logs:
    """The logs that an aim needs. The manifest knows which of them we made: no other is removed."""

    ours: Ours
    system: System
    made: list[str] = dataclasses.field(default_factory=list)

    def unguarded(self, aim: Aim) -> list[str]:
        """Logs that aren't there, or that too many may read."""
        return [name for name in aim.logs if not self.system.log_is_guarded(name, aim.user)]

    def note(self, aim: Aim) -> None:
        """Note in the manifest which logs will be made."""
        self.made = [name for name in aim.logs if not self.system.has_log(name)]
        self.ours.logs += [name for name in self.made if name not in (*COMMON_LOGS, *self.ours.logs)]

    def guard(self, aim: Aim) -> None:
        """Raises OSError."""
        for name in self.unguarded(aim):
            self.system.guard_log(name, aim.user)

    def withdraw(self) -> None:
        """Remove the logs that were made for apps that aren't served, because the configuration isn't used.

        nginx writes to the others, though they were missing.
        """
        served = {log_name(app) for app in apps_of(self.ours.files) if os.path.lexists(self.ours.root / site_file(app))}
        for name in self.made:
            if name not in (*COMMON_LOGS, *served):
                (self.system.logs / name).unlink(missing_ok=True)

    def remove(self, aim: Aim) -> None:
        """Remove the doomed logs, those that were rotated included."""
        for name in aim.doomed:
            pattern = re.compile(re.escape(name) + ROTATED)
            for path in self.system.logs.glob(f"{name}*"):
                if pattern.fullmatch(path.name):
                    path.unlink(missing_ok=True)
        self.ours.logs = [name for name in self.ours.logs if name not in aim.doomed]
