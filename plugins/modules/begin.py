"""Documentation of the action plugin of the same name; nothing runs on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: begin
short_description: Check how a run was started
description:
  - Fails where a run would end elsewhere than was meant, with a line for each reason. Without a host in the group
    C(web); with a configuration of Ansible's that doesn't fit; with a misspelt C(-e).
  - Runs on the controller.
  - Meanwhile a process of its own packs the code of modules, so that the first call to a host need not.
options:
  packs: {description: Modules that the run calls on a host., type: list, elements: str, default: []}
author: ["The authors of uwsgi-flask"]
"""

EXAMPLES = r"""
- name: Check how the run was started
  uwsgi_flask.web.begin:
"""
