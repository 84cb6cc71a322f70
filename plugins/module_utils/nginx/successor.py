"""Another nginx in place of the one that runs, on the sockets that are open already: no connection is refused or cut.

nginx itself can do so (USR2, then QUIT to the old one), and Debian does when it upgrades the package. systemd follows
the pid file. No Ansible in here.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.places import PID_FILE

# A large configuration takes nginx a second or two, a slow machine more.
SECONDS = 30.0
PAUSE = 0.1


class NoSuccessor(Exception):
    """Why the old nginx still runs alone."""


class Succession:
    """Replaces nginx's processes. Tests put another clock, signal and /proc in the place of the machine's."""

    def __init__(
        self,
        pid_file: Path = PID_FILE,
        proc: Path = Path("/proc"),
        kill: Callable[[int, int], None] = os.kill,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.pid_file = pid_file
        self.proc = proc
        self.kill = kill
        self.sleep = sleep
        self.clock = clock

    def run(self) -> None:
        """Start another nginx and, when its workers are there, ask the old one to end what it is at and go."""
        old = self._pid()
        if not old:
            raise NoSuccessor(f"nginx doesn't run, as far as {self.pid_file} tells")
        self.kill(old, signal.SIGUSR2)
        end = self.clock() + SECONDS
        while not self._has_workers(new := self._pid()) or new == old:
            if self.clock() > end:
                raise NoSuccessor(
                    f"no other nginx came up beside the old one within {SECONDS:.0f} s; that one serves as before. "
                    "What nginx says: nginx -t, and the end of /var/log/nginx/error.log"
                )
            self.sleep(PAUSE)
        self.kill(old, signal.SIGQUIT)

    def _pid(self) -> int:
        with contextlib.suppress(OSError, ValueError):
            return int(self.pid_file.read_text())
        return 0

    def _has_workers(self, pid: int) -> bool:
        children = self.proc / str(pid) / "task" / str(pid) / "children"
        with contextlib.suppress(OSError):
            return bool(pid and children.read_text().split())
        return False
