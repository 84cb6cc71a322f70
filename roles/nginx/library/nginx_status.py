#!/usr/bin/python3
"""Reports whether nginx runs the configuration that was deployed; see DOCUMENTATION."""

from __future__ import annotations

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.nginx_tree import System, drift

DOCUMENTATION = r"""
module: nginx_status
short_description: Report whether nginx runs the configuration that was deployed
description:
  - Compares the digest that was deployed with the tree on disk, and with the one that the running nginx answers to.
options:
  address: {description: "host:port at which nginx can be asked for the digest.", type: str, required: true}
  root: {description: nginx's directory., type: path, default: /etc/nginx}
"""

RETURN = r"""
drift: {description: One line for each thing that differs., type: list, elements: str, returned: always}
"""

OPTIONS = {
    "address": {"type": "str", "required": True},
    "root": {"type": "path", "default": "/etc/nginx"},
}


def main() -> None:
    module = AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True)
    root = Path(module.params["root"])
    module.exit_json(changed=False, drift=drift(root, module.params["address"], System()))


if __name__ == "__main__":
    main()
