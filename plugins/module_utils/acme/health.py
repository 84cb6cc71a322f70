"""Whether the certificates that come from a CA are as they should be, found out from the host alone."""

from __future__ import annotations

import dataclasses
import re
import subprocess
from collections.abc import Collection, Mapping

from ansible_collections.uwsgi_flask.web.plugins.module_utils.acme.lineage import Lineage, lineage_name
from ansible_collections.uwsgi_flask.web.plugins.module_utils.acme.notes import Notes
from ansible_collections.uwsgi_flask.web.plugins.module_utils.acme.renewal import lineages, not_served
from ansible_collections.uwsgi_flask.web.plugins.module_utils.acme.timer import (
    MASKED,
    TIMER,
    is_masked,
    runs,
)
from ansible_collections.uwsgi_flask.web.plugins.module_utils.acme.timer import PROPERTIES as TIMERS
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.ours import Ours
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.places import ACME_NOTES
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.system import System

SERVICE = "certbot.service"
PROPERTIES = ("Id", *TIMERS, "Result", "InvocationID", "ExecMainStartTimestamp")
FAILED = r"Failed to renew certificate (\S+) with error: (.*)"


@dataclasses.dataclass(frozen=True)
class Renewals:
    """Certbot's last run by its timer: when it `began`, in seconds since 1970 (0 if there was none), and what it `said`
    if it failed. `has_failed` is that too; `stand_still` says why no run will follow, with the remedy, or "".
    """

    began: float
    said: str
    has_failed: bool
    stand_still: str

    def complaints(self) -> Mapping[str, str]:
        """By its name each certificate that the run couldn't renew, with the reason."""
        return dict(re.findall(FAILED, self.said))

    def of_others(self, names: Collection[str]) -> list[str]:
        """What failed besides the certificates of these names, a line each."""
        every = self.complaints()
        if self.has_failed and not every:
            return [f"{SERVICE} failed on this host; see journalctl -u {SERVICE}"]
        return [
            f"another certificate's renewal failed on this host: {name}: {reason}"
            for name, reason in every.items()
            if name not in names
        ]


def failures(ours: Ours, system: System) -> tuple[Mapping[str, str], list[str]]:
    """By app why it has no certificate as it should be, with the remedy, and what else failed in certbot's last run.

    Raises OSError.
    """
    notes = Notes.read(ours.root / ACME_NOTES)
    found = lineages(ours, notes, system)
    if not found:
        return {}, []
    behind, renewals = not_served(ours, found, system), _renewals()
    faults = {
        app: notes.failed.get(app) or _fault(app, had, renewals, system, is_behind=app in behind)
        for app, had in found.items()
    }
    return {app: fault for app, fault in faults.items() if fault}, renewals.of_others([*map(lineage_name, found)])


def _fault(app: str, found: Lineage | None, renewals: Renewals, system: System, *, is_behind: bool) -> str:
    if found is None:
        return "certbot has none, or none that is whole; deploy again (site.yml)"
    if is_behind:
        return "it was renewed, and nginx doesn't serve the new one; deploy again (site.yml)"
    # What it has got since then has settled the matter.
    complaint = renewals.complaints().get(lineage_name(app)) if found.since < renewals.began else ""
    if complaint:
        return f"it can't be renewed: {complaint}"
    if found.is_old(system):
        return f"it should have been renewed by now; see journalctl -u {SERVICE}"
    return renewals.stand_still and f"it won't be renewed: {renewals.stand_still}"


def _renewals() -> Renewals:
    shown = _asked("systemctl", "show", "--timestamp=unix", f"--property={','.join(PROPERTIES)}", SERVICE, TIMER)
    # A paragraph for each unit, a line for each property; a unit that isn't there has few.
    units = [dict(line.partition("=")[::2] for line in unit.splitlines()) for unit in shown.split("\n\n")]
    by_id = {unit.get("Id", ""): unit for unit in units}
    service, timer = by_id.get(SERVICE, {}), by_id.get(TIMER, {})
    is_well = runs(timer) and not is_masked(timer)
    run, has_failed = service.get("InvocationID", ""), service.get("Result", "success") != "success"
    return Renewals(
        began=float(service.get("ExecMainStartTimestamp", "").removeprefix("@") or 0),
        said=_asked("journalctl", "--no-pager", "--output=cat", f"_SYSTEMD_INVOCATION_ID={run}")
        if run and has_failed
        else "",
        has_failed=has_failed,
        stand_still="" if is_well else MASKED if is_masked(timer) else f"{TIMER} doesn't run; deploy again (site.yml)",
    )


def _asked(*words: str) -> str:
    return subprocess.run(words, capture_output=True, text=True, errors="replace", check=False).stdout
