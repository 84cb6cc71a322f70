"""Whether the certificates that come from a CA are as they should be, found out from the host alone."""

from __future__ import annotations

import dataclasses
import re
import subprocess
from collections.abc import Mapping

from ansible_collections.uwsgi_flask.web.plugins.module_utils.acme.certbot import TIMER
from ansible_collections.uwsgi_flask.web.plugins.module_utils.acme.lineage import Lineage, lineage_name
from ansible_collections.uwsgi_flask.web.plugins.module_utils.acme.notes import Notes
from ansible_collections.uwsgi_flask.web.plugins.module_utils.acme.renewal import lineages, not_served
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.ours import Ours
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.places import ACME_NOTES
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.system import System

SERVICE = "certbot.service"
PROPERTIES = ("Id", "ActiveState", "Result", "InvocationID", "ExecMainStartTimestamp")


@dataclasses.dataclass(frozen=True)
class Renewals:
    """Certbot's last run by its timer: when it `began`, in seconds since 1970 (0 if there was none), and what it `said`
    if it failed. `go_on` says whether the timer runs.
    """

    began: float
    said: str
    go_on: bool

    def complaint(self, app: str) -> str:
        """Why that run couldn't renew an app's certificate; "" if it could, or didn't have to."""
        found = re.findall(rf"Failed to renew certificate {re.escape(lineage_name(app))} with error: (.*)", self.said)
        return str(found[-1]) if found else ""


def failed_certificates(ours: Ours, system: System) -> Mapping[str, str]:
    """By app why it has no certificate as it should be, with the remedy. Raises OSError."""
    notes = Notes.read(ours.root / ACME_NOTES)
    found = lineages(ours, notes, system)
    if not found:
        return {}
    behind, renewals = not_served(ours, found, system), _renewals()
    faults = {
        app: notes.failed.get(app) or _fault(app, had, renewals, system, is_behind=app in behind)
        for app, had in found.items()
    }
    return {app: fault for app, fault in faults.items() if fault}


def _fault(app: str, found: Lineage | None, renewals: Renewals, system: System, *, is_behind: bool) -> str:
    if found is None:
        return "certbot has none, or none that is whole; deploy again (site.yml)"
    if is_behind:
        return "it was renewed, and nginx doesn't serve the new one; deploy again (site.yml)"
    # What it has got since then has settled the matter.
    complaint = renewals.complaint(app) if found.since < renewals.began else ""
    if complaint:
        return f"it can't be renewed: {complaint}"
    if found.is_old(system):
        return f"it should have been renewed by now; see journalctl -u {SERVICE}"
    if not renewals.go_on:
        return f"it won't be renewed: {TIMER} doesn't run; deploy again (site.yml), or systemctl enable --now {TIMER}"
    return ""


def _renewals() -> Renewals:
    shown = _asked("systemctl", "show", "--timestamp=unix", f"--property={','.join(PROPERTIES)}", SERVICE, TIMER)
    # A paragraph for each unit, a line for each property; a unit that isn't there has few.
    units = [dict(line.partition("=")[::2] for line in unit.splitlines()) for unit in shown.split("\n\n")]
    by_id = {unit.get("Id", ""): unit for unit in units}
    service, timer = by_id.get(SERVICE, {}), by_id.get(TIMER, {})
    run, has_failed = service.get("InvocationID", ""), service.get("Result", "success") != "success"
    return Renewals(
        began=float(service.get("ExecMainStartTimestamp", "").removeprefix("@") or 0),
        said=_asked("journalctl", "--no-pager", "--output=cat", f"_SYSTEMD_INVOCATION_ID={run}")
        if run and has_failed
        else "",
        go_on=timer.get("ActiveState") == "active",
    )


def _asked(*words: str) -> str:
    return subprocess.run(words, capture_output=True, text=True, errors="replace", check=False).stdout
