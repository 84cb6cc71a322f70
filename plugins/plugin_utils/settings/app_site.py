"""How visitors come to an app: names, HTTPS, headers, static files. Keys of an item of `web_apps`."""

from __future__ import annotations

import dataclasses
from dataclasses import field
from typing import Any

from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.keys import key
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.name_rules import app_name, host_meant, host_name
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.path_rules import (
    cache,
    file_path,
    media,
    prefix_path,
    relative_folder,
    request_limits,
    static_path,
    stream_path,
    url_path,
)
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.rules import (
    body_size,
    headers,
    list_of,
    maybe,
    tls_way,
    whole,
)

# What no app needs to do without: nothing here keeps an app's own scripts, styles or pictures from working.
SAFE_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Content-Security-Policy": "base-uri 'self'; frame-ancestors 'self'; object-src 'none'",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Site:
    """What an app is called, and how visitors come to it. A part of App."""

    name: str = field(
        metadata=key(
            app_name,
            "names directories, units, sockets and log entries: at most 46 lower-case letters, digits and hyphens",
        )
    )
    server_names: list[str] = field(
        metadata=key(
            list_of(host_name, "host names", host_meant),
            "host names that nginx answers to for this app; `*.example.com` too",
            carried=False,
        )
    )
    redirect_names: list[str] = field(
        default_factory=list,
        metadata=key(
            maybe(list_of(host_name, "host names", host_meant)),
            "host names whose visitors are sent to the first of `server_names`; certificates are for these too",
            carried=False,
        ),
    )
    prefix: str = field(
        default="",
        metadata=key(
            maybe(prefix_path),
            "URL path that the app is below, such as `/shop`: `url_for` begins with it, and so do `static_url` and "
            "`health_path`, without being told; nothing is served outside",
        ),
    )
    tls: str = field(
        default="off",
        metadata=key(
            tls_way,
            "`off`, `self_signed`, `files` or `acme`: [HTTPS](https.md), with the certificate that each host makes for "
            "itself, with your own, or with one that a CA gives and renews",
            carried=False,
        ),
    )
    tls_certificate: str = field(
        default="",
        metadata=key(
            file_path,
            "with `tls: files`, the certificate and those that sign it (PEM), relative to the playbook or absolute",
            carried=False,
        ),
    )
    tls_key: str = field(
        default="",
        metadata=key(
            file_path, "with `tls: files`, its private key; may be encrypted with ansible-vault", carried=False
        ),
    )
    hsts: int = field(
        default=0,
        metadata=key(
            whole(0, 63_072_000, "seconds"),
            "seconds for which browsers must not ask by plain HTTP again; 0 to leave them free",
            carried=False,
        ),
    )
    headers: dict[str, str] = field(
        default_factory=dict,
        metadata=key(
            headers,
            "response headers in place of the [safe ones](https.md#headers); an empty text leaves one out",
            carried=False,
        ),
    )
    static_url: str = field(
        default="/static/",
        metadata=key(
            static_path,
            "where that folder appears; with `/`, nginx looks for a file first and passes everything else to the app",
            carried=False,
        ),
    )
    static_max_age: int = field(
        default=0,
        metadata=key(
            whole(0, 31_536_000, "seconds"),
            "seconds for which a browser uses a static file without asking again; 0 to ask each time. One "
            "[named after its content](static-files.md#what-browsers-keep) is kept for a year anyway",
            carried=False,
        ),
    )
    media: dict[str, str] = field(
        default_factory=dict,
        metadata=key(
            media,
            "[uploads that nginx serves](static-files.md#uploads): URL paths, each with a folder below the app's data, "
            "such as `/media: uploads`",
            carried=False,
        ),
    )
    error_pages: str = field(
        default="",
        metadata=key(
            relative_folder,
            "folder in the static folder with [your own pages](error-pages.md) of the errors that nginx makes itself",
            carried=False,
        ),
    )
    max_body: str = field(
        default="1m",
        metadata=key(
            body_size,
            "largest request body, as nginx writes it: `512k`, `20m`; [uploads](streams-and-uploads.md#uploads)",
            carried=False,
        ),
    )
    request_limits: dict[str, str] = field(
        default_factory=dict,
        metadata=key(
            request_limits,
            "requests that [one address](streams-and-uploads.md#limits-for-each-address) may make, by path, such as "
            "`{/: 20/s, /login: 10/m}`; over it, 429",
            carried=False,
        ),
    )
    connection_limit: int = field(
        default=0,
        metadata=key(
            whole(0, 65_536, "requests"),
            "requests that one address may have under way at the same time; 0 for no limit; over it, 429",
            carried=False,
        ),
    )
    cache: dict[str, Any] = field(
        default_factory=dict,
        metadata=key(
            cache,
            "paths whose answers [nginx keeps for a moment](caching.md) and gives to every visitor without a cookie, "
            "such as `{paths: [/, /news], seconds: 1}`: each with all below it",
            carried=False,
        ),
    )
    streaming: list[str] = field(
        default_factory=list,
        metadata=key(
            maybe(list_of(stream_path, "URL paths")),
            "paths of [streams and WebSockets](streams-and-uploads.md), such as `/events`: what the app sends arrives "
            "at once, and `request_timeout` doesn't count",
        ),
    )
    stream_timeout: int = field(
        default=300,
        metadata=key(
            whole(1, 86_400, "seconds"),
            "seconds that a stream may be silent, and that it may go on in the old release after a new one has gone "
            "live",
        ),
    )
    health_path: str = field(
        default="/health",
        metadata=key(url_path, "answers 200 when the app is well", carried=False),
    )

    def every_name(self) -> list[str]:
        """All host names that lead here, those that are sent on last."""
        return [*self.server_names, *self.redirect_names]

    def streams(self, prefix: str) -> str:
        """A regular expression that nginx and uWSGI find the paths of streams by, with all below them; "" without any.

        Without `$`, which means something else to either.
        """
        paths = "|".join(f"{prefix}{path}".replace(".", r"\.") for path in self.streaming)
        return f"({paths})(?![^/])" if paths else ""

    def uploads(self, prefix: str) -> list[tuple[str, str]]:
        """Where nginx serves what the app has stored, and the folder of its data."""
        return [(f"{prefix}{path}/", folder) for path, folder in self.media.items()]

    def every_header(self) -> dict[str, str]:
        """The response headers that nginx adds where the app sends none of that name."""
        own = {name.lower() for name in self.headers}
        safe = {name: text for name, text in SAFE_HEADERS.items() if name.lower() not in own}
        return {**safe, **{name: text for name, text in self.headers.items() if text}}
