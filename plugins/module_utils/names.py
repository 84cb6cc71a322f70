"""Host names: which of them a certificate is for."""

from __future__ import annotations

from collections.abc import Collection


def is_covered(name: str, certified: Collection[str]) -> bool:
    """Whether a certificate with these names is for `name`: a star stands for one label, and only for the first.

    `*.example.com` is covered by itself alone.
    """
    return name in certified or f"*.{name.partition('.')[2]}" in certified
