"""Taking an app off: all that is ours and nothing else, whatever happens on the way."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases import remove
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.refused import Impossible
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.registration import find, registered
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.remove import Removal, removals, spare_accounts

from machine import Machine
from world import World, cut


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path, hosts=["one"])
    made.site()
    machine = made.hosts["one"]
    machine.app("shop").data.mkdir(exist_ok=True)
    (machine.app("shop").data / "orders").write_text("precious\n")
    return made


@pytest.fixture
def machine(world: World) -> Machine:
    return world.hosts["one"]


def asked_for(machine: Machine, app: str, purge: bool = False) -> list[Removal]:
    return removals(machine, [{"name": app, "purge": purge}], prefix=str(machine.prefix))


def paths(machine: Machine) -> set[str]:
    return {path.relative_to(machine.prefix).as_posix() for path in machine.prefix.rglob("*shop*")}


def test_all_goes_but_the_data(world: World, machine: Machine) -> None:
    Removal(machine.app("shop"), machine).run()
    assert paths(machine) == {"var/lib/shop", "var/lib/web-apps/shop.json"}
    assert machine.running("shop") == set()
    assert machine.visit("wiki").status == 200
    assert Removal(machine.app("shop"), machine).run() == []


# --- Accounts -----------------------------------------------------------------------------------------------------


@pytest.fixture
def accounts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host on which the apps' accounts, and a person's, have these numbers."""
    numbers = {"web-shop": 990, "web-wiki": 989, "www": 988, "anna": 1001}
    monkeypatch.setattr(remove, "_number", lambda _kind, name: numbers.get(name))


def account_of(machine: Machine, app: str, user: str, group: str) -> None:
    registration = machine.app(app).registration
    content = json.loads(registration.read_text())
    registration.write_text(json.dumps({**content, "user": user, "group": group}))


def spare(machine: Machine, app: str, purge: bool = True, every: bool = False) -> dict[str, list[str]]:
    return spare_accounts(asked_for(machine, app, purge), every, str(machine.prefix))


@pytest.mark.usefixtures("accounts")
def test_an_apps_own_accounts_go_with_its_data(world: World, machine: Machine) -> None:
    account_of(machine, "shop", "web-shop", "web-shop")
    assert spare(machine, "shop") == {"users": ["web-shop"], "groups": ["web-shop"]}
    # Or the next account that is made would get their numbers, and the data with them.
    assert spare(machine, "shop", purge=False) == {"users": [], "groups": []}
    assert spare(machine, "shop", purge=False, every=True) == {"users": ["web-shop"], "groups": ["web-shop"]}


@pytest.mark.usefixtures("accounts")
def test_an_account_that_isnt_the_apps_own_goes_only_when_all_are_meant(world: World, machine: Machine) -> None:
    account_of(machine, "shop", "www", "web-shop")
    assert spare(machine, "shop") == {"users": [], "groups": ["web-shop"]}
    assert spare(machine, "shop", every=True) == {"users": ["www"], "groups": ["web-shop"]}


@pytest.mark.usefixtures("accounts")
def test_an_account_that_another_app_needs_stays(world: World, machine: Machine) -> None:
    account_of(machine, "shop", "www", "web-shop")
    account_of(machine, "wiki", "www", "web-wiki")
    assert spare(machine, "shop", every=True) == {"users": [], "groups": ["web-shop"]}


@pytest.mark.usefixtures("accounts")
def test_nor_does_a_persons_or_one_that_isnt_there(world: World, machine: Machine) -> None:
    account_of(machine, "shop", "anna", "gone")
    assert spare(machine, "shop", every=True) == {"users": [], "groups": []}


# --- What is left, and when ---------------------------------------------------------------------------------------


def test_purge_works_later_too(world: World, machine: Machine) -> None:
    Removal(machine.app("shop"), machine).run()
    (removal,) = asked_for(machine, "shop", purge=True)
    assert removal.what()
    removal.run()
    assert paths(machine) == set()


def test_an_app_that_was_removed_is_no_app_of_the_host(world: World, machine: Machine) -> None:
    Removal(machine.app("shop"), machine).run()
    prefix = str(machine.prefix)
    assert [layout.name for layout, _content in registered(prefix)] == ["wiki"]
    assert find("", prefix)[0].name == "wiki"
    with pytest.raises(Impossible, match="no app 'shop' on this host"):
        find("shop", prefix)


def test_a_host_without_apps_says_so(world: World, machine: Machine) -> None:
    for name in ("shop", "wiki"):
        Removal(machine.app(name), machine).run()
    for name in ("", "shop"):
        with pytest.raises(Impossible, match=r"^no app is deployed on this host$"):
            find(name, str(machine.prefix))


def test_it_comes_back_with_its_data(world: World, machine: Machine) -> None:
    Removal(machine.app("shop"), machine).run()
    assert world.site()["one"]["shop"]["result"] == "live"
    assert (machine.app("shop").data / "orders").read_text() == "precious\n"


def test_what_isnt_registered_isnt_ours(machine: Machine) -> None:
    """However much it looks like an app of ours."""
    ghost = machine.app("ghost")
    ghost.releases.mkdir(parents=True)
    ghost.history.write_text("{}\n")
    ghost.data.mkdir()
    assert asked_for(machine, "ghost", purge=True) == []
    every = removals(machine, [], every=True, purge=True, prefix=str(machine.prefix))
    assert [removal.layout.name for removal in every] == ["shop", "wiki"]


def test_units_of_others_stay(world: World, machine: Machine) -> None:
    others = [machine.app("shop").units / name for name in ("shop@other.service", "shopping@0123456789ab.service")]
    for unit in others:
        unit.write_text("somebody's own\n")
    Removal(machine.app("shop"), machine, purge=True).run()
    assert all(unit.exists() for unit in others)


@pytest.mark.parametrize("moment", range(25))
def test_one_that_is_cut_off_is_finished_by_the_next(world: World, machine: Machine, moment: int) -> None:
    with cut(machine, moment):
        Removal(machine.app("shop"), machine, purge=True).run()
    Removal(machine.app("shop"), machine, purge=True).run()
    assert paths(machine) == set()
    assert machine.visit("wiki").status == 200
