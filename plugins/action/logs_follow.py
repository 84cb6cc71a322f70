"""Shows what comes into the logs of a host from now on, until the run is ended."""

from __future__ import annotations

import os
import time
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.logs import merged_logs

MODULE = "uwsgi_flask.web.logs"
# Seconds between an answer and the next question.
PAUSE = 1.0


class ActionModule(ActionBase):
    """Takes the arguments of the module `logs`, and asks it again and again. Nothing runs on the host in between."""

    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        variables = task_vars or {}
        arguments = dict(self._task.args)
        run = os.getppid()
        # Nobody ends a worker whose run was killed.
        while os.getppid() == run:
            time.sleep(PAUSE)
            # A directory of its own for each call: the task's goes only when the task has ended.
            self._connection._shell.tmpdir = None
            read = self._execute_module(module_name=MODULE, module_args=arguments, task_vars=task_vars)
            self._remove_tmp_path(self._connection._shell.tmpdir)
            if read.get("failed"):
                raise AnsibleActionFail(str(read.get("msg", read)))
            arguments["cursor"] = read["cursor"]
            text = merged_logs({variables["inventory_hostname"]: read["lines"]}, 0, variables["ansible_play_hosts"])
            if text:
                Display().display(text)
        return {"changed": False}
