"""How visitors ask for an app, as its own server block says: what nginx serves may differ from what was wanted."""

from __future__ import annotations

import re
from typing import Any

NAMES = re.compile(r"^ *server_name ([^;]+);", re.MULTILINE)
SECURE = re.compile(r"^ *listen (\d+) ssl", re.MULTILINE)
PROXIED = re.compile(r"^ *listen \d+ default_server [^;]*\bproxy_protocol\b", re.MULTILINE)
PLAIN = re.compile(r"^ *listen (\d+)(?: proxy_protocol)?;", re.MULTILINE)


def names_in(conf: str) -> list[str]:
    """All host names in the text of a file."""
    return [name for found in NAMES.finditer(conf) for name in found[1].split()]


def front_of(conf: str, base: str) -> dict[str, Any] | None:
    """A `Front` from the texts of an app's file and of the default server's; None if the app has no server block.

    All that listen on a port speak the PROXY protocol if the default server does.
    """
    names = NAMES.search(conf)
    secure = SECURE.search(conf)
    port = secure or PLAIN.search(conf)
    if not names or not port:
        return None
    # Any name fits a wildcard.
    host = names[1].split()[0].replace("*.", "probe.")
    return {
        "host": host,
        "port": int(port[1]),
        "scheme": "https" if secure else "http",
        "proxy_protocol": bool(PROXIED.search(base)),
    }
