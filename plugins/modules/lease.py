#!/usr/bin/python3
"""Takes, renews or gives back the lease of a host; see DOCUMENTATION."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.uwsgi_flask.web.plugins.module_utils import lease
from ansible_collections.uwsgi_flask.web.plugins.module_utils.flock import FLOCK, Busy, flock
from ansible_collections.uwsgi_flask.web.plugins.module_utils.look import look
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.registration import registered

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
    description: With C(held), look at the host too, as the module look does.
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

OPTIONS: dict[str, dict[str, Any]] = {
    "state": {"type": "str", "choices": ["held", "renewed", "free"], "required": True},
    "look": {"type": "bool", "default": False},
    "apps": {"type": "bool", "default": False},
    "token": {"type": "str", "default": "", "no_log": False},
    "holder": {"type": "dict", "default": {}},
    "ttl": {"type": "float"},
    "displaces": {"type": "str", "default": ""},
    "path": {"type": "path", "default": lease.PATH},
    "flock": {"type": "path", "default": FLOCK},
}
# Work holds this lock for minutes, so don't wait long for it.
FLOCK_SECONDS = 2.0


def main() -> None:
    module = AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True)
    given = module.params
    result: dict[str, Any] = {"changed": False, "token": ""}
    try:
        if not module.check_mode:
            result |= _change(given, Path(given["path"]))
    except lease.Broken as error:
        module.fail_json(msg=f"{error}.")
    except (OSError, Busy) as error:
        module.fail_json(msg=f"the lease {given['path']} can't be used: {error}.")
    if given["state"] == "held" and given["look"] and "held_by" not in result:
        result["look"] = look(module)
    if given["state"] == "held" and given["apps"] and "held_by" not in result:
        result["apps"] = [layout.name for layout, _registration in registered()]
    module.exit_json(**result)


def _change(given: dict[str, Any], path: Path) -> dict[str, Any]:
    token = given["token"]
    if given["state"] == "free":
        # What isn't a lease isn't ours, and whoever wants one is told.
        with contextlib.suppress(lease.Broken):
            lease.give_back(path, token)
        return {}
    if given["state"] == "renewed":
        return {"renewed": lease.renew(path, token)}
    try:
        with flock(Path(given["flock"]), FLOCK_SECONDS):
            taken, found = lease.claim(path, token, given["holder"], given["displaces"], given["ttl"] or lease.TTL)
    except Busy as busy:
        return {"held_by": _told(lease.read(path), at_work=busy.process or "?")}
    if not taken:
        return {"held_by": _told(found)}
    expired = found is not None and found.token not in (token, given["displaces"])
    return {"token": token, **({"took_over": lease.described(found)} if found and expired else {})}


def _told(found: lease.Lease | None, at_work: str = "") -> dict[str, Any]:
    if found is None:
        told = "a run that was interrupted is still at work on this host"
        return {"token": "", "holder": {}, "told": told, "left": 0, "at_work": at_work}
    return {
        "token": found.token,
        "holder": found.holder,
        "told": lease.described(found),
        "left": max(0, round(found.left())),
        "at_work": at_work,
    }


if __name__ == "__main__":
    main()
