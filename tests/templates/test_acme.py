"""What an app's server blocks owe a CA, once it has a certificate and for as long as it waits for one."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.uwsgi_flask.web.plugins.action import nginx_config
from ansible_collections.uwsgi_flask.web.plugins.module_utils.layout import WEBROOT
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.places import (
    CA_BUNDLE,
    CERTBOT_DROP_IN,
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


def test_certbots_timer_trusts_a_ca_of_ones_own_only_where_one_is_given() -> None:
    assert nginx_config.own_ca(renderer("nginx"), {}) == {}
    assert nginx_config.own_ca(renderer("nginx"), {"ca_bundle": ""}) == {}
    made = nginx_config.own_ca(renderer("nginx"), {"ca_bundle": "a certificate\n"})
    assert made[CA_BUNDLE] == "a certificate\n"
    assert made[CERTBOT_DROP_IN].endswith(f"[Service]\nEnvironment=REQUESTS_CA_BUNDLE={CA_BUNDLE}\n")
