#!/usr/bin/python3
"""Reports on the apps of a host; see DOCUMENTATION."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.registration import registered
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.status import status_of
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.system import System

DOCUMENTATION = r"""
module: status
short_description: Report what the apps of a host are and do
description:
  - For each app its live release, what a visitor gets through nginx and how fast, its instances, memory, queue,
    restarts, last results, disk use and what differs from what was deployed. Reads only.
options:
  apps: {description: Only these apps; all if empty., type: list, elements: str, default: []}
"""

RETURN = r"""
apps: {description: The state of each app., type: list, elements: dict, returned: always}
"""

OPTIONS: dict[str, dict[str, Any]] = {"apps": {"type": "list", "elements": "str", "default": []}}


def main() -> None:
    module = AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True)
    chosen = module.params["apps"]
    apps = [
        status_of(layout, registration, System())
        for layout, registration in registered()
        if not chosen or layout.name in chosen
    ]
    there = [layout.name for layout, _registration in registered()]
    if missing := [app for app in chosen if app not in there]:
        known = ", ".join(there) or "none"
        module.fail_json(msg=f"there is no app {missing[0]!r} on this host. Apps on this host: {known}")
    module.exit_json(changed=False, apps=apps)


if __name__ == "__main__":
    main()
