"""How certbot is asked, and what is told of its answer."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

import pytest
from ansible_collections.uwsgi_flask.web.plugins.module_utils.acme import certbot as tested
from ansible_collections.uwsgi_flask.web.plugins.module_utils.acme.astray import BELOW
from ansible_collections.uwsgi_flask.web.plugins.module_utils.acme.certbot import Terms, delete, issue
from ansible_collections.uwsgi_flask.web.plugins.module_utils.acme.lineage import parts
from ansible_collections.uwsgi_flask.web.plugins.module_utils.acme.notes import Notes
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.system import System

from fake_certbot import Asked
from lineages import DIRECTORY, Certbots

SYSTEM = System()
BY_HTTP = Terms(DIRECTORY, "ops@shop.test", asks_first=False)
BY_DNS = Terms(DIRECTORY, "ops@shop.test", "cloudflare", 9)
# What it says before and after whatever it says.
BEGINNING = "Saving debug log to /var/log/letsencrypt/letsencrypt.log\n"
END = (
    "Ask for help or search for solutions at https://community.letsencrypt.org. See the logfile "
    "/var/log/letsencrypt/letsencrypt.log or re-run Certbot with -v for more details.\n"
)
CHALLENGE_FAILED = """\
Account registered.
Requesting a certificate for shop.test and a.shop.test

Certbot failed to authenticate some domains (authenticator: webroot). The Certificate Authority reported these problems:
  Domain: shop.test
  Type:   unauthorized
  Detail: 192.0.2.7: Invalid response from http://shop.test/.well-known/acme-challenge/x: 404

  Domain: a.shop.test
  Type:   dns
  Detail: no valid A records found for a.shop.test

Hint: The Certificate Authority failed to download the temporary challenge files created by Certbot.

"""
MET = (
    "shop.test: 192.0.2.7: Invalid response from http://shop.test/.well-known/acme-challenge/x: 404; "
    "a.shop.test: no valid A records found for a.shop.test"
)
REFUSED = (
    "requests.exceptions.ConnectionError: HTTPSConnectionPool(host='ca.test', port=443): Max retries exceeded with "
    "url: /directory (Connection refused)"
)
TOO_MANY = (
    "Error creating new order :: too many certificates (5) already issued for this exact set of identifiers in the "
    "last 168h0m0s, retry after 2026-11-25 09:00:00 UTC"
)
IN_USE = "Another instance of Certbot is already running.\n"
UNEXPECTED = "An unexpected error occurred:"
# What it printed, what it said of errors, and the reason.
SAID = [
    # The CA's own words are printed. They name an "Identifier" since 5.0.
    (CHALLENGE_FAILED, f"{BEGINNING}Some challenges have failed.\n{END}", MET),
    (CHALLENGE_FAILED.replace("Domain", "Identifier"), f"{BEGINNING}Some challenges have failed.\n{END}", MET),
    ("", f"{BEGINNING}{UNEXPECTED}\n{REFUSED}\n{END}", f"{UNEXPECTED} {REFUSED}"),
    ("Requesting a certificate\n", f"{BEGINNING}{UNEXPECTED}\n{TOO_MANY}\n{END}", f"{UNEXPECTED} {TOO_MANY}"),
    ("", f"Another instance of Certbot is already running.\n{END}", "Another instance of Certbot is already running."),
    ("It isn't well.\n", "", "It isn't well."),
    ("", f"{BEGINNING}{END}", "certbot failed (1)"),
]


# --- Asked for a certificate --------------------------------------------------------------------------------------


def test_names_are_proven_by_http(asked: Asked, notes: Notes) -> None:
    assert issue(SYSTEM, "shop", ["shop.test", "a.shop.test"], BY_HTTP, notes) == ""
    assert " ".join(asked.words) == (
        "certonly --non-interactive --agree-tos --no-eff-email --email ops@shop.test "
        f"--server {DIRECTORY} --cert-name web-shop --domain shop.test --domain a.shop.test "
        "--force-renewal --renew-with-new-domains --break-my-certs --no-directory-hooks "
        f"--webroot --webroot-path {asked.place('WEBROOT')}"
    )
    assert (asked.place("WEBROOT") / BELOW).is_dir()
    assert Notes.read(notes.path).asked == ["shop"]


@pytest.mark.parametrize("has_credentials", [True, False])
def test_or_by_dns(asked: Asked, notes: Notes, has_credentials: bool) -> None:
    """Nobody is asked first: a wildcard leads nowhere."""
    credentials = []
    if has_credentials:
        asked.place("DNS_CREDENTIALS").parent.mkdir()
        asked.place("DNS_CREDENTIALS").write_text("token = x")
        credentials = ["--dns-cloudflare-credentials", str(asked.place("DNS_CREDENTIALS"))]
    assert issue(SYSTEM, "shop", ["*.shop.invalid"], BY_DNS, notes) == ""
    how = asked.words[asked.words.index("--no-directory-hooks") + 1 :]
    assert how == ["--authenticator", "dns-cloudflare", *credentials, "--dns-cloudflare-propagation-seconds", "9"]


def test_route53_waits_of_itself_and_knows_no_option(asked: Asked, notes: Notes) -> None:
    """Certbot fails with one that it doesn't know."""
    assert issue(SYSTEM, "shop", ["shop.test"], Terms(DIRECTORY, "ops@shop.test", "route53", 9), notes) == ""
    assert asked.words[-2:] == ["--authenticator", "dns-route53"]


