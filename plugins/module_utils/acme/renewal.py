"""What follows a renewal: nginx gets the new certificates as it gets everything, by a transaction.

Certbot runs this on the host, where there is no Ansible: the deploy brings it as one file that Python runs.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from ansible_collections.uwsgi_flask.web.plugins.module_utils.acme.lineage import CERTBOTS, Lineage, lineage
from ansible_collections.uwsgi_flask.web.plugins.module_utils.acme.notes import Notes
from ansible_collections.uwsgi_flask.web.plugins.module_utils.flock import FLOCK, WAIT_SECONDS, Busy, flock
from ansible_collections.uwsgi_flask.web.plugins.module_utils.layout import WEBROOT
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.aim import renewed
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.certificate import read
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.configuration import Configuration
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.ours import Ours
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.places import (
    ACME_NOTES,
    ROOT,
    apps_of,
    pem_file,
    site_file,
)
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.recovery import settle
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.rejected import Rejected
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.system import System


def served(ours: Ours) -> list[str]:
    """Apps whose server blocks say that certbot gets their certificates."""
    blocks = {app: ours.root / site_file(app) for app in apps_of(ours.files)}
    return [app for app, path in blocks.items() if path.is_file() and WEBROOT in path.read_text(errors="replace")]


def lineages(ours: Ours, notes: Notes, system: System, certbots: Path = CERTBOTS) -> Mapping[str, Lineage | None]:
    """What certbot has for each app that it serves; nothing counts that it wasn't asked for. Raises OSError."""
    return {app: lineage(system, app, certbots) if app in notes.asked else None for app in served(ours)}


def not_served(ours: Ours, found: Mapping[str, Lineage | None], system: System) -> Mapping[str, str]:
    """By app the key and certificates that certbot has, and nginx hasn't. Raises OSError."""
    return {
        app: fresh.pem
        for app, fresh in found.items()
        # One that has none yet gets it by a deploy, with other server blocks.
        if fresh and (place := ours.root / pem_file(app)).is_file() and _is_newer(system, fresh, place)
    }


def _is_newer(system: System, fresh: Lineage, place: Path) -> bool:
    """Whether it was got after what is served: a backup of certbot's may have been brought back."""
    there = read(system, place)
    return place.read_text(errors="replace") != fresh.pem and (
        there is None or fresh.certificate.begins >= there.begins
    )


def serve(root: Path, system: System, certbots: Path = CERTBOTS) -> list[str]:
    """Let nginx serve what certbot has renewed. The apps that it was for. Raises Rejected and OSError."""
    ours = Ours.read(root)
    settle(root, system, ours)
    fresh = not_served(ours, lineages(ours, Notes.read(root / ACME_NOTES), system, certbots), system)
    if fresh:
        Configuration(root, ours, renewed(ours, {pem_file(app): pem for app, pem in fresh.items()}), system).apply()
    return list(fresh)


def main() -> int:
    os.umask(0o022)
    try:
        with flock(Path(FLOCK), WAIT_SECONDS):
            apps = serve(ROOT, System())
    except (Rejected, Busy, OSError) as error:
        print(f"nginx doesn't serve what was renewed: {error}", file=sys.stderr)
        return 1
    if apps:
        print(f"nginx serves the renewed certificates of {', '.join(apps)}")
    return 0
