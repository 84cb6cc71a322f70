"""Host names that several apps share, each of them below a `prefix` of its own but for one at most."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

from ansible_collections.uwsgi_flask.web.plugins.module_utils.names import shared_site
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.app import App
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.placement import Inventory
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.words import shown_name

# What belongs to host names, not to an app behind them.
OF_NAMES = ("redirect_names", "tls", "tls_certificate", "tls_key", "hsts")


def shared_sites(apps: Sequence[App]) -> dict[str, list[App]]:
    """Of the apps on one host, those that share their host names, by what nginx's configuration calls these."""
    found: dict[frozenset[str], list[App]] = {}
    for app in apps:
        found.setdefault(frozenset(app.server_names), []).append(app)
    return {shared_site(min(sharing[0].server_names)): sharing for sharing in found.values() if len(sharing) > 1}


def site_of(app: App, sites: Mapping[str, Sequence[App]]) -> str:
    """What has this app's host names in nginx's configuration: what several share, or the app itself."""
    return next((site for site, sharing in sites.items() if app.name in [one.name for one in sharing]), app.name)


def former_prefix(app: App, live: str | None, sharing: Sequence[App]) -> str | None:
    """The prefix of the live release, if it is another and no other app has it by now; None otherwise.

    A release with a new prefix may be refused, and then the live one must be where it was.
    """
    taken = [one.prefix for one in sharing if one.name != app.name]
    return None if live in (app.prefix, *taken) else live


def names_alone(app: App) -> App:
    """The app without what is its own, so that what is left belongs to its host names."""
    return dataclasses.replace(
        app,
        prefix="",
        headers={},
        error_pages="",
        cache={},
        streaming=[],
        media={},
        request_limits={},
        connection_limit=0,
    )


def sharing_faults(apps: Sequence[App], inventory: Inventory) -> Iterator[str]:
    """What is wrong with apps that share a host name, a line for each pair and key."""
    for number, app in enumerate(apps):
        for other in apps[:number]:
            common = [
                *(name for name in other.server_names if name in app.server_names),
                *(name for name in other.redirect_names if name in app.redirect_names),
            ]
            # Without prefixes of their own, they can't share anything, which is told elsewhere.
            if not common or app.prefix == other.prefix or not inventory.share(app.hosts, other.hosts):
                continue
            both = f"web_apps: {shown_name(app.name)} and {shown_name(other.name)} share {', '.join(common)}"
            if {*app.server_names} != {*other.server_names}:
                yield f"{both}, so 'server_names' must be the same for both"
                continue
            for key in OF_NAMES:
                if getattr(app, key) != getattr(other, key):
                    yield f"{both}, so '{key}' must be the same for both: it belongs to the host names"
