"""Documentation of the action plugin of the same name; nothing runs on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: plan
short_description: Settle what is deployed on a host
description:
  - Derives everything that a run does on a host from the settings, from the sources of the apps and from what the host
    told. Runs on the controller. Fails with all problems of the settings.
  - The plan holds secrets, so the task needs C(no_log).
options:
  host:
    description: What the host told, as the module M(uwsgi_flask.web.look) returns it; empty if it isn't known yet.
    type: dict
    default: {}
  fleet:
    description:
      - What the hosts of this run told of their apps, by host. An app that left the host is removed only when it is
        served by one that its key C(hosts) names.
    type: dict
    default: {}
  app:
    description: Name of the only app to deploy, or several as a list or with commas between them; empty for all.
    type: raw
    default: ""
  restart:
    description: Names, in the same forms, of apps that get a new instance though nothing of them has changed.
    type: raw
    default: ""
  refresh:
    description: Names, in the same forms, of apps whose locked requirements are made anew.
    type: raw
    default: ""
author: ["The authors of uwsgi-flask"]
"""

EXAMPLES = r"""
- name: Settle what is deployed
  uwsgi_flask.web.plan:
    host: "{{ host.look }}"
    app: shop,wiki
  register: settled
  no_log: true
"""

RETURN = r"""
plan:
  description: What the roles take, in plain values. C(apps) has an item for each app to be deployed.
  returned: success
  type: dict
  contains:
    web:
      description: What the roles agree on, such as user, group and port.
      type: dict
      returned: success
    apps:
      description:
        - Of each app to be deployed C(app) (its settings and places), C(release), C(site) and C(hosts), all those that
          serve it.
      type: list
      elements: dict
      returned: success
    hooked:
      description: Of each of them with hooks, what is needed to decide who runs these.
      type: list
      elements: dict
      returned: success
    elsewhere:
      description:
        - Of each app that stays on the host, though its key C(hosts) doesn't place it there, C(name), its key
          C(elsewhere), C(hosts), those that shall serve it, and C(first_host), the mark of the host that runs what runs
          on one alone.
      type: list
      elements: dict
      returned: success
    absent:
      description: C(name) of each app that must not be there, and whether to C(purge) its data.
      type: list
      elements: dict
      returned: success
    packages:
      description: Debian's packages that the host lacks, C(app), C(key) and C(package) of each.
      type: list
      elements: dict
      returned: success
    environments:
      description: Environment variables by app.
      type: dict
      returned: success
    secrets:
      description: Environment variables that must not be shown, by app.
      type: dict
      returned: success
    build_environment:
      description: Environment variables for pip on the host.
      type: dict
      returned: success
    by:
      description: Who deploys, from which machine.
      type: str
      returned: success
"""
