#!/usr/bin/python3
"""Makes a release the live one; see DOCUMENTATION. The procedure itself is in module_utils/uwsgi_golive.py."""

from __future__ import annotations

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.uwsgi_golive import GoLive, Instance, Refused

DOCUMENTATION = r"""
module: uwsgi_release
short_description: Make a release of an app the live one
description:
  - Checks that the release can be imported, starts its instance beside the live one, probes it over its own HTTP socket,
    moves the link C(current) to it, probes again through the front, enables it for boot, drains and stops the old one,
    records the result and removes releases that nobody needs.
  - A release that fails on the way is stopped and recorded as bad; the old one serves as before.
  - Decides by what is on the host, so a run that was cut off is finished by the next.
options:
  app: {description: The app's name., type: str, required: true}
  id: {description: The release's id., type: str, required: true}
  root: {description: The app's directory., type: path, required: true}
  run: {description: The directory of the app's sockets., type: path, required: true}
  health_path: {description: What is asked for., type: str, required: true}
  successes: {description: Good answers in a row that prove the release., type: int, required: true}
  deadline: {description: Seconds in which they must come., type: int, required: true}
  drain: {description: Seconds for which waiting connections of the old release are waited for., type: int, required: true}
  keep: {description: Good releases to keep., type: int, required: true}
  front_address: {description: "host:port that the front listens on; empty for no front.", type: str, default: ""}
  front_host: {description: Host name that the front knows the app by., type: str, default: localhost}
  by: {description: "Who deploys, for the history.", type: str, default: ""}
"""

RETURN = r"""
steps: {description: What was done and how many seconds each took., type: list, elements: dict, returned: always}
release: {description: The id of the live release., type: str, returned: always}
previous: {description: The id of the release that was live before., type: str, returned: always}
"""

OPTIONS = {
    "app": {"type": "str", "required": True},
    "id": {"type": "str", "required": True},
    "root": {"type": "path", "required": True},
    "run": {"type": "path", "required": True},
    "health_path": {"type": "str", "required": True},
    "successes": {"type": "int", "required": True},
    "deadline": {"type": "int", "required": True},
    "drain": {"type": "int", "required": True},
    "keep": {"type": "int", "required": True},
    "front_address": {"type": "str", "default": ""},
    "front_host": {"type": "str", "default": "localhost"},
    "by": {"type": "str", "default": ""},
}


def main() -> None:
    module = AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True)
    given = module.params
    golive = GoLive(Instance(**{**given, "root": Path(given["root"]), "run": Path(given["run"])}))
    previous = golive.live()
    facts = {"previous": previous or ""}
    if module.check_mode:
        changed = not golive.is_serving()
        module.exit_json(changed=changed, steps=[], release=given["id"], diff=_diff(given, previous), **facts)
    try:
        changed = golive.run()
    except Refused as refused:
        serving = golive.live()
        outcome = f"Release {serving} serves as before." if serving else "No release was live before, so none is now."
        module.fail_json(
            msg=(
                f"{given['app']}: release {given['id']} was refused at the step '{refused.step}': {refused.cause}\n"
                f"{outcome} What follows is kept on the host in {given['root']}/releases/{given['id']}/failure.log\n\n"
                f"{refused.evidence}"
            ),
            release=serving or "",
            steps=golive.steps,
            **facts,
        )
    module.exit_json(changed=changed, steps=golive.steps, release=given["id"], diff=_diff(given, previous), **facts)


def _diff(given: dict[str, str], previous: str | None) -> dict[str, str]:
    if previous == given["id"]:
        return {}
    return {
        "before_header": f"{given['root']}/current",
        "after_header": f"{given['root']}/current",
        "before": f"releases/{previous}\n" if previous else "",
        "after": f"releases/{given['id']}\n",
    }


if __name__ == "__main__":
    main()
