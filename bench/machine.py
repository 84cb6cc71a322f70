"""What a run was measured on."""

from __future__ import annotations

import re
from typing import Any

from bench import setup
from bench.contenders import VENV
from bench.scenes import now
from bench.server import Server


def described(server: Server) -> dict[str, Any]:
    """Processor, memory (bytes), kernel, versions, and how ours was set."""
    told = server.sh(
        "grep -m1 'model name' /proc/cpuinfo; grep MemTotal /proc/meminfo; uname -r; nginx -v; uwsgi --version;"
        "python3 -V; apache2 -v; dpkg-query -W -f 'mod_wsgi/${Version}\n' libapache2-mod-wsgi-py3;"
        "wrk -v; . /etc/os-release; echo $PRETTY_NAME"
    )
    lines = told.splitlines()
    ini = setup.ours(server)
    versions = {
        "nginx": found(r"nginx version: nginx/(\S+)", told),
        "uWSGI": found(r"^(\d\S+?)(?:-debian)?$", "\n".join(lines[4:])),
        "Python": found(r"^Python (\S+)", told),
        "Apache": found(r"Apache/(\S+)", told),
        "mod_wsgi": found(r"mod_wsgi/(\S+)", told),
        "wrk": found(r"wrk (?:debian/)?(\S+)", told),
    }
    for line in server.sh(f"{VENV}/bin/pip list --disable-pip-version-check --format=freeze").splitlines():
        name, _is, version = line.partition("==")
        if name.lower() in ("flask", "gunicorn", "gevent", "granian", "waitress", "werkzeug"):
            versions[name] = version
    return {
        "date": now(),
        "cpu": lines[0].partition(":")[2].strip(),
        "cores": server.cores,
        "memory_bytes": int(found(r"MemTotal:\s+(\d+)", told)) * 1024,
        "kernel": lines[2],
        "system": lines[-1],
        "versions": versions,
        "ours": {name: setup.number(ini, name) or server.cores for name in ("processes", "threads")},
    }


def found(pattern: str, text: str) -> str:
    match = re.search(pattern, text, re.MULTILINE)
    return match[1] if match else "?"
