#!/usr/bin/python3
"""Closes an app to visitors, or opens it again; see DOCUMENTATION."""

from __future__ import annotations

import ipaddress
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.uwsgi_flask.web.plugins.module_utils.lease import LEASE_OPTION, held
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.places import (
    ROOT,
    parts_on_disk,
    site_file,
)
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.maintenance import Maintenance
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.records import Records
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.refused import Impossible
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.registration import find
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.system import System
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.wanted import Front

DOCUMENTATION = r"""
module: maintenance
short_description: Close an app to visitors, or open it again
description:
  - While an app is closed, nginx answers 503 with a page and C(Retry-After) to everybody but the host itself and the
    addresses that may pass. Nothing is reloaded, the release stays live, and deploys go on.
options:
  app: {description: The app; may be left out where there is one., type: str, default: ""}
  state: {description: Whether visitors get the page., type: str, choices: ["on", "off"], required: true}
  let_pass: {description: Addresses that get the app all the same., type: list, elements: str, default: []}
  page: {description: The page's text; a plain one if empty., type: str, default: ""}
  lease: {description: The token of this run's lease on the host., type: str, default: ""}
"""

RETURN = r"""
apps:
  description: "The result, as the module release returns it; C(before) and C(now) are open or closed."
  type: list
  elements: dict
  returned: success
"""

OPTIONS: dict[str, dict[str, Any]] = {
    "app": {"type": "str", "default": ""},
    "state": {"type": "str", "choices": ["on", "off"], "required": True},
    # Ansible takes its name for a password's.
    "let_pass": {"type": "list", "elements": "str", "default": [], "no_log": False},
    "page": {"type": "str", "default": ""},
    **LEASE_OPTION,
}


def main() -> None:
    module = AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True)
    given = module.params
    try:
        layout, registration = find(given["app"])
        # As nginx writes it, whose files are called so.
        let_pass = sorted({str(ipaddress.ip_address(address)) for address in given["let_pass"]})
    except (Impossible, ValueError) as fault:
        module.fail_json(msg=f"{given['app'] or 'maintenance'}: {fault}. Nothing was changed.")
    confs = [ROOT / site_file(layout.name), *parts_on_disk(ROOT, layout.name)]
    if given["state"] == "on" and not any(
        conf.is_file() and str(layout.maintenance) in conf.read_text() for conf in confs
    ):
        module.fail_json(msg=f"{layout.name}: nginx's {confs[0]} knows no maintenance yet: deploy first (site.yml)")
    maintenance = Maintenance(layout, System())
    is_open = maintenance.let_pass() is None
    is_on = given["state"] == "on"
    changed = not maintenance.is_closed(let_pass, given["page"]) if is_on else not is_open
    if changed and not module.check_mode:
        with held(module):
            try:
                maintenance.close(let_pass, given["page"]) if is_on else maintenance.open()
            except OSError as error:
                module.fail_json(msg=f"{layout.name}: {error}")
    words = [f"visitors get {'the app' if to_all else '503'}\n" for to_all in (is_open, not is_on)]
    diff = {"before_header": layout.name, "after_header": layout.name, "before": words[0], "after": words[1]}
    before, now = ("open" if to_all else "closed" for to_all in (is_open, not is_on))
    records = Records(layout, maintenance.system)
    result = {
        "app": layout.name,
        "before": before,
        "now": now,
        "address": Front(**registration["front"]).url(records.described(records.live())),
        "result": "unchanged" if not changed else f"would be {now}" if module.check_mode else now,
        "changed": changed,
    }
    module.exit_json(changed=changed, apps=[result], diff=diff)


if __name__ == "__main__":
    main()
