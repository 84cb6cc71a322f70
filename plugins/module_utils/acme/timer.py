"""The distribution's timer that renews certificates: whether it runs, and how it is made to."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping

TIMER = "certbot.timer"
PROPERTIES = ("LoadState", "ActiveState", "UnitFileState")
MASKED = f"{TIMER} is masked; systemctl unmask {TIMER}, and deploy again (site.yml)"


def is_masked(state: Mapping[str, str]) -> bool:
    """Whether nobody but whoever masked it may start it; `state` has PROPERTIES."""
    return state.get("LoadState") == "masked"


def runs(state: Mapping[str, str]) -> bool:
    """Whether it runs, after a boot too."""
    return state.get("ActiveState") == "active" and state.get("UnitFileState") != "disabled"


def keep_running(*, is_rehearsal: bool = False) -> tuple[bool, str]:
    """Let it run, whoever stopped it: whether that is a change, and why it can't be or ""."""
    state = _state()
    if is_masked(state):
        return False, f"certificates won't be renewed: {MASKED}"
    if runs(state) or is_rehearsal:
        return not runs(state), ""
    started = _systemctl("enable", "--now", "--quiet", TIMER)
    if started.returncode != 0:
        return False, f"certificates won't be renewed: {TIMER} can't be started: {started.stderr.strip()}"
    return True, ""


def is_kept() -> bool:
    """Whether it runs, so that nothing is to be done."""
    state = _state()
    return runs(state) and not is_masked(state)


def _state() -> dict[str, str]:
    shown = _systemctl("show", f"--property={','.join(PROPERTIES)}", TIMER).stdout
    return dict(line.partition("=")[::2] for line in shown.splitlines())


def _systemctl(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["systemctl", *words], capture_output=True, text=True, errors="replace", check=False)
