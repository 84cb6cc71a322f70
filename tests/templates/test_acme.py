"""What an app's server blocks owe a CA, once it has a certificate and for as long as it waits for one."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.uwsgi_flask.web.plugins.action import nginx_config
from ansible_collections.uwsgi_flask.web.plugins.module_utils.flock import WAIT_SECONDS
from ansible_collections.uwsgi_flask.web.plugins.module_utils.layout import WEBROOT
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.places import (
    CA_BUNDLE,
    CERTBOT_DROP_IN,
    RENEWAL_HOOK,
    SYSTEM_TRUST,
    TRUSTED,
    site_file,
)

from directives import Directive, deep, parsed, those, values
from project import renderer
from rendered import planned, rendered

CHALLENGE = ["location", "^~", "/.well-known/acme-challenge/"]
PATH = "/.well-known/acme-challenge/"


def by_acme(settings: dict[str, Any], **changes: Any) -> dict[str, Any]:
    shop, wiki = settings["web_apps"]
    return {
        **settings,
        "web_apps": [{**shop, "tls": "acme", "hsts": 300, **changes}, wiki],
        "web_acme_email": "a@b.test",
        "web_acme_directory": "https://ca.test/directory",
    }


def blocks(conf: str) -> list[list[Directive]]:
    """The server blocks for visitors."""
    found = [block for _words, block in those(parsed(conf), "server")]
    return [block for block in found if not values(block, "listen")[0][0].startswith("unix:")]


@pytest.fixture(scope="module")
def conf(settings: dict[str, Any]) -> str:
    """With a certificate: port 80 leads to 443."""
    return rendered(by_acme(settings))[0].conf


@pytest.fixture(scope="module")
def waiting(settings: dict[str, Any]) -> str:
    """Without one yet."""
    made = planned(by_acme(settings))
    item = {**made["apps"][0], "site": made["apps"][0]["site"]["waiting"]}
    return nginx_config.texts(renderer("nginx"), [item], made["web"])[site_file("shop")]


def test_a_ca_finds_its_answer_on_port_80_and_nowhere_else(conf: str, waiting: str) -> None:
    plain, secure = blocks(conf)
    (alone,) = blocks(waiting)
    for block in (plain, alone):
        assert [words[0] for words in values(block, "listen")] == ["80", "[::]:80"]
        ((_words, challenge),) = those(block, *CHALLENGE)
        assert values(challenge, "root") == [[WEBROOT]]
    assert [words[0] for words in values(secure, "listen")] == ["443", "[::]:443"]
    assert those(secure, *CHALLENGE) == []
    assert conf.count(WEBROOT) == waiting.count(WEBROOT) == 1


def test_also_while_the_app_is_closed(conf: str, waiting: str) -> None:
    """With a certificate, nothing on port 80 asks whether it is; without one, the last word is for the CA."""
    plain, _secure = blocks(conf)
    assert those(plain, "if") == []
    assert those(plain, "return") == []
    (alone,) = blocks(waiting)
    *_before, (asked, opened), (closed, _answer) = those(alone, "if")
    assert asked == ["if", "($uri", "~", r"^/\.well-known/acme-challenge/)"]
    assert opened == [(["set", "$is_closed", ""], [])]
    assert closed == ["if", "($is_closed)"]


def test_an_app_that_waits_speaks_plain_http_and_binds_no_browser_to_https(conf: str, waiting: str) -> None:
    assert "Strict-Transport-Security" in conf
    everything = [word for words in deep(parsed(waiting)) for word in words]
    # Only a proxy in front could have been asked by HTTPS.
    assert those(parsed(waiting), "map", "$upstream_http_strict_transport_security $asked_scheme")
    for word in ("ssl", "ssl_certificate", "@listen_http2@", "@http2@", "301"):
        assert word not in everything, word
    assert "uwsgi_pass" in everything


@pytest.mark.parametrize("tls", ["off", "self_signed"])
def test_other_apps_have_nothing_of_it(settings: dict[str, Any], tls: str) -> None:
    shop, _wiki = rendered(by_acme(settings, tls=tls, hsts=0))
    assert "acme" not in shop.conf
    assert WEBROOT not in shop.conf


def test_neither_form_has_a_location_twice(conf: str, waiting: str) -> None:
    for block in (*blocks(conf), *blocks(waiting)):
        locations = [tuple(words) for words, _block in those(block, "location")]
        assert len(locations) == len({*locations})


def certbots(ca_bundle: str) -> dict[str, str]:
    return nginx_config.of_certbot(renderer("nginx"), {"ca_bundle": ca_bundle})


def lines(unit: str) -> list[str]:
    return [line for line in unit.splitlines() if line and not line.startswith("#")]


def test_only_apps_by_acme_change_certbots_service() -> None:
    assert nginx_config.of_certbot(renderer("nginx"), {}) == {}


def test_whatever_became_of_a_renewal_nginx_gets_what_it_doesnt_serve_yet() -> None:
    """A hook that was cut off, or that nginx refused, is tried again."""
    made = certbots("")
    assert [*made] == [CERTBOT_DROP_IN]
    assert lines(made[CERTBOT_DROP_IN]) == ["[Service]", f"ExecStopPost=-{RENEWAL_HOOK}", "TimeoutStopSec=20min"]
    # It waits for a run that holds the host's lock.
    assert WAIT_SECONDS < 20 * 60


def test_certbot_trusts_a_ca_of_ones_own_besides_those_that_the_system_knows(tmp_path: Path) -> None:
    """Or no other certificate on the host could be renewed."""
    made = certbots("ours\n")
    assert made[CA_BUNDLE] == "ours\n"
    unit = dict(line.split("=", 1) for line in lines(made[CERTBOT_DROP_IN])[1:])
    assert unit["Environment"] == f"REQUESTS_CA_BUNDLE={TRUSTED}"
    assert f"/run/{unit['RuntimeDirectory']}/" in TRUSTED
    before = unit["ExecStartPre"].removeprefix("-")
    places = {SYSTEM_TRUST: "the system's\n", CA_BUNDLE: made[CA_BUNDLE], TRUSTED: ""}
    for number, (path, text) in enumerate(places.items()):
        place = tmp_path / str(number)
        place.write_text(text)
        before = before.replace(path, str(place))
    subprocess.run(shlex.split(before), check=True)
    assert (tmp_path / "2").read_text() == "the system's\nours\n"
