#!/usr/bin/python3
"""Reports whether nginx runs the configuration that was deployed; see DOCUMENTATION."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.configuration import drift
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.system import System

DOCUMENTATION = r"""
module: nginx_status
short_description: Report whether nginx runs the configuration that was deployed
description:
  - Compares the digest that was deployed with the tree on disk, and with the one that the running nginx answers to.
options:
  port: {description: Port on which nginx can be asked for the digest., type: int, default: 80}
  root: {description: nginx's directory., type: path, default: /etc/nginx}
"""

RETURN = r"""
drift: {description: One line for each thing that differs., type: list, elements: str, returned: always}
"""

OPTIONS: dict[str, dict[str, Any]] = {
    "port": {"type": "int", "default": 80},
    "root": {"type": "path", "default": "/etc/nginx"},
}


def main() -> None:
    module = AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True)
    found = drift(Path(module.params["root"]), f"127.0.0.1:{module.params['port']}", System())
    module.exit_json(changed=False, drift=found)


if __name__ == "__main__":
    main()
