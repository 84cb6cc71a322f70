"""HTTPS in the settings: what must go together, and a certificate that browsers would refuse."""

from __future__ import annotations

import dataclasses
import datetime
import ipaddress
from typing import Any

import pytest
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.checked import parse
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from settings import Workshop, app

PEM = serialization.Encoding.PEM
NOW = datetime.datetime.now(datetime.UTC)


class Signed:
    """A certificate with its key; `by` is who signs it, itself if nobody."""

    def __init__(self, name: str, names: list[str], by: Signed | None = None, days: int = 90, began: int = 60) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        signer = by or self
        builder = (
            x509.CertificateBuilder()
            .subject_name(self.name)
            .issuer_name(signer.name)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW - datetime.timedelta(days=began))
            .not_valid_after(NOW + datetime.timedelta(days=days))
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName([_general(it) for it in names]), critical=False)
        self.pem = builder.sign(signer.key, hashes.SHA256()).public_bytes(PEM).decode()

    def key_pem(self, passphrase: bytes = b"") -> str:
        lock: Any = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
        return self.key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, lock).decode()


def _general(name: str) -> x509.GeneralName:
    return x509.IPAddress(ipaddress.ip_address(name)) if name[0].isdigit() or ":" in name else x509.DNSName(name)


ROOT = Signed("root", [])
MIDDLE = Signed("middle", [], ROOT)
SITE = Signed("site", ["shop.test", "*.shop.test", "192.0.2.7", "2001:db8::7"], MIDDLE)


def files(workshop: Workshop, chain: str, key: str, *server_names: str) -> dict[str, Any]:
    workshop.write("site.pem", chain)
    workshop.write("site.key", key)
    names = list(server_names or ("shop.test",))
    return app(tls="files", tls_certificate="site.pem", tls_key="site.key", server_names=names)


def test_yaml_reads_a_bare_off_as_false(workshop: Workshop) -> None:
    assert workshop.item(app(tls=False))["app"]["tls"] == "off"
    assert workshop.item(app(tls=False))["site"]["scheme"] == "http"


def test_a_site_with_https(workshop: Workshop) -> None:
    site = workshop.item(app(tls="self_signed"))["site"]
    assert (site["scheme"], site["port"], site["port_in_url"]) == ("https", 443, "")
    site = workshop.item(app(tls="self_signed"), web_https_port=8443)["site"]
    assert (site["port"], site["port_in_url"]) == (8443, ":8443")


def test_a_good_certificate_is_in_the_plan_and_nowhere_else(workshop: Workshop) -> None:
    names = ["shop.test", "a.shop.test", "*.shop.test", "192.0.2.7", "[2001:db8::7]"]
    made = workshop.plan(files(workshop, SITE.pem + MIDDLE.pem, SITE.key_pem(), *names))
    assert made.pop("certificates") == {"shop": SITE.key_pem() + SITE.pem + MIDDLE.pem}
    assert "PRIVATE KEY" not in str(made)


def test_a_leaf_alone_is_a_chain_too(workshop: Workshop) -> None:
    assert workshop.problems(files(workshop, SITE.pem, SITE.key_pem())) == []


@pytest.mark.parametrize(
    ("chain", "key", "names", "told"),
    [
        ("no PEM", SITE.key_pem(), (), "'tls_certificate': must be a file of certificates in PEM"),
        (SITE.pem, "no PEM", (), "'tls_key': must be a private key in PEM"),
        (SITE.pem, SITE.key_pem(b"secret"), (), "'tls_key': has a passphrase, which nginx can't ask for"),
        (SITE.pem + MIDDLE.pem, ROOT.key_pem(), (), "'tls_key': doesn't fit 'tls_certificate'"),
        (SITE.key_pem(), SITE.pem, (), "'tls_certificate': is a private key, and 'tls_key' is a certificate; swap the"),
        (SITE.key_pem(), SITE.key_pem(), (), "'tls_certificate': is a private key; name the file of the certificate"),
        (SITE.key_pem(b"secret"), SITE.key_pem(), (), "'tls_certificate': is a private key; name the file"),
        (SITE.pem, SITE.pem, (), "'tls_key': is a certificate; name the file of its private key"),
        (MIDDLE.pem + SITE.pem, SITE.key_pem(), (), "'tls_certificate': is in the wrong order"),
        (SITE.pem + ROOT.pem + MIDDLE.pem, SITE.key_pem(), (), "'tls_certificate': is in the wrong order"),
        (SITE.pem, SITE.key_pem(), ("other.test",), "isn't for other.test, only for shop.test, *.shop.test"),
        (SITE.pem, SITE.key_pem(), ("a.b.shop.test",), "isn't for a.b.shop.test"),
        (SITE.pem, SITE.key_pem(), ("*.a.shop.test",), "isn't for *.a.shop.test"),
        (SITE.pem, SITE.key_pem(), ("192.0.2.8",), "isn't for 192.0.2.8"),
    ],
)  # fmt: skip
def test_one_that_cant_be_used(workshop: Workshop, chain: str, key: str, names: tuple[str, ...], told: str) -> None:
    problem = workshop.problem(files(workshop, chain, key, *names))
    assert problem.startswith("web_apps: 'shop' has 'tls_")
    assert told in problem
    assert "BEGIN" not in problem.replace("'-----BEGIN", "")


