"""What certbot has for an app, read from its links and certificates."""

from __future__ import annotations

import pytest
from ansible_collections.uwsgi_flask.web.plugins.module_utils.acme.lineage import Lineage, lineage, parts
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.system import System

from lineages import DIRECTORY, Certbots


def had(certbots: Certbots) -> Lineage | None:
    return lineage(System(), "shop", certbots.folder)


def test_it_is_what_certbots_links_lead_to(certbots: Certbots) -> None:
    assert had(certbots) is None
    assert parts("shop", certbots.folder) == []
    certbots.renew("shop")
    pem = certbots.renew("shop", "shop.test", "a.shop.test")
    found = had(certbots)
    assert found
    assert (found.pem, found.directory) == (pem, DIRECTORY)
    assert found.certificate.names == ["a.shop.test", "shop.test"]
    assert len(parts("shop", certbots.folder)) == 3
    assert parts("sho", certbots.folder) == []


@pytest.mark.parametrize("kind", ["privkey", "fullchain"])
def test_one_that_is_just_being_replaced_is_none(certbots: Certbots, kind: str) -> None:
    """Key and certificate that don't belong together would keep nginx from starting."""
    for _time in range(3):
        certbots.renew("shop")
    assert had(certbots)
    certbots.lead("shop", kind, 2)
    assert had(certbots) is None


def test_neither_is_half_of_one(certbots: Certbots) -> None:
    certbots.renew("shop")
    for path in (certbots.folder / "archive/web-shop/fullchain1.pem", certbots.settings("shop")):
        content = path.read_text()
        path.unlink()
        assert had(certbots) is None
        path.write_text(content)
        assert had(certbots)
    (certbots.folder / "archive/web-shop/fullchain1.pem").write_text("no certificate")
    assert had(certbots) is None


@pytest.mark.parametrize(
    "part", ["renewal/web-shop.conf", "archive/web-shop/fullchain1.pem", "live/web-shop/privkey.pem"]
)
def test_nor_one_with_a_byte_that_is_no_text(certbots: Certbots, part: str) -> None:
    """Certbot couldn't renew it, and one file must not stop a host's deploys."""
    certbots.renew("shop")
    path = certbots.folder / part
    path.write_bytes(path.read_bytes() + b"# \xff\n")
    assert had(certbots) is None


@pytest.mark.parametrize(
    ("names", "directory", "days", "is_as_wanted"),
    [
        (["shop.test", "a.test"], DIRECTORY, 60, True),
        (["a.test", "shop.test"], DIRECTORY, 60, True),
        (["shop.test"], DIRECTORY, 60, False),
        (["shop.test", "a.test", "b.test"], DIRECTORY, 60, False),
        (["shop.test", "a.test"], "https://other.test/directory", 60, False),
        # It began 60 days ago, so with 18 more it has over 2/9 of its time left.
        (["shop.test", "a.test"], DIRECTORY, 18, True),
        (["shop.test", "a.test"], DIRECTORY, 17, False),
        (["shop.test", "a.test"], DIRECTORY, -1, False),
    ],
)
def test_names_ca_and_time_left_decide_whether_it_is_as_wanted(
    certbots: Certbots, names: list[str], directory: str, days: float, is_as_wanted: bool
) -> None:
    certbots.renew("shop", "shop.test", "a.test", days=days)
    certbots.got("shop", days_ago=2)
    found = had(certbots)
    assert found
    assert found.is_as_wanted(names, directory, "", System()) is is_as_wanted


def test_one_that_was_just_got_isnt_old_or_a_clock_that_is_ahead_would_ask_with_each_run(certbots: Certbots) -> None:
    certbots.renew("shop", days=-1)
    ages = {}
    for days_ago in (0.9, 1.1):
        certbots.got("shop", days_ago)
        found = had(certbots)
        assert found
        ages[days_ago] = found.is_old(System())
    assert ages == {0.9: False, 1.1: True}


@pytest.mark.parametrize(("authenticator", "plugin"), [("webroot", ""), ("dns-cloudflare", "cloudflare")])
def test_one_that_would_be_renewed_in_another_way_isnt(certbots: Certbots, authenticator: str, plugin: str) -> None:
    """Certbot's timer would ask on a port that was closed since, or with credentials that aren't there any more."""
    certbots.renew("shop", "shop.test", authenticator=authenticator)
    found = had(certbots)
    assert found
    wanted = {given: found.is_as_wanted(["shop.test"], DIRECTORY, given, System()) for given in ("", "cloudflare", "a")}
    assert wanted == {given: given == plugin for given in wanted}
