"""The refusal of a configuration."""

from __future__ import annotations


class Rejected(Exception):
    """The new configuration can't be used; the old one is on disk and runs."""
