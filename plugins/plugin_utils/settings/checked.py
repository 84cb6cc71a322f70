"""What a person wrote, checked as a whole: every app, its source and certificate, against what they must be."""

from __future__ import annotations

import dataclasses
import errno
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.uwsgi_flask.web.plugins.module_utils.layout import ID_DIGITS, AppLayout
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.accounts import own_account
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.acme import account_faults, name_faults
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.agreement import Agreement, parse_agreement
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.app import App
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.certificate import certificate_faults
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.defaults import DEFAULTS, parse_defaults
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.environment import (
    missing_variables,
    parse_secrets,
)
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.keys import Fault, standing
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.parsing import (
    clashes,
    items_of,
    names_of,
    parse_app,
)
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.source.folder import notices, source_faults
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.source.origin import Origin, Settling, Unsettled
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.words import (
    nearest,
    shown_name,
    without_credentials,
)

# A Unix socket's path holds 108 bytes with its final NUL; uWSGI refuses over 103 (sun_path, and its own suffixes).
SOCKET_PATH_BYTES = 103


class BadSettings(ValueError):
    """The settings can't be used. `problems` holds one line for each, with the key, the problem and the remedy."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = list(problems)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Request:
    """What is asked for: variables by their full names, and names of apps as `-e app=…` and `-e restart=…` give them.

    A relative path starts from `base`. `looked_at` says where web_apps could have been set. `read` gives a file's
    content, decrypted if it is vaulted, and raises OSError.
    """

    variables: Mapping[str, Any]
    base: str
    app: Any = ""
    restart: Any = ""
    looked_at: str = ""
    read: Callable[[Path], bytes] = Path.read_bytes

    def names(self) -> list[str]:
        """What the apps are called, be the rest right or wrong."""
        return names_of(items_of(self.variables.get("web_apps"), []))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """What a person wrote, checked. `apps` are all; those of this run are `chosen`, a few of them `restarted`.

    `refused` are the variables that have a default in the agreement in place of what was written.
    """

    agreement: Agreement
    refused: frozenset[str]
    apps: list[App]
    secrets: dict[str, dict[str, str]]
    base: str
    chosen: list[str]
    restarted: list[str]
    read: Callable[[Path], bytes]
    # By app, filled once: where the code of those that are present was found.
    origins: dict[str, Origin] = dataclasses.field(default_factory=dict)

    def path(self, given: str) -> Path:
        """Where a path leads that a person wrote; `~` is their home."""
        return Path(os.path.abspath(os.path.join(self.base, os.path.expanduser(given))))

    def folder(self, app: App) -> Path:
        """The folder with the app's code, wherever it comes from."""
        return self.origins[app.name].folder

    def certificate(self, app: App) -> tuple[bytes, bytes]:
        """A person's own certificate and its key. Raises OSError."""
        return self.content(app.tls_certificate), self.content(app.tls_key)

    def ca_bundle(self) -> bytes:
        """The certificates that certbot trusts. Raises OSError."""
        return self.content(self.agreement.acme_ca_bundle)

    def content(self, given: str) -> bytes:
        """What a file holds. Raises OSError."""
        path = self.path(given)
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, "it is a folder", str(path))
        return self.read(path)

    def present(self) -> list[App]:
        return [app for app in self.apps if app.name in self.chosen and app.is_present()]

    def absent(self) -> list[App]:
        return [app for app in self.apps if app.name in self.chosen and not app.is_present()]

    def proven_here(self) -> list[str]:
        """Names for which a CA asks this host; none while it isn't known how."""
        if "web_acme_dns_plugin" in self.refused:
            return []
        by_http = [app for app in self.present() if app.tls == "acme" and not self.agreement.acme_dns_plugin]
        return [name for app in by_http for name in app.every_name()]

    def notices(self) -> Iterator[str]:
        """What a person may want to know of the sources, if they can be used, a line each."""
        for app in self.present():
            for notice in notices(app, self.origins[app.name]):
                yield f"web_apps: '{app.name}' {notice}"

    def layout(self, app: App, known: Mapping[str, Any]) -> AppLayout:
        """Where the app is on a host that has `known` of it. It goes on as the user it has until a person names one."""
        agreed, own = self.agreement, own_account(app.name)
        return AppLayout(app.name, agreed.app_root, agreed.run_root, app.user or known.get("user", own), own)


def parse(request: Request) -> tuple[Settings, list[str]]:
    """The settings, and everything that is wrong with them, a line for each problem."""
    problems: list[str] = []
    agreement, refused = parse_agreement(request.variables, problems)
    given = request.variables.get("web_apps")
    if given is None or given == []:
        state = "is empty" if "web_apps" in request.variables else "is not set"
        problems.append(f"web_apps: {state}, so there is nothing to deploy; {request.looked_at}")
        given = []
    items = items_of(given, problems)
    names = names_of(items)
    defaults = parse_defaults(request.variables.get(DEFAULTS, {}), problems)
    found = [parse_app(defaults.with_own(item), number, problems) for number, item in enumerate(items, start=1)]
    known = [
        (app, wrong)
        for (app, wrong), item in zip(found, items, strict=True)
        if app is not None and not defaults.hide_source_of(item)
    ]
    apps = [app for app, _wrong in known]
    wrong_keys = {app.name: wrong for app, wrong in known}
    problems += clashes(items)
    environments = {app.name: app.environment for app in apps}
    chosen = _chosen("app", request.app, names, problems) or names
    gone = [app.name for app in apps if not app.is_present()]
    deployed = [name for name in names if name in chosen and name not in gone]
    restarted = _chosen("restart", request.restart, deployed, problems)
    secrets = parse_secrets(request.variables, environments, names, problems)
    settings = Settings(
        agreement=agreement,
        refused=refused,
        apps=apps,
        secrets=secrets,
        base=request.base,
        chosen=chosen,
        restarted=restarted,
        read=request.read,
    )
    problems += _faults(settings, wrong_keys)
    return settings, [without_credentials(problem) for problem in problems]


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


def _faults(settings: Settings, wrong_keys: Mapping[str, frozenset[str]]) -> Iterator[str]:
    """What is wrong beyond each key and variable by itself. `wrong_keys` are those that were refused, by app."""
    yield from standing(_shared_faults(settings), settings.refused)
    for app in settings.present():
        for fault in _app_faults(settings, app, settings.refused | wrong_keys[app.name]):
            yield f"web_apps: '{app.name}' {fault}"
    for app in settings.apps:
        if len(longest := _longest_socket(settings.layout(app, {}))) > SOCKET_PATH_BYTES:
            yield (
                f"web_apps: '{app.name}' has a name too long for a socket: "
                f"{longest} is over {SOCKET_PATH_BYTES} bytes; shorten it"
            )


def _shared_faults(settings: Settings) -> Iterator[Fault]:
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
    if app.redirect_names and app.server_names and app.server_names[0].startswith("*."):
        yield "has 'redirect_names', so the first of 'server_names', where they lead, must be without '*'"
    secrets = settings.secrets.get(app.name, {})
    yield from missing_variables(app.required_environment, app.environment, secrets)
    try:
        settling = Settling(settings.path, settings.read, settings.agreement.source_tokens)
        settings.origins[app.name] = settling.origin(app)
    except Unsettled as error:
        yield str(error)
        return
    yield from source_faults(app, settings.origins[app.name])


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
