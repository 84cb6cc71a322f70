#!/usr/bin/python3
"""Leaves a host nothing of an app but what serves; see DOCUMENTATION."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.uwsgi_flask.web.plugins.module_utils.lease import LEASE_OPTION, held
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.prune import Pruning
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.refused import Impossible, Refused
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.registration import find
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.system import System
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.wanted import Front

DOCUMENTATION = r"""
module: prune
short_description: Remove every release of an app but the live one
description:
  - Removes the releases that a rollback could return to and those that were refused, with their environment files,
    units and virtualenvs, so that no secret stays on the host which the live release doesn't have.
  - A release of which a job or a stream still runs stays until that has ended.
options:
  app: {description: The app; may be left out where there is one., type: str, default: ""}
  lease: {description: The token of this run's lease on the host., type: str, default: ""}
"""

RETURN = r"""
apps: {description: "The result, as the module release returns it.", type: list, elements: dict, returned: success}
removed: {description: What was there and was removed., type: list, elements: str, returned: success}
"""

OPTIONS: dict[str, dict[str, Any]] = {
    "app": {"type": "str", "default": ""},
    **LEASE_OPTION,
}


def main() -> None:
    module = AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True)
    name = module.params["app"] or "prune"
    try:
        layout, registration = find(module.params["app"])
        name = layout.name
        with held(module):
            system = System()
            began = system.clock()
            pruning = Pruning(layout, system)
            releases, busy = pruning.releases(), pruning.busy()
            address = Front(**registration["front"]).url(pruning.records.described(pruning.live))
            gone = [str(path) for path in (pruning.what() if module.check_mode else pruning.run())]
    except Impossible as fault:
        module.fail_json(msg=f"{name}: {fault}. Nothing was changed.")
    except (Refused, OSError) as fault:
        module.fail_json(msg=f"{name}: {fault}. Run it again.")
    goes, stays = ", ".join(releases), ", ".join(busy)
    told = [f"without {goes}"] if goes else []
    told += [f"{stays} stays until its last job or stream has ended: run it again then"] if busy else []
    result = {
        "app": layout.name,
        "release": pruning.live,
        "before": pruning.live,
        "now": pruning.live,
        "address": address,
        "result": "unchanged" if not gone else "would be pruned" if module.check_mode else "pruned",
        "changed": bool(gone),
        "seconds": round(system.clock() - began, 1),
        "cause": "; ".join(told),
    }
    diff = {"before": "".join(f"{path}\n" for path in gone), "after": ""}
    module.exit_json(changed=bool(gone), apps=[result], removed=gone, diff=diff)


if __name__ == "__main__":
    main()
