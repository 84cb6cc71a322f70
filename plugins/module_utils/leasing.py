"""What a host answers when it is asked for its lease: for the module lease, and for deploy, which sees the host too."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.uwsgi_flask.web.plugins.module_utils import lease
from ansible_collections.uwsgi_flask.web.plugins.module_utils.flock import FLOCK, Busy, flock
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.registration import registered

# What is asked; the documentation of the module lease says more.
LEASING_OPTIONS: dict[str, dict[str, Any]] = {
    "state": {"type": "str", "choices": ["held", "renewed", "free"], "required": True},
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


def answer(module: AnsibleModule, given: Mapping[str, Any]) -> dict[str, Any]:
    """What the module lease returns. In a rehearsal nothing is taken. Ends the module where it can't."""
    result: dict[str, Any] = {"changed": False, "token": ""}
    try:
        if not module.check_mode:
            result |= _change(given, Path(given["path"]))
    except lease.Broken as error:
        module.fail_json(msg=f"{error}.")
    except (OSError, Busy) as error:
        module.fail_json(msg=f"the lease {given['path']} can't be used: {error}.")
    if given["state"] == "held" and given["apps"] and "held_by" not in result:
        result["apps"] = [layout.name for layout, _registration in registered()]
    return result


def _change(given: Mapping[str, Any], path: Path) -> dict[str, Any]:
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
