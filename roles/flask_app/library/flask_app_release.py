#!/usr/bin/python3
"""Places one release of an app on the host; see DOCUMENTATION."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.flask_app_tree import Tree, Wanted, environment_file, write_if_different, write_json

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
  files: {description: "The files of the source, each [path, SHA-256, executable].", type: list, elements: list, required: true}
  archive: {description: The packed source on the host; the action plugin sets it., type: path}
  public_folder: {description: Folder in the code that nginx may read., type: str, required: true}
  group: {description: "The app's group, which reads the release.", type: str, required: true}
  venv: {description: Directory of the virtualenv., type: path, required: true}
  callable: {description: "The Flask object, as module:name.", type: str, required: true}
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
    "group": {"type": "str", "required": True},
    "venv": {"type": "path", "required": True},
    "callable": {"type": "str", "required": True},
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
    is_new = not tree.root.is_dir()
    wrong = tree.faults()
    venv_missing = not Path(options["venv"], VENV_MARKER).is_file()
    code = "intact" if not wrong else "placed" if is_new else "repaired"
    result = {
        "code": code,
        "wrong": wrong,
        "venv_missing": venv_missing,
        "diff": _diff(release, code, wrong),
    }
    if module.check_mode:
        module.exit_json(changed=bool(wrong) or _others_differ(options), **result)
    if wrong and not options["archive"]:
        # The action plugin packs, sends and calls again: an unchanged release costs one call and no transfer.
        module.exit_json(changed=True, needs_archive=True, **result)
    try:
        changed = _make_directories(options)
        if wrong:
            tree.place(Path(options["archive"]))
        changed |= _write_others(options)
    except (OSError, ValueError) as error:
        module.fail_json(msg=f"release {options['id']} of {options['name']} can't be placed: {error}", **result)
    module.exit_json(changed=changed or bool(wrong), **result)


def _diff(release: Path, code: str, wrong: list[str]) -> dict[str, str]:
    if code == "intact":
        return {}
    if code == "placed":
        return {"before": "", "after": f"{release}/code: new\n"}
    return {
        "before": "".join(f"{release}/code/{path}: changed by hand\n" for path in wrong),
        "after": "".join(f"{release}/code/{path}: as deployed\n" for path in wrong),
    }


def _make_directories(options: dict[str, Any]) -> bool:
    root, release = Path(options["root"]), Path(options["release"])
    directories = {root: 0o751, release.parent: 0o751, release: 0o751, Path(options["venv"]).parent: 0o750}
    return any([_directory(path, mode, options["group"]) for path, mode in directories.items()])


def _directory(path: Path, mode: int, group: str) -> bool:
    import shutil

    if path.is_dir() and path.stat().st_mode & 0o7777 == mode and (path.owner(), path.group()) == ("root", group):
        return False
    path.mkdir(exist_ok=True, parents=True)
    shutil.chown(path, "root", group)
    path.chmod(mode)
    return True


def _variables(options: dict[str, Any]) -> dict[str, str]:
    given = {name: str(value) for name, value in {**options["environment"], **options["secrets"]}.items()}
    own = {"WEB_APP": options["name"], "WEB_RELEASE": options["id"], "WEB_CALLABLE": options["callable"]}
    return {**given, **own}


def _write_others(options: dict[str, Any]) -> bool:
    release = Path(options["release"])
    # systemd reads it as root for the instance; nobody else has to.
    changed = write_if_different(release / "environment", environment_file(_variables(options)), 0o600, "root")
    changed |= write_json(release / "release.json", _described(options), options["group"])
    link, target = release / "venv", _venv_link(options)
    if not link.is_symlink() or os.readlink(link) != target:
        link.unlink(missing_ok=True)
        link.symlink_to(target)
        changed = True
    return changed


def _others_differ(options: dict[str, Any]) -> bool:
    """What _write_others would change, found without writing."""
    release = Path(options["release"])
    return (
        _content(release / "environment") != environment_file(_variables(options))
        or _content(release / "release.json") == ""
        or not (release / "venv").is_symlink()
        or os.readlink(release / "venv") != _venv_link(options)
    )


def _content(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def _venv_link(options: dict[str, Any]) -> str:
    return os.path.relpath(options["venv"], options["release"])


def _described(options: dict[str, Any]) -> dict[str, Any]:
    """What the release consists of, for whoever looks at the host."""
    return {
        "app": options["name"],
        "id": options["id"],
        "venv": os.path.basename(options["venv"]),
        "variables": sorted(_variables(options)),
        "files": {path: sha256 for path, sha256, _executable in options["files"]},
    }


if __name__ == "__main__":
    main()
