#!/usr/bin/python3
"""Makes nginx run a configuration, as one transaction; see DOCUMENTATION. The work is in module_utils/nginx."""

from __future__ import annotations

import contextlib
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.uwsgi_flask.web.plugins.module_utils.acme.certbot import delete
from ansible_collections.uwsgi_flask.web.plugins.module_utils.acme.notes import Notes
from ansible_collections.uwsgi_flask.web.plugins.module_utils.acme.timer import keep_running
from ansible_collections.uwsgi_flask.web.plugins.module_utils.lease import LEASE_OPTION, held
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.configuration import Configuration
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.drift import AS_BEFORE
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.ours import Ours
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.places import (
    ACME_NOTES,
    DEFAULT_SITE,
    KEPT,
    MAIN,
    ROOT,
)
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.recovery import settle
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.rejected import Rejected
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.system import System
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.wanted import (
    aim,
    fronts,
    take_certificates,
    unused,
)

DOCUMENTATION = r"""
module: nginx_config
short_description: Make nginx run a configuration, or leave everything as it is
description:
  - Tests the whole tree with the new files in a place of its own; only then puts them below C(/etc/nginx), loads them
    and waits until the running nginx proves, by a digest, that it serves them. Starts nginx and enables it for boot.
  - An nginx that runs a configuration of ours is reloaded, never restarted, so visitors keep their connections.
  - What was there before us is saved in C(/etc/nginx/.distribution) until it is put back; what is edited in our files
    later, in C(/var/backups/nginx-edited) before it is replaced. A manifest says what is ours; nothing else is removed.
  - With C(state=present), a configuration that can't be used doesn't fail the task, because each app goes its own way
    under the old one; it is returned as C(rejected), on every run until it is mended. With any other state it fails.
options:
  state:
    description:
      - C(present) serves the apps of C(sites), and not those of C(absent); other apps that are deployed stay.
      - C(without) takes the apps of C(absent) off what is deployed, and needs nothing but their names.
      - C(absent) removes all that is ours and puts back what was there before.
    type: str
    choices: [present, without, absent]
    default: present
  sites: {description: The apps as the plan has them. Used on the controller., type: list, elements: dict, default: []}
  web: {description: What the roles agree on. Used on the controller., type: dict, default: {}}
  terms: {description: How a CA is asked. Used on the controller., type: dict, default: {}}
  templates: {description: Folder of the templates on the controller., type: path}
  files:
    description: Text of each file by its path, relative to nginx's directory or absolute; the action plugin sets it.
    type: dict
    default: {}
  apps: {description: Names of the apps in C(files); the action plugin sets it., type: list, elements: str, default: []}
  shared:
    description: The host names that several apps share, as the plan has them. Used on the controller.
    type: list
    elements: dict
    default: []
  certificates: {description: Key and certificates (PEM) by app., type: dict, default: {}}
  self_signed:
    description: Host names by app that the host signs a certificate for; the action plugin sets it.
    type: dict
    default: {}
  acme:
    description:
      - By app what is wanted of certbot, C(names), and C(waiting), the files for as long as there is no certificate;
        the action plugin sets it.
    type: dict
    default: {}
  acme_directory: {description: URL of the CA's directory; the action plugin sets it., type: str, default: ""}
  acme_dns_plugin: {description: "Certbot's plugin that names are proven with; set there too.", type: str, default: ""}
  renewal_hook: {description: "What certbot runs after a renewal, in Base64; set there too.", type: str, default: ""}
  dns_secret: {description: "What certbot's plugin for the DNS needs; set there too.", type: str, default: ""}
  user: {description: "nginx's own user; the action plugin sets it.", type: str, default: www-data}
  absent: {description: Names of apps whose server blocks must not be there., type: list, elements: str, default: []}
  connections: {description: Connections of a worker at most; a host may have room for fewer., type: int, default: 4096}
  lease: {description: The token of this run's lease on the host., type: str, default: ""}
"""

RETURN = r"""
generation: {description: Digest of the configuration., type: str, returned: with present and without}
rejected: {description: "Why the configuration isn't used; empty if it is.", type: str, returned: always}
fronts:
  description:
    - By app how visitors ask for it, C(host), C(port), C(scheme) and C(proxy_protocol), as nginx serves it now; null
      if it doesn't.
  type: dict
  returned: always
uncertified:
  description: Apps for which certbot has no certificate, or one for other names, of another CA, or too old.
  type: list
  elements: str
  returned: always
renewal_fault:
  description: Why certificates from a CA won't be renewed, with the remedy; empty if they will, or if there are none.
  type: str
  returned: with present and without
saved: {description: Copies of what others had written., type: list, elements: str, returned: always}
"""

