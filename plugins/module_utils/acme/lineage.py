"""What certbot has for an app: a lineage, as it calls a certificate with all its renewals."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from ansible_collections.uwsgi_flask.web.plugins.module_utils.files import make_directory
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.certificate import Certificate, fits, read
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.system import System

CERTBOTS = Path("/etc/letsencrypt")
# What of it wasn't whole. It may hold keys.
KEPT = Path("/var/backups/letsencrypt-broken")
# Certbot renews when a third of a certificate's time is left. With less than this, it has tried in vain for a while:
# 20 days of 90.
LITTLE_LEFT = 2 / 9
DAY = 86400
# More than a certificate takes with its key, its links and its settings.
ROOM = 65536


def lineage_name(app: str) -> str:
    """Not the app's own name: others may have certificates on this host too."""
    return f"web-{app}"


@dataclasses.dataclass(frozen=True)
class Lineage:
    """`pem` is the key, the certificate and those that sign it; `directory` the URL of the CA that it came from.

    `authenticator` is how certbot proves the names, by its own word; `since` when it got it, in seconds since 1970.
    """

    certificate: Certificate
    directory: str
    authenticator: str
    pem: str
    since: float

    def is_as_wanted(self, names: Sequence[str], directory: str, dns_plugin: str, system: System) -> bool:
        """Whether it needs nothing but certbot's timer, which proves the names as they were proven at first."""
        return (
            self.certificate.names == sorted(names)
            and self.directory == directory
            and self.authenticator == (f"dns-{dns_plugin}" if dns_plugin else "webroot")
            and not self.is_old(system)
        )

    def is_old(self, system: System) -> bool:
        """Whether certbot should have renewed it long ago.

        Where the clock is ahead, each one seems so: none is that was just got, or each run would get another.
        """
        now = system.today()
        return now.timestamp() - self.since >= DAY and self.certificate.share_left(now) < LITTLE_LEFT


def parts(app: str, certbots: Path = CERTBOTS) -> list[Path]:
    """All that is there of a lineage, whole or not: after a cut, certbot takes what is left for somebody else's."""
    name = lineage_name(app)
    every = (_settings(app, certbots), certbots / "live" / name, certbots / "archive" / name)
    return [path for path in every if os.path.lexists(path)]


def lineage(system: System, app: str, certbots: Path = CERTBOTS) -> Lineage | None:
    """The lineage of an app; None if there is none that is whole, or certbot is just replacing it. Raises OSError."""
    settings, live = _settings(app, certbots), certbots / "live" / lineage_name(app)
    key, chain = live / "privkey.pem", live / "fullchain.pem"
    if not settings.is_file() or not key.is_file() or not chain.is_file() or _number(key) != _number(chain):
        return None
    certificate = read(system, chain)
    try:
        said = dict(re.findall(r"^(server|authenticator) = (\S+)$", settings.read_text(), re.MULTILINE))
        pem = f"{key.read_text().strip()}\n{chain.read_text().strip()}\n"
    except UnicodeDecodeError:
        # Certbot couldn't renew it.
        return None
    if certificate is None or "server" not in said or not fits(system, key, chain):
        return None
    return Lineage(certificate, said["server"], said.get("authenticator", ""), pem, chain.lstat().st_mtime)


def no_room(certbots: Path = CERTBOTS) -> str:
    """Why a certificate couldn't be kept, such as a full disk; "" if it could. Nothing of the try is left."""
    tried = certbots / ".web-room"
    try:
        make_directory(certbots)
        with tried.open("wb") as file:
            # Nothing that a file system could make smaller.
            file.write(os.urandom(ROOM))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return f"no room below {certbots} for a certificate, so none is asked for: {error}"
    finally:
        with contextlib.suppress(OSError):
            tried.unlink()
    return ""


def set_aside(app: str, certbots: Path = CERTBOTS, kept: Path = KEPT) -> None:
    """Keep what is left of a lineage that isn't whole where certbot doesn't meet it. Raises OSError."""
    for path in parts(app, certbots):
        place, number = kept / path.relative_to(certbots), 1
        while os.path.lexists(place):
            number += 1
            place = place.with_name(f"{path.name}~{number}")
        make_directory(kept, 0o700)
        make_directory(place.parent, 0o700)
        shutil.move(path, place)


def _settings(app: str, certbots: Path) -> Path:
    return certbots / "renewal" / f"{lineage_name(app)}.conf"


def _number(link: Path) -> str:
    """Which renewal a link leads to: certbot changes its links one after the other."""
    return re.sub(r"\D", "", os.path.basename(os.readlink(link))) if link.is_symlink() else ""
