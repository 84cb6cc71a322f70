"""Says at the end of a run where its time went: `make profile`."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = r"""
name: profile
type: aggregate
short_description: Say where a run's time went
description:
  - A row for Ansible's own start, one for each task that took a moment, and below the tasks that deploy, the steps of
    each app on the server.
"""

# Seconds below which a row says nothing.
MOMENT = 0.02
BAR = 40


def since_this_process_began() -> float:
    """Seconds: Ansible has done a lot before the first callback."""
    ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "profile"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *words: Any, **more: Any) -> None:
        super().__init__(*words, **more)
        self.rows: list[tuple[str, float]] = []
        self.steps: dict[str, list[tuple[str, float]]] = {}
        self.task, self.began = "Ansible starts", time.monotonic() - since_this_process_began()
        self.first = self.began

    def _next(self, task: str) -> None:
        now = time.monotonic()
        self.rows.append((self.task, now - self.began))
        self.task, self.began = task, now

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:  # noqa: ARG002
        self._next(task.get_name())

    def v2_runner_on_ok(self, result: Any) -> None:
        self._note(result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:  # noqa: ARG002
        self._note(result)

    def _note(self, result: Any) -> None:
        for one in result.result.get("apps") or []:
            if isinstance(one, dict) and one.get("steps"):
                timed = [(step["step"], step.get("seconds", 0.0)) for step in one["steps"]]
                said = [("place, and between the steps", one["seconds"] - sum(it for _step, it in timed)), *timed]
                self.steps[f"{one['app']} on {result.host.get_name()}"] = said

    def v2_playbook_on_stats(self, stats: Any) -> None:  # noqa: ARG002
        self._next("")
        for line in self._lines(time.monotonic() - self.first):
            self._display.display(line)

    def _lines(self, whole: float) -> Iterator[str]:
        yield f"\nWhere {whole:.2f} s went:"
        short = sum(seconds for _what, seconds in self.rows if seconds < MOMENT)
        rows = [(what, seconds) for what, seconds in self.rows if seconds >= MOMENT]
        for what, seconds in [*rows, ("all shorter ones together", short)]:
            yield row(what, seconds, whole)
        for app, steps in self.steps.items():
            yield f"\nOf these, {app}:"
            yield from (row(what, seconds, whole) for what, seconds in steps)


def row(what: str, seconds: float, whole: float) -> str:
    return f"{seconds:7.2f} s  {'█' * round(BAR * seconds / whole):{BAR}}  {what}"
