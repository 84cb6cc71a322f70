"""An app as a person describes it: every key of an item of `web_apps` is a field here, and nowhere else."""

from __future__ import annotations

import dataclasses
from dataclasses import field

from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.environment import environment
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.keys import key
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.rules import (
    app_name,
    body_size,
    dotted_name,
    extras,
    file_path,
    headers,
    host_name,
    list_of,
    one_of,
    package,
    python_name,
    relative_path,
    shell_lines,
    source_path,
    static_path,
    tls_way,
    url_path,
    whole,
    yes_or_no,
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
class App:
    """One item of `web_apps`. The meanings are Markdown: docs/apps.md is made from them."""

    name: str = field(
        metadata=key(
            app_name,
            "names directories, units, sockets and log entries: at most 46 lower-case letters, digits and hyphens",
        )
    )
    server_names: list[str] = field(
        metadata=key(
            list_of(host_name, "host names"),
            "host names that nginx answers to for this app; `*.example.com` too",
            carried=False,
        )
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
    source: str = field(
        default="",
        metadata=key(
            source_path,
            "folder with the code, relative to the playbook or absolute; the app's name if not given",
            carried=False,
        ),
    )
    module: str = field(
        default="flask_wsgi",
        metadata=key(dotted_name, "Python module that holds the callable; `shop.web` for a package"),
    )
    callable: str = field(default="app", metadata=key(python_name, "name of the Flask object in the module"))
    requirements: str = field(
        default="",
        metadata=key(
            relative_path,
            "what [pip installs](dependencies.md), a path inside the source: a requirements file or a "
            "`pyproject.toml`; `requirements.txt` or else `pyproject.toml` if not given",
        ),
    )
    extras: list[str] = field(
        default_factory=list,
        metadata=key(extras, "extras of the `pyproject.toml` that are installed too"),
    )
    package: str = field(
        default="",
        metadata=key(
            package,
            "in place of a source, [a package](dependencies.md#a-package-without-a-source) that has the app: "
            "`httpbin==0.10.2`, or the path of a wheel",
        ),
    )
    static_folder: str = field(
        default="static",
        metadata=key(
            relative_path,
            "folder that nginx serves itself, a path inside the source; public, so keep code out of it",
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
    error_pages: str = field(
        default="",
        metadata=key(
            relative_path,
            "folder in the static folder with [your own pages](error-pages.md) of the errors that nginx makes itself",
            carried=False,
        ),
    )
    environment: dict[str, str] = field(
        default_factory=dict,
        metadata=key(
            environment, "environment variables of the app; put anything in quotes but text and whole numbers"
        ),
    )
    before_live: list[str] = field(
        default_factory=list,
        metadata=key(
            shell_lines,
            "shell lines run once, on one host, before a release goes live: [migrations](deploying.md)",
        ),
    )
    after_live: list[str] = field(
        default_factory=list,
        metadata=key(shell_lines, "shell lines run once, on one host, after it went live"),
    )
    processes: int = field(
        default=2,
        metadata=key(whole(1, 512), "uWSGI workers; as many as cores is a good start"),
    )
    threads: int = field(
        default=4,
        metadata=key(whole(1, 512), "threads in each worker; more for an app that waits a lot"),
    )
    listen_queue: int = field(
        default=4096,
        metadata=key(whole(16, 65535, "connections"), "how many connections may wait for a free thread; 16 to 65535"),
    )
    request_timeout: int = field(
        default=30,
        metadata=key(whole(1, 3600, "seconds"), "seconds after which a request is ended"),
    )
    max_requests: int = field(
        default=100_000,
        metadata=key(whole(100, 10**9), "requests after which a worker is renewed"),
    )
    max_body: str = field(
        default="1m",
        metadata=key(body_size, "largest request body, as nginx writes it: `512k`, `20m`", carried=False),
    )
    health_path: str = field(
        default="/health",
        metadata=key(url_path, "answers 200 when the app is well", carried=False),
    )
    health_successes: int = field(
        default=3,
        metadata=key(whole(1, 100), "good answers in a row that prove a release", carried=False),
    )
    start_timeout: int = field(
        default=60,
        metadata=key(whole(1, 3600, "seconds"), "seconds after which a release that isn't well is refused"),
    )
    state: str = field(
        default="present",
        metadata=key(
            one_of("present", "absent"),
            "`absent` removes the app from the hosts: [removing](removing.md)",
            carried=False,
        ),
    )
    purge: bool = field(
        default=False,
        metadata=key(yes_or_no, "with `state: absent`, also delete its data in /var/lib", carried=False),
    )
    keep_releases: int = field(
        default=5,
        metadata=key(
            whole(2, 100),
            "good releases kept on the host, to [roll back](rolling-back.md) to; at least 2",
            carried=False,
        ),
    )

    @property
    def folder(self) -> str:
        return self.source or self.name

    def every_header(self) -> dict[str, str]:
        """The response headers that nginx adds where the app sends none of that name."""
        own = {name.lower() for name in self.headers}
        safe = {name: text for name, text in SAFE_HEADERS.items() if name.lower() not in own}
        return {**safe, **{name: text for name, text in self.headers.items() if text}}

    def is_present(self) -> bool:
        return self.state == "present"
