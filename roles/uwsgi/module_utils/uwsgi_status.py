"""What an app on a host is and does: its live release, its instances, its load, its history, and what differs from
what was deployed. Reads only. No Ansible in here.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import socket
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ansible.module_utils.uwsgi_golive import System
from ansible.module_utils.web_record import GOOD, Records

LAST_RESULTS = 5


def status_of(app: str, root: Path, run: Path, wanted: str, system: System) -> dict[str, Any]:
    """The state of one app. Sizes are in bytes; `wanted` is the id that the settings make now, "" if not known."""
    records = Records(root)
    live = records.live()
    record = records.of(live) if live else {}
    units = system.releases_with_units(app)
    running = [it for it in sorted(units) if _active(system, f"{app}@{it}.service") == "active"]
    return {
        "app": app,
        "live": live,
        "wanted": wanted,
        "ref": record.get("ref", ""),
        "since": record.get("at", ""),
        "by": record.get("by", ""),
        "running": running,
        **_load(run / live / "stats.sock"),
        "memory": _memory(system, f"{app}@{live}.service"),
        "queue": system.waiting(run / f"{live}.sock") if live else 0,
        "restarts": int(system.show(f"{app}@{live}.service", "NRestarts").get("NRestarts") or 0),
        "good": [release for release in records.releases() if records.result(release) == GOOD],
        "last": [{**entry, "cause": entry.get("cause", "")} for entry in records.history()[-LAST_RESULTS:]],
        "disk": sum(_sizes(root)),
        "drift": sorted(_drift(app, root, live, record, running, system)) if live else [],
    }


def unmanaged(root: Path, known: Iterable[str]) -> list[str]:
    """Apps that were deployed below `root` and that nobody's settings name any more."""
    return sorted(path.parent.name for path in root.glob("*/history.jsonl") if path.parent.name not in set(known))


def _active(system: System, unit: str) -> str:
    return str(system.show(unit, "ActiveState").get("ActiveState", ""))


def _load(path: Path) -> dict[str, Any]:
    """Workers and requests, as uWSGI's stats socket tells them; zeros if it doesn't answer."""
    workers: list[dict[str, Any]] = []
    with contextlib.suppress(OSError, ValueError), socket.socket(socket.AF_UNIX) as stats:
        stats.settimeout(2)
        stats.connect(os.fspath(path))
        blocks = iter(lambda: stats.recv(65536), b"")
        workers = json.loads(b"".join(blocks))["workers"]
    busy = sum(worker["status"].startswith("busy") for worker in workers)
    return {"busy": busy, "idle": len(workers) - busy, "requests": sum(worker["requests"] for worker in workers)}


def _memory(system: System, unit: str) -> int:
    """Proportional share (PSS) of all processes of a unit, in bytes: what ending it would free."""
    main = system.show(unit, "MainPID").get("MainPID", "0")
    total = 0
    for process in [main, *_children(main)]:
        with contextlib.suppress(OSError):
            found = re.search(r"^Pss:\s+(\d+) kB", Path(f"/proc/{process}/smaps_rollup").read_text(), re.MULTILINE)
            total += int(found.group(1)) * 1024 if found else 0
    return total


def _children(process: str) -> list[str]:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return []


def _sizes(root: Path) -> Iterator[int]:
    """Bytes on disk of every file below `root`."""
    for where, _folders, names in os.walk(root):
        for name in names:
            with contextlib.suppress(OSError):
                yield os.lstat(os.path.join(where, name)).st_blocks * 512


def _drift(
    app: str, root: Path, live: str, record: dict[str, Any], running: list[str], system: System
) -> Iterator[str]:
    """One line for each thing that isn't as it was deployed."""
    if record.get("result") != GOOD:
        yield f"release {live} is live but is recorded as {record.get('result') or 'unproven'}"
    if live not in running:
        yield f"the instance of {live} doesn't run"
    yield from (f"an instance of {release} runs beside the live one" for release in running if release != live)
    for path, digest in record.get("files", {}).items():
        yield from _differs(Path(path), digest)
    yield from _code_drift(root / "releases" / live)
    for unit in (f"{app}@{live}.service", f"{app}@{live}.socket"):
        if system.show(unit, "NeedDaemonReload").get("NeedDaemonReload") == "yes":
            yield f"{unit} runs an older unit file than the one on disk"


def _code_drift(directory: Path) -> Iterator[str]:
    try:
        files = json.loads((directory / "release.json").read_text())["code"]
    except (OSError, ValueError, KeyError):
        yield f"{directory}/release.json is missing or broken"
        return
    for path, (digest, _executable) in files.items():
        yield from _differs(directory / "code" / path, digest)
    for where, folders, names in os.walk(directory / "code"):
        folders[:] = [name for name in folders if name != "__pycache__"]
        for path in (Path(where, name) for name in names):
            if path.relative_to(directory / "code").as_posix() not in files:
                yield f"{path} wasn't deployed"


def _differs(path: Path, digest: str) -> Iterator[str]:
    if not path.is_file():
        yield f"{path} is missing"
    elif hashlib.sha256(path.read_bytes()).hexdigest() != digest:
        yield f"{path} was changed"
