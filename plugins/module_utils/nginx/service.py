"""nginx's service, given back as it was found when a change of the configuration is taken back."""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.rejected import Rejected
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.system import UNIT, System

# Longer than nginx's unit gives it to stop.
SETTLE_SECONDS = 10.0
PAUSE = 0.1


def settled_state(system: System) -> Mapping[str, str]:
    """What systemd knows of the service, once it isn't just being stopped. Raises Rejected.

    Whether somebody stops it or restarts it can be told only afterwards.
    """
    end = system.clock() + SETTLE_SECONDS
    while True:
        state = system.show()
        if not state.get("ActiveState"):
            raise Rejected(f"systemd doesn't tell the state of {UNIT}; nothing was changed")
        if state["ActiveState"] != "deactivating" or system.clock() >= end:
            return state
        system.sleep(PAUSE)


def load_again(system: System, state: Mapping[str, str]) -> bool:
    """Let nginx run, or not, as it did in this state, with the files that are back; whether it could be told to.

    Raises OSError.
    """
    system.systemctl("daemon-reload")
    if not system.is_installed():
        return True
    if state.get("UnitFileState") == "disabled":
        system.systemctl("disable", UNIT)
    match state.get("ActiveState"), state.get("UnitFileState"):
        case "active" | "reloading", _:
            system.make_ready_for_a_reload()
            code, _said = system.systemctl("reload-or-restart", UNIT)
        case ("inactive", _) | ("failed", "disabled"):
            code, _said = system.systemctl("stop", UNIT)
        case _:
            # It was about to start, again and again perhaps: whether it ever does is nothing to wait for.
            code, _said = system.systemctl("restart", "--no-block", UNIT)
    return code == 0
