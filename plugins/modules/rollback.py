#!/usr/bin/python3
"""Returns an app to an older release; see DOCUMENTATION."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.uwsgi_flask.web.plugins.module_utils.lease import LEASE_OPTION, given_back, held
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.deploy import roll_back
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.refused import Impossible
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.registration import find
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.rollback import Rollback
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.system import System
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.wanted import Front

DOCUMENTATION = r"""
module: rollback
short_description: Return an app to an older release
description:
  - Makes an older release live through the same gate as a new one, from what is on the host alone, and marks the one
    that it leaves as bad. No rollback returns to a bad one, or to one that was changed by hand.
  - It is all that its run does, so it gives the lease back.
options:
  app: {description: The app; may be left out where there is one., type: str, default: ""}
  release: {description: The id to return to; the last good one before the live if not given., type: str, default: ""}
  keep_environment: {description: "Today's environment and secrets with the old code.", type: bool, default: false}
  by: {description: "Who does it, as the history will say.", type: str, default: ""}
  lease: {description: The token of this run's lease on the host., type: str, default: ""}
"""

RETURN = r"""
apps: {description: "The result, as the module release returns it.", type: list, elements: dict, returned: success}
is_free: {description: Whether the lease was given back., type: bool, returned: success}
"""

OPTIONS: dict[str, dict[str, Any]] = {
    "app": {"type": "str", "default": ""},
    "release": {"type": "str", "default": ""},
    "keep_environment": {"type": "bool", "default": False},
    "by": {"type": "str", "default": ""},
    **LEASE_OPTION,
}


def main() -> None:
    module = AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True)
    given = module.params
    name = given["app"] or "rollback"
    try:
        layout, registration = find(given["app"])
        name = layout.name
        rollback = Rollback(layout, registration["front"], System(), given["by"])
        with held(module):
            if not module.check_mode:
                rollback.records.settle()
            before, target = rollback.records.live(), rollback.target(given["release"])
            link = {"before_header": str(layout.current), "after_header": str(layout.current)}
            shown = [f"{layout.release(one).link_target}\n" for one in (before, target)]
            diff = {**link, "before": shown[0], "after": shown[1]}
            if module.check_mode:
                result: dict[str, Any] = {"app": layout.name, "before": before, "now": target, "release": target}
                result |= {"result": "would go live", "changed": True}
                result["address"] = Front(**registration["front"]).url(rollback.records.described(target))
            else:
                result = roll_back(rollback, given["release"], given["keep_environment"])
    except Impossible as fault:
        module.fail_json(msg=f"{name}: {fault}. Nothing was changed.")
    is_free = module.check_mode or given_back(given["lease"])
    module.exit_json(changed=True, apps=[result], diff=diff, is_free=is_free)


if __name__ == "__main__":
    main()
