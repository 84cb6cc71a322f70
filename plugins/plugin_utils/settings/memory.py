"""What a run has settled, so that each of its phases and hosts gets the same, and nothing is asked for twice.

Ansible's tasks run in processes of their own, one for each host, so this is kept in files.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible_collections.uwsgi_flask.web.plugins.module_utils.flock import flock
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.run import this_run

# Seconds. Resolving takes moments where packages say what they need, and minutes where they must be built for that.
LONGEST = 900
KEPT = 24 * 3600

Answer = dict[str, Any]


def memory_of_this_run() -> Path:
    """The folder in which this run remembers."""
    run = {name: value for name, value in this_run().items() if name != "since"}
    digest = hashlib.sha256(json.dumps(run, sort_keys=True).encode()).hexdigest()[:16]
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(cache, "uwsgi-flask", "runs", digest)


def once(memory: Path, key: str, make: Callable[[], Answer]) -> Answer:
    """What `make` returns, plain values only; made by the first that asks in this run. Raises OSError and Busy."""
    made = memory / f"{key}.json"
    if not made.is_file():
        memory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with flock(memory / f"{key}.flock", LONGEST):
            if not made.is_file():
                _forget_old(memory)
                unfinished = memory / f"{key}.unfinished"
                unfinished.write_text(json.dumps(make()), encoding="utf-8")
                unfinished.rename(made)
    answer: Answer = json.loads(made.read_text(encoding="utf-8"))
    return answer


def _forget_old(memory: Path) -> None:
    """Remove what runs of other days have left."""
    for other in memory.parent.iterdir():
        if other != memory and other.is_dir() and other.stat().st_mtime < time.time() - KEPT:
            shutil.rmtree(other, ignore_errors=True)
