"""The workers and timers of a release: what it does beside serving, which moves with the link.

Workers start when the release is proven, just before visitors get it, and end when it is retired: those of two
releases run side by side for a moment. So do timers, but of their jobs only those of the live release run, as the link
has it. Of a refused one, none stays.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ansible_collections.uwsgi_flask.web.plugins.module_utils.layout import AppLayout
from ansible_collections.uwsgi_flask.web.plugins.module_utils.release_layout import JOB, ReleaseLayout
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases import instance
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.refused import Refused, cause_in
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.system import System

STEP, TIMERS = "workers", "timers"
# Seconds that each must stay up beyond the time that the app took to start: most import it before they can fail.
STAYS_UP = 3.0
# Seconds between two looks.
PAUSE = 0.25


def start(system: System, layout: ReleaseLayout, proving: float) -> None:
    """Start all workers, and see that they stay up. `proving`: seconds that the app took to start. Raises Refused."""
    units = layout.worker_units
    if not units:
        return
    since = system.now()
    instance.start(system, units, STEP)
    first = _looks(system, units)
    stays_up = STAYS_UP + proving
    end = system.clock() + stays_up
    while True:
        now = _looks(system, units)
        for unit in units:
            if now[unit] != first[unit] or now[unit][0] != "active":
                evidence = system.journal(unit, since)
                raise Refused(STEP, cause_in(evidence) or f"{unit} didn't stay up for {stays_up:.0f} s", evidence)
        if system.clock() >= end:
            return
        system.sleep(PAUSE)


def complete(system: System, layout: ReleaseLayout) -> None:
    """Let a live release alone have timers, with its target, which brings all at boot.

    Raises Refused.
    """
    _stop(system, [unit for unit in of_others(system, layout.app, layout.id) if unit.endswith(".timer")])
    instance.start(system, [layout.target, *layout.timer_units], TIMERS)


def bring(system: System, layout: ReleaseLayout) -> None:
    """Start all workers and timers, whatever comes of it."""
    units = [*layout.worker_units, *layout.timer_units]
    if units:
        system.systemctl("start", *units)


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


def timers(system: System, layout: ReleaseLayout) -> dict[str, dict[str, Any]]:
    """By name `state`, as systemd calls it, and `result`, how its job ended when it last ran ("success")."""
    if not layout.timers:
        return {}
    jobs = [layout.unit(f"{JOB}{name}") for name in layout.timers]
    shown = system.show([*layout.timer_units, *jobs], "ActiveState", "Result")
    return {
        name: {
            "state": shown[timer].get("ActiveState") or "unknown",
            "result": shown[job].get("Result") or "unknown",
        }
        for name, timer, job in zip(layout.timers, layout.timer_units, jobs, strict=True)
    }


def drift(system: System, live: ReleaseLayout) -> Iterator[str]:
    """One line for each worker or timer that should be active, and for each that shouldn't."""
    for kind, every in (("worker", states(system, live)), ("timer", timers(system, live))):
        for name, state in every.items():
            if state["state"] != "active":
                yield f"the {kind} {name} isn't active: {state['state']}"
    yield from (f"{unit} runs beside those of the live release" for unit in of_others(system, live.app, live.id))


def of_others(system: System, app: AppLayout, live: str) -> list[str]:
    """Units of workers and timers of every release but the live one, in any state."""
    return sorted(
        unit
        for unit in system.units(app.unit_pattern())
        if (release := app.release_of(unit)) not in ("", live) and app.release(release).is_extra(unit)
    )


def stop_others(system: System, app: AppLayout, live: str) -> None:
    """End the workers and timers of every release but the live one; whatever else of it runs goes on."""
    _stop(system, of_others(system, app, live))


def _stop(system: System, units: list[str]) -> None:
    if units:
        system.systemctl("stop", *units)
        system.systemctl("reset-failed", *units)
