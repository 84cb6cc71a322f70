#!/usr/bin/python3
"""Runs hooks of releases that this host leads; see DOCUMENTATION."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.uwsgi_flask.web.plugins.module_utils.lease import LEASE_OPTION, held
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.deploy import run_hook
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.records import Records
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.registration import find
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.system import System

DOCUMENTATION = r"""
module: hooks
short_description: Run hooks of releases that this host leads
description:
  - Runs the scripts C(before) or C(after) of releases in the apps' sandboxes, and remembers those that ended well. One
    that fails fails neither the others nor the task.
options:
  step: {description: Which hook., type: str, choices: [before, after], required: true}
  apps:
    description: C(app), C(release) (its id) and C(key) (what the hook is remembered by) of each.
    type: list
    elements: dict
    required: true
  lease: {description: The token of this run's lease on the host., type: str, default: ""}
"""

RETURN = r"""
failed_apps: {description: "What went wrong, by app.", type: dict, returned: always}
"""

OPTIONS: dict[str, dict[str, Any]] = {
    "step": {"type": "str", "choices": ["before", "after"], "required": True},
    "apps": {"type": "list", "elements": "dict", "required": True},
    **LEASE_OPTION,
}


def main() -> None:
    module = AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True)
    given = module.params
    failed = {}
    with held(module):
        for one in given["apps"] if not module.check_mode else []:
            layout, _registration = find(one["app"])
            system = System()
            wrong = run_hook(system, Records(layout, system), one["release"], given["step"], one["key"])
            if wrong:
                failed[one["app"]] = wrong
    module.exit_json(changed=bool(given["apps"]), failed_apps=failed)


if __name__ == "__main__":
    main()
