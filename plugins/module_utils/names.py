"""Host names: which of them a certificate is for, and what is called after them."""

from __future__ import annotations

import re
from collections.abc import Collection


def is_covered(name: str, certified: Collection[str]) -> bool:
    """Whether a certificate with these names is for `name`: a star stands for one label, and only for the first.

    `*.example.com` is covered by itself alone.
    """
    return name in certified or f"*.{name.partition('.')[2]}" in certified


def shared_site(name: str) -> str:
    """What is called like an app where several share their host names: this is the first. Apps have no dots."""
    return f"shared.{re.sub(r'[^a-z0-9.-]', '_', name)}"
