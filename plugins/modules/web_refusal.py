#!/usr/bin/python3
"""Records on the host why a release was refused, and fails with that; see DOCUMENTATION."""

from __future__ import annotations

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.web_files import exclusive
from ansible.module_utils.web_record import Records, Refused, cause_in, message

DOCUMENTATION = r"""
module: web_refusal
short_description: Refuse a release and keep the cause beside it
description:
  - For the rescue of tasks that prepare a release. Marks the release as bad, keeps the evidence in its failure.log,
    and fails with a message that names the cause. It always fails.
  - Removes the releases that were refused long before, and their virtualenvs.
options:
  app: {description: The app's name., type: str, required: true}
  id: {description: The release's id., type: str, required: true}
  root: {description: The app's directory., type: path, required: true}
  step: {description: What failed., type: str, required: true}
  evidence: {description: What programs said., type: str, required: true}
  by: {description: "Who deploys, for the history.", type: str, default: ""}
  ref: {description: "What the source calls itself, for the history.", type: str, default: ""}
"""

OPTIONS = {
    "app": {"type": "str", "required": True},
    "id": {"type": "str", "required": True},
    "root": {"type": "path", "required": True},
    "step": {"type": "str", "required": True},
    "evidence": {"type": "str", "required": True},
    "by": {"type": "str", "default": ""},
    "ref": {"type": "str", "default": ""},
}


def main() -> None:
    module = AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True)
    given = module.params
    root = Path(given["root"])
    records = Records(root, given["by"])
    evidence = given["evidence"].strip()
    last = evidence.splitlines()[-1] if evidence else "no cause was given"
    refused = Refused(given["step"], cause_in(evidence) or last, evidence)
    live = records.live()
    # A release that serves was good; what failed now is a repair of it.
    if not module.check_mode and live != given["id"]:
        try:
            records.refuse(given["id"], refused, seconds=0, ref=given["ref"])
            with exclusive(root):
                for path in records.prunable(needed=given["id"]):
                    records.remove(path)
        except OSError as error:
            module.warn(f"the cause can't be kept on the host: {error}")
    module.fail_json(msg=message(given["app"], given["id"], refused, live, root))


if __name__ == "__main__":
    main()
