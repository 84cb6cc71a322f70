#!/usr/bin/python3
"""Makes nginx run a configuration, as one transaction; see DOCUMENTATION. The work is in module_utils/nginx."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.uwsgi_flask.web.plugins.module_utils.files import OwnedFile, remove
from ansible_collections.uwsgi_flask.web.plugins.module_utils.layout import PROBE_SOCKET
from ansible_collections.uwsgi_flask.web.plugins.module_utils.lease import LEASE_OPTION, held
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.configuration import (
    LOGS,
    Configuration,
    Rejected,
    from_disk,
)
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.ours import Ours
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.system import ERROR_LOG

DOCUMENTATION = r"""
module: nginx_config
short_description: Make nginx run a configuration, or leave everything as it is
description:
  - Tests the whole tree with the new files in a place of its own; only then puts them below C(/etc/nginx), loads them
    and waits until the running nginx proves, by a digest, that it serves them.
  - A configuration that can't be used doesn't fail the task, because each app goes its own way under the old one; it is
    returned as C(rejected), on every run until it is mended. With C(absent) and C(without) it fails.
  - Starts nginx and enables it for boot. What of others it replaces is kept for the day when all is removed.
options:
  state:
    description:
      - C(present) as described. C(without) takes the server blocks of C(absent) off what is deployed, and needs nothing
        else. C(absent) removes all that is ours and puts back what it replaced.
    type: str
    choices: [present, without, absent]
    default: present
  sites: {description: The apps as the plan holds them; for the controller., type: list, elements: dict, default: []}
  web: {description: What the roles agree on. Used on the controller., type: dict, default: {}}
  templates: {description: Folder of the templates on the controller., type: path}
  files: {description: Text of each file by its path; the action plugin renders it., type: dict, default: {}}
  beside: {description: Text of files outside the tree by path; the action plugin renders it., type: dict, default: {}}
  absent: {description: Names of apps whose server blocks must not be there., type: list, elements: str, default: []}
  apps: {description: Names of the apps that are served; set by the action., type: list, elements: str, default: []}
  connections: {description: Connections of a worker at most; a host may have room for fewer., type: int, default: 4096}
  port: {description: Port on which nginx can be asked for the digest., type: int, default: 80}
  root: {description: nginx's directory., type: path, default: /etc/nginx}
  lease: {description: The token of this run's lease on the host., type: str, default: ""}
"""

RETURN = r"""
generation: {description: Digest of the configuration., type: str, returned: with present}
rejected: {description: "Why the configuration isn't used; empty if it is.", type: str, returned: with present}
"""

OPTIONS: dict[str, dict[str, Any]] = {
    "state": {"type": "str", "choices": ["present", "without", "absent"], "default": "present"},
    "files": {"type": "dict", "default": {}},
    "beside": {"type": "dict", "default": {}},
    "absent": {"type": "list", "elements": "str", "default": []},
    "apps": {"type": "list", "elements": "str", "default": []},
    "connections": {"type": "int", "default": 4096},
    "port": {"type": "int", "default": 80},
    "root": {"type": "path", "default": "/etc/nginx"},
    **LEASE_OPTION,
}

# The distribution's own site.
DEFAULT_SITE = "sites-enabled/default"
# Fewer connections than this are worth a word.
FEW_CONNECTIONS = 1000


def main() -> None:
    module = AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True)
    state = module.params["state"]
    with held(module):
        try:
            result = {"present": _present, "without": _without, "absent": _absent}[state](module, module.params)
        except Rejected as rejected:
            if state != "present":
                module.fail_json(msg=str(rejected))
            result = {"changed": False, "rejected": str(rejected)}
    module.exit_json(**result)


def _present(module: AnsibleModule, given: dict[str, Any]) -> dict[str, Any]:
    # A file of that name that we never wrote is somebody else's.
    ours = Ours(Path(given["root"])).files()
    absent = [DEFAULT_SITE, *(path for path in map(_site, given["absent"]) if path in ours)]
    configuration = Configuration(
        Path(given["root"]), given["files"], absent, _address(given), given["connections"], _beside(given), _logs(given)
    )
    if configuration.granted < min(FEW_CONNECTIONS, given["connections"]):
        module.warn(
            f"nginx serves {configuration.granted} connections a worker here, because the host lets it open only "
            "so many files: raise the hard limit of open files (DefaultLimitNOFILE= of systemd)"
        )
    is_live = configuration.is_live()
    result = {"diff": configuration.diff(), "rejected": "", "generation": configuration.generation}
    if not is_live and not module.check_mode:
        configuration.apply()
    elif not is_live and shutil.which("nginx"):
        configuration.test()
    gone = _remove_logs(module, given["absent"])
    return {"changed": not is_live or gone, **result}


def _without(module: AnsibleModule, given: dict[str, Any]) -> dict[str, Any]:
    configuration = from_disk(Path(given["root"]), list(map(_site, given["absent"])), _address(given))
    changed = bool(configuration.absent)
    if changed and not module.check_mode:
        configuration.apply()
    gone = _remove_logs(module, given["absent"])
    return {"changed": changed or gone}


def _absent(module: AnsibleModule, given: dict[str, Any]) -> dict[str, Any]:
    ours = Ours(Path(given["root"]))
    if not ours.exists():
        return {"changed": False}
    names = [Path(path).stem for path in ours.files() if path.startswith("conf.d/")]
    configuration = Configuration(Path(given["root"]), {}, [], _address(given), beside=_beside(given))
    if not module.check_mode:
        configuration.restore()
        # nginx listens there no more.
        remove(Path(PROBE_SOCKET).parent)
        remove(ERROR_LOG.parent)
    _remove_logs(module, names)
    return {"changed": True}


def _site(app: str) -> str:
    return f"conf.d/{app}.conf"


def _address(given: dict[str, Any]) -> str:
    return f"127.0.0.1:{given['port']}"


def _beside(given: dict[str, Any]) -> list[OwnedFile]:
    return [OwnedFile(Path(path), text) for path, text in given["beside"].items()]


def _logs(given: dict[str, Any]) -> list[OwnedFile]:
    """Every log that nginx writes. It would make them readable by everybody until the first rotation."""
    names = ["access", *given["apps"]]
    paths = [ERROR_LOG, *(Path(LOGS, f"{name}.log") for name in names)]
    return [OwnedFile(path, "", 0o640, "adm") for path in paths]


def _remove_logs(module: AnsibleModule, apps: list[str]) -> bool:
    """After the reload, because until then nginx writes them."""
    found = [path for app in apps for path in Path(LOGS).glob(f"{app}.log*")]
    for path in found if not module.check_mode else []:
        path.unlink()
    return bool(found)


if __name__ == "__main__":
    main()