def test_one_whose_time_has_passed_or_not_come(workshop: Workshop) -> None:
    for signed, told in (
        (Signed("old", ["shop.test"], days=-1), "CN=old expired on"),
        (Signed("new", ["shop.test"], began=-1), "CN=new isn't valid before"),
        (Signed("site", ["shop.test"], Signed("old", [], days=-1)), "isn't"),
    ):
        problems = workshop.problems(files(workshop, signed.pem, signed.key_pem()))
        assert told in "".join(problems) or (told == "isn't" and problems == [])


def test_an_expired_issuer_in_the_chain(workshop: Workshop) -> None:
    old = Signed("old", [], days=-1)
    site = Signed("site", ["shop.test"], old)
    assert "CN=old expired on" in workshop.problem(files(workshop, site.pem + old.pem, site.key_pem()))


def test_names_in_the_subject_alone_count_for_nothing(workshop: Workshop) -> None:
    bare = Signed("shop.test", [])
    assert "only for no name at all" in workshop.problem(files(workshop, bare.pem, bare.key_pem()))


@pytest.mark.parametrize("key", ["tls_certificate", "tls_key"])
def test_a_file_that_isnt_there(workshop: Workshop, key: str) -> None:
    told = workshop.problem({**files(workshop, SITE.pem, SITE.key_pem()), key: "gone.pem"})
    gone = str(workshop.folder / "gone.pem")
    assert told == f"web_apps: 'shop' has '{key}': {gone!r} can't be read: No such file or directory"


@pytest.mark.parametrize("key", ["tls_certificate", "tls_key"])
def test_a_folder_isnt_called_missing(workshop: Workshop, key: str) -> None:
    given = files(workshop, SITE.pem, SITE.key_pem())
    told = workshop.problem({**given, key: "shop"})
    assert told == f"web_apps: 'shop' has '{key}': {str(workshop.source)!r} can't be read: it is a folder"


def test_a_path_may_begin_in_ones_home(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(workshop.folder))
    given = {**files(workshop, SITE.pem, SITE.key_pem()), "tls_certificate": "~/site.pem", "tls_key": "~/site.key"}
    request = workshop.request({**given, "source": "~/shop"}, web_acme_ca_bundle="~/site.pem")
    settings, problems = parse(dataclasses.replace(request, base="/nowhere"))
    assert problems == []
    assert settings.ca_bundle() == SITE.pem.encode()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"tls": "files"}, "'tls: files', which needs the key 'tls_certificate' too"),
        ({"tls": "files", "tls_certificate": "a"}, "'tls: files', which needs the key 'tls_key' too"),
        ({"tls_key": "a"}, "'tls_key', which needs 'tls: files'"),
        ({"tls": "self_signed", "tls_certificate": "a"}, "'tls_certificate', which needs 'tls: files'"),
        ({"hsts": 1}, "'hsts' without 'tls'"),
    ],
)
def test_what_must_go_together(workshop: Workshop, changes: dict[str, Any], told: str) -> None:
    assert told in workshop.problem(app(**changes))


def test_a_proxy_that_ends_tls_may_have_hsts_too(workshop: Workshop) -> None:
    assert workshop.problems(app(hsts=1), web_trusted_proxies=["10.0.0.7"]) == []


def test_each_port_has_one_use(workshop: Workshop) -> None:
    assert "nginx needs one for each" in workshop.problem(app(), web_https_port=80)


# --- Headers ------------------------------------------------------------------------------------------------------


def test_headers_in_place_of_the_safe_ones(workshop: Workshop) -> None:
    given = {"x-frame-options": "DENY", "Permissions-Policy": "", "X-Own": "a 'b'; c"}
    item = workshop.item(app(headers=given))
    told = {name: (added, text) for name, _sent, added, text, _absent in item["site"]["headers"]}
    assert "Permissions-Policy" not in told
    assert "X-Frame-Options" not in told
    assert told["x-frame-options"] == ("$shop__x_frame_options", "DENY")
    assert told["X-Own"] == ("$shop__x_own", "a 'b'; c")
    assert told["X-Content-Type-Options"] == ("$shop__x_content_type_options", "nosniff")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"X A": "b"}, 'must name each header with letters, digits and single hyphens; "X A" isn\'t so'),
        ({"X-A;": "b"}, "must name each header"),
        ({"X-A": "b", "x-a": "c"}, "must name each header once; x-a appears twice"),
        ({"X-A": 'b"; } server {'}, "must give X-A a text in ASCII without"),
        ({"X-A": "$host"}, "must give X-A a text in ASCII without"),
        ({"X-A": "b\nSet-Cookie: c"}, "must give X-A a text in ASCII without"),
        ({"X-A": "\\"}, "must give X-A a text in ASCII without"),
        ({"X-A": "é"}, "must give X-A a text in ASCII without"),
        ({"X-A": 1}, "must give X-A a text in ASCII without"),
        ({"Content-Length": "1"}, "must not set Content-Length"),
        ({"Strict-Transport-Security": "max-age=1"}, "the key 'hsts' does"),
    ],
)
def test_a_header_that_cant_be_sent(workshop: Workshop, given: dict[str, Any], told: str) -> None:
    assert told in workshop.problem(app(headers=given))
