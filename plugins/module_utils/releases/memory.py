"""Whether a new instance fits beside the live one: until visitors have left that, both are there."""

from __future__ import annotations

from ansible_collections.uwsgi_flask.web.plugins.module_utils.release_layout import ReleaseLayout
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.refused import Refused
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.system import System

STEP = "memory"


def taken(system: System, layout: ReleaseLayout) -> int:
    """Bytes that stopping a release would free: what serves, and its workers."""
    shown = system.show([layout.service, *layout.worker_units], "MainPID")
    mains = (int(state.get("MainPID") or 0) for state in shown.values())
    return sum(system.memory_of(main) for main in mains if main)


def make_sure(system: System, live: ReleaseLayout) -> dict[str, int]:
    """What another instance `needs` beside this one and what is `free`, in bytes. Raises Refused if it doesn't fit.

    It is taken to need as much as the live one has by now.
    """
    found = {"needs": taken(system, live), "free": system.memory_left()}
    if found["needs"] > found["free"]:
        raise Refused(
            STEP,
            f"beside the live release, which takes {_mib(found['needs'])}, a second one doesn't fit into the "
            f"{_mib(found['free'])} that are free, swap included; give the app fewer 'processes' or the host more "
            "memory or swap, or set 'memory_check: false'",
        )
    return found


def _mib(size: int) -> str:
    return f"{size / 2**20:.0f} MiB"
