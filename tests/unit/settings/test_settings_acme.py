"""Certificates from a CA in the settings: what a CA wouldn't give is refused before anybody asks it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.fleet import proven_twice
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.checked import parse

from settings import Workshop, app

GIVEN: dict[str, Any] = {"web_acme_email": "ops@example.com"}
TOKEN = "token = hunter2"
BY_DNS = {**GIVEN, "web_acme_dns_plugin": "cloudflare", "web_acme_dns_credentials": TOKEN}


def by_acme(*names: str, **changes: Any) -> dict[str, Any]:
    return app(tls="acme", server_names=list(names or ("shop.example.com",)), **changes)


def test_an_address_to_write_to_is_enough(workshop: Workshop) -> None:
    assert workshop.problems(by_acme(), **GIVEN) == []


@pytest.mark.parametrize(
    ("names", "given", "told"),
    [
        (["shop.example.com"], {}, "web_acme_email: is not set, but an app has 'tls: acme'"),
        (["192.0.2.7"], GIVEN, "'tls: acme' and 192.0.2.7 in 'server_names': a CA proves names alone"),
        (["[2001:db8::7]"], GIVEN, "'tls: acme' and [2001:db8::7] in 'server_names': a CA proves names alone"),
        (["[2001:db8::7]"], BY_DNS, "'tls: acme' and [2001:db8::7] in 'server_names': a CA proves names alone"),
        (["*.example.com"], GIVEN, "'tls: acme' and *.example.com in 'server_names': a wildcard is proven by DNS"),
        (
            ["shop.example.com"],
            {**GIVEN, "web_acme_dns_credentials": TOKEN},
            "web_acme_dns_credentials: is set, but web_acme_dns_plugin isn't",
        ),
        (
            ["shop.example.com"],
            {**GIVEN, "web_acme_dns_plugin": "cloudflare"},
            "web_acme_dns_plugin: is cloudflare, but web_acme_dns_credentials isn't set; give the text of its file",
        ),
        (
            ["shop.example.com"],
            {**BY_DNS, "web_acme_dns_plugin": "route53"},
            "reads no such file: it takes its keys from the server's IAM role or /root/.aws/credentials; remove it",
        ),
        (
            ["shop.example.com"],
            {**BY_DNS, "web_acme_dns_plugin": "standalone"},
            "web_acme_dns_credentials: is set, but certbot's plugin standalone reads no such file",
        ),
        (
            ["shop.example.com"],
            {**GIVEN, "web_acme_ca_bundle": "gone.pem"},
            "web_acme_ca_bundle: gone.pem can't be read: No such file or directory",
        ),
        (
            ["shop.example.com"],
            {**GIVEN, "web_acme_ca_bundle": "shop"},
            "web_acme_ca_bundle: shop can't be read: it is a folder",
        ),
        (["shop.example.com"], {**GIVEN, "web_acme_ca_bundle": "empty.pem"}, "web_acme_ca_bundle: must be a file of"),
        (["shop.example.com"], {**GIVEN, "web_acme_ca_bundle": "broken.pem"}, "web_acme_ca_bundle: must be a file of"),
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
    assert workshop.problems(by_acme("*.example.com"), **BY_DNS) == []


@pytest.mark.parametrize("plugin", ["route53", "google", "standalone"])
def test_some_plugins_need_no_credentials(workshop: Workshop, plugin: str) -> None:
    assert workshop.problems(by_acme("*.example.com"), **GIVEN, web_acme_dns_plugin=plugin) == []


def test_googles_credentials_are_json(workshop: Workshop) -> None:
    given = {"web_acme_dns_plugin": "google", "web_acme_dns_credentials": '\n{"type": "service_account"}\n'}
    assert workshop.problems(by_acme(), **GIVEN, **given) == []


LETS_ENCRYPT = "https://acme-v02.api.letsencrypt.org/directory"
STAGING = "https://acme-staging-v02.api.letsencrypt.org/directory"


@pytest.mark.parametrize("directory", [LETS_ENCRYPT, STAGING])
@pytest.mark.parametrize(
    "name",
    [
        *("shop", "localhost", "shop.local", "*.internal", "a.shop.test", "shop.example", "shop.invalid"),
        *("shop.localhost", "shop.lan", "home.arpa", "shop.home.arpa", "*.shop.test"),
    ],
)
def test_a_name_that_no_public_ca_knows(workshop: Workshop, name: str, directory: str) -> None:
    """By HTTP or by DNS, a CA of one's own gives it a certificate all the same."""
    for given in (GIVEN, BY_DNS):
        assert workshop.problem(by_acme(name), **given, web_acme_directory=directory) == (
            f"web_apps: 'shop' has 'tls: acme' and {name} in 'server_names': no public CA gives a certificate for it; "
            "use a CA of your own (web_acme_directory) or 'tls: self_signed'"
        )
    assert workshop.problems(by_acme(name), **BY_DNS, web_acme_directory="https://ca.lan/acme") == []


