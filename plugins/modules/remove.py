#!/usr/bin/python3
"""Takes apps off the host; see DOCUMENTATION."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.uwsgi_flask.web.plugins.module_utils.lease import LEASE_OPTION, held
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.records import Records
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.remove import Removal, removals, spare_accounts
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.system import System

DOCUMENTATION = r"""
module: remove
short_description: Take apps off the host
description:
  - Stops every release of an app gracefully, then removes its units, sockets, releases, virtualenvs and registration.
    Its data stays unless that is asked for. What isn't registered as an app of ours isn't touched.
options:
  apps: {description: "C(name) and C(purge) (its data too) of each.", type: list, elements: dict, default: []}
  every: {description: Every app that is registered on the host., type: bool, default: false}
  purge: {description: "With C(every), the data too.", type: bool, default: false}
  accounts: {description: "With C(every), tell of all accounts, whether or not data stays.", type: bool, default: false}
  lease: {description: The token of this run's lease on the host., type: str, default: ""}
"""

RETURN = r"""
removed: {description: What was there and was removed., type: list, elements: str, returned: always}
apps:
  description: "For each app that was there C(app), C(before), the release that was live, C(result), C(seconds)."
  type: list
  elements: dict
  returned: always
accounts:
  description: C(users) and C(groups) that nothing on the host needs any more. They aren't removed here.
  type: dict
  returned: always
"""

OPTIONS: dict[str, dict[str, Any]] = {
    "apps": {"type": "list", "elements": "dict", "default": []},
    "every": {"type": "bool", "default": False},
    "purge": {"type": "bool", "default": False},
    "accounts": {"type": "bool", "default": False},
    **LEASE_OPTION,
}


def main() -> None:
    module = AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True)
    every = module.params["every"] and module.params["accounts"]
    with held(module):
        asked = removals(System(), module.params["apps"], module.params["every"], module.params["purge"])
        accounts = spare_accounts(asked, every)
        results = [_result(removal, module.check_mode) for removal in asked]
        gone = [path for result in results for path in result["removed"]]
    diff = {"before": "".join(f"{path}\n" for path in gone), "after": ""}
    module.exit_json(changed=bool(gone), removed=gone, apps=results, accounts=accounts, diff=diff)


def _result(removal: Removal, is_check: bool) -> dict[str, Any]:
    began = removal.system.clock()
    live = Records(removal.layout, removal.system).live()
    gone = removal.what() if is_check else removal.run()
    return {
        "app": removal.layout.name,
        "before": live,
        "now": "",
        "result": "unchanged" if not gone else "would be removed" if is_check else "removed",
        "changed": bool(gone),
        "seconds": round(removal.system.clock() - began, 1),
        "removed": gone,
    }


if __name__ == "__main__":
    main()
