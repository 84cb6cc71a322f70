"""Certificates from a CA in the settings: what a CA wouldn't give is refused before anybody asks it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.fleet import proven_twice
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.checked import parse

from settings import Workshop, app

GIVEN: dict[str, Any] = {"web_acme_email": "ops@shop.test"}
BY_DNS = {**GIVEN, "web_acme_dns_plugin": "cloudflare"}


def by_acme(*names: str, **changes: Any) -> dict[str, Any]:
    return app(tls="acme", server_names=list(names or ("shop.test",)), **changes)


def test_an_address_to_write_to_is_enough(workshop: Workshop) -> None:
    assert workshop.problems(by_acme(), **GIVEN) == []


@pytest.mark.parametrize(
    ("names", "given", "told"),
    [
        (["shop.test"], {}, "web_acme_email: is not set, but an app has 'tls: acme'"),
        (["192.0.2.7"], GIVEN, "'tls: acme' and 192.0.2.7 in 'server_names': a CA proves names alone"),
        (["[2001:db8::7]"], GIVEN, "'tls: acme' and [2001:db8::7] in 'server_names': a CA proves names alone"),
        (["[2001:db8::7]"], BY_DNS, "'tls: acme' and [2001:db8::7] in 'server_names': a CA proves names alone"),
        (["*.shop.test"], GIVEN, "'tls: acme' and *.shop.test in 'server_names': a wildcard is proven by DNS"),
        (
            ["shop.test"],
            {**GIVEN, "web_acme_dns_credentials": "token = hunter2"},
            "web_acme_dns_credentials: is set, but web_acme_dns_plugin isn't",
        ),
        (
            ["shop.test"],
            {**GIVEN, "web_acme_ca_bundle": "gone.pem"},
            "web_acme_ca_bundle: gone.pem can't be read",
        ),
        (["shop.test"], {**GIVEN, "web_acme_ca_bundle": "empty.pem"}, "web_acme_ca_bundle: must be a file of"),
        (["shop.test"], {**GIVEN, "web_acme_ca_bundle": "broken.pem"}, "web_acme_ca_bundle: must be a file of"),
    ],
)
def test_what_a_ca_wouldnt_give_is_refused(
    workshop: Workshop, names: list[str], given: dict[str, Any], told: str
) -> None:
    workshop.write("empty.pem", "")
    workshop.write("broken.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    problem = workshop.problem(by_acme(*names), **given)
    assert told in problem
    assert "hunter2" not in problem


def test_a_wildcard_is_proven_by_dns(workshop: Workshop) -> None:
    assert workshop.problems(by_acme("*.shop.test"), **BY_DNS) == []


@pytest.mark.parametrize("other", [app(), {"name": "shop", "state": "absent"}], ids=["plain", "absent"])
def test_without_an_app_that_needs_a_ca_nothing_is_asked_of_a_person(workshop: Workshop, other: dict[str, Any]) -> None:
    assert workshop.problems(other, web_acme_ca_bundle="gone.pem") == []
    assert workshop.plan(other)["acme"] == {}


def test_the_terms_are_what_was_given(workshop: Workshop) -> None:
    assert workshop.plan(by_acme(), **GIVEN)["acme"] == {
        "packages": ["certbot"],
        "directory": "https://acme-v02.api.letsencrypt.org/directory",
        "email": "ops@shop.test",
        "ca_bundle": "",
        "dns_plugin": "",
        "dns_seconds": 60,
        "dns_secret": "",
        "ask_first": True,
    }
    made = workshop.plan(by_acme(), **BY_DNS, web_acme_dns_credentials="token = hunter2", web_acme_dns_seconds=9)
    terms = made.pop("acme")
    assert terms["packages"] == ["certbot", "python3-certbot-dns-cloudflare"]
    assert (terms["dns_secret"], terms["dns_seconds"]) == ("token = hunter2", 9)
    assert "hunter2" not in str(made)


def test_an_app_is_served_by_https_and_by_http_while_it_waits(workshop: Workshop) -> None:
    site = workshop.item(by_acme(), **GIVEN)["site"]
    waiting = site["waiting"]
    assert (site["scheme"], site["port"], site["is_waiting"]) == ("https", 443, False)
    assert (waiting["scheme"], waiting["port"], waiting["is_waiting"]) == ("http", 80, True)


# --- Several hosts ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "proven"),
    [(GIVEN, ["shop.test", "a.test"]), (BY_DNS, [])],
)
def test_a_host_knows_the_names_that_it_is_asked_for(
    workshop: Workshop, given: dict[str, Any], proven: list[str]
) -> None:
    others = [{"name": "wiki", "server_names": ["wiki.test"], "source": "shop"}, {"name": "old", "state": "absent"}]
    settings, problems = parse(workshop.request(by_acme("shop.test", "a.test"), *others, **given))
    assert problems == []
    assert settings.proven_here() == proven


def test_a_name_that_two_hosts_would_have_to_prove_is_refused() -> None:
    assert proven_twice({"one": ["shop.test"], "two": ["wiki.test"], "three": []}) == []
    (told,) = proven_twice({"one": ["shop.test", "a.test"], "two": ["a.test"], "three": []})
    assert told.startswith("web_apps: 'tls: acme' and a.test on one, two: a CA asks only one of them; ")
