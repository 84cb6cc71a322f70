"""Looks at how a run was started, on the controller, before anything else."""

from __future__ import annotations

from typing import Any

from ansible import context
from ansible.plugins.action import ActionBase
from ansible.utils.vars import load_extra_vars
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.beginning import faults
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.packing import pack_beside
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.refusal import Refused


class ActionModule(ActionBase):
    """Fails where it would end elsewhere than was meant. Meanwhile the modules are packed that the run begins with."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        pack_beside(self._task.args.get("packs") or [], lambda module: self._configure_module(module, {}, task_vars))
        playbooks = context.CLIARGS.get("args") or ()
        if problems := list(faults(task_vars or {}, load_extra_vars(self._loader), playbooks)):
            raise Refused(problems)
        return {"changed": False}
