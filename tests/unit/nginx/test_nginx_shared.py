"""A server block that several apps share: it comes with the first of them, and goes with the last."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.aim import deployed
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.configuration import Configuration
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.places import part_files, pem_file, server_file
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.rejected import Rejected

from fake_nginx import Cut, Nginx

SITE = "shared.a.test"
BLOCK = "server_name a.test;\n"


def wanted(
    nginx: Nginx, *apps: str, absent: Sequence[str] = (), pem: str = "", text: str = "", block: str = ""
) -> Configuration:
    """The configuration with these apps below the shared names."""
    ours = nginx.ours()
    own = dict.fromkeys(apps, "")
    texts = nginx.texts(**own, **{SITE: ""})
    for app in apps:
        texts[f"conf.d/{app}.conf"] = texts[f"conf.d/{app}.conf"].replace(f"server_name {app}.test;\n", text)
        texts |= dict.fromkeys(part_files(SITE, app), f"# leads to {app}\n{text}")
    texts[NAMES] = block + BLOCK + texts[NAMES].replace(f"server_name {SITE}.test;\n", "")
    if pem:
        texts[pem_file(SITE)] = pem
    return nginx.configuration(deployed(ours, texts, apps, absent, "www-data"), ours)


def deploy(
    nginx: Nginx, *apps: str, absent: Sequence[str] = (), pem: str = "", text: str = "", block: str = ""
) -> None:
    wanted(nginx, *apps, absent=absent, pem=pem, text=text, block=block).apply()
    assert wanted(nginx, *apps, absent=absent, pem=pem, text=text, block=block).is_live()


def there(nginx: Nginx) -> list[str]:
    """All that leads to apps."""
    found = nginx.root.rglob("*.conf")
    names = [path.relative_to(nginx.root).as_posix() for path in found]
    return sorted(name for name in names if name.startswith(("conf.d/s", "conf.d/w", "shared")))


SHOP = ["conf.d/shop.conf", "shared/a.test/candidates/shop.conf", "shared/a.test/shop.conf"]
WIKI = ["conf.d/wiki.conf", "shared/a.test/candidates/wiki.conf", "shared/a.test/wiki.conf"]
NAMES = f"conf.d/{SITE}.conf"


def test_each_app_has_its_parts(nginx: Nginx) -> None:
    deploy(nginx, "shop", "wiki")
    assert there(nginx) == sorted([*SHOP, *WIKI, NAMES])


def test_one_alone_leaves_the_others_parts(nginx: Nginx) -> None:
    deploy(nginx, "shop", "wiki")
    deploy(nginx, "shop", text="# new\n")
    assert there(nginx) == sorted([*SHOP, *WIKI, NAMES])


def test_the_block_goes_with_the_last(nginx: Nginx) -> None:
    deploy(nginx, "shop", "wiki", pem="a key")
    nginx.take_off("shop")
    assert there(nginx) == sorted([*WIKI, NAMES])
    assert (nginx.root / pem_file(SITE)).read_text() == "a key"
    nginx.take_off("wiki")
    assert there(nginx) == []
    assert not (nginx.root / pem_file(SITE)).exists()


def test_the_block_goes_with_the_last_that_is_taken_off_by_a_deploy(nginx: Nginx) -> None:
    deploy(nginx, "shop", "wiki", pem="a key")
    nginx.deploy(absent=["wiki"], shop="")
    assert there(nginx) == ["conf.d/shop.conf"]
    assert not (nginx.root / pem_file(SITE)).exists()


def test_an_app_gets_its_names_to_itself(nginx: Nginx) -> None:
    deploy(nginx, "shop", "wiki", pem="a key")
    nginx.deploy(shop="", wiki="")
    assert there(nginx) == ["conf.d/shop.conf", "conf.d/wiki.conf"]
    assert nginx.wanted(shop="", wiki="").is_live()


def test_an_app_that_had_its_names_to_itself_shares_them(nginx: Nginx) -> None:
    nginx.deploy(shop="")
    deploy(nginx, "shop", "wiki")
    assert there(nginx) == sorted([*SHOP, *WIKI, NAMES])


def test_the_key_goes_where_there_is_no_certificate_any_more(nginx: Nginx) -> None:
    deploy(nginx, "shop", "wiki", pem="a key")
    deploy(nginx, "shop", "wiki")
    assert not (nginx.root / pem_file(SITE)).exists()


def test_a_wrong_part_changes_nothing(nginx: Nginx) -> None:
    deploy(nginx, "shop", "wiki")
    before = nginx.content()
    with pytest.raises(Rejected, match="unknown directive"):
        wanted(nginx, "shop", text="nonsense;\n").apply()
    assert nginx.content() == before


def test_a_part_that_was_edited_is_drift(nginx: Nginx) -> None:
    deploy(nginx, "shop", "wiki")
    (nginx.root / SHOP[-1]).write_text("# by hand\n")
    assert not wanted(nginx, "shop", "wiki").is_live()
    deploy(nginx, "shop", "wiki")
    assert "by hand" not in (nginx.root / SHOP[-1]).read_text()


def test_a_run_cut_off_anywhere_is_finished_by_the_next(nginx: Nginx) -> None:
    nginx.deploy(shop="")
    for step in range(40):
        nginx.cut_at = len(nginx.steps) + step
        try:
            deploy(nginx, "shop", "wiki", pem="a key")
            break
        except Cut:
            assert nginx.boots()
        nginx.cut_at = -1
        nginx.deploy(absent=["wiki"], shop="")
        assert there(nginx) == ["conf.d/shop.conf"]
    assert step > 3
    assert there(nginx) == sorted([*SHOP, *WIKI, NAMES])


def test_a_teardown_leaves_nothing(nginx: Nginx) -> None:
    before = nginx.content()
    deploy(nginx, "shop", "wiki", pem="a key")
    nginx.tear_down()
    left = {name: text for name, text in nginx.content().items() if not name.startswith("log/")}
    assert left == {name: text for name, text in before.items() if not name.startswith("log/")}


def test_a_name_that_others_have_is_refused_with_their_names(nginx: Nginx) -> None:
    deploy(nginx, "shop", "wiki")
    before = nginx.content()
    with pytest.raises(Rejected, match=r"^a.test leads to shop, wiki on this host, which this run doesn't deploy anew"):
        nginx.deploy(a="")
    assert nginx.content() == before


def test_how_visitors_come_changes_for_all_at_once(nginx: Nginx) -> None:
    deploy(nginx, "shop", "wiki", block="listen 80;\n")
    before = nginx.content()
    with pytest.raises(Rejected, match=r"^wiki shares the host names of shop on this host, and visitors would come "):
        wanted(nginx, "shop", block="listen 443 ssl;\n").apply()
    assert nginx.content() == before
    deploy(nginx, "shop", block="listen 80;\n# the same\n")
    deploy(nginx, "shop", "wiki", block="listen 443 ssl;\n")


def test_which_file_has_the_server_block() -> None:
    paths = [*SHOP, NAMES, "conf.d/wiki.conf"]
    assert server_file("shop", paths) == NAMES
    assert server_file("wiki", paths) == "conf.d/wiki.conf"
