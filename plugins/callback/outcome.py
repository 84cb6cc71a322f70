"""Says at the end of a run what became of each app and what to type next, and that a long task is still at work."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible import constants as C
from ansible import context
from ansible.plugins.callback import CallbackBase
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.alive import Alive
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.command_line import CommandLine, called
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.outcome import BAD, CHANGED, NEXT, WELL, Outcome
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.tables import WIDTH, terminal_width

DOCUMENTATION = r"""
name: outcome
type: notification
short_description: Say what became of each app
description:
  - After the recap of a playbook of this project, a table of what became of each app on each host, the address where it
    is found, and the command that comes next. While a task takes long, a line now and then.
  - It only adds; without it the playbooks do the same, and a run that failed says why.
"""

COLLECTION = "uwsgi_flask.web."
# These say what became of apps, in their result C(apps).
TELLING = ("deploy", "release", "rollback", "prune", "remove", "maintenance")
# At work for as long as they are wanted, or tell it themselves: at which step, what comes into a log, what is asked.
SPEAKING = ("deploy", "release", "logs_follow", "host_key")
COLOURS = {WELL: C.COLOR_OK, CHANGED: C.COLOR_CHANGED, BAD: C.COLOR_ERROR}
PROJECT = Path(__file__).resolve().parents[2]


class CallbackModule(CallbackBase):
    """What Ansible tells of a run, gathered."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = f"{COLLECTION}outcome"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *words: Any, **more: Any) -> None:
        super().__init__(*words, **more)
        self.outcome: Outcome | None = None
        self.alive = Alive(self._display.display)
        self.touched: set[str] = set()
        self.touches = False

    def v2_playbook_on_start(self, playbook: Any) -> None:
        # Several may be named in one command, and each ends with its own recap.
        self.outcome, self.touches, self.touched, self.alive = None, False, set(), Alive(self._display.display)
        if width := terminal_width():
            os.environ[WIDTH] = str(width)
        path, given = Path(playbook._file_name), context.CLIARGS
        # What is meant for a program stays so; other playbooks are somebody else's.
        self.disabled = "json" in C.DEFAULT_STDOUT_CALLBACK or path.resolve().parent != PROJECT
        if path.name in NEXT:
            command = CommandLine(path.name, given, C.DEFAULT_HOST_LIST, called(sys.argv[0], os.environ, Path.cwd()))
            self.outcome = Outcome(path.name, command, bool(given.get("check")))

    def v2_playbook_on_play_start(self, play: Any) -> None:
        # Those that only look at what was written don't.
        self.touches = bool(play.become)

    def v2_runner_on_start(self, host: Any, task: Any) -> None:
        if self.touches:
            self.touched.add(host.get_name())
        if task.action.removeprefix(COLLECTION) not in SPEAKING:
            self.alive.began(host.get_name(), task.get_name(), str(task._uuid))

    def v2_runner_on_ok(self, result: Any) -> None:
        self._ended(result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:  # noqa: ARG002
        self._ended(result)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        self._ended(result)

    def v2_runner_on_skipped(self, result: Any) -> None:
        self._ended(result)

    def _ended(self, result: Any) -> None:
        host = result.host.get_name()
        self.alive.ended(host, str(result.task._uuid))
        if self.outcome and str(result.task.action).removeprefix(COLLECTION) in TELLING:
            for one in result.result.get("apps") or []:
                self.outcome.apps[host, one["app"]] = one

    def v2_playbook_on_stats(self, stats: Any) -> None:
        self.alive.stop()
        if self.outcome is None:
            return
        outcome = self.outcome
        outcome.has_failed = bool(stats.failures or stats.dark)
        outcome.hosts = {host: self._fate(stats.summarize(host)) for host in sorted(self.touched)}
        for text, tone in outcome.lines(terminal_width()):
            self._display.display(text, color=COLOURS.get(tone))

    def _fate(self, counted: Mapping[str, int]) -> str:
        """What became of a host, from the recap's numbers."""
        changed = "would change" if context.CLIARGS.get("check") else "changed"
        fates = {"unreachable": "unreachable", "failures": "failed", "changed": changed}
        return next((fate for what, fate in fates.items() if counted[what]), "unchanged")
