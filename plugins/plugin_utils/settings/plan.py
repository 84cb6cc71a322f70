"""From what a person wrote to what is done on one host: every value and path derived."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.uwsgi_flask.web.plugins.module_utils.layout import AppLayout
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.run import deployed_by
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings import identity
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.accounts import missing_accounts
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.agreement import Agreement
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.app import App
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.checked import parse
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.content import content_of
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.debian import lacking_packages
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.dependencies.package import version_in
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.dependencies.unsettled import Unsettled
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.dependencies.wheelhouse import (
    Target,
    digest_of,
)
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.entry import entry_of
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.import_check import import_check
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.ports import taken_ports
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.request import BadSettings, Request, Settings
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.sandbox import lines
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.sharing import (
    former_prefix,
    names_alone,
    shared_sites,
    site_of,
)
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.site import site_values
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.source.folder import (
    CodeFile,
    Unreadable,
    code_files,
)

# Seconds. nginx gives up first, so that the visitor gets 504: a worker that ends while nginx waits for it makes a 502.
# Then uWSGI ends the worker, and after all of them systemd the instance.
UWSGI_WAITS_LONGER = 5
SYSTEMD_WAITS_LONGER = 15

# Settings of an app that are no business of templates: `environments` has the one, the release the other.
APART = ("environment", "source", "ref", "source_key", "sha256", "exclude", "hosts", "elsewhere")


def plan(
    request: Request, host: Mapping[str, Any], templates: str, fleet: Mapping[str, Mapping[str, Any]] | None = None
) -> dict[str, Any]:
    """All that is done on one host, plain values only. Raises BadSettings.

    `host` is what the module `look` tells, {} if it isn't known yet; `templates` the folder of the app server's
    templates, which are part of a release. `fleet` has the `apps` that the hosts of this run have told, by host.
    """
    settings, problems = parse(request)
    if problems:
        raise BadSettings(problems)
    left = [app for app in settings.elsewhere() if app.name in host.get("apps", {})]
    removed = [app for app in left if app.elsewhere == "remove" and _is_served(settings, app, fleet or {})]
    gone = {app.name for app in removed}
    staying = list(_staying(settings, [name for name in host.get("apps", {}) if name not in gone]))
    if taken := [*_taken_names(settings, staying), *taken_ports(settings, host)]:
        raise BadSettings(taken)
    shared = shared_sites([app for app in settings.apps if app in (*settings.served_here(), *staying)])
    items = list(_items(settings, host, code_files(templates, by_gitignore=False), shared))
    return {
        "web": settings.agreement.plain(),
        "apps": items,
        "shared": [
            _names(settings.agreement, site, sharing[0])
            for site, sharing in shared.items()
            if any(app in settings.present() for app in sharing)
        ],
        # What other hosts must know of those with hooks.
        "hooked": [
            _hooked(item) for item in items if item["release"]["hooks"]["before"] or item["release"]["hooks"]["after"]
        ],
        # What only left this host keeps its data.
        "absent": [
            *({"name": app.name, "purge": app.purge} for app in settings.absent()),
            *({"name": app.name, "purge": False} for app in removed),
        ],
        "elsewhere": [
            {
                "name": app.name,
                "elsewhere": app.elsewhere,
                "hosts": settings.inventory.serving(app.hosts),
                "first_host": str(_layout(settings, app, host).first_host),
            }
            for app in left
            if app not in removed
        ],
        # Apart from the rest, so that no task prints an item that holds a secret.
        "environments": {app.name: app.environment for app in settings.present()},
        "secrets": {app.name: settings.secrets.get(app.name, {}) for app in settings.present()},
        "certificates": {
            site_of(app, shared): f"{key.decode().strip()}\n{chain.decode().strip()}\n"
            for app in settings.present()
            if app.tls == "files"
            for chain, key in [settings.certificate(app)]
        },
        "accounts": missing_accounts((_layout(settings, app, host) for app in settings.present()), host),
        "packages": lacking_packages(items, host),
        "build_environment": settings.agreement.build_environment,
        "acme": _terms(settings),
        "by": deployed_by(),
    }


def _hooked(item: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "app": {"name": item["app"]["name"]},
        "release": {"hooks": item["release"]["hooks"]},
        "hosts": item["hosts"],
    }


def _is_served(settings: Settings, app: App, fleet: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether visitors get an app from one of the hosts that shall serve it, as far as these have told.

    What serves is removed only for a successor.
    """
    told = [fleet[host].get(app.name, {}) for host in settings.inventory.serving(app.hosts) if host in fleet]
    return any(known.get("served") for known in told)


