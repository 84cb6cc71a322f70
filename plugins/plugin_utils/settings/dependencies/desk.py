"""Where and under what circumstances a run settles what its apps install."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path


@dataclasses.dataclass(frozen=True, kw_only=True)
class Desk:
    """`locks` is the folder that keeps what was resolved, `called` so by a person; `memory` what this run has settled.

    `python` is the oldest version that is locked for ("3.11"), `refreshed` are apps whose lock is made anew, and
    `variables` those of web_build_environment. With `is_check` nothing is written to `locks`.
    """

    locks: Path
    called: str
    memory: Path
    python: str
    refreshed: Sequence[str]
    variables: Mapping[str, str]
    is_check: bool
