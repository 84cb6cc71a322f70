"""Checks what a person wrote, for one host, without a connection: a door to plugin_utils/settings."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.variables import check, each_problem


class ActionModule(ActionBase):
    """Returns `problems`, a line for each, and never fails: the playbook fails once, with those of all hosts.

    Beside them `proven_here`, the names for which a CA asks this host, `notices`, what a person should know though
    nothing is wrong, and `preview`, what would be served.
    """

    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        known = {**(task_vars or {}), **self._task.args}
        if self._task.args.get("each_alone"):
            return {"changed": False, "problems": each_problem(known, self._templar.template)}
        return {"changed": False, **check(known, self._templar.template, self._loader)._asdict()}
