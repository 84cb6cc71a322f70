#!/usr/bin/python3
"""Deploys in one call what needs nothing of nginx; see DOCUMENTATION."""

from __future__ import annotations

import json
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.uwsgi_flask.web.plugins.module_utils.lease import LEASE_OPTION, given_back, held
from ansible_collections.uwsgi_flask.web.plugins.module_utils.leasing import LEASING_OPTIONS, answer
from ansible_collections.uwsgi_flask.web.plugins.module_utils.look import look
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.wanted import runs_already
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.batch import RELEASE_OPTIONS, Batch
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.deploy import diff_of_all

DOCUMENTATION = r"""
module: deploy
short_description: Deploy in one call, where nginx already runs what it should
description:
  - Each call to a server costs a third of a second, and most runs change nothing, or releases alone. So one call asks
    whether nginx is in every way as the run wants it; only then it does what M(uwsgi_flask.web.release) does, by the
    same code, and gives the lease back.
  - Before that, it is asked for the lease and what the host has, as M(uwsgi_flask.web.lease) would be. Ansible packs
    the code of a module once in a run, and this is one.
  - Where anything else is to be done, it does nothing and says so with C(is_done), and the roles do it step by step. It
    is so for a rehearsal, too.
extends_documentation_fragment: [uwsgi_flask.web.releases]
options:
  lease_asked: {description: "What the lease would be asked instead; the action plugin of lease sets it.", type: dict}
  plan: {description: What M(uwsgi_flask.web.plan) returned. Used on the controller., type: dict}
  look: {description: What the host told of itself. Used on the controller., type: dict}
  fleet: {description: What all hosts of the run told of their apps. Used on the controller., type: dict}
  left: {description: Apps that stay where they aren't placed. Used on the controller., type: list, elements: dict}
  packages: {description: Debian's packages that all of it needs. Used on the controller., type: list, elements: str}
  hooks: {description: "What a person said about hooks: C(run) or C(skip). Used on the controller.", type: str}
  connections: {description: Connections of one of nginx's workers. Used on the controller., type: int}
  templates: {description: "Folders of templates, C(uwsgi) and C(nginx). Used on the controller.", type: dict}
  nginx:
    description: What M(uwsgi_flask.web.nginx_config) would be told, as JSON; the action plugin sets it.
    type: str
    default: "{}"
  apps: {description: The releases; the action plugin sets it., type: list, elements: dict, default: []}
"""

RETURN = r"""
is_done: {description: Whether that was all that was to be done., type: bool, returned: always}
token: {description: "As M(uwsgi_flask.web.lease) returns it, with all else.", type: str, returned: for lease_asked}
look: {description: As M(uwsgi_flask.web.look) returns it., type: dict, returned: "for lease_asked, if it was given"}
is_free: {description: Whether the lease was given back., type: bool, returned: when it is done}
apps:
  description: As M(uwsgi_flask.web.release) returns them.
  type: list
  elements: dict
  returned: when it is done
needs_code: {description: Apps whose code must be sent first., type: list, elements: str, returned: when any must}
needs_wheels: {description: "By app, wheels that must be sent first.", type: dict, returned: when any must}
"""

OPTIONS: dict[str, dict[str, Any]] = {
    "lease_asked": {"type": "dict", "options": LEASING_OPTIONS},
    # As one text: it holds keys.
    "nginx": {"type": "str", "default": "{}", "no_log": True},
    **RELEASE_OPTIONS,
    "apps": {"type": "list", "elements": "dict", "default": []},
    **LEASE_OPTION,
}


def main() -> None:
    module = AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True)
    given = module.params
    if given["lease_asked"]:
        told = answer(module, given["lease_asked"])
        module.exit_json(**told, **({} if "held_by" in told else {"look": look(module)}))
    if module.check_mode:
        module.exit_json(changed=False, is_done=False)
    with held(module):
        fronts = runs_already(json.loads(given["nginx"]), module.warn)
        batch = Batch(given, fronts or {})
        lacking = batch.lacking() if fronts is not None else {}
        if fronts is None or lacking:
            module.exit_json(changed=False, is_done=False, **lacking)
        diff = diff_of_all(batch.deploys) if module._diff else []
        results = batch.run()
    changed = any(result["changed"] for result in results)
    module.exit_json(changed=changed, apps=results, diff=diff, is_done=True, is_free=given_back(given["lease"]))


if __name__ == "__main__":
    main()
