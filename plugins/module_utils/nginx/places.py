"""Where nginx's configuration lies on a host, ours and what belongs to it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

# Paths of the configuration are relative to nginx's own directory; those outside it are absolute.
ROOT = Path("/etc/nginx")
MAIN = "nginx.conf"
# The server for names that no app has, and the one that proves which configuration runs.
BASE = "conf.d/00-default.conf"
# The one for TLS handshakes that name no app: there while any app has a certificate.
TLS_BASE = "conf.d/00-tls.conf"
# The distribution's own site, which would be a second default server.
DEFAULT_SITE = "sites-enabled/default"
# Folders that hold our files and others'.
OURS_TOO = ("conf.d", "sites-enabled", "tls")
# What was there before us, until it is put back, and the manifest of what is ours; nginx reads nothing there.
KEPT = ".distribution"
MANIFEST = f"{KEPT}/manifest.json"
# What an exchange of files that isn't done yet has put where.
JOURNAL = f"{KEPT}/exchange.json"
# Whatever else we replaced. Not in nginx's directory, which goes with its package.
EDITED = Path("/var/backups/nginx-edited")

DROP_IN = "/etc/systemd/system/nginx.service.d/web.conf"
TMPFILES = "/etc/tmpfiles.d/web-probe.conf"
# Read before the distribution's file, which is called nginx and names every log.
LOGROTATE = "/etc/logrotate.d/00-nginx-errors"

# Where the running nginx is named: a reload and logrotate look there.
PID_FILE = Path("/run/nginx.pid")
LOGS = Path("/var/log/nginx")
# Those that belong to no app.
COMMON_LOGS = ("error.log", "access.log")
LOG_MODE, LOG_GROUP = 0o640, "adm"


def is_server_block(path: str) -> bool:
    """Whether a file may name the socket for probes."""
    return path.startswith("conf.d/")


def site_file(app: str) -> str:
    """The file of an app's server blocks."""
    return f"conf.d/{app}.conf"


def apps_of(paths: Iterable[str]) -> list[str]:
    """The apps whose server blocks are among these files."""
    return [path[len("conf.d/") : -len(".conf")] for path in paths if is_server_block(path)]


def pem_file(app: str) -> str:
    """An app's private key, its certificate and those that sign it: one file, so that they change in one rename."""
    return f"tls/{app}.pem"


def is_secret(path: str) -> bool:
    """Whether a file is for root alone, and never shown."""
    return path.startswith("tls/")


def mode_of(path: str) -> int:
    return 0o600 if is_secret(path) else 0o644


def log_name(app: str) -> str:
    return f"{app}.log"


def log_names(apps: list[str]) -> list[str]:
    """Every log that is written for these apps."""
    return [*COMMON_LOGS, *map(log_name, apps)]