@pytest.mark.parametrize("name", ["shop.example.com", "test.de", "local.example.org", "mytest.eu", "lan.arpa"])
def test_names_that_a_public_ca_knows(workshop: Workshop, name: str) -> None:
    assert workshop.problems(by_acme(name), **GIVEN) == []


@pytest.mark.parametrize("other", [app(), {"name": "shop", "state": "absent"}], ids=["plain", "absent"])
def test_without_an_app_that_needs_a_ca_nothing_is_asked_of_a_person(workshop: Workshop, other: dict[str, Any]) -> None:
    assert workshop.problems(other, web_acme_ca_bundle="gone.pem") == []
    assert workshop.plan(other)["acme"] == {}


def test_the_terms_are_what_was_given(workshop: Workshop) -> None:
    assert workshop.plan(by_acme(), **GIVEN)["acme"] == {
        "packages": ["certbot"],
        "directory": "https://acme-v02.api.letsencrypt.org/directory",
        "email": "ops@example.com",
        "ca_bundle": "",
        "dns_plugin": "",
        "dns_seconds": 60,
        "dns_secret": "",
        "ask_first": True,
    }
    made = workshop.plan(by_acme(), **BY_DNS, web_acme_dns_seconds=9)
    terms = made.pop("acme")
    assert terms["packages"] == ["certbot", "python3-certbot-dns-cloudflare"]
    assert (terms["dns_secret"], terms["dns_seconds"]) == (TOKEN, 9)
    assert "hunter2" not in str(made)


def test_an_app_is_served_by_https_and_by_http_while_it_waits(workshop: Workshop) -> None:
    site = workshop.item(by_acme(), **GIVEN)["site"]
    waiting = site["waiting"]
    assert (site["scheme"], site["port"], site["is_waiting"]) == ("https", 443, False)
    assert (waiting["scheme"], waiting["port"], waiting["is_waiting"]) == ("http", 80, True)


# --- Several hosts ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "proven"),
    [(GIVEN, ["shop.example.com", "a.example.com"]), (BY_DNS, [])],
)
def test_a_host_knows_the_names_that_it_is_asked_for(
    workshop: Workshop, given: dict[str, Any], proven: list[str]
) -> None:
    others = [{"name": "wiki", "server_names": ["wiki.test"], "source": "shop"}, {"name": "old", "state": "absent"}]
    settings, problems = parse(workshop.request(by_acme("shop.example.com", "a.example.com"), *others, **given))
    assert problems == []
    assert settings.proven_here() == proven


def test_what_a_refused_plugin_would_prove_is_nobodys(workshop: Workshop) -> None:
    """Or several hosts would be told that they need a plugin."""
    settings, problems = parse(workshop.request(by_acme(), **{**BY_DNS, "web_acme_dns_plugin": "dns-cloudflare"}))
    assert len(problems) == 1
    assert settings.proven_here() == []


def test_a_name_that_two_hosts_would_have_to_prove_is_refused() -> None:
    assert proven_twice({"one": ["shop.test"], "two": ["wiki.test"], "three": []}) == []
    (told,) = proven_twice({"one": ["shop.test", "a.test"], "two": ["a.test"], "three": []})
    assert told.startswith("web_apps: 'tls: acme' and a.test on one, two: a CA asks only one of them; ")
