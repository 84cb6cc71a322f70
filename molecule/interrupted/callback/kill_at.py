"""Ends ansible-playbook with SIGKILL when a task begins: the nearest thing to a power cut on the controller.

KILL_AT names the number of the task, from 1; 0 kills nothing. TASKS_TO names a file for one JSON object a task:
its name, and whether it did anything on the host.
"""

from __future__ import annotations

import json
import os
import signal
from typing import Any

from ansible.plugins.callback import CallbackBase

# These end on the controller: what is behind them is what was before them.
ON_THE_CONTROLLER = (
    "assert",
    "debug",
    "set_fact",
    "include_tasks",
    "validate_argument_spec",
    "plan",
    "settings",
    "print",
)


class CallbackModule(CallbackBase):
    """Counts tasks as they begin."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "kill_at"

    def __init__(self) -> None:
        super().__init__()
        self.tasks: list[dict[str, Any]] = []

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        self.tasks.append({"name": task.get_name(), "touched": False})
        if len(self.tasks) == int(os.environ.get("KILL_AT", "0")):
            os.kill(os.getpid(), signal.SIGKILL)

    def v2_runner_on_ok(self, result: Any) -> None:
        action = str(result.task.action).rpartition(".")[2]
        self.tasks[-1]["touched"] = action not in ON_THE_CONTROLLER

    def v2_playbook_on_stats(self, stats: Any) -> None:
        if "TASKS_TO" in os.environ:
            with open(os.environ["TASKS_TO"], "w", encoding="utf-8") as file:
                json.dump(self.tasks, file)
