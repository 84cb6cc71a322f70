"""Documentation of the action plugin of the same name; nothing runs on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: settings
short_description: Check the settings of a host's apps, without a connection
description:
  - Reads the variables C(web_apps), C(web_app_defaults), C(web_app_secrets), C(web_app_secrets_<word>) and those that
    the roles agree on (C(web_app_root), …) as they are for the host, and looks into the sources of the apps.
  - Sources from elsewhere are fetched into a cache on the controller. What a person may want to know of a source, such
    as secrets that aren't deployed, is a warning.
  - It never fails. Let the playbook fail once, with the problems of all hosts.
options:
  each_alone:
    description: Only check each setting by itself, look into no source, and return C(problems) alone.
    type: bool
    default: false
  app:
    description:
      - Name of the only app whose source is looked into, or several as a list or with commas between them; empty for
        all. The variable of this name if not given.
    type: raw
  restart:
    description: Names, in the same forms, of apps that get a new instance. The variable of this name if not given.
    type: raw
  refresh:
    description:
      - Names, in the same forms, of apps whose locked requirements are made anew. The variable of this name if not
        given.
    type: raw
author: ["The authors of uwsgi-flask"]
"""

EXAMPLES = r"""
- name: Check the settings
  uwsgi_flask.web.settings:
  register: checked
"""

RETURN = r"""
proven_here:
  description: Names for which a CA asks this host, so that no other host may have them.
  returned: always
  type: list
  elements: str
notices:
  description: What a person should know though nothing is wrong, such as a new lock that wants to be committed.
  returned: always
  type: list
  elements: str
preview:
  description:
    - Of each app that the host would serve C(app), C(source), C(files), C(bytes), C(version), C(names) and how many
      C(secrets) it gets; empty where something is wrong.
  returned: always
  type: list
  elements: dict
problems:
  description: A line for each problem, with the key, what is wrong and the remedy. No value of a secret is in it.
  returned: always
  type: list
  elements: str
"""
