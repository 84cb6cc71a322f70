#!/usr/bin/python3
"""Keeps a host's firewall; see DOCUMENTATION."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.uwsgi_flask.web.plugins.module_utils.firewall import Firewall, Opening, Refused, rules
from ansible_collections.uwsgi_flask.web.plugins.module_utils.layout import FirewallLayout
from ansible_collections.uwsgi_flask.web.plugins.module_utils.lease import LEASE_OPTION, held

DOCUMENTATION = r"""
module: firewall
short_description: Let in SSH, the web and what is named, and drop the rest
description:
  - A table of our own in nftables; no other is touched. SSH's ports are those where it listens, and the one by which
    this run has come.
  - With C(tried) the rules are loaded, and a timer on the host puts the old ones back after C(undo_after) seconds. With
    C(kept), which has to come by a new connection, the timer is ended and the rules stay, after a boot too.
options:
  state:
    description: What to do; with C(checked) only the settings are looked at, on the controller.
    type: str
    choices: [checked, tried, kept, absent]
    required: true
  undo_after: {description: Seconds for which rules are tried., type: int, default: 60}
  web: {description: The ports of nginx., type: list, elements: int, default: []}
  open: {description: "What else is open; C(port), C(protocol) and C(from) of each.", type: list, elements: dict,
         default: []}
  lease: {description: The token of this run's lease on the host., type: str, default: ""}
"""

RETURN = r"""
ssh_ports: {description: Where SSH was found., type: list, elements: int, returned: unless absent}
is_kept: {description: Whether the rules are in force and stay., type: bool, returned: unless absent}
"""

OPTIONS: dict[str, dict[str, Any]] = {
    "state": {"type": "str", "choices": ["checked", "tried", "kept", "absent"], "required": True},
    "undo_after": {"type": "int", "default": 60},
    "web": {"type": "list", "elements": "int", "default": []},
    "open": {"type": "list", "elements": "dict", "default": []},
    **LEASE_OPTION,
}


def main() -> None:
    module = AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True)
    module.run_command_environ_update = {"LC_ALL": "C"}
    firewall = Firewall(lambda words: module.run_command(list(words)), FirewallLayout())
    try:
        with held(module):
            result = _absent(module, firewall) if module.params["state"] == "absent" else _present(module, firewall)
    except (Refused, OSError) as fault:
        module.fail_json(msg=f"firewall: {fault}.")
    module.exit_json(**result)


def _absent(module: AnsibleModule, firewall: Firewall) -> dict[str, Any]:
    there = firewall.active() if firewall.is_installed() else ""
    changed = bool(there or firewall.is_tried() or firewall.layout.rules.exists() or firewall.layout.unit_file.exists())
    if changed and not module.check_mode:
        firewall.remove()
    return {"changed": changed, "diff": {"before": there, "after": ""}}


def _present(module: AnsibleModule, firewall: Firewall) -> dict[str, Any]:
    given = module.params
    ports = firewall.ssh_ports()
    text = rules(ports, given["web"], [Opening.of(one) for one in given["open"]])
    if not firewall.is_installed():
        # In check mode alone: the playbook installs nft first.
        return {"changed": True, "ssh_ports": ports, "is_kept": False, "diff": {"before": "", "after": text}}
    before, wanted = firewall.active(), firewall.loaded(text)
    is_loaded = before == wanted
    is_kept = is_loaded and firewall.is_kept(text) and not firewall.is_tried()
    if given["state"] == "tried":
        if not is_loaded and not module.check_mode:
            firewall.try_out(text, given["undo_after"])
        changed, diff = not is_loaded, {"before": before, "after": wanted}
    else:
        if not is_kept and not module.check_mode:
            firewall.keep(text)
        changed, diff = not is_kept, {}
    return {"changed": changed, "ssh_ports": ports, "is_kept": is_kept or given["state"] == "kept", "diff": diff}


if __name__ == "__main__":
    main()
