#!/usr/bin/python3
"""Takes apps off the host; see DOCUMENTATION."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.uwsgi_flask.web.plugins.module_utils.layout import AppLayout
from ansible_collections.uwsgi_flask.web.plugins.module_utils.lease import LEASE_OPTION, held
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.registration import is_ours, registered
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.remove import Removal
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
  web:
    description: C(app_root), C(run_root), C(user) and C(group), for apps that are from before there were registrations.
    type: dict
    default: {}
  lease: {description: The token of this run's lease on the host., type: str, default: ""}
"""

RETURN = r"""
removed: {description: What was there and was removed., type: list, elements: str, returned: always}
apps: {description: Names of the apps that were looked for., type: list, elements: str, returned: always}
"""

OPTIONS: dict[str, dict[str, Any]] = {
    "apps": {"type": "list", "elements": "dict", "default": []},
    "every": {"type": "bool", "default": False},
    "purge": {"type": "bool", "default": False},
    "web": {"type": "dict", "default": {}},
    **LEASE_OPTION,
}


def main() -> None:
    module = AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True)
    with held(module):
        removals = _removals(module.params)
        gone = [path for removal in removals for path in (removal.what() if module.check_mode else removal.run())]
    diff = {"before": "".join(f"{path}\n" for path in gone), "after": ""}
    names = [removal.layout.name for removal in removals]
    module.exit_json(changed=bool(gone), removed=gone, apps=names, diff=diff)


def _removals(given: dict[str, Any]) -> list[Removal]:
    there = {layout.name: layout for layout, _content in registered(with_removed=True)}
    if given["every"]:
        return [Removal(layout, System(), given["purge"]) for layout in there.values()]
    places = {name: str(value) for name, value in given["web"].items() if name in ("app_root", "run_root")}
    accounts = {name: str(value) for name, value in given["web"].items() if name in ("user", "group")}
    asked = [(one, there.get(one["name"]) or AppLayout(one["name"], **places, **accounts)) for one in given["apps"]]
    return [Removal(layout, System(), bool(one["purge"])) for one, layout in asked if is_ours(layout)]


if __name__ == "__main__":
    main()
