#!/usr/bin/python3
"""Tells what a host has, so that a deploy need not ask for one thing after another; see DOCUMENTATION."""

from __future__ import annotations

import grp
import platform
import pwd
import shutil
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: web_host
short_description: Tell what a host has
description:
  - One call instead of a task each for the facts, the packages, the account and the kernel's setting. What is there is
    not asked for again; what isn't, the roles install and create with Ansible's own modules.
options:
  user: {description: The user to look for., type: str, default: ""}
"""

RETURN = r"""
ansible_facts:
  description:
    - C(python_version) of the interpreter that runs modules; C(web_host) with C(packages), the names of all installed
      ones, C(users), the group, home and shell of C(user) if it is there, and C(somaxconn), the longest listen queue.
  type: dict
  returned: always
"""

OPTIONS = {"user": {"type": "str", "default": ""}}


def main() -> None:
    module = AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True)
    found = {
        "packages": packages(module),
        "users": users(module.params["user"]),
        "somaxconn": int(Path("/proc/sys/net/core/somaxconn").read_text()),
    }
    facts = {"python_version": platform.python_version(), "web_host": found}
    module.exit_json(changed=False, ansible_facts=facts)


def packages(module: AnsibleModule) -> list[str]:
    """Names of the packages that are installed, whatever their version; none where there is no dpkg."""
    if not shutil.which("dpkg-query"):
        return []
    _code, printed, _errors = module.run_command(
        ["dpkg-query", "--show", "--showformat=${db:Status-Status} ${Package}\n"]
    )
    return installed(printed)


def installed(listed: str) -> list[str]:
    """Those of dpkg's list that are whole: one that is being configured, or removed but for its settings, isn't."""
    return sorted({line.partition(" ")[2] for line in listed.splitlines() if line.startswith("installed ")})


def users(name: str) -> dict[str, dict[str, Any]]:
    try:
        user = pwd.getpwnam(name)
        return {name: {"group": grp.getgrgid(user.pw_gid).gr_name, "home": user.pw_dir, "shell": user.pw_shell}}
    except KeyError:
        return {}


if __name__ == "__main__":
    main()
