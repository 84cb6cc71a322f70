"""What an app on a host is and does: its live release, what a visitor gets, its history, and what differs from what was
deployed. Reads only.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ansible_collections.uwsgi_flask.web.plugins.module_utils.files import leads_to
from ansible_collections.uwsgi_flask.web.plugins.module_utils.layout import AppLayout
from ansible_collections.uwsgi_flask.web.plugins.module_utils.release_layout import WATCH, ReleaseLayout
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases import instance, workers
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.maintenance import Maintenance
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.place import damage, unguarded
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.probe import Prober
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.records import GOOD, Records
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.system import System
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.wanted import wanted_of

LAST_RESULTS = 5


def status_of(layout: AppLayout, registration: dict[str, Any], system: System) -> dict[str, Any]:
    """The state of one app. Sizes are in bytes; `let_pass` is None unless the app is closed to visitors."""
    records = Records(layout, system)
    live = records.live()
    record = records.of(live) if live else {}
    # The same bytes may have been deployed again under another name, for which nothing was started.
    called = {**record, **records.described(live)} if live else {}
    running = _running(records, system)
    drift = sorted(_drift(records, live, running, system)) if live else []
    return {
        "app": layout.name,
        "live": live,
        "previous": records.previous(),
        "version": record.get("version", ""),
        "ref": called.get("ref", ""),
        "commit": called.get("commit", ""),
        "since": record.get("at", ""),
        "by": record.get("by", ""),
        "running": running,
        **_visit(layout, registration, live, records, system),
        "workers": workers.states(system, records.layout_of(live)) if live else {},
        "timers": workers.timers(system, records.layout_of(live)) if live else {},
        "let_pass": Maintenance(layout, system).let_pass(),
        "per_core": bool(called.get("per_core")),
        "stats_socket": os.fspath(layout.release(live).stats_socket) if live else "",
        **_load(layout, live, system),
        "good": [release for release in records.good() if release == live or not damage(layout, release)],
        "last": [{**entry, "cause": entry.get("cause", "")} for entry in records.history()[-LAST_RESULTS:]],
        "disk": sum(_sizes(layout.root)),
        "drift": drift,
    }


def _running(records: Records, system: System) -> list[str]:
    """Ids of the releases whose service runs."""
    services = {records.layout.release(release).service: release for release in sorted(records.with_units())}
    if not services:
        return []
    states = system.show(list(services), "ActiveState")
    return [services[unit] for unit, state in states.items() if state.get("ActiveState") == "active"]


def _visit(
    layout: AppLayout, registration: dict[str, Any], live: str, records: Records, system: System
) -> dict[str, Any]:
    """What a visitor gets at the health path, through nginx, and after how many milliseconds."""
    described = records.described(live) if live else {}
    if not described:
        return {"answer": "", "answer_ms": 0}
    prober = Prober(wanted_of(layout.release(live), described, registration["front"]), system)
    began = system.clock()
    answer = prober.ask(prober.wanted.front.address)
    told = str(answer.status or answer.error)
    if answer.status == 200 and answer.release != live:
        told = f"200 from {answer.release or 'another'}"
    return {"answer": told, "answer_ms": round((system.clock() - began) * 1000)}


def _load(layout: AppLayout, live: str, system: System) -> dict[str, Any]:
    if not live:
        return {"memory": 0, "queue": 0, "restarts": 0}
    release = layout.release(live)
    state = system.show([release.service], "NRestarts", "MainPID")[release.service]
    main = int(state.get("MainPID") or 0)
    return {
        "memory": system.memory_of(main) if main else 0,
        "queue": system.waiting(release.socket),
        "restarts": int(state.get("NRestarts") or 0),
    }


def _sizes(root: Path) -> Iterator[int]:
    """Bytes on disk of every file below `root`."""
    for where, _folders, names in os.walk(root):
        for name in names:
            with contextlib.suppress(OSError):
                yield os.lstat(os.path.join(where, name)).st_blocks * 512


def _drift(records: Records, live: str, running: list[str], system: System) -> Iterator[str]:
    """One line for each thing that isn't as it was deployed."""
    layout, release = records.layout, records.layout_of(live)
    if records.result(live) != GOOD:
        yield f"release {live} is live but is recorded as {records.result(live) or 'unproven'}"
    if live not in running:
        yield f"the instance of {live} doesn't run"
    yield from (f"an instance of {other} runs beside the live one" for other in running if other != live)
    yield from workers.drift(system, release)
    if live not in records.enabled():
        yield f"{release.target} doesn't start at boot"
    if not instance.sockets_directory_is_right(layout) or not leads_to(release.socket_link, os.fspath(release.socket)):
        yield f"{layout.live_socket} doesn't lead to the live release's socket as it should"
    if not system.listens(release.socket):
        yield f"nobody listens on {release.socket}"
    elif wrong := instance.unguarded_socket(system, release):
        yield f"{release.socket} should have mode {wrong[0]:04o} and group {wrong[1]}"
    yield from damage(layout, live)
    yield from unguarded(layout, live)
    yield from _drift_of_units(release, system)


def _drift_of_units(release: ReleaseLayout, system: System) -> Iterator[str]:
    states = system.show(release.running, "ActiveState", "NeedDaemonReload", "DropInPaths", "LoadState")
    watch = release.unit(WATCH)
    if states[watch].get("ActiveState") != "active":
        yield f"{watch} isn't active, so what leads to the app doesn't come back by itself"
    for unit, state in states.items():
        if state.get("NeedDaemonReload") == "yes":
            yield f"{unit} runs an older unit file than the one on disk"
        yield from (f"{unit} is changed by {path}, which isn't ours" for path in state.get("DropInPaths", "").split())
        if state.get("LoadState") == "masked":
            yield f"{unit} is masked"