def test_another_ca_is_trusted_only_where_it_is_given(asked: Asked, notes: Notes) -> None:
    assert issue(SYSTEM, "shop", ["shop.test"], BY_HTTP, notes) == ""
    assert asked.trusted == ""
    (asked.folder / "words").unlink()
    asked.place("CA_BUNDLE").write_text("ours")
    asked.place("SYSTEM_TRUST").write_text("the system's\n")
    assert issue(SYSTEM, "shop", ["shop.test"], BY_HTTP, notes) == ""
    assert (asked.folder / "bundle").read_text() == "the system's\nours"
    assert not Path(asked.trusted).exists()


def test_it_is_trusted_alone_where_the_system_knows_none(asked: Asked, notes: Notes) -> None:
    asked.place("CA_BUNDLE").parent.mkdir(exist_ok=True)
    asked.place("CA_BUNDLE").write_text("ours")
    assert issue(SYSTEM, "shop", ["shop.test"], BY_HTTP, notes) == ""
    assert (asked.folder / "bundle").read_text() == "ours"


def test_a_name_that_leads_elsewhere_is_never_told_to_the_ca(
    asked: Asked, notes: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tested, "astray", lambda name, _mark: "" if name == "a.test" else f"{name} is astray")
    terms = Terms(DIRECTORY, "ops@shop.test")
    assert issue(SYSTEM, "shop", ["a.test", "b.test", "c.test"], terms, notes) == "b.test is astray; c.test is astray"
    assert asked.words == []
    assert issue(SYSTEM, "shop", ["a.test"], terms, notes) == ""
    assert asked.words


def test_a_certificate_that_isnt_ours_is_neither_replaced_nor_removed(
    asked: Asked, notes: Notes, certbots: Certbots
) -> None:
    certbots.renew("shop")
    fault = issue(SYSTEM, "shop", ["shop.test"], BY_HTTP, notes)
    assert "web-shop already, which isn't ours; remove it: certbot delete --cert-name web-shop" in fault
    delete(SYSTEM, "shop", notes)
    assert (asked.words, notes.path.exists()) == ([], False)


