"""What is wrong beyond each key and variable by itself: keys that don't fit each other, files, names, the source."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

from ansible_collections.uwsgi_flask.web.plugins.module_utils.layout import AppLayout
from ansible_collections.uwsgi_flask.web.plugins.module_utils.release_layout import ID_DIGITS
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.acme import account_faults, name_faults
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.app import App
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.certificate import certificate_faults
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.dependencies.settle import USUAL
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.dependencies.unsettled import Unsettled
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.environment import (
    missing_variables,
)
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.keys import Fault, standing
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.request import Settings
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.sharing import sharing_faults
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.source.folder import source_faults
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.source.origin import NoSource, Settling

# A Unix socket's path holds 108 bytes with its final NUL; uWSGI refuses over 103 (sun_path, and its own suffixes).
SOCKET_PATH_BYTES = 103
# Keys that lead into a source.
OF_A_SOURCE = (
    "source",
    "ref",
    "source_key",
    "sha256",
    "exclude",
    "chdir",
    "requirements",
    "extras",
    "static_folder",
    "static_url",
    "error_pages",
)


def faults(settings: Settings, wrong_keys: Mapping[str, frozenset[str]]) -> Iterator[str]:
    """What is wrong beyond each key and variable by itself. `wrong_keys` are those that were refused, by app."""
    yield from standing(_agreement_faults(settings), settings.refused)
    for app in settings.present():
        for fault in _app_faults(settings, app, settings.refused | wrong_keys[app.name]):
            yield f"web_apps: '{app.name}' {fault}"
    yield from sharing_faults([app for app in settings.apps if app.is_present()], settings.inventory)
    for app in settings.apps:
        if app.is_present():
            yield from (f"web_apps: '{app.name}' has 'hosts': {it}" for it in settings.inventory.faults(app.hosts))
        if len(longest := _longest_socket(settings.layout(app, {}))) > SOCKET_PATH_BYTES:
            yield (
                f"web_apps: '{app.name}' has a name too long for a socket: "
                f"{longest} is over {SOCKET_PATH_BYTES} bytes; shorten it"
            )


def _agreement_faults(settings: Settings) -> Iterator[Fault]:
    agreed = settings.agreement
    if agreed.http_port == agreed.https_port:
        same = f"web_https_port: is {agreed.https_port}, as web_http_port is; nginx needs one for each"
        yield Fault(same, ("web_http_port", "web_https_port"))
    if agreed.proxy_protocol and not agreed.trusted_proxies:
        nobody = "web_proxy_protocol: is true, but web_trusted_proxies is empty; list the proxies that speak it"
        yield Fault(nobody, ("web_trusted_proxies",))
    if any(app.tls == "acme" for app in settings.present()):
        yield from account_faults(agreed, settings.ca_bundle)


def _app_faults(settings: Settings, app: App, refused: frozenset[str]) -> Iterator[str]:
    """What is wrong with one app, as the ends of sentences that begin with it."""
    for line in standing(_tls_faults(settings, app), refused):
        yield f"has {line}"
    if app.user == settings.agreement.nginx_user:
        yield f"has 'user': {app.user!r} is nginx's own; name another, or leave it out"
    for line in standing(_stream_faults(app), refused):
        yield f"has 'streaming': {line}"
    for line in standing(_media_faults(app), refused):
        yield f"has 'media': {line}"
    for line in standing(_cache_faults(app), refused):
        yield f"has 'cache': {line}"
    for key in ("health_path", "static_url"):
        path = getattr(app, key)
        if app.prefix and f"{path}/".startswith(f"{app.prefix}/"):
            rest = path.removeprefix(app.prefix) or "/"
            yield f"has {key!r}: {path!r}, but 'prefix' stands before it without being told; write {rest!r}"
    if app.redirect_names and app.server_names and app.server_names[0].startswith("*."):
        yield "has 'redirect_names', so the first of 'server_names', where they lead, must be without '*'"
    secrets = settings.secrets.get(app.name, {})
    yield from missing_variables(app.required_environment, app.environment, secrets)
    yield from _content_faults(settings, app)


def _content_faults(settings: Settings, app: App) -> Iterator[str]:
    """What is wrong with what a release is made of: the code, and what it installs."""
    if app.package:
        for key in OF_A_SOURCE:
            if getattr(app, key) not in ([], getattr(App, key, "")):
                yield f"has '{key}' beside 'package': a package brings its own, and has no source; leave one out"
    else:
        try:
            settling = Settling(settings.path, settings.read, settings.agreement.source_tokens, settings.desk.memory)
            origin = settings.origins[app.name] = settling.origin(app)
        except NoSource as error:
            yield str(error)
            return
        yield from source_faults(app, origin)
        # What is there but isn't readable, a link to nothing or the like has been named already.
        named = [origin.folder / name for name in ([app.requirements] if app.requirements else USUAL)]
        is_listed = origin.folder.is_dir() and os.access(origin.folder, os.R_OK | os.X_OK)
        if not is_listed or any(os.path.lexists(path) and not os.access(path, os.R_OK) for path in named):
            return
    try:
        installed = settings.dependencies(app)
        if not settings.fills:
            settings.sent_wheels(app, installed, None)
    except Unsettled as error:
        yield f"has '{error.key}': {error.fault}"


def _stream_faults(app: App) -> Iterator[Fault]:
    for path in app.streaming:
        if app.prefix and f"{path}/".startswith(f"{app.prefix}/"):
            inside = path.removeprefix(app.prefix) or "/events"
            twice = f"{path!r} would be outside the app, all of which is below {app.prefix!r} anyway; write {inside!r}"
            yield Fault(twice, ("streaming", "prefix"))
        if app.static_url != "/" and (f"{path}/".startswith(app.static_url) or app.static_url.startswith(f"{path}/")):
            mixed = f"{path!r} and 'static_url' {app.static_url!r}: one is in the other, and nginx serves files there"
            yield Fault(f"{mixed}; choose another path for one of them", ("streaming", "static_url"))


def _media_faults(app: App) -> Iterator[Fault]:
    others = [("static_url", app.static_url.rstrip("/")), *(("streaming", path) for path in app.streaming)]
    for number, path in enumerate(app.media):
        if app.prefix and f"{path}/".startswith(f"{app.prefix}/"):
            inside = path.removeprefix(app.prefix) or "/media"
            twice = f"{path!r} begins with 'prefix', which stands before it without being told; write {inside!r}"
            yield Fault(twice, ("media", "prefix"))
        for key, other in [*others, *(("media", other) for other in [*app.media][:number])]:
            # A static folder at the root has room for others below it.
            if other and _overlap(path, other):
                mixed = f"{path!r} and {other!r} of '{key}': one is in the other; choose another path for one of them"
                yield Fault(mixed, ("media", key))
        if f"{app.health_path}/".startswith(f"{path}/"):
            hidden = f"{path!r} holds 'health_path' {app.health_path!r}, and nginx would look for a file there"
            yield Fault(f"{hidden}; choose another path for one of them", ("media", "health_path"))


def _cache_faults(app: App) -> Iterator[Fault]:
    """What is below a path that is kept may be something else: files, uploads, streams, the health path."""
    files = {"static_url": [app.static_url.rstrip("/")], "media": [*app.media]}
    for path in app.cache.get("paths", []):
        if app.prefix and f"{path}/".startswith(f"{app.prefix}/"):
            inside = path.removeprefix(app.prefix) or "/"
            twice = f"{path!r} begins with 'prefix', which stands before it without being told; write {inside!r}"
            yield Fault(twice, ("cache", "prefix"))
        for key, others in {"streaming": app.streaming, **files}.items():
            for other in others:
                if other and f"{path}/".startswith(f"{other}/"):
                    why = "a stream can't be kept" if key == "streaming" else "nginx serves the files there itself"
                    yield Fault(f"{path!r} is in {other!r} of '{key}', and {why}; leave it out", ("cache", key))
        if path == app.health_path:
            asked = f"{path!r} is 'health_path' too, which the app must answer itself; give it a health path of its own"
            yield Fault(asked, ("cache", "health_path"))


def _overlap(one: str, other: str) -> bool:
    """Whether one of two URL paths is the other, or below it."""
    return f"{one}/".startswith(f"{other}/") or f"{other}/".startswith(f"{one}/")


def _tls_faults(settings: Settings, app: App) -> Iterator[Fault]:
    given = {"tls_certificate": app.tls_certificate, "tls_key": app.tls_key}
    if app.hsts and app.tls == "off" and not settings.agreement.trusted_proxies:
        yield Fault(
            "'hsts' without 'tls': browsers would ask by HTTPS, and nobody would answer; set 'tls' too, or "
            "web_trusted_proxies if a proxy in front ends TLS",
            ("tls", "web_trusted_proxies"),
        )
    if app.tls == "acme":
        yield from name_faults(app, settings.agreement)
    if app.tls != "files":
        yield from (Fault(f"'{name}', which needs 'tls: files'", ("tls",)) for name, path in given.items() if path)
        return
    missing = [name for name, path in given.items() if not path]
    if missing:
        yield Fault(f"'tls: files', which needs the key '{missing[0]}' too", (missing[0],))
        return
    found = {}
    for name, path in given.items():
        try:
            found[name] = settings.content(path)
        except OSError as error:
            yield Fault(f"'{name}': {str(settings.path(path))!r} can't be read: {error.strerror or error}", (name,))
    if len(found) == len(given):
        lines = certificate_faults(found["tls_certificate"], found["tls_key"], app.every_name())
        yield from (Fault(line, tuple(given)) for line in lines)


def _longest_socket(app: AppLayout) -> str:
    """Whatever the release's id will be."""
    release = app.release("0" * ID_DIGITS)
    sockets = (app.live_socket, app.candidate_socket, release.socket, release.http_socket, release.stats_socket)
    return max(map(str, sockets), key=len)
