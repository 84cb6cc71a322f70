#!/usr/bin/python3
"""The action plugin of this name does all; this file is where its documentation lives."""

from __future__ import annotations

DOCUMENTATION = r"""
module: logs_follow
short_description: Show what comes into the logs of a host
description:
  - Asks the module logs each second for what has come since, and prints it, until the run is ended. Nothing runs on
    the host in between.
options:
  app: {description: The app; all if empty., type: str, default: ""}
  grep: {description: A regular expression that is found in each line., type: str, default: ""}
  cursor: {description: What the module logs returned., type: str, required: true}
"""
