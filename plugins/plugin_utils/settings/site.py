"""How visitors come to an app: what nginx must know beside the app's own settings, every value derived."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import Any

from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.agreement import Agreement
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.app import App

# Headers that an upload has of its own.
OF_UPLOADS = ("x-content-type-options", "content-security-policy", "cache-control", "content-disposition")
# What pages load: of a folder that is the site's root, the release before gives these alone, or a file of it would hide
# what the app answers there by now.
LOADED = "css|js|mjs|map|wasm|png|jpe?g|gif|webp|avif|svg|ico|woff2?|ttf|otf|mp[34]|webm|og[gv]"

# An answer that is no longer fresh is given to one visitor more while nginx asks for the next, so it can be so many
# seconds too old, and not more: then it is forgotten. While visitors come more often, one stays through an outage.
CACHE_FORGETS = 10


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
        # Where the app is: its root, its static files, its streams, the prefix itself, and its uploads.
        "places": [
            [f"{prefix}/", f"{prefix}{app.static_url}", app.streams(prefix), prefix, app.uploads(prefix)]
            for prefix in prefixes
        ],
        "is_below": "" not in prefixes,
        "read_timeout": read_timeout,
        "headers": list(_headers(app, called)),
        "headers_of_uploads": [header for header in _headers(app, called) if header[0].lower() not in OF_UPLOADS],
        # nginx's variable for what browsers are told to keep, and what it says of most static files; a header of the
        # app's own stands in for both.
        "kept": "" if "cache-control" in map(str.lower, app.every_header()) else f"${_word(called)}___kept",
        "kept_mostly": f"public, max-age={app.static_max_age}" if app.static_max_age else "no-cache",
        # nginx's variable for a file's path in the static folder, and what finds it in an address.
        "inside": f"${_word(called)}___inside",
        "insides": [_inside(prefix, app.static_url) for prefix in prefixes],
        "is_waiting": False,
        "shared": shared,
        # nginx's variable for whether the app is in maintenance, and what it answers then and to errors.
        "limits": [_limit(app, number, prefixes) for number in range(len(app.request_limits))],
        "connections": f"{_word(app.name)}__connections",
        # nginx's variable for when a visitor over a limit may come again, in seconds; 0 without limits.
        "retried": f"{_word(app.name)}__retry_after",
        "retry_after": _retry_after(app),
        "cache": _cache(app, prefixes),
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


def _inside(prefix: str, static_url: str) -> str:
    """A regular expression that finds a file's path in the static folder, the first slash included."""
    path = f"{prefix}{static_url}".removesuffix("/").replace(".", r"\.")
    file = r"/.*[^/]" if static_url != "/" else rf"/.*\.({LOADED})"
    return f"(?s)^{path}({file})$"


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


def _cache(app: App, prefixes: list[str]) -> dict[str, Any]:
    """What nginx keeps of an app's answers, for so many `seconds`.

    `zone` is what it calls them, and the variable that says where there are any; `paths` finds these, and `never` are
    none of them. `method`, `release` and `foreign` are variables for what the app is asked by, for the release that is
    live when somebody asks, and for an answer of another. What nobody asks for is forgotten after `forgotten` seconds.
    """
    seconds = int(app.cache.get("seconds", 0))
    given = [(prefix, path) for prefix in prefixes for path in app.cache.get("paths", [])]
    paths = [f"{prefix}{path}".replace(".", r"\.") + ("" if path == "/" else "(?![^/])") for prefix, path in given]
    word = _word(app.name)
    return {
        "zone": f"{word}___cache",
        "paths": f"({'|'.join(paths)})",
        # A probe asks the app itself.
        "never": [_as_nginx_has_it(f"{prefix}{app.health_path}") for prefix in prefixes],
        "seconds": seconds,
        "forgotten": seconds + CACHE_FORGETS,
        "method": f"${word}___method",
        "release": f"${word}___asked_release",
        "foreign": f"${word}___of_another_release",
    }


def _as_nginx_has_it(path: str) -> str:
    """A URL path without slashes and dots that lead nowhere, as in nginx's `$uri`."""
    last = "/" if path.endswith(("/", "/.", "/..")) else ""
    return f"/{posixpath.normpath(path).strip('/')}".rstrip("/") + last or "/"


def _limit(app: App, number: int, prefixes: list[str]) -> list[Any]:
    """A limit of requests: its zone, which paths, nginx's rate, how many at once, and whether files are counted too."""
    path, limit = [*app.request_limits.items()][number]
    count, _slash, unit = limit.partition("/")
    paths = "(" + "|".join(f"{prefix}{path}".replace(".", r"\.") for prefix in prefixes) + ")"
    return [
        # No header's name begins with a digit, so none of its variables is called so.
        f"{_word(app.name)}__{number}",
        paths if path == "/" else f"{paths}(?![^/])",
        f"{count}r/{unit}",
        int(count),
        f"{path}/".startswith(app.static_url) and path != "/",
    ]


def _retry_after(app: App) -> int:
    """Seconds in which the slowest of an app's limits lets one more request through; 0 without any."""
    counts = [limit.partition("/") for limit in app.request_limits.values()]
    waits = [-(-60 // int(count)) if unit == "m" else 1 for count, _slash, unit in counts]
    return max([*waits, 1 if app.connection_limit else 0], default=0)


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
