"""Every file of two apps, rendered by Ansible's own engine from the slices that the real wiring makes."""

from __future__ import annotations

import dataclasses
from typing import Any

from project import render, template


@dataclasses.dataclass(frozen=True)
class Rendered:
    """One app: what its roles were handed, and the text of each file that comes of it, by its name."""

    settings: dict[str, Any]
    instance: dict[str, Any]
    site: dict[str, Any]
    files: dict[str, str]

    @property
    def ini(self) -> str:
        return self.files["ini"]

    @property
    def conf(self) -> str:
        return self.files["conf"]

    def unit(self, kind: str) -> str:
        """`kind` is what follows the app's name: @.service, @.socket, -check@.service, …"""
        return self.files[f"{self.instance['name']}{kind}"]


def rendered(settings: dict[str, Any]) -> list[Rendered]:
    """All apps of the settings."""
    apps = zip(
        render("uwsgi", "{{ uwsgi_instances }}", settings), render("nginx", "{{ nginx_sites }}", settings), strict=True
    )
    return [_rendered(settings, instance, site) for instance, site in apps]


def _rendered(settings: dict[str, Any], instance: dict[str, Any], site: dict[str, Any]) -> Rendered:
    own = render(
        "uwsgi", "{{ {'ini': uwsgi_ini, 'tmpfiles': uwsgi_tmpfiles} | combine(uwsgi_units) }}", settings,
        uwsgi_instance=instance,
    )  # fmt: skip
    conf = template("nginx", "uwsgi-flask.conf.j2", settings, nginx_site=site)
    return Rendered(settings, instance, site, {**own, "conf": conf})
