#!/usr/bin/python3
"""Tells what a host has; see DOCUMENTATION."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.uwsgi_flask.web.plugins.module_utils.look import look

DOCUMENTATION = r"""
module: look
short_description: Tell what a host has
description:
  - One call instead of a task each for the packages, the account, the kernel's setting, Python, and the state of each
    app that is there. Reads only.
options: {}
"""

RETURN = r"""
look:
  description:
    - C(python), the minor version of Debian's own, C(packages), the names of all installed ones,
      C(provided), what these provide besides, C(users), the group,
      home and shell of each, C(somaxconn), the longest listen queue, C(listeners), which
      program listens on each TCP port, and C(apps), the state of each app that is there.
  type: dict
  returned: always
"""


def main() -> None:
    module = AnsibleModule(argument_spec={}, supports_check_mode=True)
    module.exit_json(changed=False, look=look(module))


if __name__ == "__main__":
    main()
