"""What a person wrote, checked as a whole: every app, its source and certificate, against what they must be."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.uwsgi_flask.web.plugins.module_utils.layout import ID_DIGITS, AppLayout
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.agreement import Agreement, parse_agreement
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.app import App
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.certificate import certificate_faults
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.dependencies.desk import Desk
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.dependencies.memory import memory_of_this_run
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.dependencies.package import wheel_of
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.dependencies.settle import Dependencies, settle
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.dependencies.unsettled import Unsettled
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.environment import parse_secrets
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.parsing import (
    clashes,
    items_of,
    names_of,
    parse_app,
)
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.source import source_faults
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.words import nearest, shown_name
from cryptography import x509

# A Unix socket's path holds 108 bytes with its final NUL; uWSGI refuses over 103 (sun_path, and its own suffixes).
SOCKET_PATH_BYTES = 103
# Keys that lead into a source.
OF_A_SOURCE = ("source", "requirements", "extras", "static_folder", "static_url", "error_pages")


class BadSettings(ValueError):
    """The settings can't be used. `problems` holds one line for each, with the key, the problem and the remedy."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = list(problems)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Request:
    """What is asked for: variables by their full names, and names of apps as `-e app=…`, `-e restart=…` and
    `-e refresh=…` give them.

    A relative path starts from `base`. `looked_at` says where web_apps could have been set. `read` gives a file's
    content, decrypted if it is vaulted, and raises OSError. `memory` is the folder where this run remembers what it has
    settled; with `is_check` it changes nothing of the project.
    """

    variables: Mapping[str, Any]
    base: str
    memory: Path = dataclasses.field(default_factory=memory_of_this_run)
    app: Any = ""
    restart: Any = ""
    refresh: Any = ""
    is_check: bool = False
    looked_at: str = ""
    read: Callable[[Path], bytes] = Path.read_bytes

    def names(self) -> list[str]:
        """What the apps are called, be the rest right or wrong."""
        return names_of(items_of(self.variables.get("web_apps"), []))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """What a person wrote, checked. `apps` are all; those of this run are `chosen`, a few of them `restarted`."""

    agreement: Agreement
    apps: list[App]
    secrets: dict[str, dict[str, str]]
    base: str
    chosen: list[str]
    restarted: list[str]
    read: Callable[[Path], bytes]
    desk: Desk

    def path(self, given: str) -> Path:
        return Path(os.path.abspath(os.path.join(self.base, given)))

    def folder(self, app: App) -> Path:
        return self.path(app.folder)

    def source(self, app: App) -> Path:
        """The app's folder, or the wheel that it is."""
        wheel = wheel_of(app.package)
        return self.path(wheel.path) if wheel else self.folder(app)

    def dependencies(self, app: App) -> Dependencies:
        """What a release of the app installs. Raises Unsettled."""
        return settle(app, self.source(app), self.desk)

    def notices(self) -> list[str]:
        """What a person should know, though nothing is wrong."""
        return [notice for app in self.present() if (notice := self.dependencies(app).notice)]

    def certificate(self, app: App) -> tuple[bytes, bytes]:
        """A person's own certificate and its key. Raises OSError."""
        return self.read(self.path(app.tls_certificate)), self.read(self.path(app.tls_key))

    def ca_bundle(self) -> bytes:
        """The certificates that certbot trusts. Raises OSError."""
        return self.read(self.path(self.agreement.acme_ca_bundle))

    def present(self) -> list[App]:
        return [app for app in self.apps if app.name in self.chosen and app.is_present()]

    def absent(self) -> list[App]:
        return [app for app in self.apps if app.name in self.chosen and not app.is_present()]

    def proven_here(self) -> list[str]:
        """Names for which a CA asks this host."""
        by_http = [app for app in self.present() if app.tls == "acme" and not self.agreement.acme_dns_plugin]
        return [name for app in by_http for name in app.server_names]

    def layout(self, app: App) -> AppLayout:
        agreed = self.agreement
        return AppLayout(app.name, agreed.app_root, agreed.run_root, agreed.user, agreed.group)


def parse(request: Request) -> tuple[Settings, list[str]]:
    """The settings, and everything that is wrong with them, a line for each problem."""
    problems: list[str] = []
    agreement = parse_agreement(request.variables, problems)
    given = request.variables.get("web_apps")
    if given is None or given == []:
        state = "is empty" if "web_apps" in request.variables else "is not set"
        problems.append(f"web_apps: {state}, so there is nothing to deploy; {request.looked_at}")
        given = []
    items = items_of(given, problems)
    names = names_of(items)
    found = [parse_app(item, number, problems) for number, item in enumerate(items, start=1)]
    apps = [app for app in found if app is not None]
    problems += clashes(items)
    environments = {app.name: app.environment for app in apps}
    chosen = _chosen("app", request.app, names, problems) or names
    deployed = [app.name for app in apps if app.name in chosen and app.is_present()]
    restarted = _chosen("restart", request.restart, deployed, problems)
    refreshed = _chosen("refresh", request.refresh, deployed, problems)
    secrets = parse_secrets(request.variables.get("web_app_secrets", {}), environments, names, problems)
    settings = Settings(
        agreement=agreement,
        apps=apps,
        secrets=secrets,
        base=request.base,
        chosen=chosen,
        restarted=restarted,
        read=request.read,
        desk=Desk(
            locks=Path(request.base, "locks"),
            memory=request.memory,
            python=agreement.lock_python,
            refreshed=refreshed,
            variables=agreement.build_environment,
            is_check=request.is_check,
        ),
    )
    problems += _faults(settings)
    return settings, problems