def _staying(settings: Settings, there: Sequence[str]) -> Iterator[App]:
    """Apps that stay on this host, where their `hosts` don't place them. `there` are those that it has."""
    for app in settings.apps:
        if app.name in there and app.is_present() and not settings.inventory.places(app.hosts):
            yield app


def _taken_names(settings: Settings, staying: Sequence[App]) -> Iterator[str]:
    """Host names that an app left here is still asked by: nginx would warn, and go on serving that one."""
    for left in staying:
        here = f"is on {settings.inventory.host} still, where its 'hosts' doesn't place it"
        ours = "" if left.elsewhere == "remove" else f"give '{left.name}' 'elsewhere: remove', or "
        remedy = f"{ours}run teardown.yml -e app={left.name} --limit {settings.inventory.host}"
        for app in settings.present():
            if app.prefix != left.prefix and {*app.server_names} == {*left.server_names}:
                # They share them.
                continue
            for name in sorted({*app.every_name()} & {*left.every_name()}):
                yield f"web_apps: '{app.name}' has {name!r}, which leads to '{left.name}'; that {here}: {remedy}"


def _terms(settings: Settings) -> dict[str, Any]:
    """How certificates are got from a CA, {} if none are; it holds a secret."""
    agreed = settings.agreement
    if not any(app.tls == "acme" for app in settings.present()):
        return {}
    return {
        "packages": ["certbot", *([f"python3-certbot-dns-{agreed.acme_dns_plugin}"] if agreed.acme_dns_plugin else [])],
        "directory": agreed.acme_directory,
        "email": agreed.acme_email,
        "ca_bundle": settings.ca_bundle().decode() if agreed.acme_ca_bundle else "",
        "dns_plugin": agreed.acme_dns_plugin,
        "dns_seconds": agreed.acme_dns_seconds,
        "dns_secret": agreed.acme_dns_credentials,
        "ask_first": agreed.acme_ask_first,
    }


def _names(agreed: Agreement, site: str, app: App) -> dict[str, Any]:
    """Host names that several apps share, called `site` in nginx, as an item; `app` is the first of these."""
    alone = names_alone(app)
    return {"app": {**_values(alone), "name": site}, "site": site_values(agreed, alone, site, "", 0)}


def _values(app: App) -> dict[str, Any]:
    return {name: value for name, value in dataclasses.asdict(app).items() if name not in APART}


def _items(
    settings: Settings, host: Mapping[str, Any], templates: Sequence[CodeFile], shared: Mapping[str, Sequence[App]]
) -> Iterator[dict[str, Any]]:
    for app in settings.present():
        known = host.get("apps", {}).get(app.name, {})
        try:
            release = _release(settings, app, known, host, templates)
        except Unreadable as error:
            raise BadSettings([f"web_apps: '{app.name}' has 'source': {error}"]) from None
        except Unsettled as error:
            raise BadSettings([f"web_apps: '{app.name}' has '{error.key}': {error.fault}"]) from None
        values = _values(app)
        if app.package:
            # nginx finds no file of it, so the app gets every request.
            values["static_url"] = "/"
        # A release that is rolled back to may take longer than the live one.
        slowest = max(app.request_timeout, int(known.get("longest_timeout", 0)))
        site = site_of(app, shared)
        shared_in = "" if site == app.name else site
        yield {
            "hosts": settings.inventory.serving(app.hosts),
            "app": {**values, **_layout(settings, app, host).describe()},
            "release": release,
            "site": site_values(
                settings.agreement,
                app,
                app.name,
                shared_in,
                slowest,
                former_prefix(app, known.get("prefix"), shared.get(site, ())),
            ),
        }


