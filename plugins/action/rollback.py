"""Controller's half of the module rollback: says who does it, and needs no lease any more when it is done."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.uwsgi_flask.web.plugins.action.lease import Notes
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.run import deployed_by

MODULE = "uwsgi_flask.web.rollback"


class ActionModule(ActionBase):
    """Runs the module, which gives the lease back."""

    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        arguments = {**self._task.args, "by": deployed_by()}
        result = dict(self._execute_module(module_name=MODULE, module_args=arguments, task_vars=task_vars))
        if result.get("is_free"):
            Notes.of((task_vars or {})["inventory_hostname"]).dismiss_keeper()
        return result
