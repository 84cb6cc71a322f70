#!/usr/bin/python3
"""Finds services that run with replaced libraries; see DOCUMENTATION."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.uwsgi_flask.web.plugins.module_utils.libraries import (
    COMMAND,
    Found,
    Unreadable,
    blind,
    services,
    sort_out,
)
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.records import Records
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.registration import registered
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.system import System

DOCUMENTATION = r"""
module: libraries
short_description: Find services that run with replaced libraries
description:
  - Asks needrestart, and sorts what it lists by app. Reads only. Where needrestart isn't installed, nothing is found
    and C(is_known) is false.
options: {}
"""

RETURN = r"""
is_known: {description: Whether needrestart could be asked., type: bool, returned: success}
apps: {description: Outdated units of live releases by app., type: dict, returned: success}
nginx: {description: Whether nginx is outdated., type: bool, returned: success}
ending: {description: "Outdated jobs, and releases that are ending.", type: list, elements: str, returned: success}
others: {description: Outdated services that aren't ours., type: list, elements: str, returned: success}
"""

OPTIONS: dict[str, dict[str, Any]] = {}


def main() -> None:
    module = AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True)
    module.run_command_environ_update = {"LC_ALL": "C"}
    if not module.get_bin_path(COMMAND[0], opt_dirs=["/usr/sbin"]):
        module.exit_json(changed=False, is_known=False, **Found({}, [], False, []).describe())
    if blind():
        module.fail_json(
            msg="libraries: root may not look into every process of this host (a container without "
            "CAP_SYS_PTRACE?), so needrestart would leave out what it can't see."
        )
    _code, printed, errors = module.run_command(list(COMMAND))
    try:
        units = services(printed)
    except Unreadable as error:
        module.fail_json(msg=f"{error} {errors.strip()[:200]}".strip())
    apps = [(layout, Records(layout, System()).live()) for layout, _registration in registered()]
    module.exit_json(changed=False, is_known=True, **sort_out(units, apps).describe())


if __name__ == "__main__":
    main()
