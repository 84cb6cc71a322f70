#!/usr/bin/python3
"""Gets certificates from a CA by ACME; see DOCUMENTATION. The work is certbot's."""

from __future__ import annotations

import contextlib
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.uwsgi_flask.web.plugins.module_utils.acme.certbot import Terms, issue
from ansible_collections.uwsgi_flask.web.plugins.module_utils.acme.notes import Notes
from ansible_collections.uwsgi_flask.web.plugins.module_utils.lease import LEASE_OPTION, held
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.places import ACME_NOTES, ROOT
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.system import System

DOCUMENTATION = r"""
module: acme
short_description: Get certificates from a CA by ACME
description:
  - Asks the CA by certbot for one certificate for all names of an app, in place of the one that there is. It stays in
    use where that fails. nginx isn't touched.
  - Before the CA is asked, each name is asked for on port 80 as the CA would do.
  - A failure doesn't fail the task. It is remembered on the host until there is a certificate.
options:
  apps: {description: Host names by app., type: dict, required: true}
  directory: {description: URL of the CA's directory., type: str, required: true}
  email: {description: Address of the account that the CA writes to., type: str, required: true}
  dns_plugin: {description: "Certbot's plugin that changes the DNS; by HTTP if empty.", type: str, default: ""}
  dns_seconds: {description: Seconds after which a change of the DNS can be seen., type: int, default: 60}
  ask_first: {description: Whether each name is asked for before the CA is., type: bool, default: true}
  lease: {description: The token of this run's lease on the host., type: str, default: ""}
"""

RETURN = r"""
failed_apps: {description: "By app, why there is no new certificate.", type: dict, returned: success}
"""

OPTIONS: dict[str, dict[str, Any]] = {
    "apps": {"type": "dict", "required": True},
    "directory": {"type": "str", "required": True},
    "email": {"type": "str", "required": True},
    "dns_plugin": {"type": "str", "default": ""},
    "dns_seconds": {"type": "int", "default": 60},
    "ask_first": {"type": "bool", "default": True},
    **LEASE_OPTION,
}


def main() -> None:
    module = AnsibleModule(argument_spec=OPTIONS)
    given = module.params
    terms = Terms(
        given["directory"], given["email"], given["dns_plugin"], given["dns_seconds"], asks_first=given["ask_first"]
    )
    failed = {}
    with held(module):
        system, notes = System(), Notes.read(ROOT / ACME_NOTES)
        for app, names in given["apps"].items():
            try:
                fault = issue(system, app, names, terms, notes)
            except OSError as error:
                fault = str(error)
            # On a full disk, the run alone tells.
            with contextlib.suppress(OSError):
                notes.note(app, fault)
            if fault:
                failed[app] = fault
    module.exit_json(changed=len(failed) < len(given["apps"]), failed_apps=failed)


if __name__ == "__main__":
    main()
