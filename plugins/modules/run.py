#!/usr/bin/python3
"""Runs a command in an app's live release; see DOCUMENTATION."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases import command
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.records import Records
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.refused import Impossible
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.registration import find
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.system import System

DOCUMENTATION = r"""
module: run
short_description: Run a command in an app's live release
description:
  - As the app's user, with the release's environment, in its sandbox and its folder. Waits until it has ended; what it
    writes and its exit code are the result, and another code than 0 is no failure of the task.
  - Needs no lease. A deploy meanwhile lets the command end.
options:
  app: {description: The app; may be left out where there is one., type: str, default: ""}
  command: {description: "What is run, as a line for /bin/sh.", type: str, required: true}
"""

RETURN = r"""
app: {description: The app's name., type: str, returned: success}
release: {description: The id of the release that it ran in., type: str, returned: success}
code: {description: "Its exit code, 0 in check mode.", type: int, returned: success}
stdout: {description: What it wrote to standard output., type: str, returned: success}
stderr: {description: What it wrote to standard error., type: str, returned: success}
"""

OPTIONS: dict[str, dict[str, Any]] = {
    "app": {"type": "str", "default": ""},
    "command": {"type": "str", "required": True},
}


def main() -> None:
    # The command may hold what the host's log need not; a single option that isn't logged would be masked in what it
    # prints.
    module = AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True, no_log=True)
    try:
        layout, _registration = find(module.params["app"])
        records = Records(layout, System())
        if module.check_mode:
            release, code, stdout, stderr = records.live(), 0, "", ""
        else:
            release, code, stdout, stderr = command.run(System(), records, module.params["command"])
    except Impossible as fault:
        module.fail_json(msg=f"{module.params['app'] or 'run'}: {fault}. Nothing was run.")
    except OSError as error:
        module.fail_json(msg=f"{layout.name}: {error}")
    module.exit_json(changed=True, app=layout.name, release=release, code=code, stdout=stdout, stderr=stderr)


if __name__ == "__main__":
    main()