OPTIONS: dict[str, dict[str, Any]] = {
    "state": {"type": "str", "choices": ["present", "without", "absent"], "default": "present"},
    "files": {"type": "dict", "default": {}},
    "apps": {"type": "list", "elements": "str", "default": []},
    # As one text: Ansible would blot out every single value of a dictionary wherever else it stands.
    "certificates": {"type": "str", "default": "{}", "no_log": True},
    "self_signed": {"type": "dict", "default": {}},
    "acme": {"type": "dict", "default": {}},
    "acme_directory": {"type": "str", "default": ""},
    "acme_dns_plugin": {"type": "str", "default": ""},
    "renewal_hook": {"type": "str", "default": ""},
    "dns_secret": {"type": "str", "default": "", "no_log": True},
    "user": {"type": "str", "default": "www-data"},
    "absent": {"type": "list", "elements": "str", "default": []},
    "connections": {"type": "int", "default": 4096},
    **LEASE_OPTION,
}


def main() -> None:
    module = AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True)
    # A copy, because Ansible tells the controller what a module's parameters are at its end: keys stay on the host.
    files = dict(module.params["files"])
    with held(module):
        try:
            result = _made(module, files)
        except (Rejected, OSError) as error:
            if module.params["state"] != "present":
                module.fail_json(msg=str(error))
            result = {"changed": False, "rejected": str(error), "saved": [], "uncertified": []}
        would = files if module.check_mode and not result["rejected"] else {}
        asked = fronts(module.params["apps"], would)
    module.exit_json(fronts=asked, **result)


def _made(module: AnsibleModule, files: dict[str, str]) -> dict[str, Any]:
    """Do what is asked. Raises Rejected and OSError."""
    system, ours, notes = System(), Ours.read(ROOT), Notes.read(ROOT / ACME_NOTES)
    edits = None if module.check_mode else settle(ROOT, system, ours)
    if edits is not None:
        module.warn("a run that was cut off had left a configuration that nginx doesn't run; the one before is back")
    if module.params["state"] != "present" and not ours.exists():
        _forget(module, notes, system, ours)
        return {"changed": False, "rejected": "", "saved": [], "uncertified": []}
    uncertified = take_certificates(module.params, files, ours, notes, system)
    if not module.check_mode:
        for app in [app for app in notes.failed if app in module.params["acme"] and app not in uncertified]:
            # What couldn't be had isn't wanted any more.
            notes.note(app, "")
    wanted = aim(module.params, files, ours, system, module.warn)
    configuration = Configuration(ROOT, ours, wanted, system)
    is_live = configuration.is_live()
    result = {"rejected": "", "diff": configuration.diff()}
    if module.check_mode and not is_live:
        configuration.test()
    elif not is_live:
        configuration.apply()
    if configuration.aim.generation and not system.runs_as_its_unit_says():
        module.warn(f"{AS_BEFORE} (systemctl restart nginx)")
    _forget(module, notes, system, ours)
    is_started, renewal_fault = keep_running(is_rehearsal=module.check_mode) if module.params["acme"] else (False, "")
    # That nginx.conf and the distribution's site are replaced is what this is for.
    saved = [*(edits or []), *configuration.saved.values()]
    for copy in [copy for copy in saved if copy not in (ours.kept / MAIN, ours.kept / DEFAULT_SITE)]:
        module.warn(f"a file that isn't as we wrote it was replaced; it is kept as {copy}")
    return {
        **result,
        "changed": is_started or not is_live,
        "renewal_fault": renewal_fault,
        "generation": configuration.aim.generation,
        "saved": [str(copy) for copy in saved],
        "uncertified": uncertified,
    }


def _forget(module: AnsibleModule, notes: Notes, system: System, ours: Ours) -> None:
    """Let certbot forget the certificates that nothing uses any more. Raises OSError."""
    given = module.params
    if module.check_mode:
        return
    for app in unused(given, ours, notes):
        try:
            delete(system, app, notes)
        except OSError as error:
            if given["state"] != "present":
                raise
            module.warn(f"{app}: certbot still has its certificate, and the next run tries again: {error}")
    if given["state"] == "absent":
        with contextlib.suppress(OSError):
            (ROOT / KEPT).rmdir()


if __name__ == "__main__":
    main()
