#!/usr/bin/python3
"""Asks uWSGI how busy its workers are; see DOCUMENTATION."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.uwsgi_flask.web.plugins.module_utils.uwsgi import cores, workers

DOCUMENTATION = r"""
module: uwsgi_workers
short_description: Ask uWSGI how busy its workers are
description: [Reads the stats socket of each release. Reads only.]
options:
  apps: {description: The stats socket of each app's release; empty where none is live., type: dict, required: true}
"""

RETURN = r"""
apps: {description: "C(busy), C(idle) and C(requests), by app.", type: dict, returned: always}
cores: {description: How many cores the host has., type: int, returned: always}
"""

OPTIONS: dict[str, dict[str, Any]] = {"apps": {"type": "dict", "required": True}}


def main() -> None:
    module = AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True)
    apps = {app: workers(Path(path)) for app, path in module.params["apps"].items()}
    module.exit_json(changed=False, apps=apps, cores=cores())


if __name__ == "__main__":
    main()
