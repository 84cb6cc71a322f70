#!/usr/bin/python3
"""The action plugin of this name does all; this file is where its documentation lives."""

from __future__ import annotations

DOCUMENTATION = r"""
module: host_key
short_description: Make a server's key known on the controller
description:
  - Asks a person, or compares the key with the fingerprints that are given. A key that isn't the known one is refused.
    Where ssh is told to check none, nothing is done.
options:
  fingerprint: {description: "Fingerprints, with commas, one of which is the key's.", type: str, default: ""}
"""

RETURN = r"""
ssh_arguments:
  description: With them ssh knows the key in a rehearsal, in which nothing is noted.
  type: str
  returned: always
"""
