#!/usr/bin/python3
"""Takes an app's instances and units off the host; see DOCUMENTATION."""

from __future__ import annotations

import shutil
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.uwsgi_golive import STEPS, System

DOCUMENTATION = r"""
module: uwsgi_removed
short_description: Take an app's instances and units off the host
description:
  - Stops every instance gracefully, then removes its units, its sockets' directory, its tmpfiles.d file and the link
    to the live release. The releases and the app's data are not touched.
options:
  app: {description: The app's name., type: str, required: true}
  root: {description: The app's directory., type: path, required: true}
  run: {description: The directory of the app's sockets., type: path, required: true}
"""

RETURN = r"""
removed: {description: What was there and was taken away., type: list, elements: str, returned: always}
"""

OPTIONS = {
    "app": {"type": "str", "required": True},
    "root": {"type": "path", "required": True},
    "run": {"type": "path", "required": True},
}


def main() -> None:
    module = AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True)
    app, root, run = module.params["app"], Path(module.params["root"]), Path(module.params["run"])
    system = System()
    units = [unit for release in system.releases_with_units(app) for unit in _units(app, release)]
    files = [
        *Path("/etc/systemd/system").glob(f"{app}@.*"),
        *(Path("/etc/systemd/system", f"{app}-{step}@.service") for step in STEPS),
        Path("/etc/tmpfiles.d", f"{app}.conf"),
        root / "current",
    ]
    there = [path for path in [*files, run] if path.is_symlink() or path.exists()]
    removed = [*units, *map(str, there)]
    if removed and not module.check_mode:
        # Disabled while systemd still knows the units, or the links in its directories stay.
        if units:
            system.systemctl("disable", "--now", *units)
        system.systemctl("reset-failed", f"{app}@*", *(f"{app}-{step}@*" for step in STEPS))
        for path in there:
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        system.systemctl("daemon-reload")
    module.exit_json(
        changed=bool(removed), removed=removed, diff={"before": "".join(f"{it}\n" for it in removed), "after": ""}
    )


def _units(app: str, release: str) -> tuple[str, str]:
    return f"{app}@{release}.service", f"{app}@{release}.socket"


if __name__ == "__main__":
    main()
