"""What an app installs can't be settled."""

from __future__ import annotations


class Unsettled(Exception):
    """The setting that leads to the fault, and the fault with its remedy in one line."""

    def __init__(self, key: str, fault: str) -> None:
        super().__init__(fault)
        self.key = key
        self.fault = fault
