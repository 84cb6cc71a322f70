"""Whether the certificates that come from a CA are as they should be, found out from the host alone."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping

from ansible_collections.uwsgi_flask.web.plugins.module_utils.acme.certbot import TIMER
from ansible_collections.uwsgi_flask.web.plugins.module_utils.acme.lineage import lineage, lineage_name
from ansible_collections.uwsgi_flask.web.plugins.module_utils.acme.notes import Notes
from ansible_collections.uwsgi_flask.web.plugins.module_utils.acme.renewal import not_served, served
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.ours import Ours
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.places import ACME_NOTES
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.system import System

SERVICE = "certbot.service"


def failed_certificates(ours: Ours, system: System) -> Mapping[str, str]:
    """By app why it has no certificate as it should be, with the remedy. Raises OSError."""
    apps = served(ours)
    if not apps:
        return {}
    notes, behind, said = Notes.read(ours.root / ACME_NOTES), not_served(ours, system), _said()
    faults = {app: _fault(app, notes, system, said, is_behind=app in behind) for app in apps}
    return {app: fault for app, fault in faults.items() if fault}


def _fault(app: str, notes: Notes, system: System, said: str, *, is_behind: bool) -> str:
    found = lineage(system, app) if app in notes.asked else None
    if app in notes.failed:
        return notes.failed[app]
    if found is None:
        return "certbot has none, or none that is whole; deploy again (site.yml)"
    if is_behind:
        return "it was renewed, and nginx doesn't serve the new one; deploy again (site.yml)"
    # What it has got since then has settled the matter.
    complaint = _complaint(app, said) if found.since < _began() else ""
    if complaint:
        return f"it can't be renewed: {complaint}"
    if found.is_old(system):
        return f"it should have been renewed by now; see journalctl -u {SERVICE}"
    if not _runs(TIMER):
        return f"it won't be renewed: {TIMER} doesn't run; deploy again (site.yml), or systemctl enable --now {TIMER}"
    return ""


def _said() -> str:
    """What certbot's last run by its timer has said, if it failed."""
    if _asked("systemctl", "show", "--property=Result", "--value", SERVICE).strip() in ("success", ""):
        return ""
    run = _asked("systemctl", "show", "--property=InvocationID", "--value", SERVICE).strip()
    return _asked("journalctl", "--no-pager", "--output=cat", f"_SYSTEMD_INVOCATION_ID={run}") if run else ""


def _began() -> float:
    """When certbot's last run by its timer began, in seconds since 1970; 0 if there was none."""
    said = _asked("systemctl", "show", "--timestamp=unix", "--property=ExecMainStartTimestamp", "--value", SERVICE)
    return float(said.strip().removeprefix("@") or 0)


def _complaint(app: str, said: str) -> str:
    found = re.findall(rf"Failed to renew certificate {re.escape(lineage_name(app))} with error: (.*)", said)
    return str(found[-1]) if found else ""


def _runs(unit: str) -> bool:
    return _asked("systemctl", "is-active", unit).strip() == "active"


def _asked(*words: str) -> str:
    return subprocess.run(words, capture_output=True, text=True, errors="replace", check=False).stdout
