"""How certbot is told to forget a certificate, and what else goes then."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from ansible_collections.uwsgi_flask.web.plugins.module_utils.acme.certbot import Terms, delete, issue
from ansible_collections.uwsgi_flask.web.plugins.module_utils.acme.lineage import parts
from ansible_collections.uwsgi_flask.web.plugins.module_utils.acme.notes import Notes
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.system import System

from fake_certbot import Asked
from lineages import DIRECTORY, Certbots

SYSTEM = System()
BY_HTTP = Terms(DIRECTORY, "ops@shop.test", asks_first=False)


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


@pytest.mark.parametrize("is_whole", [True, False])
def test_where_certbot_is_gone_its_parts_go_all_the_same(
    asked: Asked, notes: Notes, certbots: Certbots, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, is_whole: bool
) -> None:
    """Or a teardown could never finish."""
    (asked.folder / "certbot").unlink()
    monkeypatch.setattr(shutil, "which", lambda name: None if name == "certbot" else f"/usr/bin/{name}")
    notes.ask("shop")
    certbots.renew("shop")
    certbots.renew("foreign")
    if not is_whole:
        (certbots.folder / "live/web-shop/privkey.pem").unlink()
    delete(SYSTEM, "shop", notes)
    assert parts("shop", certbots.folder) == []
    assert len(parts("foreign", certbots.folder)) == 3
    assert not notes.path.exists()
    assert (tmp_path / "kept").exists() is not is_whole


def test_one_that_certbot_doesnt_delete_stays_ours(asked: Asked, notes: Notes, certbots: Certbots) -> None:
    notes.ask("shop")
    certbots.renew("shop")
    asked.answer(1, err="no")
    with pytest.raises(OSError, match="no"):
        delete(SYSTEM, "shop", notes)
    assert Notes.read(notes.path).asked == ["shop"]
