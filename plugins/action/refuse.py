"""Refuses a run, with what is wrong for each host, on the controller."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.refusal import Refused, once


class ActionModule(ActionBase):
    """`uwsgi_flask.web.refuse: problems: {…}`"""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        if problems := [*once(self._task.args["by_host"]), *self._task.args.get("problems", [])]:
            raise Refused(problems)
        return {"changed": False, "msg": self._task.args["otherwise"], "_ansible_verbose_always": True}
