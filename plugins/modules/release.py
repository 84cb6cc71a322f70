#!/usr/bin/python3
"""Makes releases of apps the live ones; see DOCUMENTATION. The work is in module_utils/releases."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.uwsgi_flask.web.plugins.module_utils.lease import LEASE_OPTION, held
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.batch import RELEASE_OPTIONS, Batch
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.deploy import diff_of_all

DOCUMENTATION = r"""
module: release
short_description: Make releases of apps the live ones
description:
  - Places the release of each app beside the one that serves, with its virtualenv and its units; imports it in its
    sandbox, starts it, probes it over its own socket and through nginx, enables it for boot, moves the link C(current)
    to it, looks as a visitor does, records it, and then retires the one before and removes what nobody needs. Several
    apps go side by side; links move one by one.
  - A release that fails on the way is stopped and recorded as bad; the one before serves on. That fails neither the
    other apps nor the task; the result of each app says what became of it.
  - Decides by what is on the host, so a run that was cut off is finished by the next.
extends_documentation_fragment: [uwsgi_flask.web.releases]
options:
  prepare_only:
    description: Names of apps whose release is placed and imported but not started, so that hooks can be run first.
    type: list
    elements: str
    default: []
  held_back: {description: "Apps whose release is refused, with the reason.", type: dict, default: {}}
  held_back_at: {description: The step at which these are., type: str, default: before}
  apps:
    description: The releases, as the plan holds them; the action plugin adds their rendered files.
    type: list
    elements: dict
    required: true
  templates:
    description: Folder on the controller with the app server's templates. Used there, never sent.
    type: path
  web: {description: "What the roles agree on, for the templates.", type: dict}
  fronts: {description: "How visitors ask for each app, as nginx_config tells it.", type: dict, default: {}}
  known: {description: "By app, what the host already has: its code isn't sent again.", type: dict}
"""

RETURN = r"""
apps:
  description:
    - For each app C(app), C(release), C(before), C(now), C(result) (unchanged, live, prepared, refused, failed),
      C(seconds) and C(steps); for one that wasn't taken C(step), C(cause) and C(message) too.
  type: list
  elements: dict
  returned: always
needs_code: {description: Apps whose code must be sent first., type: list, elements: str, returned: when any must}
needs_wheels: {description: "By app, wheels that must be sent first.", type: dict, returned: when any must}
"""

OPTIONS: dict[str, dict[str, Any]] = {
    "prepare_only": {"type": "list", "elements": "str", "default": []},
    "held_back": {"type": "dict", "default": {}},
    "held_back_at": {"type": "str", "default": "before"},
    "fronts": {"type": "dict", "default": {}},
    **RELEASE_OPTIONS,
    **LEASE_OPTION,
}


def main() -> None:
    module = AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True)
    given = module.params
    with held(module):
        batch = Batch(given, given["fronts"], given["held_back"], given["held_back_at"])
        lacking = {} if module.check_mode else batch.lacking()
        diff = diff_of_all(batch.deploys) if module._diff else []
        if lacking:
            # The action plugin packs, sends and calls again: an unchanged release costs one call and no transfer.
            module.exit_json(changed=False, apps=[], **lacking)
        results = batch.rehearse() if module.check_mode else batch.run(given["prepare_only"])
    module.exit_json(changed=any(result["changed"] for result in results), apps=results, diff=diff)


if __name__ == "__main__":
    main()
