#!/usr/bin/python3
"""Makes a release the live one; see DOCUMENTATION. The procedure itself is in module_utils/uwsgi_golive.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.uwsgi_golive import GoLive, Instance, Rollback
from ansible.module_utils.web_files import OwnedFile, diff_of, exclusive
from ansible.module_utils.web_record import Records, Refused, message

DOCUMENTATION = r"""
module: uwsgi_release
short_description: Make a release of an app the live one
description:
  - Writes the ini, the units and what tmpfiles.d needs; checks that the release can be imported, starts its instance
    beside the live one, probes it over its own HTTP socket, moves the link C(current) to it, probes again through the
    front, enables it for boot, drains and stops the old one, records the result and removes releases nobody needs.
  - A release that fails on the way is stopped and recorded as bad; the old one serves as before.
  - Decides by what is on the host, so a run that was cut off is finished by the next.
options:
  state:
    description:
      - C(live) makes the release live. C(prepared) only runs what must be run once before that.
      - C(rolled_back) makes an older release live, through the same gate, and marks the one that it leaves as bad.
    type: str
    choices: [live, prepared, rolled_back]
    default: live
  instance:
    description: The release, as the role's argument_specs describe an item of C(uwsgi_instances).
    type: dict
    required: true
  release:
    description: With C(rolled_back), the id to return to; empty stands for the last good one before the live.
    type: str
    default: ""
  ini: {description: Text of the instance's ini., type: str, default: ""}
  units: {description: Text of each unit of the app by its file name., type: dict, default: {}}
  tmpfiles: {description: Text of the app's tmpfiles.d file., type: str, default: ""}
  group: {description: "The app's group, which reads the ini.", type: str, default: root}
  by: {description: "Who deploys, for the history.", type: str, default: ""}
  leads: {description: Whether this host runs what is to be run once for all hosts., type: bool, default: false}
  keep_environment:
    description: With C(rolled_back), today's environment with the old code.
    type: bool
    default: false
"""

RETURN = r"""
summary: {description: What happened in one line., type: str, returned: success}
steps: {description: What was done and how many seconds each took., type: list, elements: dict, returned: success}
release: {description: The id of the live release., type: str, returned: success}
previous: {description: The id of the release that was live before., type: str, returned: success}
"""

OPTIONS: dict[str, dict[str, Any]] = {
    "state": {"type": "str", "choices": ["live", "prepared", "rolled_back"], "default": "live"},
    "instance": {"type": "dict", "required": True},
    "release": {"type": "str", "default": ""},
    "ini": {"type": "str", "default": ""},
    "units": {"type": "dict", "default": {}},
    "tmpfiles": {"type": "str", "default": ""},
    "group": {"type": "str", "default": "root"},
    "by": {"type": "str", "default": ""},
    "leads": {"type": "bool", "default": False},
    "keep_environment": {"type": "bool", "default": False},
}


def main() -> None:
    module = AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True)
    given = module.params
    instance = _instance(given)
    records = Records(instance.root)
    if not instance.root.is_dir() and given["state"] == "rolled_back":
        module.fail_json(msg=f"{instance.app}: nothing of this app is on this host. Nothing was changed.")
    if module.check_mode:
        _change(module, instance, records)
    with exclusive(instance.root):
        _change(module, instance, records)


def _change(module: AnsibleModule, instance: Instance, records: Records) -> None:
    given = module.params
    before = records.live()
    try:
        if given["state"] == "rolled_back":
            _roll_back(module, instance, before)
        files = _files(given, instance)
        golive = GoLive(instance, files)
        if given["state"] == "prepared":
            changed = False if module.check_mode else golive.prepare()
            module.exit_json(changed=changed, steps=golive.steps)
        diff = [*_diff_of_files(files, instance, before), *_diff(instance, before, instance.id)]
        changed = not golive.is_serving() if module.check_mode else golive.run()
        module.exit_json(changed=changed, diff=diff, **_outcome(instance, before, golive, module.check_mode))
    except Refused as refused:
        if refused.step == "choose":
            module.fail_json(msg=f"{instance.app}: {refused.cause}. Nothing was changed.")
        module.fail_json(
            msg=message(instance.app, refused.release or instance.id, refused, records.live(), instance.root)
        )


def _instance(given: dict[str, Any]) -> Instance:
    described = given["instance"]
    return Instance(
        app=described["name"],
        id=given["release"] if given["state"] == "rolled_back" else described["id"],
        root=Path(described["root"]),
        run=Path(described["run"]),
        health_path=described["health"]["path"],
        successes=int(described["health"]["successes"]),
        deadline=float(described["health"]["deadline"]),
        drain=float(described["request_timeout"]),
        keep=int(described["keep_releases"]),
        front_address=described["front"]["address"],
        front_host=described["front"]["host"],
        ref=described["ref"],
        by=given["by"],
        leads=given["leads"],
    )


def _roll_back(module: AnsibleModule, instance: Instance, before: str) -> None:
    rollback = Rollback(instance)
    if module.check_mode:
        target = rollback.target()
        module.exit_json(
            changed=True, diff=_diff(instance, before, target), summary=f"{instance.app}: would return to {target}"
        )
    golive = rollback.run(module.params["keep_environment"])
    made = golive.instance
    module.exit_json(changed=True, diff=_diff(made, before, made.id), **_outcome(made, before, golive, False))


def _files(given: dict[str, Any], instance: Instance) -> list[OwnedFile]:
    app = instance.app
    return [
        OwnedFile(instance.ini(), given["ini"], mode=0o640, group=given["group"]),
        OwnedFile(Path("/etc/tmpfiles.d", f"{app}.conf"), given["tmpfiles"]),
        *(OwnedFile(Path("/etc/systemd/system", name), text) for name, text in given["units"].items()),
    ]


def _outcome(instance: Instance, before: str, golive: GoLive, would: bool) -> dict[str, Any]:
    was = f"; before: {before or 'none'}" if before != instance.id else ""
    took = f"; {golive.seconds():.1f} s" if was and not would else ""
    return {
        "summary": f"{instance.app}: release {instance.id} {'would be' if would and was else 'is'} live{was}{took}",
        "steps": golive.steps,
        "release": instance.id,
        "previous": before,
    }


def _diff_of_files(files: list[OwnedFile], instance: Instance, before: str) -> list[dict[str, str]]:
    """What `--diff` shows. A new release's ini is compared with the live one's, but for the id in a dozen lines."""
    diff: list[dict[str, str]] = diff_of(files)
    live = OwnedFile(instance.ini(before), "")
    for one in diff:
        if before and one["after_header"] == str(instance.ini()) and not one["before"]:
            one.update(before_header=str(live.path), before=live.current().replace(before, instance.id))
    return diff


def _diff(instance: Instance, before: str, after: str) -> list[dict[str, str]]:
    if before == after:
        return []
    link = f"{instance.root}/current"
    shown = f"releases/{before}\n" if before else ""
    return [{"before_header": link, "after_header": link, "before": shown, "after": f"releases/{after}\n"}]


if __name__ == "__main__":
    main()
