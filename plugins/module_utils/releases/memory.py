"""Whether a new instance fits beside the live one: until visitors have left that, both are there."""

from __future__ import annotations

import threading

from ansible_collections.uwsgi_flask.web.plugins.module_utils.release_layout import ReleaseLayout
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.refused import Refused
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.system import System

STEP = "memory"
# Apps are deployed side by side.
_TURN = threading.Condition()


def taken(system: System, layout: ReleaseLayout) -> int:
    """Bytes that stopping a release would free: what serves, and its workers."""
    shown = system.show([layout.service, *layout.worker_units], "MainPID")
    mains = (int(state.get("MainPID") or 0) for state in shown.values())
    return sum(system.memory_of(main) for main in mains if main)


def make_sure(system: System, live: ReleaseLayout, coming: ReleaseLayout) -> dict[str, int]:
    """What another instance `needs` beside this one and what is `free`, in bytes. Raises Refused if it doesn't fit.

    It is taken to need as much as the live one has by now. What others need that are on their way isn't free any more,
    though they haven't taken it yet. When they are done, what they replace has gone, so it is waited for.
    """
    needs = taken(system, live)
    with _TURN:
        while (free := _free(system)) < needs and system.beside - {coming.id}:
            _TURN.wait()
        found = {"needs": needs, "free": free}
        if needs <= free:
            system.coming[coming.id] = needs
            system.beside.add(coming.id)
    if needs > free:
        raise Refused(
            STEP,
            f"beside the live release, which takes {_mib(found['needs'])}, a second one doesn't fit into the "
            f"{_mib(found['free'])} that are free, swap included; give the app fewer 'processes' or the host more "
            "memory or swap, or set 'memory_check: false'",
        )
    return found


def has_come(system: System, layout: ReleaseLayout) -> None:
    """It has taken what it needs, or never will."""
    with _TURN:
        system.coming.pop(layout.id, None)


def done(system: System, layout: ReleaseLayout) -> None:
    """Its deploy has ended: one instance is left, whichever it is."""
    with _TURN:
        system.coming.pop(layout.id, None)
        system.beside.discard(layout.id)
        _TURN.notify_all()


def _free(system: System) -> int:
    return max(0, system.memory_left() - sum(system.coming.values()))


def _mib(size: int) -> str:
    return f"{size / 2**20:.0f} MiB"
