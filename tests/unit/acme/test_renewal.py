"""What follows a renewal: nginx serves all that certbot has renewed, or what it served before."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest
from ansible_collections.uwsgi_flask.web.plugins.module_utils.acme import renewal
from ansible_collections.uwsgi_flask.web.plugins.module_utils.acme.notes import Notes
from ansible_collections.uwsgi_flask.web.plugins.module_utils.acme.renewal import serve
from ansible_collections.uwsgi_flask.web.plugins.module_utils.layout import WEBROOT
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.aim import deployed
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.places import ACME_NOTES, pem_file
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.rejected import Rejected

from fake_nginx import Cut, Nginx
from lineages import Certbots

BY_ACME = f"root {WEBROOT};\n"
APPS = ("shop", "wiki")


@pytest.fixture(autouse=True)
def without_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda handle: None)


@pytest.fixture
def first(certbots: Certbots) -> dict[str, str]:
    """What certbot got first for each app."""
    return {app: certbots.renew(app) for app in APPS}


def host(folder: Path, pems: Mapping[str, str], asked: tuple[str, ...] = APPS) -> Nginx:
    """A host that serves both apps by ACME with these keys and certificates, a third app, and somebody's own site."""
    folder.mkdir()
    nginx = Nginx(folder)
    (nginx.root / "conf.d/theirs.conf").write_text("# by hand\n")
    ours = nginx.ours()
    texts = nginx.texts(shop=BY_ACME, wiki=BY_ACME, blog="") | {pem_file(app): pem for app, pem in pems.items()}
    nginx.configuration(deployed(ours, texts, [*APPS, "blog"], [], "www-data"), ours).apply()
    for app in asked:
        Notes.read(nginx.root / ACME_NOTES).ask(app)
    nginx.steps.clear()
    return nginx


def on_disk(nginx: Nginx) -> dict[str, str]:
    return {app: (nginx.root / pem_file(app)).read_text() for app in APPS}


def loaded(nginx: Nginx) -> dict[str, str]:
    return {app: nginx.loaded[pem_file(app)].decode() for app in APPS}


def test_what_was_renewed_is_served_and_nothing_else_changes(
    tmp_path: Path, certbots: Certbots, first: dict[str, str]
) -> None:
    nginx = host(tmp_path / "host", first)
    before = nginx.content()
    renewed = {**first, "shop": certbots.renew("shop")}
    assert serve(nginx.root, nginx, certbots.folder) == ["shop"]
    assert (on_disk(nginx), loaded(nginx)) == (renewed, renewed)
    assert (nginx.root / pem_file("shop")).stat().st_mode & 0o777 == 0o600
    after = nginx.content()
    changed = {path for path in before | after if before.get(path) != after.get(path)}
    assert changed == {"etc/nginx/tls/shop.pem"}


def test_one_that_was_cut_off_or_refused_is_served_by_the_next_look(
    tmp_path: Path, certbots: Certbots, first: dict[str, str]
) -> None:
    nginx = host(tmp_path / "host", first)
    certbots.renew("shop")
    (nginx.root / pem_file("wiki")).write_bytes(first["wiki"].encode() + b"\xff")
    assert serve(nginx.root, nginx, certbots.folder) == ["shop", "wiki"]
    assert on_disk(nginx)["wiki"] == first["wiki"]


def test_without_a_renewal_nothing_happens(tmp_path: Path, certbots: Certbots, first: dict[str, str]) -> None:
    nginx = host(tmp_path / "host", first)
    assert serve(nginx.root, nginx, certbots.folder) == []
    assert nginx.steps == []


def test_nor_where_nothing_is_deployed(nginx_alone: Nginx, certbots: Certbots) -> None:
    assert serve(nginx_alone.root, nginx_alone, certbots.folder) == []
    assert nginx_alone.steps == []


@pytest.fixture
def nginx_alone(tmp_path: Path) -> Nginx:
    (tmp_path / "alone").mkdir()
    return Nginx(tmp_path / "alone")


def test_an_app_without_a_certificate_waits_for_a_deploy(
    tmp_path: Path, certbots: Certbots, first: dict[str, str]
) -> None:
    """Its server block doesn't speak TLS yet."""
    nginx = host(tmp_path / "host", {"wiki": first["wiki"]})
    assert serve(nginx.root, nginx, certbots.folder) == []
    assert not (nginx.root / pem_file("shop")).exists()


def test_a_certificate_that_isnt_ours_is_never_served(
    tmp_path: Path, certbots: Certbots, first: dict[str, str]
) -> None:
    nginx = host(tmp_path / "host", first, asked=("wiki",))
    certbots.renew("shop")
    assert serve(nginx.root, nginx, certbots.folder) == []
    assert on_disk(nginx) == first


def test_nor_does_one_reach_an_app_that_has_left_acme(
    tmp_path: Path, certbots: Certbots, first: dict[str, str]
) -> None:
    nginx = host(tmp_path / "host", {**first, "blog": first["shop"]}, asked=(*APPS, "blog"))
    certbots.renew("blog")
    assert serve(nginx.root, nginx, certbots.folder) == []


def test_one_that_nginx_doesnt_take_leaves_the_old(tmp_path: Path, certbots: Certbots, first: dict[str, str]) -> None:
    nginx = host(tmp_path / "host", first)
    before = nginx.content()
    certbots.renew("shop")
    nginx.takes_it = False
    with pytest.raises(Rejected, match="bind"):
        serve(nginx.root, nginx, certbots.folder)
    assert nginx.content() == before
    assert loaded(nginx) == first
    nginx.takes_it = True
    assert serve(nginx.root, nginx, certbots.folder) == ["shop"]


def test_a_cut_at_any_step_leaves_all_or_nothing(tmp_path: Path, certbots: Certbots, first: dict[str, str]) -> None:
    """The power may go too, and nginx reads what is there. The next one finishes."""
    expected = host(tmp_path / "whole", first)
    second = {app: certbots.renew(app) for app in APPS}
    serve(expected.root, expected, certbots.folder)
    assert on_disk(expected) == loaded(expected) == second
    for number, step in enumerate(expected.steps):
        nginx = host(tmp_path / str(number), first)
        nginx.cut_at = number
        with pytest.raises(Cut):
            serve(nginx.root, nginx, certbots.folder)
        nginx.cut_at = -1
        assert nginx.boots(), step
        assert loaded(nginx) in (first, second), step
        nginx.ours()
        assert on_disk(nginx) == loaded(nginx), step
        assert on_disk(nginx) in (first, second), step
        serve(nginx.root, nginx, certbots.folder)
        assert nginx.content() == expected.content(), step


def test_certbot_is_told_how_it_went(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said: list[list[str] | Rejected] = [Rejected("no"), ["shop", "wiki"], []]

    def served(_root: Path, _system: object) -> list[str]:
        answer = said.pop(0)
        if isinstance(answer, Rejected):
            raise answer
        return answer

    monkeypatch.setattr(renewal, "FLOCK", str(tmp_path / "lock"))
    monkeypatch.setattr(renewal, "serve", served)
    assert [renewal.main() for _time in range(3)] == [1, 0, 0]
    told = capsys.readouterr()
    assert told.err == "nginx doesn't serve what was renewed: no\n"
    assert told.out == "nginx serves the renewed certificates of shop, wiki\n"
