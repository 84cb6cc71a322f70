"""What is ours, and what others wrote: nothing of theirs is ever removed, or overwritten unsaved."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from ansible_collections.uwsgi_flask.web.plugins.module_utils.files import OwnedFile
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.aim import deployed
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.places import (
    BASE,
    DEFAULT_SITE,
    KEPT,
    MAIN,
    site_file,
)
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.rejected import Rejected

from fake_nginx import DEBIANS, Cut, Nginx

THEIRS = "# written by hand\n"


# --- Replaced -----------------------------------------------------------------------------------------------------


def test_what_was_there_first_is_saved_and_comes_back(nginx: Nginx) -> None:
    before = nginx.content()
    nginx.deploy()
    assert (nginx.root / KEPT / "nginx.conf").read_text() == DEBIANS
    assert os.readlink(nginx.root / KEPT / DEFAULT_SITE) == "../sites-available/default"
    nginx.deploy(shop="", wiki="")
    nginx.tear_down()
    assert nginx.content() == before
    assert b"default_server" in nginx.tested[-1][DEFAULT_SITE]
    assert b"default_server" in nginx.loaded[DEFAULT_SITE]


def test_a_teardown_that_was_cut_as_it_forgot_can_be_done_again(nginx: Nginx, monkeypatch: pytest.MonkeyPatch) -> None:
    before = nginx.content()
    nginx.deploy()
    gone: list[Path] = []
    unlink = Path.unlink

    def cut(path: Path, missing_ok: bool = False) -> None:
        if KEPT in path.parts and path.name != "exchange.json" and not path.name.startswith("."):
            gone.append(path)
            if len(gone) == 2:
                raise Cut
        unlink(path, missing_ok)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", cut)
        with pytest.raises(Cut):
            nginx.tear_down()
    if nginx.ours().exists():
        nginx.tear_down()
    after = {path: text for path, text in nginx.content().items() if KEPT not in path}
    assert after == before
    nginx.deploy()
    nginx.tear_down()
    assert nginx.content() == before


def test_a_linked_folder_is_part_of_the_tree(nginx: Nginx) -> None:
    moved = nginx.folder / "conf.d"
    (nginx.root / "conf.d").rename(moved)
    (nginx.root / "conf.d").symlink_to(moved)
    (nginx.root / "modules").symlink_to("/usr/lib")
    nginx.deploy(shop="", wiki="")
    (moved / "theirs.conf").write_text("# an edit\n")
    assert not nginx.wanted(shop="", wiki="").is_live()
    nginx.deploy(shop="", wiki="")
    nginx.take_off("wiki")
    assert not (moved / "wiki.conf").exists()
    assert nginx.wanted().is_live()


def test_its_mode_comes_back_too(nginx: Nginx) -> None:
    site = nginx.root / "conf.d/shop.conf"
    site.write_text(THEIRS)
    site.chmod(0o640)
    nginx.deploy()
    nginx.tear_down()
    assert (site.read_text(), site.stat().st_mode & 0o777) == (THEIRS, 0o640)


def test_copies_are_for_root_alone(nginx: Nginx) -> None:
    nginx.deploy()
    (nginx.root / "conf.d/shop.conf").write_text(THEIRS)
    nginx.deploy()
    for folder in (nginx.root / KEPT, nginx.edited):
        assert folder.stat().st_mode & 0o777 == 0o700


def test_so_does_a_file_that_was_there_before_a_later_app(nginx: Nginx) -> None:
    nginx.deploy()
    (nginx.root / "conf.d/wiki.conf").write_text(THEIRS)
    made = nginx.deploy(shop="", wiki="")
    assert made.saved == {"conf.d/wiki.conf": nginx.root / KEPT / "conf.d/wiki.conf"}
    nginx.tear_down()
    assert (nginx.root / "conf.d/wiki.conf").read_text() == THEIRS


def test_edits_of_ours_are_saved_each_under_a_name_of_its_own(nginx: Nginx) -> None:
    nginx.deploy()
    for edit in ("first", "second", "first"):
        (nginx.root / "conf.d/shop.conf").write_text(edit)
        nginx.deploy()
    saved = {path.name: path.read_text() for path in (nginx.edited / "conf.d").iterdir()}
    assert saved == {"shop.conf": "first", "shop.conf~2": "second"}
    assert "shop.test" in (nginx.root / "conf.d/shop.conf").read_text()
    nginx.tear_down()
    assert not (nginx.root / "conf.d/shop.conf").exists()
    assert (nginx.edited / "conf.d/shop.conf").exists()


def test_a_link_in_place_of_ours_is_saved_as_a_link(nginx: Nginx) -> None:
    nginx.deploy()
    site = nginx.root / "conf.d/shop.conf"
    site.unlink()
    site.symlink_to("../mime.types")
    nginx.deploy()
    assert not site.is_symlink()
    assert (nginx.root / "mime.types").read_text() == "types {}\n"
    assert os.readlink(nginx.edited / "conf.d/shop.conf") == "../mime.types"


def test_so_is_one_to_the_same_text(nginx: Nginx) -> None:
    nginx.deploy()
    site, moved = nginx.root / "conf.d/shop.conf", nginx.root / "sites-available/shop"
    site.rename(moved)
    site.symlink_to(moved)
    assert nginx.deploy().saved == {"conf.d/shop.conf": nginx.edited / "conf.d/shop.conf"}


def test_an_edit_of_what_belongs_to_it_elsewhere_is_saved_too(nginx: Nginx) -> None:
    nginx.deploy()
    nginx.drop_in.write_text("[Service]\n# by hand\n")
    (saved,) = nginx.deploy().saved.values()
    assert saved.read_text() == "[Service]\n# by hand\n"
    assert saved.is_relative_to(nginx.edited)


def test_nothing_is_saved_where_nothing_was_changed(nginx: Nginx) -> None:
    nginx.deploy()
    assert nginx.deploy(shop="listen 81;", wiki="").saved == {}
    assert not nginx.edited.exists()


def test_a_folder_at_our_place_is_refused_and_stays(nginx: Nginx) -> None:
    (nginx.root / "conf.d/shop.conf").mkdir()
    before = nginx.content()
    with pytest.raises(Rejected):
        nginx.deploy()
    assert nginx.content() == before
    assert (nginx.root / "conf.d/shop.conf").is_dir()


# --- Absent apps --------------------------------------------------------------------------------------------------


def test_an_absent_apps_server_block_goes(nginx: Nginx) -> None:
    nginx.deploy(shop="", wiki="")
    nginx.deploy(absent=["wiki"], shop="")
    assert not (nginx.root / "conf.d/wiki.conf").exists()
    assert nginx.wanted(absent=["wiki"]).is_live()


def test_one_that_isnt_ours_stays(nginx: Nginx) -> None:
    (nginx.root / "conf.d/wiki.conf").write_text(THEIRS)
    nginx.deploy(absent=["wiki"], shop="")
    assert (nginx.root / "conf.d/wiki.conf").read_text() == THEIRS
    assert nginx.wanted(absent=["wiki"]).is_live()


def test_one_that_was_removed_by_hand_is_forgotten(nginx: Nginx) -> None:
    nginx.deploy(shop="", wiki="")
    (nginx.root / "conf.d/wiki.conf").unlink()
    nginx.deploy(absent=["wiki"], shop="")
    assert "conf.d/wiki.conf" not in nginx.ours().files


def test_what_a_person_puts_there_afterwards_is_theirs(nginx: Nginx) -> None:
    nginx.deploy(shop="", wiki="")
    nginx.deploy(absent=["wiki"], shop="")
    (nginx.root / "conf.d/wiki.conf").write_text(THEIRS)
    nginx.deploy(shop="", wiki="")
    nginx.tear_down()
    assert (nginx.root / "conf.d/wiki.conf").read_text() == THEIRS


def test_apps_that_arent_named_stay(nginx: Nginx) -> None:
    """`-e app=shop` deploys that one alone."""
    nginx.deploy(shop="", wiki="")
    nginx.deploy(shop="listen 81;")
    assert "wiki.test" in nginx.loaded["conf.d/wiki.conf"].decode()


# --- One app taken off --------------------------------------------------------------------------------------------


def test_one_app_is_taken_off_by_its_name_alone(nginx: Nginx) -> None:
    nginx.deploy(shop="", wiki="")
    before = {path: text for path, text in nginx.content().items() if "shop" not in path}
    made = nginx.take_off("shop")
    assert not (nginx.root / "conf.d/shop.conf").exists()
    assert f"{made.aim.generation}.invalid".encode() in nginx.loaded[BASE]
    assert nginx.wanted(wiki="").is_live()
    changed = {path for path, text in nginx.content().items() if before.get(path) != text}
    assert changed == {f"etc/nginx/{KEPT}/manifest.json"}


def test_taking_off_what_isnt_there_changes_nothing(nginx: Nginx) -> None:
    nginx.deploy()
    before = nginx.content()
    assert nginx.take_off("wiki").is_live()
    assert nginx.content() == before


def test_an_edit_elsewhere_is_still_seen_afterwards(nginx: Nginx) -> None:
    nginx.deploy(shop="", wiki="")
    (nginx.root / "conf.d/wiki.conf").write_text(THEIRS)
    nginx.take_off("shop")
    assert not nginx.ours().wrote("conf.d/wiki.conf")


def test_a_base_without_its_proof_is_refused(nginx: Nginx) -> None:
    nginx.deploy()
    (nginx.root / BASE).write_text("# by hand\n")
    with pytest.raises(Rejected, match=re.escape(f"{nginx.root / BASE} isn't as it was deployed")):
        nginx.take_off("shop")


# --- All of it ----------------------------------------------------------------------------------------------------


def test_a_teardown_removes_apps_that_nobody_names_any_more(nginx: Nginx) -> None:
    nginx.deploy(shop="", forgotten="")
    nginx.deploy(shop="")
    nginx.tear_down()
    assert not (nginx.root / "conf.d/forgotten.conf").exists()
    assert not nginx.ours().exists()


def test_a_teardown_is_tested_before_the_live_tree_is_touched(nginx: Nginx) -> None:
    """Somebody uses the log format that our nginx.conf defines."""
    nginx.deploy()
    (nginx.root / "conf.d/other.conf").write_text("access_log /var/log/nginx/other.log requests;\n")
    nginx.deploy()
    before = nginx.content()
    nginx.steps.clear()
    with pytest.raises(Rejected, match='unknown log format "requests"'):
        nginx.tear_down()
    assert nginx.content() == before
    assert nginx.steps == []


def test_a_teardown_that_nginx_doesnt_take_is_taken_back(nginx: Nginx) -> None:
    nginx.deploy()
    before = nginx.content()
    nginx.takes_it = False
    with pytest.raises(Rejected, match=r"bind\(\) failed"):
        nginx.tear_down()
    assert nginx.content() == before


def test_a_teardown_leaves_what_others_put_where_we_had_removed(nginx: Nginx) -> None:
    nginx.deploy()
    (nginx.root / DEFAULT_SITE).write_text("# a site of theirs\n")
    nginx.tear_down()
    assert (nginx.root / DEFAULT_SITE).read_text() == "# a site of theirs\n"


def test_a_teardown_starts_no_nginx_that_was_down(nginx: Nginx) -> None:
    nginx.deploy()
    nginx.systemctl("stop")
    nginx.tear_down()
    assert not nginx.active


def test_a_teardown_after_the_package_was_removed(nginx: Nginx) -> None:
    nginx.deploy()
    nginx.systemctl("stop")
    nginx.installed = False
    nginx.tear_down()
    assert (nginx.root / "nginx.conf").read_text() == DEBIANS


# --- The manifest -------------------------------------------------------------------------------------------------


def test_without_the_manifest_every_file_counts_as_somebody_elses(nginx: Nginx) -> None:
    nginx.deploy()
    nginx.ours().manifest.unlink()
    assert not nginx.wanted().is_live()
    nginx.deploy(shop="listen 81;")
    assert "shop.test" in (nginx.edited / "conf.d/shop.conf").read_text()


def test_without_the_manifest_a_teardown_still_puts_back_what_was_there_first(nginx: Nginx) -> None:
    nginx.deploy()
    nginx.ours().manifest.unlink()
    nginx.deploy()
    nginx.tear_down()
    assert (nginx.root / MAIN).read_text() == DEBIANS
    assert (nginx.root / DEFAULT_SITE).is_symlink()


def test_a_file_of_ours_that_comes_back_is_not_what_was_there_first(nginx: Nginx) -> None:
    nginx.deploy(shop="", wiki="")
    conf = nginx.root / site_file("shop")
    text = conf.read_bytes()
    nginx.take_off("shop")
    conf.write_bytes(text)
    nginx.deploy(shop="listen 81;", wiki="")
    nginx.tear_down()
    assert not conf.exists()


def test_a_manifest_that_cant_be_read_is_told_with_its_remedy(nginx: Nginx) -> None:
    nginx.deploy()
    nginx.ours().manifest.write_text("{}")
    with pytest.raises(Rejected, match=r"manifest.json says what of .* is ours, and can't be read .* remove it"):
        nginx.wanted()


@pytest.mark.parametrize("folder", ["conf.d", "sites-enabled"])
def test_a_test_writes_nothing_through_a_linked_folder(nginx: Nginx, folder: str) -> None:
    elsewhere = nginx.folder / "srv"
    (nginx.root / folder).rename(elsewhere)
    (nginx.root / folder).symlink_to(elsewhere)
    before = nginx.content()
    nginx.wanted(shop="# changed\n").test()
    assert nginx.content() == before


# --- What all apps share ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("there", "wanted"),
    [("80", "8080"), ("80", "80 proxy_protocol"), ("80 proxy_protocol", "80")],
)
def test_a_port_changes_for_all_apps_at_once(nginx: Nginx, there: str, wanted: str) -> None:
    """One that this run isn't about would have no default server beside it, or draw the port to the PROXY protocol."""

    def texts(listen: str, *apps: str) -> dict[str, str]:
        base = nginx.texts(**dict.fromkeys(apps, f"listen {listen};\nlisten [::]:{listen};"))
        port, _space, protocol = listen.partition(" ")
        default = f"listen {port} default_server backlog=7{' ' + protocol if protocol else ''};"
        return base | {BASE: base[BASE].replace("listen 80 default_server;", default)}

    def deploy(listen: str, *apps: str) -> None:
        ours = nginx.ours()
        nginx.configuration(deployed(ours, texts(listen, *apps), apps, (), "www-data"), ours).apply()

    deploy(there, "shop", "wiki")
    before = nginx.content()
    with pytest.raises(Rejected, match=r"wiki\.conf listens otherwise: .*Deploy without -e app="):
        deploy(wanted, "shop")
    assert nginx.content() == before
    deploy(there, "shop")
    deploy(wanted, "shop", "wiki")


def test_what_is_at_a_place_is_never_forgotten_however_often_a_run_is_cut(nginx: Nginx) -> None:
    """Or our own file, a key perhaps, would be kept as somebody's edit."""
    nginx.deploy(shop="first;")
    path, ours = site_file("shop"), nginx.ours()
    for text in ("second;", "third;", "fourth;"):
        ours.note(path, OwnedFile(nginx.root / path, text))
        assert ours.wrote(path), text
    assert len(ours.files[path]) <= 3
