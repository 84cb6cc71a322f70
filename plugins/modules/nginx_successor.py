#!/usr/bin/python3
"""Puts another nginx in the place of the one that runs; see DOCUMENTATION."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.uwsgi_flask.web.plugins.module_utils.lease import LEASE_OPTION, held
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.successor import NoSuccessor, Succession

DOCUMENTATION = r"""
module: nginx_successor
short_description: Put another nginx in the place of the one that runs
description:
  - Another nginx starts on the sockets that are open already, and the old one ends what it is at and goes. Where the
    other one doesn't come up, the old one stays.
options:
  lease: {description: The token of this run's lease on the host., type: str, default: ""}
"""

OPTIONS: dict[str, dict[str, Any]] = {**LEASE_OPTION}


def main() -> None:
    module = AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True)
    with held(module):
        if not module.check_mode:
            try:
                Succession().run()
            except (NoSuccessor, OSError) as fault:
                module.fail_json(msg=f"nginx: {fault}.")
    module.exit_json(changed=True)


if __name__ == "__main__":
    main()
