#!/usr/bin/python3
"""The action plugin of this name does all; this file is where its documentation lives."""

from __future__ import annotations

DOCUMENTATION = r"""
module: print
short_description: Print a text as it is
description:
  - Prints on the controller, without the indentation and quoting of a task's result.
options:
  text: {description: What is printed., type: str, required: true}
  file: {description: "Where it is written instead, on the controller.", type: path}
"""
