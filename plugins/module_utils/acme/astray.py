"""Whether a CA that asks for a name would reach this host, found out before the CA is asked.

A CA counts failures, and lets nobody try again for hours after a few of them.
"""

from __future__ import annotations

import contextlib
import errno
import http.client
import secrets
import socket
import ssl
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from ansible_collections.uwsgi_flask.web.plugins.module_utils.files import OwnedFile

# Where every CA asks, by plain HTTP (RFC 8555, 8.3).
PORT = 80
BELOW = ".well-known/acme-challenge"
# No CA's token begins so.
MARK = "web-"
ANSWER_SECONDS = 5.0
# A proxy may lead it to HTTPS, and the CA follows.
REDIRECTS = (301, 302, 303, 307, 308)
# What a host without IPv6 says of an address that others reach.
NO_WAY_FROM_HERE = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


@contextlib.contextmanager
def left(webroot: Path) -> Iterator[str]:
    """Something to ask for, where certbot will put the CA's: its name, which is its content too. Raises OSError."""
    mark = f"{MARK}{secrets.token_hex(16)}"
    path = webroot / BELOW / mark
    # Those of runs that were killed. Certbot's timer may have put something for a CA beside them.
    for forgotten in (found for name in (f"{MARK}*", f".{MARK}*") for found in path.parent.glob(name)):
        forgotten.unlink(missing_ok=True)
    try:
        OwnedFile(path, mark).put()
        yield mark
    finally:
        path.unlink(missing_ok=True)


def astray(name: str, mark: str) -> str:
    """Why nobody who asks for this name finds what was left here, with the remedy; "" if it is found."""
    try:
        found = socket.getaddrinfo(name, PORT, type=socket.SOCK_STREAM)
    except OSError:
        return f"{name} has no address; add an A or AAAA record that leads to this host"
    addresses = list(dict.fromkeys(str(address[4][0]) for address in found))
    faults = {address: _fault(address, name, mark) for address in addresses}
    # Of an address that can't be reached from here, only the CA can say.
    told = [f"{name} leads to {address}, {fault}" for address, fault in faults.items() if fault]
    return told[0] if told else ""


def _fault(address: str, name: str, mark: str) -> str:
    connection = http.client.HTTPConnection(address, PORT, timeout=ANSWER_SECONDS)
    try:
        path = f"/{BELOW}/{mark}"
        connection.request("GET", path, headers={"Host": name, "Connection": "close"})
        answer = connection.getresponse()
        if answer.status in REDIRECTS:
            is_well = _is_behind(urllib.parse.urljoin(f"http://{name}{path}", answer.headers["Location"] or ""), mark)
        else:
            is_well = answer.read(100).decode(errors="replace") == mark
        return "" if is_well else f"where another server answers ({answer.status}); let it lead to this host"
    except OSError as error:
        if error.errno in NO_WAY_FROM_HERE:
            return ""
        return f"where port {PORT} doesn't answer ({error}); open it, because the CA asks there"
    except http.client.HTTPException:
        return "where something else than a web server answers; let it lead to this host"
    finally:
        connection.close()


def _is_behind(url: str, mark: str) -> bool:
    """Whether it is found where a redirect leads to. As the CA does, any certificate is taken."""
    if not url.startswith(("http://", "https://")):
        return False
    try:
        with urllib.request.urlopen(url, timeout=ANSWER_SECONDS, context=ssl._create_unverified_context()) as answer:
            return bool(answer.read(100).decode(errors="replace") == mark)
    except (OSError, http.client.HTTPException):
        return False
