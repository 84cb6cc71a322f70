"""Fills the wheelhouse with what a host takes, on the controller: a door to plugin_utils/settings."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.filling import fill
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.hidden import refusing
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.variables import request_of


class ActionModule(ActionBase):
    """Returns `lines`, what is new. Hosts must come one after the other: one finds what another like it got."""

    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        arguments, render = self._task.args, self._templar.template
        # What was locked anew by this run is there already.
        known = {**(task_vars or {}), "app": arguments.get("app", ""), "restart": "", "refresh": "", "fill": True}
        with refusing(known, render):
            lines = fill(request_of(known, render, self._loader), arguments["host"])
        return {"changed": bool(lines), "lines": lines}
