"""Controller's half of the firewall: reads what a person wrote, and hands it to the host."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.agreement import parse_agreement
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.hidden import Secrets
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.meant import misspelt
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.variables import rendered

MODULE = "uwsgi_flask.web.firewall"
# The settings that decide what is open.
READ = ("web_http_port", "web_https_port", "web_firewall_open")


class ActionModule(ActionBase):
    """With `state: checked` nothing but the settings is looked at, and no host: it returns their `problems`."""

    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        known = task_vars or {}
        given, problems = rendered(known, self._templar.template, READ)
        agreed, _refused = parse_agreement(given, problems)
        if self._task.args["state"] == "checked":
            problems += misspelt(known, str(known["playbook_dir"]))
            return {"changed": False, "problems": Secrets(known, self._templar.template).masked(problems)}
        wanted = {"web": [agreed.http_port, agreed.https_port], "open": agreed.firewall_open}
        return dict(
            self._execute_module(module_name=MODULE, module_args={**self._task.args, **wanted}, task_vars=task_vars)
        )
