#!/usr/bin/python3
"""Reports on the apps of a host; see DOCUMENTATION."""

from __future__ import annotations

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.uwsgi_golive import System
from ansible.module_utils.uwsgi_status import status_of, unmanaged

DOCUMENTATION = r"""
module: uwsgi_status
short_description: Report what the apps of a host are and do
description:
  - For each app its live release, its instances, workers, requests, memory, queue, restarts, last results, disk use and
    what differs from what was deployed. Reads only.
options:
  instances:
    description: The apps, as the role's argument_specs describe C(uwsgi_instances).
    type: list
    elements: dict
    required: true
  absent: {description: Names of apps that are known and must not be there., type: list, elements: str, default: []}
  app_root: {description: Where the apps' directories are., type: path, required: true}
"""

RETURN = r"""
apps: {description: The state of each app., type: list, elements: dict, returned: always}
unmanaged: {description: Apps there that the settings don't name., type: list, elements: str, returned: always}
"""

OPTIONS = {
    "instances": {"type": "list", "elements": "dict", "required": True},
    "absent": {"type": "list", "elements": "str", "default": []},
    "app_root": {"type": "path", "required": True},
}


def main() -> None:
    module = AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True)
    instances = module.params["instances"]
    system = System()
    apps = [status_of(it["name"], Path(it["root"]), Path(it["run"]), it["id"], system) for it in instances]
    known = [*(it["name"] for it in instances), *module.params["absent"]]
    module.exit_json(changed=False, apps=apps, unmanaged=unmanaged(Path(module.params["app_root"]), known))


if __name__ == "__main__":
    main()
