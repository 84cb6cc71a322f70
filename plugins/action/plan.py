"""Settles what is done on one host, on the controller: a door to plugin_utils/settings."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.hidden import refusing
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.plan import plan
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.variables import CHOICES, request_of

# The app server's templates, which are part of a release.
TEMPLATES = "roles/uwsgi/templates"


class ActionModule(ActionBase):
    """Returns `plan`. It holds secrets: the task needs no_log."""

    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        arguments, render = self._task.args, self._templar.template
        known = {**(task_vars or {}), **{name: arguments.get(name, "") for name in CHOICES}}
        with refusing(known, render):
            asked = request_of(known, render, self._loader)
            known_of_all = arguments.get("fleet") or {}
            made = plan(asked, arguments.get("host") or {}, f"{asked.base}/{TEMPLATES}", known_of_all)
        return {"changed": False, "plan": made}
