"""Who is compared: how each is started, and how nginx reaches it."""

from __future__ import annotations

import dataclasses
import re

from bench.server import PLACE
from bench.wrk import Target

APP = f"{PLACE}/app"
VENV = f"{PLACE}/venv"
BIN = f"{VENV}/bin"
SOCKETS = "/run/contenders"
SEED = "seed"


@dataclasses.dataclass(frozen=True)
class Contender:
    """`speaks` is what nginx and it speak: `uwsgi`, `http`, or nothing where it is asked without nginx.

    In `command` stand {socket}, {port}, {processes} and {threads}. `own_port` is its own where it listens on TCP.
    """

    name: str
    port: int
    speaks: str
    command: str
    own_port: int = 0
    user: str = "bench"

    @property
    def unit(self) -> str:
        return "contender-" + re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")

    @property
    def socket(self) -> str:
        return f"{SOCKETS}/{self.unit}.sock"

    @property
    def upstream(self) -> str:
        return f"127.0.0.1:{self.own_port}" if self.own_port else f"unix:{self.socket}"

    def started_by(self, processes: int, threads: int) -> str:
        return self.command.format(
            socket=self.socket, port=self.own_port or self.port, processes=processes, threads=threads
        )

    def target(self, path: str = "/") -> Target:
        return Target(self.port, path)


CONTENDERS = [
    Contender(SEED, 8101, "uwsgi", f"/usr/bin/uwsgi --ini {PLACE}/ini/seed.ini"),
    Contender(
        "gunicorn sync", 8102, "http", f"{BIN}/gunicorn -k sync -w {{processes}} -b unix:{{socket}} flask_wsgi:app"
    ),
    Contender(
        "gunicorn gthread", 8103, "http",
        f"{BIN}/gunicorn -k gthread --threads 4 -w {{processes}} -b unix:{{socket}} flask_wsgi:app",
    ),
    Contender(
        "gunicorn gevent", 8104, "http", f"{BIN}/gunicorn -k gevent -w {{processes}} -b unix:{{socket}} flask_wsgi:app"
    ),
    Contender(
        "granian", 8105, "http",
        f"{BIN}/granian --interface wsgi --workers {{processes}} --blocking-threads {{threads}} "
        "--uds {socket} --no-access-log flask_wsgi:app",
    ),
    Contender(
        "waitress", 8106, "http",
        f"{BIN}/waitress-serve --threads={{threads}} --unix-socket={{socket}} --unix-socket-perms=666 flask_wsgi:app",
    ),
    Contender("Apache mod_wsgi", 8107, "", f"/usr/sbin/apache2 -f {PLACE}/ini/apache.conf -DFOREGROUND", user="root"),
    Contender("uWSGI without nginx", 8108, "", f"/usr/bin/uwsgi --ini {PLACE}/ini/direct.ini"),
    Contender("flask run", 8109, "http", f"{BIN}/flask --app flask_wsgi run --port {{port}}", own_port=8209),
]  # fmt: skip
RETURN_200 = 8120
RESTARTED = Contender("restarted", 8121, "uwsgi", f"/usr/bin/uwsgi --ini {PLACE}/ini/restarted.ini")
VARIANT_PORT = 8130
BY_NAME = {one.name: one for one in CONTENDERS}
CLOSED_PORT = 8199


def seed_ini() -> str:
    """The seed's settings, corrected only where uWSGI or nginx would not start with them or could not connect.

    Its comments behind values are gone, and so is `truegroups`; systemd has it in the foreground and chose its user;
    its log is still a file; the socket lets nginx in; Debian's uWSGI needs its plugin named.
    """
    return f"""[uwsgi]
plugins = python3
master = true
processes = 4
uwsgi-socket = {BY_NAME[SEED].socket}
chmod-socket = 666
virtualenv = {VENV}
chdir = {APP}
module = flask_wsgi
callable = app
logto = {PLACE}/log/seed-uwsgi.log
check-static = {APP}
vacuum = true
die-on-term = true
"""


def apache_conf(processes: int, threads: int) -> str:
    """Debian's Apache with its usual way of working (event), and mod_wsgi's own processes."""
    modules = "/usr/lib/apache2/modules"
    names = ("mpm_event", "authz_core", "alias", "wsgi")
    return (
        "".join(f"LoadModule {name}_module {modules}/mod_{name}.so\n" for name in names)
        + f"""
ServerName 127.0.0.1
Listen 127.0.0.1:{BY_NAME["Apache mod_wsgi"].port}
User bench
Group bench
PidFile {SOCKETS}/apache.pid
ErrorLog {PLACE}/log/apache-error.log
LogFormat "%h %l %u %t \\"%r\\" %>s %O" short
CustomLog {PLACE}/log/apache.log short
WSGISocketPrefix {SOCKETS}/wsgi
WSGIDaemonProcess bench processes={processes} threads={threads} python-home={VENV} python-path={APP}
WSGIScriptAlias / {APP}/flask_wsgi.wsgi process-group=bench application-group=%{{GLOBAL}}
Alias /static {APP}/static
<Directory {APP}>
    Require all granted
</Directory>
"""
    )


def own_ini(ours: str, lines: list[str], wsgi: str = "", threads: int = 0) -> str:
    """The ini that site.yml wrote for ours, with a socket of its own instead of systemd's, for another unit."""
    gone = r"^(http-socket|stats|vacuum|wsgi-file|add-header) = .*\n"
    text = re.sub(gone, "", re.sub(r"^#.*\n", "", ours, flags=re.MULTILINE), flags=re.MULTILINE)
    if threads:
        text = re.sub(r"^threads = .*$", f"threads = {threads}", text, flags=re.MULTILINE)
    text = re.sub(r"^virtualenv = .*$", f"virtualenv = {VENV}", text, flags=re.MULTILINE)
    text = re.sub(r"^chdir = .*$", f"chdir = {APP}", text, flags=re.MULTILINE)
    text = re.sub(r"^py-executable = .*\n", "", text, flags=re.MULTILINE)
    added = [*lines, "vacuum = true", f"wsgi-file = {wsgi or f'{APP}/ours.py'}"]
    return text.rstrip() + "\n" + "\n".join(added) + "\n"