def _chosen(option: str, given: Any, names: Sequence[str], problems: list[str]) -> list[str]:
    """Names of apps as a person lists them on the command line: `shop`, `shop,wiki`, or a list."""
    listed = given.split(",") if isinstance(given, str) else given
    if not isinstance(listed, list) or not all(isinstance(name, str) for name in listed):
        problems.append(f"{option}: must be the name of an app, or several with commas between them (shop,wiki)")
        return []
    chosen = [name.strip() for name in listed if name.strip()]
    problems += [
        f"{option}: {shown_name(name)} is not an app of this run{nearest(name, names, 'apps')}"
        for name in chosen
        if name not in names
    ]
    return chosen


def _faults(settings: Settings) -> Iterator[str]:
    """What is wrong with an app beyond its own keys."""
    if settings.agreement.http_port == settings.agreement.https_port:
        yield f"web_https_port: is {settings.agreement.https_port}, as web_http_port is; nginx needs one for each"
    if settings.agreement.proxy_protocol and not settings.agreement.trusted_proxies:
        yield "web_proxy_protocol: is true, but web_trusted_proxies is empty; list the proxies that speak it"
    if any(app.tls == "acme" for app in settings.present()):
        yield from _acme_faults(settings)
    for app in settings.present():
        for fault in _tls_faults(settings, app):
            yield f"web_apps: '{app.name}' has {fault}"
        for fault in _source_faults(settings, app):
            yield f"web_apps: '{app.name}' has {fault}"
    for app in settings.apps:
        if len(longest := _longest_socket(settings.layout(app))) > SOCKET_PATH_BYTES:
            yield (
                f"web_apps: '{app.name}' has a name too long for a socket: "
                f"{longest} is over {SOCKET_PATH_BYTES} bytes; shorten it"
            )


def _source_faults(settings: Settings, app: App) -> Iterator[str]:
    """What is wrong with what a release is made of: the code, and what it installs."""
    if not app.package:
        folder = settings.folder(app)
        found = [fault.removeprefix("has ") for fault in source_faults(app, folder)]
        yield from found
        named = folder / app.requirements
        # What is there but isn't readable, a link to nothing or the like has been named already.
        if not folder.is_dir() or (os.path.lexists(named) and app.requirements and not os.access(named, os.R_OK)):
            return
    for key in OF_A_SOURCE if app.package else ():
        if getattr(app, key) not in ([], getattr(App, key, "")):
            yield f"'{key}' beside 'package': a package brings its own, and has no source; leave one of the two out"
    try:
        settings.dependencies(app)
    except Unsettled as error:
        yield f"'{error.key}': {error.fault}"


def _tls_faults(settings: Settings, app: App) -> Iterator[str]:
    given = {"tls_certificate": app.tls_certificate, "tls_key": app.tls_key}
    if app.hsts and app.tls == "off" and not settings.agreement.trusted_proxies:
        yield (
            "'hsts' without 'tls': browsers would ask by HTTPS, and nobody would answer; set 'tls' too, or "
            "web_trusted_proxies if a proxy in front ends TLS"
        )
    if app.tls == "acme":
        yield from _name_faults(app, settings.agreement)
    if app.tls != "files":
        yield from (f"'{name}', which needs 'tls: files'" for name, path in given.items() if path)
        return
    missing = [name for name, path in given.items() if not path]
    if missing:
        yield f"'tls: files', which needs the key '{missing[0]}' too"
        return
    try:
        chain, key = settings.certificate(app)
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        yield f"'tls: files', but a file can't be read: {error.strerror or error}{where}"
        return
    yield from certificate_faults(chain, key, app.server_names)


def _name_faults(app: App, agreed: Agreement) -> Iterator[str]:
    """Names that no CA gives a certificate for, as it is asked."""
    for name in app.server_names:
        if name.startswith("[") or name.replace(".", "").isdigit():
            yield f"'tls: acme' and {name} in 'server_names': a CA proves names alone; use 'files'"
        elif name.startswith("*.") and not agreed.acme_dns_plugin:
            yield f"'tls: acme' and {name} in 'server_names': a wildcard is proven by DNS; set web_acme_dns_plugin"


def _acme_faults(settings: Settings) -> Iterator[str]:
    agreed = settings.agreement
    if not agreed.acme_email:
        yield "web_acme_email: is not set, but an app has 'tls: acme'; give the address that the CA may write to"
    if agreed.acme_dns_credentials and not agreed.acme_dns_plugin:
        yield "web_acme_dns_credentials: is set, but web_acme_dns_plugin isn't; name the plugin that they are for"
    if agreed.acme_ca_bundle:
        try:
            x509.load_pem_x509_certificates(settings.ca_bundle())
        except OSError as error:
            yield f"web_acme_ca_bundle: {agreed.acme_ca_bundle} can't be read: {error.strerror or error}"
        except ValueError:
            yield "web_acme_ca_bundle: must be a file of certificates in PEM ('-----BEGIN CERTIFICATE-----')"


def _longest_socket(app: AppLayout) -> str:
    """Whatever the release's id will be."""
    release = app.release("0" * ID_DIGITS)
    sockets = (app.live_socket, app.candidate_socket, release.socket, release.http_socket, release.stats_socket)
    return max(map(str, sockets), key=len)
