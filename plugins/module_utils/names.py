"""Host names: which of them a certificate is for, and what several apps share."""

from __future__ import annotations

import re
from collections.abc import Collection

# What begins so is called like an app and is none, as apps have no dots: host names that several share.
SHARED = "shared."


def is_covered(name: str, certified: Collection[str]) -> bool:
    """Whether a certificate with these names is for `name`: a star stands for one label, and only for the first.

    `*.example.com` is covered by itself alone.
    """
    return name in certified or f"*.{name.partition('.')[2]}" in certified


def shared_site(name: str) -> str:
    """What is called like an app where several share their host names; `name` is the first of these by the alphabet."""
    return f"{SHARED}{re.sub(r'[^a-z0-9.-]', '_', name)}"


def is_shared(site: str) -> bool:
    """Whether this is what several apps share, and no app."""
    return site.startswith(SHARED)


def called(site: str) -> str:
    """As a person knows it: an app by its name, what several share by the first host name."""
    return site.removeprefix(SHARED)
