"""Every file that comes of settings, rendered as a deploy does: from the plan, by the action plugins' own code."""

from __future__ import annotations

import dataclasses
from typing import Any

from ansible_collections.uwsgi_flask.web.plugins.action import nginx_config, release
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.places import BASE, part_files, site_file
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.plan import plan
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.request import Request

from project import PROJECT, renderer

HOST = {"python": "3.13.5"}


@dataclasses.dataclass(frozen=True)
class Rendered:
    """One app: its settings, what the plan says of it, and its files: "ini", "wsgi", "mend.sh", "conf", each unit by kind.

    `base` is the text of nginx's default server.
    """

    settings: dict[str, Any]
    app: dict[str, Any]
    release: dict[str, Any]
    site: dict[str, Any]
    files: dict[str, str]
    base: str

    @property
    def ini(self) -> str:
        return self.files["ini"]

    @property
    def conf(self) -> str:
        return self.files["conf"]

    def unit(self, kind: str) -> str:
        """`kind` is "target", "socket", "service", "check", "before" or "after"."""
        return self.files[kind]


def planned(settings: dict[str, Any], known: dict[str, Any] | None = None) -> dict[str, Any]:
    """The plan for variables by their full names, and what the host has of each app."""
    host = {**HOST, "apps": known or {}}
    return plan(Request(variables=settings, base="/"), host, str(PROJECT / "roles/uwsgi/templates"))


def rendered(settings: dict[str, Any], known: dict[str, Any] | None = None, **nginx: Any) -> list[Rendered]:
    """All apps of the settings, of which the host has what is `known`.

    `nginx` are variables of that role that differ from its defaults.
    """
    made = planned(settings, known)
    return [_rendered(settings, item, made["web"], nginx) for item in made["apps"]]


def _rendered(settings: dict[str, Any], item: dict[str, Any], web: dict[str, Any], nginx: dict[str, Any]) -> Rendered:
    own = release.texts(renderer("uwsgi"), item, web)
    texts = nginx_config.texts(renderer("nginx", **nginx), [item], web)
    shared = item["site"]["shared"]
    if shared:
        part, candidate = part_files(shared, item["app"]["name"])
        own["units"] |= {"part": texts[part], "candidate": texts[candidate]}
    own_files = {name: own[name] for name in ("ini", "wsgi", "mend.sh")} | own["units"]
    own_files["conf"] = texts[site_file(item["app"]["name"])]
    parts = {name: item[name] for name in ("app", "release", "site")}
    return Rendered(settings=settings, **parts, files=own_files, base=texts[BASE])


def shared_files(settings: dict[str, Any], **nginx: Any) -> dict[str, str]:
    """The files of host names that several apps share, by their path."""
    made = planned(settings)
    texts = nginx_config.texts(renderer("nginx", **nginx), [], made["web"], made["shared"])
    return {path: text for path, text in texts.items() if path.startswith("conf.d/shared.")}


def base_files(settings: dict[str, Any], **nginx: Any) -> dict[str, str]:
    """The files of nginx that belong to no app: by their place in its directory, or by their path outside."""
    return nginx_config.texts(renderer("nginx", **nginx), [], planned(settings)["web"])
