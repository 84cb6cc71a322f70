#!/usr/bin/python3
"""Reports whether nginx runs the configuration that was deployed; see DOCUMENTATION."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.uwsgi_flask.web.plugins.module_utils.acme.health import failures
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.drift import certificates, drift
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.ours import Ours
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.places import ROOT
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.rejected import Rejected
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.system import System

DOCUMENTATION = r"""
module: nginx_status
short_description: Report whether nginx runs the configuration that was deployed
description:
  - Compares the files on disk with the manifest and the digest that were deployed, and asks the running nginx for that
    digest. Reads the certificates. Needs nothing but the host, and changes nothing.
options: {}
"""

RETURN = r"""
certificates:
  description:
    - For each app with a certificate C(app), the C(names) it is for, its C(issuer), when it C(expires) and how many
      C(days_left) it has.
  type: list
  elements: dict
  returned: always
failed_certificates:
  description: "By app, why it has no certificate of a CA as it should be."
  type: dict
  returned: always
failed_renewals:
  description: What else failed in certbot's last run, where apps have certificates of a CA; a line each.
  type: list
  elements: str
  returned: always
drift: {description: One line for each thing that differs., type: list, elements: str, returned: always}
"""


def main() -> None:
    module = AnsibleModule(argument_spec={}, supports_check_mode=True)
    system = System()
    try:
        failed, others = failures(Ours.read(ROOT), system)
    except Rejected:
        # The drift says so.
        failed, others = {}, []
    module.exit_json(
        changed=False,
        drift=drift(ROOT, system),
        certificates=list(certificates(ROOT, system)),
        failed_certificates=failed,
        failed_renewals=others,
    )


if __name__ == "__main__":
    main()
