"""How visitors come to an app: what nginx must know beside the app's own settings, every value derived."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.agreement import Agreement
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.app import App


def site_values(
    agreed: Agreement, app: App, called: str, shared: str, read_timeout: int, former: str | None = None
) -> dict[str, Any]:
    """How visitors come to an app, or to the host names that several share.

    `called` is its name in nginx, `shared` what it shares its host names in, "" if they are its own. `read_timeout` is
    in seconds. `former` is another prefix, at which visitors have the app now and keep it until its release is live.
    """
    prefixes = [app.prefix] if former is None else [app.prefix, former]
    own = f".{app.name}" if shared else ""
    site = {
        "names": app.every_name(),
        "first_name": app.server_names[0],
        # Where the app is: its root, its static files, its streams, and the prefix itself.
        "places": [[f"{prefix}/", f"{prefix}{app.static_url}", app.streams(prefix), prefix] for prefix in prefixes],
        "is_below": "" not in prefixes,
        "read_timeout": read_timeout,
        "headers": list(_headers(app, called)),
        "is_waiting": False,
        "shared": shared,
        # nginx's variable for whether the app is in maintenance, and what it answers then and to errors.
        "closed": f"closed_{_word(app.name)}" if shared else "is_closed",
        "maintenance_page": f"/.maintenance{own}",
        "error_page": f"/.error{own}",
    }
    return {
        **site,
        **_visitors(agreed, is_secure=app.tls != "off"),
        # The same for as long as a CA hasn't given a certificate.
        "waiting": {**site, **_visitors(agreed, is_secure=False), "is_waiting": True},
    }


def _visitors(agreed: Agreement, *, is_secure: bool) -> dict[str, Any]:
    """How visitors come: "http" or "https", to which port, and what a URL needs besides the host name to say so."""
    port = agreed.https_port if is_secure else agreed.http_port
    is_usual = port == (443 if is_secure else 80)
    return {
        "scheme": "https" if is_secure else "http",
        "is_secure": is_secure,
        "port": port,
        "port_in_url": "" if is_usual else f":{port}",
    }


def _headers(app: App, called: str) -> Iterator[list[str]]:
    """Response headers: name, what the app sends, nginx's variable for what is added, that, and when it is added."""
    for name, text in app.every_header().items():
        yield [*_in_nginx(called, name), text, ""]
    if app.hsts:
        # By plain HTTP, browsers pass it over.
        name, sent, added = _in_nginx(called, "Strict-Transport-Security")
        yield [name, f"{sent} $asked_scheme", added, f"max-age={app.hsts}", " https"]


def _in_nginx(called: str, name: str) -> tuple[str, str, str]:
    """A header's name, nginx's variable for what the app sends of it, and one for what is added."""
    word = name.lower().replace("-", "_")
    # No app and no header has two underscores in a row.
    return name, f"$upstream_http_{word}", f"${_word(called)}__{word}"


def _word(called: str) -> str:
    """A part of a variable's name. No app has a dot in its name, and only a dot becomes two underscores."""
    return called.replace("-", "_").replace(".", "__")
