"""The workers of a release: long-running commands beside what serves, which move with the link.

They start when the release is proven, just before visitors get it, and end when it is retired. So those of two releases
run side by side for a moment, and those of a release that was refused never stay.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ansible_collections.uwsgi_flask.web.plugins.module_utils.layout import AppLayout
from ansible_collections.uwsgi_flask.web.plugins.module_utils.release_layout import ReleaseLayout
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases import instance
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.refused import Refused, cause_in
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.system import System

STEP = "workers"
# Seconds that each must stay up: what is wrong with a command line shows at once.
STAYS_UP = 3.0
# Seconds between two looks.
PAUSE = 0.25


def start(system: System, layout: ReleaseLayout) -> None:
    """Start the release's target with all workers, and see that they stay up. Raises Refused."""
    units = layout.worker_units
    if not units:
        return instance.start(system, [layout.target], STEP)
    since = system.now()
    instance.start(system, [layout.target, *units], STEP)
    first = _looks(system, units)
    end = system.clock() + STAYS_UP
    while True:
        now = _looks(system, units)
        for unit in units:
            if now[unit] != first[unit] or now[unit][0] != "active":
                evidence = system.journal(unit, since)
                raise Refused(STEP, cause_in(evidence) or f"{unit} didn't stay up for {STAYS_UP:.0f} s", evidence)
        if system.clock() >= end:
            return None
        system.sleep(PAUSE)


def bring(system: System, layout: ReleaseLayout) -> None:
    """Start all workers, whatever comes of it."""
    if layout.worker_units:
        system.systemctl("start", *layout.worker_units)


def _looks(system: System, units: list[str]) -> dict[str, tuple[str, ...]]:
    """What differs from one look to the next if a worker has ended in between, its state first."""
    states = system.show(units, "ActiveState", "NRestarts", "MainPID")
    return {
        unit: tuple(state.get(name, "") for name in ("ActiveState", "NRestarts", "MainPID"))
        for unit, state in states.items()
    }


def states(system: System, layout: ReleaseLayout) -> dict[str, dict[str, Any]]:
    """By name `state`, as systemd calls it, and `restarts`, how often it has had to be started again."""
    shown = system.show(layout.worker_units, "ActiveState", "NRestarts") if layout.workers else {}
    return {
        name: {"state": state.get("ActiveState") or "unknown", "restarts": int(state.get("NRestarts") or 0)}
        for name, state in zip(layout.workers, shown.values(), strict=True)
    }


def drift(system: System, live: ReleaseLayout) -> Iterator[str]:
    """One line for each worker that should be active, and for each that shouldn't."""
    for name, state in states(system, live).items():
        if state["state"] != "active":
            yield f"the worker {name} isn't active: {state['state']}"
    yield from (f"{unit} runs beside the live release's workers" for unit in of_others(system, live.app, live.id))


def of_others(system: System, app: AppLayout, live: str) -> list[str]:
    """Units of workers of every release but the live one, in any state."""
    return sorted(
        unit
        for unit in system.units(app.unit_pattern())
        if (release := app.release_of(unit)) not in ("", live) and app.release(release).is_worker(unit)
    )


def stop_others(system: System, app: AppLayout, live: str) -> None:
    """End the workers of every release but the live one; whatever else of it runs goes on."""
    units = of_others(system, app, live)
    if units:
        system.systemctl("stop", *units)
        system.systemctl("reset-failed", *units)
