"""What holds for every file that is put on a host."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ansible_collections.uwsgi_flask.web.plugins.action.nginx_config import of_certbot
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.places import DROP_IN

from project import PROJECT, renderer
from rendered import Rendered, base_files, rendered, shared_files


def every_file(apps: list[Rendered], base: dict[str, str]) -> Iterator[tuple[str, str]]:
    for app in apps:
        yield from app.files.items()
    yield from base.items()


def said(text: str) -> Iterator[str]:
    """The lines that are no comments."""
    return (line for line in text.splitlines() if line.strip() and not line.lstrip().startswith(("#", ";")))


def test_every_template_is_rendered(settings: dict[str, Any], apps: list[Rendered], base: dict[str, str]) -> None:
    """Or the rest would say nothing of a new one: a line of each template is in some file."""
    first, second = settings["web_apps"]
    others = base_files({**settings, "web_trusted_proxies": ["10.0.0.7"], "web_health_clients": ["10.0.0.7"]})
    sharing = {
        **settings,
        "web_apps": [
            {**first, "redirect_names": ["www.shop.test"]},
            {**second, "server_names": first["server_names"], "redirect_names": ["www.shop.test"], "prefix": "/wiki"},
        ],
    }
    others |= shared_files(sharing)
    others["service"] = base_files({**settings, "web_nginx_sandbox": {"ProtectHome": True}})[DROP_IN]
    others |= of_certbot(renderer("nginx"), {"ca_bundle": "-----BEGIN CERTIFICATE-----\n"})
    more = rendered(
        {
            **settings,
            "web_apps": [
                {
                    **first,
                    "tls": "acme",
                    "redirect_names": ["www.shop.test"],
                    "preload": False,
                    "streaming": ["/events"],
                    "request_limits": {"/": "20/s", "/login": "10/m"},
                    "connection_limit": 9,
                    "cache": {"paths": ["/"]},
                    "reload_on_rss": "300M",
                    "media": {"/media": "uploads"},
                    "uwsgi_options": {"cheaper": 1},
                    "sandbox": {"ProcSubset": "all"},
                },
                {
                    **second,
                    "server_names": ["wiki.test"],
                    "prefix": "/w",
                    "redirect_names": ["www.wiki.test"],
                    "python": "3.12",
                },
            ],
            "web_acme_email": "a@b.test",
            "web_acme_directory": "https://ca.test/directory",
        }
    )
    more += rendered(sharing)
    everything = "".join([*(text for _name, text in every_file([*apps, *more], base)), *others.values()])
    for path in PROJECT.glob("roles/*/templates/*"):
        fixed = [line for line in path.read_text().splitlines() if "{" not in line and len(line) > 20]
        assert fixed, path
        assert all(line in everything for line in fixed if not line.startswith("    listen [")), path


def test_each_looks_hand_written(apps: list[Rendered], base: dict[str, str]) -> None:
    for name, text in every_file(apps, base):
        assert text.startswith("#\n# Ansible managed\n#\n"), name
        assert text.endswith("\n"), name
        assert not text.endswith("\n\n"), name
        assert "\n\n\n" not in text, name
        assert re.search(r"[ \t]$", text, re.MULTILINE) is None, name
        assert "\t" not in text, name
        # nginx takes no list of ciphers in parts.
        lines = [line for line in text.splitlines() if "ssl_ciphers" not in line]
        assert max(len(line) for line in lines) <= 160, name


def test_nothing_of_the_template_is_left(apps: list[Rendered], base: dict[str, str]) -> None:
    for name, text in every_file(apps, base):
        assert re.search(r"{{|}}|{%|%}|\b(None|True|False|undefined|Undefined)\b", text) is None, name


def test_nothing_is_in_tmp_where_anybody_could_take_the_name(apps: list[Rendered], base: dict[str, str]) -> None:
    for name, text in every_file(apps, base):
        assert [line for line in said(text) if re.search("/tmp(?!files)", line)] == [], name


def test_no_value_of_the_environment_is_there(apps: list[Rendered], base: dict[str, str]) -> None:
    """Units, ini and nginx's files can be read by others; values stand in the release's own file."""
    for name, text in every_file(apps, base):
        assert "of-the-environment" not in text, name
        assert "of-the-secrets" not in text, name


def test_two_apps_dont_collide(apps: list[Rendered]) -> None:
    one, two = apps
    assert one.files.keys() == two.files.keys()
    # Names the app's module alone, and no place.
    for kind in one.files.keys() - {"wsgi"}:
        here, there = (_own(app.files[kind]) for app in apps)
        assert here, kind
        assert here & there == set(), kind


def _own(text: str) -> set[str]:
    """Paths, sockets and names that belong to one app: whatever holds its name or is a directory of its own."""
    words = set(re.findall(r"[\w./@%-]+", "\n".join(said(text))))
    return {word for word in words if re.search(r"\b(shop|wiki)", word)}
