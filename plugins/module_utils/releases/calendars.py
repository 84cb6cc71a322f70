"""When timers are due: whether this host's systemd understands it, before a unit is written that it wouldn't start."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.refused import Refused
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.system import System


def check(system: System, timers: Mapping[str, Mapping[str, Any]]) -> None:
    """Raises Refused with what systemd says of the first `calendar` that it doesn't understand."""
    for name, timer in timers.items():
        code, printed = system.run(["systemd-analyze", "calendar", "--", timer["calendar"]])
        if code != 0:
            told = (printed.splitlines() or ["it says nothing"])[0]
            raise Refused("place", f"the timer {name} has a calendar that systemd doesn't understand: {told}", printed)
