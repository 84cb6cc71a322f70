"""Documentation of the action plugin of the same name; nothing runs on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: wheelhouse
short_description: Fill the folder of wheels that deploys send to hosts without an index
description:
  - Downloads, with pip on the controller, the wheels that the locks of the apps name, for the Python and platform of
    the host. What is there already isn't asked for again.
  - Fails with each app of which no index has a wheel that the host takes.
options:
  host:
    description: What the host told, as the module M(uwsgi_flask.web.look) returns it.
    type: dict
    required: true
  app:
    description: Name of the only app to look at, or several as a list or with commas between them; empty for all.
    type: raw
    default: ""
author: ["The authors of uwsgi-flask"]
"""

EXAMPLES = r"""
- name: Download the wheels that are missing
  uwsgi_flask.web.wheelhouse:
    host: "{{ host.look }}"
  throttle: 1
"""

RETURN = r"""
lines:
  description: A line for each wheel that is new, or would be.
  returned: success
  type: list
  elements: str
"""