def _layout(settings: Settings, app: App, host: Mapping[str, Any]) -> AppLayout:
    return settings.layout(app, host.get("apps", {}).get(app.name, {}))


def _release(
    settings: Settings, app: App, known: Mapping[str, Any], host: Mapping[str, Any], templates: Sequence[CodeFile]
) -> dict[str, Any]:
    """The release that these settings make. `known` is what the host has of the app."""
    made_of = content_of(settings, app)
    origin, files, installed, version = made_of.origin, made_of.files, made_of.installed, made_of.version
    secrets = settings.secrets.get(app.name, {})
    minor = app.python or identity.minor(host.get("python", ""))
    sent = settings.sent_wheels(app, installed, target_of(host))
    serial = int(known.get("serial", 0)) + bool(known.get("renew") or app.name in settings.restarted)
    made = identity.release_id(version, app, secrets, settings.agreement, templates, minor, serial)
    # What was changed by hand may be the very note of its serial.
    while known.get("renew") and made == known.get("live"):
        serial += 1
        made = identity.release_id(version, app, secrets, settings.agreement, templates, minor, serial)
    extras = {"workers": app.workers, "timers": app.timers}
    layout = settings.layout(app, known).release(made).with_extras(extras)
    wanted = entry_of(app.callable)
    return {
        **layout.describe(),
        "version": version,
        "serial": serial,
        "python": minor,
        "source": str(origin.folder),
        "ref": version_in(app.package, installed.text) if app.package else origin.called(),
        "commit": origin.commit,
        "files": [list(file) for file in files],
        "venv_key": identity.venv_key(installed.text, f"python{minor}" if app.python else minor),
        "locked": installed.text,
        "wheels": list(installed.wheels),
        "wheelhouse": str(settings.path(settings.agreement.wheelhouse)) if sent is not None else "",
        "sent_wheels": None if sent is None else [[path.name, digest_of(path)] for path in sent],
        "entry": {"module": app.module, "name": wanted.path[0], "text": wanted.text},
        "chdir": str(layout.code / app.chdir),
        "check": import_check(layout, wanted),
        "workers": {name: {"name": name, "kind": kind, **app.workers[name]} for name, kind in layout.workers_by_name()},
        "uwsgi_lines": [f"{name} = {value}" for name, values in app.uwsgi_options.items() for value in values],
        "sandbox_lines": lines(app.sandbox),
        "timers": {name: {"name": name, **layout.timer(name), **given} for name, given in app.timers.items()},
        "largest_worker": _mebibytes(app.reload_on_rss),
        "harakiri": app.request_timeout + UWSGI_WAITS_LONGER,
        "streams": app.streams(app.prefix),
        "prefix": app.prefix,
        "mercy": app.longest_request(),
        "stop_timeout": app.longest_request() + SYSTEMD_WAITS_LONGER,
        "media": {"reader": settings.agreement.nginx_user, "folders": sorted({*app.media.values()})},
        "gate": {
            "path": f"{app.prefix}{app.health_path}",
            "successes": app.health_successes,
            "deadline": app.start_timeout,
        },
        "drain": app.request_timeout,
        "keep": app.keep_releases,
        "memory_check": app.memory_check,
        "hooks": {
            "key": identity.hooks_key(version, app, secrets),
            "before": app.before_live,
            "after": app.after_live,
        },
    }


def _mebibytes(size: str) -> int:
    """`1G` as uWSGI counts it; 0 for none."""
    return int(size[:-1]) * {"M": 1, "G": 1024}[size[-1]] if size else 0


def target_of(host: Mapping[str, Any]) -> Target | None:
    """What wheels a host takes; None if it hasn't told yet."""
    return Target(host["python"], host["machine"], host["glibc"]) if "machine" in host else None
