"""How certbot is asked, and what is told of its answer."""

from __future__ import annotations

import functools
import os
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.uwsgi_flask.web.plugins.module_utils.acme import certbot as tested
from ansible_collections.uwsgi_flask.web.plugins.module_utils.acme.astray import BELOW
from ansible_collections.uwsgi_flask.web.plugins.module_utils.acme.certbot import Terms, delete, issue
from ansible_collections.uwsgi_flask.web.plugins.module_utils.acme.lineage import lineage, parts, set_aside
from ansible_collections.uwsgi_flask.web.plugins.module_utils.acme.notes import Notes
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.system import System

from lineages import DIRECTORY, Certbots

SYSTEM = System()
WANTED = SimpleNamespace(is_as_wanted=lambda *_of_what: True)
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


class Asked:
    """A certbot that does nothing, and remembers how it was called."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # Whether certbot has then what was wanted.
        self.gets = True
        folder.mkdir()
        self.answer(0)
        program = folder / "certbot"
        program.write_text(
            f'#!/bin/sh\ncd {folder}\nprintf \'%s\\n\' "$@" >> words\nprintf %s "$REQUESTS_CA_BUNDLE" > trusted\n'
            'cat "$REQUESTS_CA_BUNDLE" /dev/null > bundle 2> /dev/null\n'
            "cat stdout\ncat stderr >&2\nexit $(cat code)\n"
        )
        program.chmod(0o755)

    def answer(self, code: int, out: str = "", err: str = "") -> None:
        for name, text in (("code", str(code)), ("stdout", out), ("stderr", err)):
            (self.folder / name).write_text(text)

    def place(self, name: str) -> Path:
        """Where on this host lies what a constant names."""
        return self.folder.parent / f"etc/{name.lower()}"

    @property
    def words(self) -> list[str]:
        words = self.folder / "words"
        return words.read_text().splitlines() if words.exists() else []

    @property
    def trusted(self) -> str:
        return (self.folder / "trusted").read_text()


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Asked:
    made = Asked(tmp_path / "bin")
    monkeypatch.setenv("PATH", f"{made.folder}:{os.environ['PATH']}")
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    for name in ("WEBROOT", "CA_BUNDLE", "DNS_CREDENTIALS", "CERTBOT_DROP_IN", "SYSTEM_TRUST"):
        monkeypatch.setattr(tested, name, str(made.place(name)))
    return made


@pytest.fixture
def certbots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: Asked) -> Certbots:
    """What is there besides what `asked` gets."""
    made = Certbots(tmp_path)

    def found(system: System, app: str) -> Any:
        return WANTED if asked.gets and "certonly" in asked.words else lineage(system, app, made.folder)

    monkeypatch.setattr(tested, "lineage", found)
    monkeypatch.setattr(tested, "MOMENT", 0.0)
    monkeypatch.setattr(tested, "parts", functools.partial(parts, certbots=made.folder))
    aside = functools.partial(set_aside, certbots=made.folder, kept=tmp_path / "kept")
    monkeypatch.setattr(tested, "set_aside", aside)
    return made


@pytest.fixture
def notes(tmp_path: Path, certbots: Certbots) -> Notes:
    """Before anything was asked, on a host where certbot has nothing."""
    assert not certbots.folder.exists()
    return Notes.read(tmp_path / "acme.json")


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
    certbots.renew("shop")
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


# --- What it answers ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("out", "err", "reason"), SAID)
def test_a_failure_is_told_in_one_line(asked: Asked, notes: Notes, out: str, err: str, reason: str) -> None:
    asked.answer(1, out, err)
    assert issue(SYSTEM, "shop", ["shop.test"], BY_HTTP, notes) == reason


def test_one_that_doesnt_end_is_told(asked: Asked, notes: Notes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tested, "PATIENCE", 0.2)
    (asked.folder / "certbot").write_text("#!/bin/sh\nexec sleep 9\n")
    assert issue(SYSTEM, "shop", ["shop.test"], BY_HTTP, notes) == "certbot has not ended after 0.2 s"


# --- Told to forget one -------------------------------------------------------------------------------------------


def test_one_of_ours_is_deleted_and_with_the_last_what_all_needed(
    asked: Asked, notes: Notes, certbots: Certbots
) -> None:
    drop_in = asked.place("CERTBOT_DROP_IN")
    drop_in.parent.mkdir()
    for app in ("shop", "wiki"):
        assert issue(SYSTEM, app, [f"{app}.test"], BY_HTTP, notes) == ""
        certbots.renew(app)
    (asked.folder / "words").unlink()
    delete(SYSTEM, "shop", notes)
    assert asked.words == ["delete", "--non-interactive", "--cert-name", "web-shop"]
    assert asked.place("WEBROOT").exists()
    delete(SYSTEM, "wiki", notes)
    assert not asked.place("WEBROOT").exists()
    assert not drop_in.parent.exists()
    assert not notes.path.exists()


def test_one_that_certbot_never_got_is_only_forgotten(asked: Asked, notes: Notes) -> None:
    notes.ask("shop")
    delete(SYSTEM, "shop", notes)
    assert asked.words == []
    assert not notes.path.exists()


def test_of_one_that_never_was_ours_no_fault_outlasts_its_app(asked: Asked, notes: Notes, certbots: Certbots) -> None:
    certbots.renew("shop")
    notes.note("shop", issue(SYSTEM, "shop", ["shop.test"], BY_HTTP, notes))
    assert notes.apps() == ["shop"]
    delete(SYSTEM, "shop", notes)
    assert asked.words == []
    assert not notes.path.exists()


def test_one_that_certbot_doesnt_delete_stays_ours(asked: Asked, notes: Notes, certbots: Certbots) -> None:
    notes.ask("shop")
    certbots.renew("shop")
    asked.answer(1, err="no")
    with pytest.raises(OSError, match="no"):
        delete(SYSTEM, "shop", notes)
    assert Notes.read(notes.path).asked == ["shop"]
