"""What would be served where, told before any host is asked."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.content import content_of
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.request import BadSettings, Settings
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.source.folder import Unreadable
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.words import without_credentials
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.tables import size, some_of, table

PLAN = ("APP", "HOSTS", "SOURCE", "FILES", "SIZE", "VERSION", "SECRETS", "NAMES")
FLEXIBLE = ("APP", "HOSTS", "SOURCE", "NAMES")


def preview(settings: Settings) -> Iterator[dict[str, Any]]:
    """Each app of a host whose settings are right, plain values without any secret. Raises BadSettings.

    A release's id isn't known before the host has told its Python and what it has; `version` is a part of it.
    """
    for app in settings.present():
        try:
            made_of = content_of(settings, app)
        except Unreadable as error:
            raise BadSettings([f"web_apps: '{app.name}' has 'source': {error}"]) from None
        yield {
            "app": app.name,
            "source": " ".join(filter(None, (app.package or without_credentials(app.folder), made_of.origin.ref))),
            "files": len(made_of.files),
            "bytes": sum(os.stat(made_of.origin.folder / file.path).st_size for file in made_of.files),
            "version": made_of.version,
            "secrets": len(settings.secrets.get(app.name, {})),
            "names": [f"{name}{app.prefix}" for name in app.server_names],
        }


def preview_table(hosts: Mapping[str, Sequence[Mapping[str, Any]]], width: int = 0) -> str:
    """What `preview` told, by host: a line for each app, and another where it isn't the same on all of its hosts."""
    alike: list[tuple[Mapping[str, Any], list[str]]] = []
    for host, every in hosts.items():
        for one in every:
            on = next((on for other, on in alike if other == one), None)
            if on is None:
                alike.append((one, [host]))
            else:
                on.append(host)
    rows = [
        (
            one["app"], some_of(on, 24), one["source"], str(one["files"]), size(one["bytes"]), one["version"],
            str(one["secrets"]), some_of(one["names"]),
        )
        for one, on in sorted(alike, key=lambda pair: str(pair[0]["app"]))
    ]  # fmt: skip
    return "\n".join(table(PLAN, rows, width, FLEXIBLE)) if rows else "No app is served by these hosts."
