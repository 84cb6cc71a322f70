#!/usr/bin/python3
"""Makes nginx run a configuration, as one transaction; see DOCUMENTATION. The work is in module_utils/nginx_tree.py."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.nginx_tree import Configuration, Rejected
from ansible.module_utils.web_files import OwnedFile

DOCUMENTATION = r"""
module: nginx_config
short_description: Make nginx run a configuration, or leave everything as it is
description:
  - Tests the whole tree with the new files in a place of its own; only then puts them below C(/etc/nginx), loads them
    and waits until the running nginx proves, by a digest, that it serves them. A wrong configuration fails on every run
    until it is mended, with the old files on disk and the old configuration running.
  - Starts nginx and enables it for boot.
options:
  files:
    description: Text of each file by its path below the root. @generation@ in it becomes the digest of the whole.
    type: dict
    required: true
  state:
    description:
      - C(present) as described. C(absent) takes all that is ours away and puts back what it replaced, tested too.
    type: str
    choices: [present, absent]
    default: present
  absent: {description: Paths below the root that must not be there., type: list, elements: str, default: []}
  absent_logs: {description: Patterns of log files that must not be there., type: list, elements: str, default: []}
  drop_in: {description: Text of the drop-in of nginx's unit., type: str}
  address: {description: "host:port at which nginx can be asked for the digest.", type: str, required: true}
  root: {description: nginx's directory., type: path, default: /etc/nginx}
"""

RETURN = r"""
generation: {description: Digest of the configuration., type: str, returned: always}
"""

OPTIONS = {
    "files": {"type": "dict", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "absent_logs": {"type": "list", "elements": "str", "default": []},
    "absent": {"type": "list", "elements": "str", "default": []},
    "drop_in": {"type": "str"},
    "address": {"type": "str", "required": True},
    "root": {"type": "path", "default": "/etc/nginx"},
}


# Not in nginx's own directory: systemd reads it.
DROP_IN = Path("/etc/systemd/system/nginx.service.d/restart.conf")


def main() -> None:
    module = AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True)
    given = module.params
    drop_in = OwnedFile(DROP_IN, given["drop_in"]) if given["drop_in"] else None
    configuration = Configuration(Path(given["root"]), given["files"], given["absent"], given["address"], drop_in)
    logs = [path for pattern in given["absent_logs"] for path in Path("/var/log/nginx").glob(pattern)]
    try:
        if given["state"] == "absent":
            changed = _take_away(module, configuration)
            result: dict[str, Any] = {}
        else:
            result = {"generation": configuration.generation, "diff": configuration.diff()}
            changed = _put_in_place(module, configuration)
    except Rejected as rejected:
        module.fail_json(msg=str(rejected))
    if not module.check_mode:
        # After the reload, for until then nginx writes them.
        for path in logs:
            path.unlink()
    module.exit_json(changed=changed or bool(logs), **result)


def _put_in_place(module: AnsibleModule, configuration: Configuration) -> bool:
    if configuration.is_live():
        return False
    if not module.check_mode:
        configuration.apply()
    elif shutil.which("nginx"):
        configuration.test()
    return True


def _take_away(module: AnsibleModule, configuration: Configuration) -> bool:
    if not configuration.is_ours():
        return False
    if not module.check_mode:
        configuration.restore()
    return True


if __name__ == "__main__":
    main()
