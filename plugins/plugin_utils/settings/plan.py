"""From what a person wrote to what is done on one host: everything checked, every value and path derived."""

from __future__ import annotations

import dataclasses
import os
import pwd
import socket
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.uwsgi_flask.web.plugins.module_utils.layout import ID_DIGITS, AppLayout, ReleaseLayout
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings import identity
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.agreement import Agreement, parse_agreement
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.app import App
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.environment import parse_secrets
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.parsing import (
    clashes,
    items_of,
    names_of,
    parse_app,
)
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.source import (
    CodeFile,
    Unreadable,
    code_files,
    source_faults,
)
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.words import nearest, shown_name

# A Unix socket's path holds 108 bytes with its final NUL; uWSGI refuses over 103 (sun_path, and its own suffixes).
SOCKET_PATH_BYTES = 103

# Seconds. Requests end from the inside out: uWSGI first, then nginx, then systemd. So the visitor's answer and the
# journal tell the same story.
NGINX_WAITS_LONGER = 5
SYSTEMD_WAITS_LONGER = 15

# Settings of an app that are no business of templates: `environments` has the one, the release the other.
APART = ("environment", "source")


class BadSettings(ValueError):
    """The settings can't be used. `problems` holds one line for each, with the key, the problem and the remedy."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = list(problems)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Request:
    """What is asked for: variables by their full names, and names of apps as `-e app=…` and `-e restart=…` give them.

    A relative source starts from `base`. `looked_at` says where web_apps could have been set.
    """

    variables: Mapping[str, Any]
    base: str
    app: Any = ""
    restart: Any = ""
    looked_at: str = ""

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

    def folder(self, app: App) -> Path:
        return Path(os.path.abspath(os.path.join(self.base, app.folder)))

    def present(self) -> list[App]:
        return [app for app in self.apps if app.name in self.chosen and app.is_present()]

    def absent(self) -> list[App]:
        return [app for app in self.apps if app.name in self.chosen and not app.is_present()]

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
    secrets = parse_secrets(request.variables.get("web_app_secrets", {}), environments, names, problems)
    settings = Settings(
        agreement=agreement,
        apps=apps,
        secrets=secrets,
        base=request.base,
        chosen=chosen,
        restarted=restarted,
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
        f"{option}: {shown_name(name)} is not an app of this run; {nearest(name, names, 'apps')}"
        for name in chosen
        if name not in names
    ]
    return chosen


def _faults(settings: Settings) -> Iterator[str]:
    """What is wrong with an app beyond its own keys."""
    for app in settings.present():
        for fault in source_faults(app, settings.folder(app)):
            yield f"web_apps: '{app.name}' {fault}"
    for app in settings.apps:
        if len(longest := _longest_socket(settings.layout(app))) > SOCKET_PATH_BYTES:
            yield (
                f"web_apps: '{app.name}' has a name too long for a socket: "
                f"{longest} is over {SOCKET_PATH_BYTES} bytes; shorten it"
            )


def _longest_socket(app: AppLayout) -> str:
    """Whatever the release's id will be."""
    release = app.release("0" * ID_DIGITS)
    sockets = (app.live_socket, app.candidate_socket, release.socket, release.http_socket, release.stats_socket)
    return max(map(str, sockets), key=len)


def plan(request: Request, host: Mapping[str, Any], templates: str) -> dict[str, Any]:
    """All that is done on one host, plain values only. Raises BadSettings.

    `host` is what the module `look` tells, {} if it isn't known yet; `templates` the folder of the app server's
    templates, which are part of a release.
    """
    settings, problems = parse(request)
    if problems:
        raise BadSettings(problems)
    return {
        "web": settings.agreement.plain(),
        "apps": list(_items(settings, host, code_files(templates))),
        "absent": [{"name": app.name, "purge": app.purge} for app in settings.absent()],
        "names": [app.name for app in settings.apps],
        # Apart from the rest, so that no task prints an item that holds a secret.
        "environments": {app.name: app.environment for app in settings.present()},
        "secrets": {app.name: settings.secrets.get(app.name, {}) for app in settings.present()},
        "build_environment": settings.agreement.build_environment,
        "by": deployed_by(),
    }


def _items(settings: Settings, host: Mapping[str, Any], templates: Sequence[CodeFile]) -> Iterator[dict[str, Any]]:
    for app in settings.present():
        known = host.get("apps", {}).get(app.name, {})
        try:
            release = _release(settings, app, known, host.get("python", ""), templates)
        except Unreadable as error:
            raise BadSettings([f"web_apps: '{app.name}' has 'source': {error}"]) from None
        values = {name: value for name, value in dataclasses.asdict(app).items() if name not in APART}
        # A release that is rolled back to may take longer than the live one.
        slowest = max(app.request_timeout, int(known.get("longest_timeout", 0)))
        yield {
            "app": {**values, **settings.layout(app).describe()},
            "release": release,
            "site": {"read_timeout": slowest + NGINX_WAITS_LONGER},
        }


def _release(
    settings: Settings, app: App, known: Mapping[str, Any], python: str, templates: Sequence[CodeFile]
) -> dict[str, Any]:
    """The release that these settings make. `known` is what the host has of the app."""
    source = str(settings.folder(app))
    files = code_files(source)
    secrets = settings.secrets.get(app.name, {})
    minor = identity.minor(python)
    version = identity.version_of(app, files)
    serial = int(known.get("serial", 0)) + bool(known.get("renew") or app.name in settings.restarted)
    made = identity.release_id(version, app, secrets, settings.agreement, templates, minor, serial)
    # What was changed by hand may be the very note of its serial.
    while known.get("renew") and made == known.get("live"):
        serial += 1
        made = identity.release_id(version, app, secrets, settings.agreement, templates, minor, serial)
    layout = settings.layout(app).release(made)
    return {
        **layout.describe(),
        "version": version,
        "serial": serial,
        "python": minor,
        "source": source,
        "ref": identity.ref(source),
        "files": [list(file) for file in files],
        "venv_key": identity.venv_key(app, files, minor),
        "check": _import_check(app, layout),
        "stop_timeout": app.request_timeout + SYSTEMD_WAITS_LONGER,
        "gate": {"path": app.health_path, "successes": app.health_successes, "deadline": app.start_timeout},
        "drain": app.request_timeout,
        "keep": app.keep_releases,
        "front": {"host": app.server_names[0].replace("*.", "probe."), "port": settings.agreement.http_port},
        "hooks": {
            "key": identity.hooks_key(version, app, secrets),
            "before": app.before_live,
            "after": app.after_live,
        },
    }


def _import_check(app: App, release: ReleaseLayout) -> str:
    """A shell line, run in the code's folder, that fails with a traceback if the app can't be imported."""
    importing = f'import importlib; getattr(importlib.import_module("{app.module}"), "{app.callable}")'
    return f"exec {release.virtualenv}/bin/python -c '{importing}'"


def deployed_by() -> str:
    """Who deploys from which machine, for the history on the hosts."""
    try:
        user = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"
