"""Documentation of the action plugin of the same name; nothing runs on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: refuse
short_description: Refuse a run, with everything that is wrong
description:
  - Fails if there is a problem, with a line for each, once. A line begins with the hosts it is about where it isn't
    about all.
options:
  by_host:
    description: Lists of problems, by host.
    type: dict
    required: true
  problems:
    description: Problems of the run itself.
    type: list
    elements: str
    default: []
  otherwise:
    description: What to say if there is none.
    type: str
    default: ""
author: ["The authors of uwsgi-flask"]
"""

EXAMPLES = r"""
- name: Check the settings of every app, for every host
  uwsgi_flask.web.refuse:
    by_host:
      one: []
      two: ["web_htp_port: nothing reads this variable; did you mean 'web_http_port'?"]
    otherwise: The settings can be used
"""

RETURN = r"""
msg:
  description: The problems, or what was to be said otherwise.
  returned: always
  type: str
"""
