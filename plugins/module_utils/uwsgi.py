"""What only uWSGI knows of a running release: how busy its workers are. Another app server would bring the like."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from pathlib import Path
from typing import Any

SECONDS = 2.0


def cores() -> int:
    """How many uWSGI finds on this host."""
    return os.sysconf("SC_NPROCESSORS_ONLN")


def workers(stats_socket: Path) -> dict[str, int]:
    """`busy` and `idle` workers, and the `requests` that they have served; zeros if nobody answers."""
    found: list[dict[str, Any]] = []
    with contextlib.suppress(OSError, ValueError, KeyError), socket.socket(socket.AF_UNIX) as stats:
        stats.settimeout(SECONDS)
        stats.connect(os.fspath(stats_socket))
        blocks = iter(lambda: stats.recv(65536), b"")
        found = json.loads(b"".join(blocks))["workers"]
    busy = sum(worker["status"].startswith("busy") for worker in found)
    return {"busy": busy, "idle": len(found) - busy, "requests": sum(worker["requests"] for worker in found)}
