"""What the bench might have measured, made up for tests."""

from __future__ import annotations

import dataclasses
from typing import Any

from bench.wrk import Load


def load(requests: int = 1000, seconds: float = 1.0, **other: Any) -> Load:
    """A load in which nothing failed, but for what is said."""
    usual = Load(requests, seconds, requests * 2000, 0, 0, 0, 0, 0, p50=10.0, p90=20.0, p99=30.0, max=40.0)
    return dataclasses.replace(usual, **other)


def scene(**runs: list[Load]) -> dict[str, Any]:
    """A scene with these rounds; `ours_one` stands for `ours one`."""
    named = {name.replace("_", " "): [dataclasses.asdict(one) for one in of_one] for name, of_one in runs.items()}
    return {"date": "2026-01-01T00:00:00+00:00", "connections": 64, "seconds": 3, "runs": named}


MACHINE = {
    "date": "2026-01-02T03:04:05+00:00",
    "cpu": "Example",
    "cores": 2,
    "memory_bytes": 2**33,
    "kernel": "6.1",
    "system": "Debian",
    "versions": {"nginx": "1.26"},
    "ours": {"processes": 2, "threads": 4},
    "busy_before": 0.1,
}
