#!/usr/bin/python3
"""Makes releases of apps the live ones; see DOCUMENTATION. The work is in module_utils/releases."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.uwsgi_flask.web.plugins.module_utils.lease import LEASE_OPTION, held
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.deploy import Deploy, diff_of_all
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.place import Placing
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.system import System
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.wanted import (
    app_layout,
    content_of,
    wanted_of,
)

DOCUMENTATION = r"""
module: release
short_description: Make releases of apps the live ones
description:
  - For each app in turn, places the release beside the one that serves, with its virtualenv and its units; imports it
    in its sandbox, starts it, probes it over its own socket and through nginx, enables it for boot, moves the link
    C(current) to it, looks as a visitor does, records it, and then retires the one before and removes what nobody
    needs.
  - A release that fails on the way is stopped and recorded as bad; the one before serves on. That fails neither the
    other apps nor the task; the result of each app says what became of it.
  - Decides by what is on the host, so a run that was cut off is finished by the next.
options:
  prepare_only:
    description: Names of apps whose release is placed and imported but not started, so that hooks can be run first.
    type: list
    elements: str
    default: []
  held_back: {description: "Apps whose release is refused, with the reason.", type: dict, default: {}}
  held_back_at: {description: The step at which these are., type: str, default: before}
  apps:
    description: The releases, as the plan holds them; the action plugin adds their rendered files.
    type: list
    elements: dict
    required: true
  templates:
    description: Folder on the controller with the app server's templates. Used there, never sent.
    type: path
  web: {description: "What the roles agree on, for the templates.", type: dict}
  fronts: {description: "How visitors ask for each app, as nginx_config tells it.", type: dict, default: {}}
  known: {description: "By app, what the host already has: its code isn't sent again.", type: dict}
  archives: {description: Packed sources on the host by app; the action plugin sets it., type: dict, default: {}}
  wheels: {description: Packed wheels on the host by app; the action plugin sets it., type: dict, default: {}}
  all_is_sent: {description: Whether no more can be sent; set by the action., type: bool, default: false}
  environments: {description: Environment variables by app., type: dict, default: {}}
  secrets: {description: More of them that must not be shown., type: dict, default: {}}
  build_environment: {description: Environment variables of pip., type: dict, default: {}}
  first_hosts: {description: "By app, the host that runs what runs on one alone.", type: dict, default: {}}
  host: {description: "This host's name in the inventory.", type: str, default: ""}
  by: {description: "Who deploys, as the history will say.", type: str, default: ""}
  lease: {description: The token of this run's lease on the host., type: str, default: ""}
"""

RETURN = r"""
apps:
  description:
    - For each app C(app), C(release), C(before), C(now), C(result) (unchanged, live, prepared, refused, failed),
      C(seconds) and C(steps); for one that wasn't taken C(step), C(cause) and C(message) too.
  type: list
  elements: dict
  returned: always
needs_code: {description: Apps whose code must be sent first., type: list, elements: str, returned: when any must}
needs_wheels: {description: "By app, wheels that must be sent first.", type: dict, returned: when any must}
"""

OPTIONS: dict[str, dict[str, Any]] = {
    "prepare_only": {"type": "list", "elements": "str", "default": []},
    "held_back": {"type": "dict", "default": {}},
    "held_back_at": {"type": "str", "default": "before"},
    "apps": {"type": "list", "elements": "dict", "required": True},
    "fronts": {"type": "dict", "default": {}},
    "archives": {"type": "dict", "default": {}},
    "wheels": {"type": "dict", "default": {}},
    "all_is_sent": {"type": "bool", "default": False},
    # As one text each: Ansible would blot out every single value of a dictionary wherever else it stands.
    "environments": {"type": "str", "default": "{}", "no_log": True},
    "build_environment": {"type": "str", "default": "{}", "no_log": True},
    "secrets": {"type": "dict", "default": {}, "no_log": True},
    "first_hosts": {"type": "dict", "default": {}},
    "host": {"type": "str", "default": ""},
    "by": {"type": "str", "default": ""},
    **LEASE_OPTION,
}

# An app that nobody can ask for: its release is refused when it must answer.
NOBODY = {"host": "", "port": 0}


def main() -> None:
    module = AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True)
    with held(module):
        deploys = [_deploy(item, module.params) for item in module.params["apps"]]
        placed = [deploy.placing for deploy in deploys if deploy.app.name not in module.params["held_back"]]
        code = [it.app.name for it in placed if it.app.name not in module.params["archives"] and it.lacks_code()]
        wheels = {it.app.name: lacking for it in placed if (lacking := it.lacking_wheels())}
        diff = diff_of_all(deploys) if module._diff else []
        if module.check_mode:
            results = [_rehearsal(deploy, module.params) for deploy in deploys]
        elif (code or wheels) and not module.params["all_is_sent"]:
            # The action plugin packs, sends and calls again: an unchanged release costs one call and no transfer.
            module.exit_json(changed=False, needs_code=code, needs_wheels=wheels, apps=[])
        else:
            results = [_result(deploy, module.params) for deploy in deploys]
    module.exit_json(changed=any(result["changed"] for result in results), apps=results, diff=diff)


def _rehearsal(deploy: Deploy, given: dict[str, Any]) -> dict[str, Any]:
    if deploy.app.name in given["held_back"]:
        return deploy.rehearse_holding_back(given["held_back"][deploy.app.name], given["held_back_at"])
    return deploy.rehearse()


def _result(deploy: Deploy, given: dict[str, Any]) -> dict[str, Any]:
    name = deploy.app.name
    if name in given["held_back"]:
        return deploy.hold_back(given["held_back"][name], given["held_back_at"])
    return deploy.run(until_live=name not in given["prepare_only"])


def _deploy(item: dict[str, Any], given: dict[str, Any]) -> Deploy:
    name = item["app"]["name"]
    layout = app_layout(item["app"]).release(item["release"]["id"])
    variables = {
        "environment": json.loads(given["environments"]).get(name, {}),
        "secrets": given["secrets"].get(name, {}),
        "build": json.loads(given["build_environment"]),
    }
    archive, wheels = (given[kind].get(name) for kind in ("archives", "wheels"))
    placing = Placing(
        wanted=wanted_of(layout, item["release"], given["fronts"].get(name) or NOBODY),
        content=content_of(item, item["texts"], variables),
        system=System(),
        archive=Path(archive) if archive else None,
        is_first=given["host"] != "" and given["first_hosts"].get(name) == given["host"],
        packed_wheels=Path(wheels) if wheels else None,
    )
    return Deploy(placing, given["by"])


if __name__ == "__main__":
    main()
