#!/usr/bin/python3
"""Takes, renews or gives back the lease of a host; see DOCUMENTATION."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.uwsgi_flask.web.plugins.module_utils.leasing import LEASING_OPTIONS, answer

DOCUMENTATION = r"""
module: lease
short_description: Take or give back the lease of a host
description:
  - One run at a time changes a host. A second one is refused with the holder's name. The lease of a run that is known
    to be dead is taken over at once, that of another when it hasn't been renewed for 90 seconds.
  - While a run lives, a process on its controller renews the lease; when the run ends without giving it back, be it by
    Ctrl-C or C(kill -9), that process does so.
options:
  state: {description: What is wanted., type: str, choices: [held, renewed, free], required: true}
  look:
    description: With C(held), look at the host too, as the module look does; the action plugin has deploy do it.
    type: bool
    default: false
  apps: {description: "With C(held), name the apps that are there.", type: bool, default: false}
  wait: {description: Seconds to wait for another run; for the action plugin alone., type: float, default: 0}
  token: {description: This run's token; the action plugin sets it., type: str, default: ""}
  holder: {description: Who asks; the action plugin fills it in., type: dict, default: {}}
  ttl: {description: Seconds without a renewal after which the lease expires; 90 unless told., type: float}
  displaces: {description: Token of a lease whose run is dead; the action plugin sets it., type: str, default: ""}
  path: {description: The lease., type: path, default: /run/web-deploy.lease}
  flock: {description: What is locked while the host is changed., type: path, default: /run/web-deploy.flock}
"""

RETURN = r"""
token: {description: "What changing modules must show; empty in a rehearsal.", type: str, returned: with held}
look: {description: What was seen., type: dict, returned: if asked for}
apps: {description: The apps' names., type: list, elements: str, returned: if asked for}
held_by:
  description:
    - Who holds the lease instead, as C(token), C(holder), C(told), C(left) (seconds) and C(at_work), the
      process on the host that is changing it just now.
  type: dict
  returned: when it is held
took_over: {description: Whose expired lease was taken., type: str, returned: if one was}
"""

OPTIONS = LEASING_OPTIONS


def main() -> None:
    module = AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True)
    module.exit_json(**answer(module, module.params))


if __name__ == "__main__":
    main()
