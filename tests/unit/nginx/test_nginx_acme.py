"""What is on a host only for certificates from a CA: there with the first app that needs it, gone with the last."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.uwsgi_flask.web.plugins.module_utils.layout import WEBROOT
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx import aim, places
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.aim import deployed
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.configuration import Configuration

from fake_nginx import Nginx

BY_ACME = f"root {WEBROOT};\n"
NAMES = ("RENEWAL_HOOK", "CA_BUNDLE", "CERTBOT_DROP_IN", "DNS_CREDENTIALS")
# A program isn't UTF-8.
PROGRAM = b"#!/usr/bin/python3 -I\nPK\xff\x00"
HOOK = PROGRAM.decode(errors="surrogateescape")


@pytest.fixture
def files(nginx: Nginx, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """Where they lie, on this host that is a folder, by the names of their constants."""
    found = {name: nginx.folder / f"etc/{name.lower()}" for name in NAMES}
    for name, path in found.items():
        monkeypatch.setattr(places, name, str(path))
    monkeypatch.setattr(aim, "RENEWAL_HOOK", str(found["RENEWAL_HOOK"]))
    monkeypatch.setattr(aim, "OF_ACME", tuple(map(str, found.values())))
    return found


def wanted(nginx: Nginx, files: dict[str, Path], given: tuple[str, ...], **sites: str) -> Configuration:
    """As a run of these apps wants it, which are given some of these files."""
    ours = nginx.ours()
    texts = {str(files[name]): HOOK if name == "RENEWAL_HOOK" else "text\n" for name in given}
    return nginx.configuration(deployed(ours, nginx.texts(**sites) | texts, list(sites), [], "www-data"), ours)


def deploy(nginx: Nginx, files: dict[str, Path], given: tuple[str, ...], **sites: str) -> None:
    wanted(nginx, files, given, **sites).apply()


def there(files: dict[str, Path]) -> list[str]:
    return [name for name, path in files.items() if path.exists()]


def test_they_come_with_the_modes_that_they_need(nginx: Nginx, files: dict[str, Path]) -> None:
    deploy(nginx, files, NAMES, shop=BY_ACME)
    assert {name: path.stat().st_mode & 0o777 for name, path in files.items()} == {
        "RENEWAL_HOOK": 0o755,
        "CA_BUNDLE": 0o644,
        "CERTBOT_DROP_IN": 0o644,
        "DNS_CREDENTIALS": 0o600,
    }
    assert files["RENEWAL_HOOK"].read_bytes() == PROGRAM
    assert wanted(nginx, files, NAMES, shop=BY_ACME).is_live()


@pytest.mark.parametrize(
    ("change", "stay"),
    [
        (lambda nginx, files: deploy(nginx, files, (), shop=""), False),
        (lambda nginx, _files: nginx.deploy(["shop"], wiki=""), False),
        (lambda nginx, _files: nginx.take_off("shop"), False),
        (lambda nginx, _files: nginx.tear_down(), False),
        # -e app=wiki
        (lambda nginx, files: deploy(nginx, files, (), wiki="changed;\n"), True),
        (lambda nginx, _files: nginx.take_off("wiki"), True),
    ],
    ids=["without", "absent", "take off", "tear down", "another app", "take off another"],
)
def test_they_go_with_the_last_app_that_needs_them(
    nginx: Nginx, files: dict[str, Path], change: Callable[[Nginx, dict[str, Path]], None], stay: bool
) -> None:
    deploy(nginx, files, NAMES, shop=BY_ACME, wiki="")
    change(nginx, files)
    assert there(files) == (list(NAMES) if stay else [])


def test_what_isnt_given_any_more_goes_alone(nginx: Nginx, files: dict[str, Path]) -> None:
    deploy(nginx, files, NAMES, shop=BY_ACME)
    deploy(nginx, files, ("RENEWAL_HOOK",), shop=BY_ACME)
    assert there(files) == ["RENEWAL_HOOK"]


def test_of_a_program_and_of_secrets_a_diff_shows_only_the_names(nginx: Nginx, files: dict[str, Path]) -> None:
    shown = {one["after_header"]: one["after"] for one in wanted(nginx, files, NAMES, shop=BY_ACME).diff()}
    assert {name: shown[str(path)] for name, path in files.items()} == {
        "RENEWAL_HOOK": "",
        "CA_BUNDLE": "text\n",
        "CERTBOT_DROP_IN": "text\n",
        "DNS_CREDENTIALS": "",
    }
