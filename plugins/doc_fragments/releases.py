"""What the modules that make releases live have in common in their documentation."""

from __future__ import annotations


class ModuleDocFragment:
    """The options of RELEASE_OPTIONS, except for `apps`, and of LEASE_OPTION. Ansible reads it by this name."""

    DOCUMENTATION = r"""
options:
  archives: {description: Packed sources on the host by app; the action plugin sets it., type: dict, default: {}}
  packed: {description: "Small packed sources by app, in Base64; set by the action.", type: str, default: "{}"}
  wheels: {description: Packed wheels on the host by app; the action plugin sets it., type: dict, default: {}}
  all_is_sent: {description: Whether no more can be sent; set by the action., type: bool, default: false}
  environments: {description: Environment variables by app., type: dict, default: {}}
  secrets: {description: More of them that must not be shown., type: dict, default: {}}
  build_environment: {description: Environment variables of pip., type: dict, default: {}}
  first_hosts: {description: "By app, the host that runs what runs on one alone.", type: dict, default: {}}
  host: {description: "This host's name in the inventory.", type: str, default: ""}
  by: {description: "Who deploys, as the history will say.", type: str, default: ""}
  lease: {description: The token of this run's lease on the host., type: str, default: ""}
"""
