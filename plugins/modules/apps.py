#!/usr/bin/python3
"""Tells which apps a host has; see DOCUMENTATION."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.registration import registered

DOCUMENTATION = r"""
module: apps
short_description: Tell which apps a host has
description:
  - Those that are ours, whatever the settings say. Reads only.
options:
  with_removed: {description: "Those too of which only the data is left.", type: bool, default: false}
"""

RETURN = r"""
apps: {description: The apps' names., type: list, elements: str, returned: always}
"""

OPTIONS: dict[str, dict[str, Any]] = {"with_removed": {"type": "bool", "default": False}}


def main() -> None:
    module = AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True)
    found = registered(with_removed=module.params["with_removed"])
    module.exit_json(changed=False, apps=[layout.name for layout, _registration in found])


if __name__ == "__main__":
    main()
