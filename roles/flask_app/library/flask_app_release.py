#!/usr/bin/python3
"""Places one release of an app on the host; see DOCUMENTATION."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.flask_app_tree import Tree, Wanted, changes, environment_file, owner_of_data
from ansible.module_utils.web_files import OwnedFile, exclusive, put_those_that_differ

DOCUMENTATION = r"""
module: flask_app_release
short_description: Place a release of an app on the host
description:
  - Makes C(code/), C(environment), C(release.json) and the link C(venv) of a release as they should be, and reports
    whether its virtualenv has yet to be built. Nothing here starts or stops anything.
  - The code is sent only to a host that lacks it or where it was changed by hand. A new release's code appears whole or
    not at all.
options:
  name: {description: The app's name., type: str, required: true}
  id: {description: The release's id., type: str, required: true}
  root: {description: The app's directory., type: path, required: true}
  release: {description: The release's directory., type: path, required: true}
  source: {description: "Folder on the controller that holds the code; used there, never sent.", type: path}
  files:
    description: The files of the source, each [path, SHA-256, executable].
    type: list
    elements: list
    required: true
  archive: {description: The packed source on the host; the action plugin sets it., type: path}
  public_folder: {description: Folder in the code that nginx may read., type: str, required: true}
  user: {description: "The app's user, whose data is in C(/var/lib/<name>).", type: str, required: true}
  group: {description: "The app's group, which reads the release.", type: str, required: true}
  venv: {description: Directory of the virtualenv., type: path, required: true}
  check: {description: Shell line that proves that the app can be imported., type: str, required: true}
  before_live: {description: Shell lines run once before the release is live., type: list, elements: str, default: []}
  after_live: {description: Shell lines to be run once after that., type: list, elements: str, default: []}
  environment: {description: Environment variables of the app., type: dict, default: {}}
  secrets: {description: More of them that must not be shown., type: dict, default: {}}
"""

RETURN = r"""
code: {description: "What was done to the code: intact, placed or repaired.", type: str, returned: always}
wrong: {description: Paths that were not as they should be., type: list, elements: str, returned: always}
venv_missing: {description: Whether the virtualenv has to be built., type: bool, returned: always}
"""

OPTIONS: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "required": True},
    "id": {"type": "str", "required": True},
    "root": {"type": "path", "required": True},
    "release": {"type": "path", "required": True},
    "files": {"type": "list", "elements": "list", "required": True},
    "archive": {"type": "path"},
    "public_folder": {"type": "str", "required": True},
    "user": {"type": "str", "required": True},
    "group": {"type": "str", "required": True},
    "venv": {"type": "path", "required": True},
    "check": {"type": "str", "required": True},
    "before_live": {"type": "list", "elements": "str", "default": []},
    "after_live": {"type": "list", "elements": "str", "default": []},
    "environment": {"type": "dict", "default": {}},
    "secrets": {"type": "dict", "default": {}, "no_log": True},
}

# The marker is written last, so a virtualenv without it is one whose building was cut off.
VENV_MARKER = ".complete"


def main() -> None:
    module = AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True)
    options = module.params
    release = Path(options["release"])
    tree = Tree(
        root=release / "code",
        wanted=[Wanted(*file) for file in options["files"]],
        public_folder=options["public_folder"],
        group=options["group"],
    )
    data = Path("/var/lib", options["name"])
    if stranger := owner_of_data(data, options["user"]):
        module.fail_json(
            msg=f"{data} belongs to {stranger}, and would become the data of {options['name']}: choose "
            "another name, for it may be another program's; or, if it is the app's own, give it to the app: "
            f"chown -R {options['user']} {data}. Nothing was changed."
        )
    is_new = not tree.root.is_dir()
    wrong = tree.faults()
    venv_missing = not Path(options["venv"], VENV_MARKER).is_file()
    code = "intact" if not wrong else "placed" if is_new else "repaired"
    result = {
        "code": code,
        "wrong": wrong,
        "venv_missing": venv_missing,
        "diff": _diff(release, code, wrong, options),
    }
    if module.check_mode:
        is_right = not wrong and _venv_is_linked(options) and all(file.is_right() for file in _files(options))
        module.exit_json(changed=not is_right, **result)
    if wrong and not options["archive"]:
        # The action plugin packs, sends and calls again: an unchanged release costs one call and no transfer.
        module.exit_json(changed=True, needs_archive=True, **result)
    try:
        changed = [_make_directory(path, mode, options["group"]) for path, mode in _directories(options).items()]
        with exclusive(release):
            if wrong:
                tree.place(Path(options["archive"]))
            changed += [bool(wrong), bool(put_those_that_differ(_files(options)))]
            if not _venv_is_linked(options):
                _link_venv(options)
                changed.append(True)
    except (OSError, ValueError) as error:
        module.fail_json(msg=f"release {options['id']} of {options['name']} can't be placed: {error}", **result)
    module.exit_json(changed=any(changed), **result)


def _diff(release: Path, code: str, wrong: list[str], options: dict[str, Any]) -> dict[str, str]:
    """What `--diff` shows of the code."""
    if code == "intact":
        return {}
    if code == "placed":
        live = Path(options["root"], "current")
        before, after = changes(live, options["files"])
        headers = {"before_header": f"{live.resolve()}/code", "after_header": f"{release}/code"}
        return {**headers, "before": before, "after": after}
    return {
        "before": "".join(f"{release}/code/{path}: changed by hand\n" for path in wrong),
        "after": "".join(f"{release}/code/{path}: as deployed\n" for path in wrong),
    }


def _directories(options: dict[str, Any]) -> dict[Path, int]:
    """Each directory with its mode. nginx passes through to the static files; nobody else sees more than he must."""
    root, release = Path(options["root"]), Path(options["release"])
    return {
        root: 0o751,
        release.parent: 0o751,
        release: 0o751,
        release / "steps": 0o750,
        Path(options["venv"]).parent: 0o750,
    }


def _make_directory(path: Path, mode: int, group: str) -> bool:
    if path.is_dir() and path.stat().st_mode & 0o7777 == mode and (path.owner(), path.group()) == ("root", group):
        return False
    path.mkdir(exist_ok=True, parents=True)
    shutil.chown(path, "root", group)
    path.chmod(mode)
    return True


def _files(options: dict[str, Any]) -> list[OwnedFile]:
    """What lies beside the code: what systemd reads, what is run once, what the release consists of."""
    release, group = Path(options["release"]), options["group"]
    own = {"WEB_APP": options["name"], "WEB_RELEASE": options["id"]}
    given = {name: str(value) for name, value in {**options["environment"], **options["secrets"]}.items()}
    variables = {**given, **own}
    described = {
        "app": options["name"],
        "id": options["id"],
        "venv": os.path.basename(options["venv"]),
        "variables": sorted(variables),
        "code": {path: [sha256, executable] for path, sha256, executable in options["files"]},
    }
    scripts = {"check": [options["check"]], "before": options["before_live"], "after": options["after_live"]}
    return [
        # systemd reads it as root for the instance; nobody else has to.
        OwnedFile(release / "environment", environment_file(variables), mode=0o600),
        OwnedFile(release / "release.json", json.dumps(described, indent=2) + "\n", mode=0o640, group=group),
        *(
            OwnedFile(release / "steps" / step, "#!/bin/sh\nset -eu\n" + "\n".join(lines) + "\n", 0o750, group)
            for step, lines in scripts.items()
            if lines
        ),
    ]


def _venv_is_linked(options: dict[str, Any]) -> bool:
    link = Path(options["release"], "venv")
    return link.is_symlink() and os.readlink(link) == os.path.relpath(options["venv"], options["release"])


def _link_venv(options: dict[str, Any]) -> None:
    link = Path(options["release"], "venv")
    link.unlink(missing_ok=True)
    link.symlink_to(os.path.relpath(options["venv"], options["release"]))


if __name__ == "__main__":
    main()
