"""Controller's half of the module deploy: decides whether one call may do, and renders all that it needs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ansible_collections.uwsgi_flask.web.plugins.action.lease import Notes
from ansible_collections.uwsgi_flask.web.plugins.action.nginx_config import ROLE_VARIABLES, told
from ansible_collections.uwsgi_flask.web.plugins.action.release import ActionModule as ReleaseAction
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.fleet import owing
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.rendering import Renderer

# Of the plan, what the module needs as it is.
AS_PLANNED = ("apps", "web", "environments", "secrets", "build_environment", "by")


class ActionModule(ReleaseAction):
    """Sends releases as the action `release` does, with what nginx should run beside them."""

    module = "uwsgi_flask.web.deploy"

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        # Not the parent's, which would send at once.
        super(ReleaseAction, self).run(tmp, task_vars)
        given, variables = self._task.args, task_vars or {}
        if self._task.check_mode or needs_more(given):
            return {"changed": False, "is_done": False}
        plan, folders = given["plan"], given["templates"]
        result = self._deploy(
            {
                **{name: plan[name] for name in AS_PLANNED},
                "templates": folders["uwsgi"],
                "nginx": json.dumps(self._nginx(plan, folders["nginx"], given["connections"], variables)),
                "known": given["look"]["apps"],
                **{name: given[name] for name in ("first_hosts", "host", "lease")},
            },
            task_vars,
        )
        if result.get("is_free"):
            Notes.of(variables["inventory_hostname"]).dismiss_keeper()
        return result

    def _nginx(
        self, plan: Mapping[str, Any], folder: str, connections: int, variables: Mapping[str, Any]
    ) -> dict[str, Any]:
        renderer = Renderer(self, folder, variables, ROLE_VARIABLES)
        wanted = told(renderer, plan["apps"], plan["shared"], plan["web"], plan["certificates"], plan["acme"])
        return {**wanted, "state": "present", "absent": [], "connections": connections}


def needs_more(given: Mapping[str, Any]) -> bool:
    """Whether there is more to do than releases, as far as the controller knows.

    `left` are apps that stay on any host of the run though they aren't placed there: what a deploy elsewhere means for
    them is decided when all hosts have told their outcomes.
    """
    plan, look = given["plan"], given["look"]
    apps = plan["apps"]
    longest = max((item["app"]["listen_queue"] for item in apps), default=0)
    return bool(
        not apps
        or plan["absent"]
        or plan["packages"]
        or any(plan["accounts"].values())
        or given["left"]
        or given["hooks"]
        or owing(apps, given["fleet"])
        or any(len(item["site"]["places"]) > 1 for item in apps)
        or longest > look["somaxconn"]
        or not {*given["packages"]} <= {*look["packages"]}
    )
