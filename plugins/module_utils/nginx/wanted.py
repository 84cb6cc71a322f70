"""What a run wants of nginx on this host: the files that the controller has rendered, and what only the host knows."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.uwsgi_flask.web.plugins.module_utils.acme import timer
from ansible_collections.uwsgi_flask.web.plugins.module_utils.acme.choice import best
from ansible_collections.uwsgi_flask.web.plugins.module_utils.acme.lineage import lineage
from ansible_collections.uwsgi_flask.web.plugins.module_utils.acme.notes import Notes
from ansible_collections.uwsgi_flask.web.plugins.module_utils.names import is_shared
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.aim import Aim, deployed, nothing, without
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.capacity import capacity
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.certificate import self_signed
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.configuration import Configuration
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.drift import AS_BEFORE
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.front import front_of
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.ours import Ours
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.placeholders import for_host
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.places import (
    ACME_NOTES,
    BASE,
    DNS_CREDENTIALS,
    JOURNAL,
    RENEWAL_HOOK,
    ROOT,
    parts_on_disk,
    pem_file,
    server_file,
    site_file,
)
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.rejected import Rejected
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.system import System

# What the module nginx_config is told.
Given = Mapping[str, Any]


def runs_already(given: Given, warn: Callable[[str], None]) -> dict[str, dict[str, Any] | None] | None:
    """The fronts of the apps if nginx runs what is wanted, and nothing at all is to be done; else None."""
    system, warnings = System(), list[str]()
    try:
        ours, notes = Ours.read(ROOT), Notes.read(ROOT / ACME_NOTES)
        if os.path.lexists(ROOT / JOURNAL) or notes.failed or unused(given, ours, notes):
            return None
        files = dict(given["files"])
        if take_certificates(given, files, ours, notes, system):
            return None
        if not Configuration(ROOT, ours, aim(given, files, ours, system, warnings.append), system).is_live():
            return None
        if given["acme"] and not timer.is_kept():
            return None
        if not system.runs_as_its_unit_says():
            warnings.append(f"{AS_BEFORE} (systemctl restart nginx)")
    except (Rejected, OSError):
        return None
    for warning in warnings:
        warn(warning)
    return fronts(given["apps"], {})


def fronts(apps: list[str], would: Mapping[str, str]) -> dict[str, dict[str, Any] | None]:
    """By app how visitors ask for it, as nginx's files say it; `would` has those that a rehearsal would write."""
    there = would or [path.relative_to(ROOT).as_posix() for path in parts_on_disk(ROOT)]
    return {app: front_of(_text(server_file(app, there), would), _text(BASE, would)) for app in apps}


def _text(path: str, would: Mapping[str, str]) -> str:
    """A file as it is on the disk, or as a rehearsal would write it."""
    place = ROOT / path
    return would.get(path) or (place.read_text() if place.is_file() else "")


def take_certificates(given: Given, files: dict[str, str], ours: Ours, notes: Notes, system: System) -> list[str]:
    """Put certificates into the files. The apps for which certbot has none, or one that isn't as it should be.

    Such an app is served with the best that there is, or by plain HTTP.
    """
    missing = []
    for app, wanted in given["acme"].items():
        found = lineage(system, app) if app in notes.asked else None
        wish = (wanted["names"], given["acme_directory"], given["acme_dns_plugin"])
        is_well = found is not None and found.is_as_wanted(*wish, system)
        pem = found.pem if found and is_well else best(system, ours, app, wanted["names"], found)
        if pem:
            files[pem_file(app)] = pem
        else:
            files |= wanted["waiting"]
        if not is_well:
            missing.append(app)
    return missing


def unused(given: Given, ours: Ours, notes: Notes) -> list[str]:
    """What certbot has certificates for that nothing needs any more."""
    names = {app for app in given["apps"] if app not in given["acme"]} | {*given["absent"]}
    names |= {site for site in notes.apps() if is_shared(site) and site_file(site) not in ours.files}
    return [app for app in notes.apps() if app in names or given["state"] == "absent"]


def aim(given: Given, files: dict[str, str], ours: Ours, system: System, warn: Callable[[str], None]) -> Aim:
    """All that should be there. Raises Rejected and OSError."""
    if given["state"] == "absent":
        return nothing(ours)
    if given["state"] == "without":
        return without(ours, given["absent"])
    room = capacity(system, given["connections"])
    if room.warning():
        warn(room.warning())
    texts = for_host(files, system.version(), room.connections, system.has_brotli())
    pems = json.loads(given["certificates"])
    for app, names in given["self_signed"].items():
        pems[app] = self_signed(system, ROOT / pem_file(app), names)
    texts |= {pem_file(app): text for app, text in pems.items()}
    if given["dns_secret"]:
        texts[DNS_CREDENTIALS] = given["dns_secret"]
    if given["renewal_hook"]:
        # A program's bytes, as a text that becomes the same bytes again.
        texts[RENEWAL_HOOK] = base64.b64decode(given["renewal_hook"]).decode(errors="surrogateescape")
    return deployed(ours, texts, given["apps"], given["absent"], given["user"])
