"""Where nginx's configuration lies on a host, ours and what belongs to it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

from ansible_collections.uwsgi_flask.web.plugins.module_utils.layout import BODIES
from ansible_collections.uwsgi_flask.web.plugins.module_utils.names import SHARED, called, is_shared

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
OURS_TOO = ("conf.d", "sites-enabled", "tls", "shared")
# What was there before us, until it is put back, and the manifest of what is ours; nginx reads nothing there.
KEPT = ".distribution"
MANIFEST = f"{KEPT}/manifest.json"
# What an exchange of files that isn't done yet has put where.
JOURNAL = f"{KEPT}/exchange.json"
# Whatever else we replaced. Not in nginx's directory, which goes with its package.
EDITED = Path("/var/backups/nginx-edited")

# The first of them: it takes back a step of the distribution's unit, and none of another drop-in.
DROP_IN = "/etc/systemd/system/nginx.service.d/00-web.conf"
# Where it was before.
FORMER = ("/etc/systemd/system/nginx.service.d/web.conf", "/etc/logrotate.d/00-nginx-errors")
# What nginx was started with: a copy of it that is made at each start.
STARTED_WITH = "/run/web-nginx.conf"
TMPFILES = "/etc/tmpfiles.d/web-probe.conf"
# Read before the distribution's file, which is called nginx and names every log.
LOGROTATE = "/etc/logrotate.d/00-nginx"
# What rotates them instead, and the units that see to it.
LOGS_RULES = "/etc/web-logs.conf"
LOGS_TIMER = "web-logs.timer"
LOGS_TIMER_FILE = f"/etc/systemd/system/{LOGS_TIMER}"
LOGS_SERVICE_FILE = "/etc/systemd/system/web-logs.service"
# Certbot runs it whenever it has renewed a certificate.
RENEWAL_HOOK = "/etc/letsencrypt/renewal-hooks/deploy/web"
# For a CA of one's own: its certificates, those that the system trusts, and what certbot's service makes of both
# whenever it starts, because packages change the system's.
CA_BUNDLE = "/etc/letsencrypt/web-ca.pem"
SYSTEM_TRUST = "/etc/ssl/certs/ca-certificates.crt"
TRUSTED = "/run/web-certbot/trusted.pem"
# What the service is told besides.
CERTBOT_DROP_IN = "/etc/systemd/system/certbot.service.d/web.conf"
# What certbot's plugin needs to change the DNS.
DNS_CREDENTIALS = "/etc/letsencrypt/web-dns.ini"
# All that is there only while an app has its certificates from a CA by ACME.
OF_ACME = (RENEWAL_HOOK, CA_BUNDLE, CERTBOT_DROP_IN, DNS_CREDENTIALS)
# Which certificates certbot was asked for, and why it couldn't get one.
ACME_NOTES = f"{KEPT}/acme.json"

# The modules that nginx loads, each in a file.
MODULES = ROOT / "modules-enabled"
# Where the running nginx is named: a reload and logrotate look there.
PID_FILE = Path("/run/nginx.pid")
LOGS = Path("/var/log/nginx")
# Those that belong to no app.
ERROR_LOG, ACCESS_LOG = COMMON_LOGS = ("error.log", "access.log")
LOG_MODE, LOG_GROUP = 0o640, "adm"


def is_server_block(path: str) -> bool:
    """Whether a file may name the socket for probes."""
    return path.startswith("conf.d/")


def site_file(app: str) -> str:
    """The file of an app's server blocks."""
    return f"conf.d/{app}.conf"


def parts_folder(site: str) -> str:
    """The folder of what leads to each app in a server block that several share, relative as all paths are."""
    return f"shared/{called(site)}"


def candidates_folder(site: str) -> str:
    """The same for releases that aren't live yet."""
    return f"{parts_folder(site)}/candidates"


def part_files(site: str, app: str) -> list[str]:
    """The files of an app in a server block that it shares."""
    return [f"{folder}/{app}.conf" for folder in (parts_folder(site), candidates_folder(site))]


def parts_on_disk(root: Path, app: str = "*") -> list[Path]:
    """What leads to an app, or to any, in server blocks that several share."""
    return sorted(root.glob(part_files("*", app)[0]))


def is_part_of(path: str, app: str) -> bool:
    """Whether a file leads to this app in a server block that it shares."""
    return path.startswith("shared/") and path.endswith(f"/{app}.conf")


def sharing(site: str, paths: Iterable[str]) -> list[str]:
    """The apps that share these host names."""
    parts = (path.rpartition("/") for path in paths)
    return sorted(name.removesuffix(".conf") for folder, _slash, name in parts if folder == parts_folder(site))


def sites_without_parts(ours: Collection[str], there: Iterable[str]) -> list[str]:
    """Files of ours for host names that no app shares any more, among them the key; `there` are all files."""
    folders = {path.rpartition("/")[0] for path in there}
    ends = [site for site in apps_of(ours) if is_shared(site) and parts_folder(site) not in folders]
    return [path for site in ends for path in (site_file(site), pem_file(site)) if path in ours]


def server_file(app: str, paths: Iterable[str]) -> str:
    """Which of these files has the server block that leads to an app."""
    parts = (path.split("/") for path in paths if is_part_of(path, app))
    return next((site_file(f"{SHARED}{words[1]}") for words in parts), site_file(app))


def apps_of(paths: Iterable[str]) -> list[str]:
    """The apps whose server blocks are among these files, and what is called like one."""
    return [path[len("conf.d/") : -len(".conf")] for path in paths if is_server_block(path)]


def pem_file(app: str) -> str:
    """An app's private key, its certificate and those that sign it: one file, so that they change in one rename."""
    return f"tls/{app}.pem"


def is_secret(path: str) -> bool:
    """Whether a file is for root alone, and never shown."""
    return path == DNS_CREDENTIALS or is_pem(path)


def is_pem(path: str) -> bool:
    """Whether a file holds the key and the certificate of an app."""
    return path.startswith("tls/")


def is_shown(path: str) -> bool:
    """Whether `--diff` may show the file's text."""
    return path != RENEWAL_HOOK and not is_secret(path)


def mode_of(path: str) -> int:
    return 0o600 if is_secret(path) else 0o755 if path == RENEWAL_HOOK else 0o644


def cache_folder(app: str) -> str:
    """What nginx keeps of an app's answers. It makes the folder itself, beside those for bodies."""
    return f"{BODIES}/web-cache-{app}"


def log_name(app: str) -> str:
    return f"{app}.log"


def log_names(apps: list[str]) -> list[str]:
    """Every log that is written for these apps."""
    return [*COMMON_LOGS, *map(log_name, apps)]