def test_one_that_a_run_asked_for_before_it_was_cut_off_is_ours(
    asked: Asked, notes: Notes, certbots: Certbots, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(*_words: str) -> str:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(tested, "_run", cut)
        with pytest.raises(KeyboardInterrupt):
            issue(SYSTEM, "shop", ["shop.test"], BY_HTTP, notes)
    certbots.renew("shop", "old.test")
    assert issue(SYSTEM, "shop", ["shop.test"], BY_HTTP, Notes.read(notes.path)) == ""
    assert asked.words[0] == "certonly"


@pytest.mark.parametrize("left", ["renewal/web-shop.conf", "archive/web-shop", "live/web-shop/privkey.pem"])
def test_what_is_left_of_one_is_set_aside_or_certbot_would_make_another_beside_it(
    asked: Asked, notes: Notes, certbots: Certbots, tmp_path: Path, left: str
) -> None:
    """With another name, which nobody would find, and again with each run."""
    certbots.renew("shop")
    notes.ask("shop")
    path = certbots.folder / left
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert issue(SYSTEM, "shop", ["shop.test"], BY_HTTP, notes) == ""
    assert parts("shop", certbots.folder) == []
    assert len([path for path in (tmp_path / "kept").rglob("*") if path.name.startswith("web-shop")]) >= 2
    assert (tmp_path / "kept").stat().st_mode & 0o777 == 0o700


def test_one_that_isnt_as_wanted_is_a_failure_whatever_certbot_says(asked: Asked, notes: Notes) -> None:
    asked.gets = False
    told = issue(SYSTEM, "shop", ["shop.test"], BY_HTTP, notes)
    assert told == "certbot says that it has got one, and web-shop isn't it; see certbot certificates"


def test_without_room_for_a_certificate_no_ca_is_asked_for_one(
    asked: Asked, notes: Notes, certbots: Certbots, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A CA gives only a few of them, and it would be lost."""

    def full(_handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        patch.setattr(Notes, "_keep", lambda _notes: None)
        fault = issue(SYSTEM, "shop", ["shop.test"], BY_DNS, notes)
    assert fault.startswith(f"no room below {certbots.folder} for a certificate, so none is asked for: ")
    assert "No space left" in fault
    assert asked.words == []
    assert [*certbots.folder.iterdir()] == []
    assert issue(SYSTEM, "shop", ["shop.test"], BY_HTTP, notes) == ""
    assert [*certbots.folder.iterdir()] == []


def test_another_certbot_at_work_is_waited_for(asked: Asked, notes: Notes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tested, "OTHERS_SECONDS", 30.0)
    asked.gets = False
    asked.answer(1, err=IN_USE)
    waited: list[float] = []

    def wait(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 2:
            asked.answer(0)
            asked.gets = True
            (asked.folder / "words").unlink()

    monkeypatch.setattr(SYSTEM, "sleep", wait)
    assert issue(SYSTEM, "shop", ["shop.test"], BY_HTTP, notes) == ""
    assert len(waited) == 2
    assert asked.words.count("certonly") == 1


def test_what_another_certbot_has_got_meanwhile_isnt_asked_for_again(
    asked: Asked, notes: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tested, "OTHERS_SECONDS", 30.0)
    asked.gets = False
    asked.answer(1, err=IN_USE)
    monkeypatch.setattr(SYSTEM, "sleep", lambda _seconds: setattr(asked, "gets", True))
    assert issue(SYSTEM, "shop", ["shop.test"], BY_HTTP, notes) == ""
    assert asked.words.count("certonly") == 1


# --- What it answers ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("out", "err", "reason"), SAID)
def test_a_failure_is_told_in_one_line(asked: Asked, notes: Notes, out: str, err: str, reason: str) -> None:
    asked.answer(1, out, err)
    assert issue(SYSTEM, "shop", ["shop.test"], BY_HTTP, notes) == reason


def test_one_that_doesnt_end_is_told(asked: Asked, notes: Notes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tested, "PATIENCE", 0.2)
    (asked.folder / "certbot").write_text("#!/bin/sh\nexec sleep 9\n")
    assert issue(SYSTEM, "shop", ["shop.test"], BY_HTTP, notes) == "certbot has not ended after 0.2 s"
