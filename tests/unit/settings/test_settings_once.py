"""A value that is refused is named once: nothing is said of what follows from the default in its place."""

from __future__ import annotations

from typing import Any

import pytest

from settings import Workshop, app

ACME: dict[str, Any] = {"tls": "acme", "server_names": ["shop.example.com"]}
EMAIL = {"web_acme_email": "ops@example.com"}
DNS = {**EMAIL, "web_acme_dns_plugin": "cloudflare", "web_acme_dns_credentials": "token = x"}

# What is refused, the app's other keys, the other variables.
REFUSED_ONCE: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("web_acme_email", ACME, {"web_acme_email": "ops"}),
    ("web_trusted_proxies", {}, {"web_trusted_proxies": "10.0.0.7", "web_proxy_protocol": True}),
    ("web_proxy_protocol", {}, {"web_proxy_protocol": "yes"}),
    ("web_https_port", {}, {"web_https_port": "x", "web_http_port": 443}),
    ("web_http_port", {}, {"web_http_port": "x", "web_https_port": 80}),
    ("web_trusted_proxies", {"hsts": 1}, {"web_trusted_proxies": ["lb"]}),
    ("web_acme_dns_plugin", ACME, {**DNS, "web_acme_dns_plugin": "dns-cloudflare"}),
    ("web_acme_dns_plugin", {**ACME, "server_names": ["*.example.com"]}, {**EMAIL, "web_acme_dns_plugin": "a b"}),
    ("web_acme_dns_credentials", ACME, {**DNS, "web_acme_dns_credentials": "a/path.ini"}),
    ("web_acme_dns_credentials", ACME, {**EMAIL, "web_acme_dns_credentials": "a/path.ini"}),
    ("web_acme_directory", {**ACME, "server_names": ["shop.lan"]}, {**EMAIL, "web_acme_directory": "ca.lan"}),
    ("web_acme_ca_bundle", ACME, {**EMAIL, "web_acme_ca_bundle": 7}),
    ("tls", {"tls": "letsencrypt", "hsts": 1}, {}),
    ("tls", {"tls": "file", "tls_certificate": "a", "tls_key": "b"}, {}),
    ("tls_certificate", {"tls": "files", "tls_certificate": 5, "tls_key": "b"}, {}),
    ("tls_key", {"tls": "files", "tls_certificate": "a", "tls_key": ""}, {}),
    ("tls_kye", {"tls": "files", "tls_certificate": "a", "tls_kye": "b"}, {}),
    ("server_names", {**ACME, "server_names": "shop"}, EMAIL),
    ("source", {"source": 5}, {"restart": "shop"}),
]


@pytest.mark.parametrize(("refused", "keys", "variables"), REFUSED_ONCE)
def test_a_refused_value_is_named_once(
    workshop: Workshop, refused: str, keys: dict[str, Any], variables: dict[str, Any]
) -> None:
    assert refused in workshop.problem(app(**keys), **variables).partition(", but ")[0]


def test_what_another_app_lacks_is_named_all_the_same(workshop: Workshop) -> None:
    other = app(name="wiki", source="shop", server_names=["wiki.test"], tls="files", tls_certificate="a")
    lines = workshop.problems(app(tls="files", tls_certificate="a", tls_key=5), other)
    assert [line.partition(", ")[0] for line in lines] == [
        "web_apps: 'shop' has 'tls_key': 5",
        "web_apps: 'wiki' has 'tls: files'",
    ]


def test_a_restart_of_an_app_that_goes_is_still_refused(workshop: Workshop) -> None:
    assert "restart: 'shop' is not an app" in workshop.problem({"name": "shop", "state": "absent"}, restart="shop")
