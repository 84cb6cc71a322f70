"""With which certificate an app is served while the one that is wanted isn't there."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.uwsgi_flask.web.plugins.module_utils.acme.choice import best
from ansible_collections.uwsgi_flask.web.plugins.module_utils.acme.lineage import Lineage, lineage
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.ours import Ours
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.places import pem_file
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.system import System

from lineages import Certbots

SYSTEM = System()


class Host:
    """What nginx serves, and what certbot has."""

    def __init__(self, folder: Path, certbots: Certbots) -> None:
        self.ours, self.certbots = Ours(folder / "nginx"), certbots

    def serve(self, app: str, *names: str, days: float = 60) -> str:
        pem = self.certbots.renew(f"served-{app}", *names, days=days)
        place = self.ours.root / pem_file(app)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(pem)
        self.ours.files[pem_file(app)] = []
        return pem

    def got(self, app: str, *names: str, days: float = 60) -> Lineage:
        self.certbots.renew(app, *names, days=days)
        found = lineage(SYSTEM, app, self.certbots.folder)
        assert found
        return found

    def best(self, names: list[str], found: Lineage | None = None) -> str:
        return best(SYSTEM, self.ours, "shop", names, found)


@pytest.fixture
def host(tmp_path: Path, certbots: Certbots) -> Host:
    return Host(tmp_path, certbots)


def test_without_any_there_is_none(host: Host) -> None:
    assert host.best(["shop.test"]) == ""


def test_the_one_that_serves_goes_on(host: Host) -> None:
    served = host.serve("shop", "shop.test")
    assert host.best(["shop.test"]) == served
    assert host.best(["shop.test", "new.test"]) == served


def test_what_a_backup_brought_back_is_no_better(host: Host) -> None:
    served = host.serve("shop", "shop.test")
    assert host.best(["shop.test"], host.got("shop", "shop.test", days=-1)) == served


def test_what_certbot_has_for_longer_is(host: Host) -> None:
    host.serve("shop", "shop.test", days=5)
    found = host.got("shop", "shop.test", days=70)
    assert host.best(["shop.test"], found) == found.pem


def test_an_app_with_another_name_takes_the_one_of_the_old(host: Host) -> None:
    assert host.best(["shop.test"]) == ""
    old = host.serve("old", "shop.test", "a.test")
    assert host.best(["shop.test"]) == old


def test_one_that_is_for_none_of_the_names_is_not_served(host: Host) -> None:
    host.serve("shop", "localhost")
    assert host.best(["shop.test"]) == ""
    moved = host.serve("wiki", "*.test", "wiki.example")
    assert host.best(["shop.test"]) == moved
    assert host.best(["a.shop.test"]) == ""
