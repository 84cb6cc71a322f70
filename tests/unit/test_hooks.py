"""Hooks are run once for the whole fleet, on the next host that can, and nobody goes live unless they ended well."""

from __future__ import annotations

from pathlib import Path

import pytest

from machine import Machine
from world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Two hosts and an app that is live on both; its next release brings hooks."""
    made = World(tmp_path, apps=["shop"])
    made.site()
    made.settings["shop"].code = 1
    made.settings["shop"].before = "migrate"
    made.settings["shop"].after = "tell"
    return made


def run_on(machine: Machine) -> list[str]:
    """The hooks that ended well on a host, in their order."""
    return [unit.rpartition("-")[2].removesuffix(".service") for unit in machine.hooks_run]


def test_once_for_all_hosts_on_the_first(world: World) -> None:
    results = world.site()
    assert {host: one["shop"]["result"] for host, one in results.items()} == {"one": "live", "two": "live"}
    assert run_on(world.hosts["one"]) == ["before", "after"]
    assert run_on(world.hosts["two"]) == []
    assert {host: one["shop"]["result"] for host, one in world.site().items()} == {
        "one": "unchanged",
        "two": "unchanged",
    }


def test_not_again_for_a_host_that_comes_later(world: World) -> None:
    world.site(hosts=["one"])
    world.site(hosts=["two"])
    assert run_on(world.hosts["two"]) == []
    assert world.live("one", "shop") == world.live("two", "shop")


def test_a_limited_run_with_nothing_changed_runs_no_hook(world: World) -> None:
    """It was seen to run the hook again, which failed, and to stop the live release."""
    world.site()
    for machine in world.hosts.values():
        machine.failing_hooks.add("migrate")
    results = world.site(hosts=["two"])
    assert results["two"]["shop"]["result"] == "unchanged"
    assert world.visits() == {("one", "shop"): 200, ("two", "shop"): 200}


def test_the_next_host_that_can_leads(world: World) -> None:
    first = world.hosts["one"]
    first.ill[world.wanted("one", "shop")] = "import"
    results = world.site()
    assert results["one"]["shop"]["result"] == "refused"
    assert results["two"]["shop"]["result"] == "live"
    assert run_on(world.hosts["two"]) == ["before", "after"]


def test_a_failure_means_that_nobody_goes_live(world: World) -> None:
    before = {host: world.live(host, "shop") for host in world.hosts}
    world.hosts["one"].failing_hooks.add("migrate")
    results = world.site()
    for host, one in results.items():
        assert (one["shop"]["result"], one["shop"]["step"], one["shop"]["now"]) == ("refused", "before", before[host])
        assert "before_live failed on one" in one["shop"]["cause"]
    assert world.visits() == {("one", "shop"): 200, ("two", "shop"): 200}


def test_a_host_that_cant_be_asked_holds_the_release_back(world: World) -> None:
    results = world.site(hosts=["two"], silent=["one"])
    assert results["two"]["shop"]["result"] == "refused"
    assert "one can't be asked" in results["two"]["shop"]["cause"]
    assert "hooks=skip" in results["two"]["shop"]["message"]
    assert run_on(world.hosts["two"]) == []


@pytest.mark.parametrize(("choice", "run"), [("run", ["before", "after"]), ("skip", [])])
def test_a_person_may_decide(world: World, choice: str, run: list[str]) -> None:
    results = world.site(hosts=["two"], silent=["one"], hooks=choice)
    assert results["two"]["shop"]["result"] == "live"
    assert run_on(world.hosts["two"]) == run


def test_a_release_that_was_withdrawn_brings_its_hooks_again(world: World) -> None:
    world.site()
    for host in world.hosts:
        world.rollback(host, "shop")
    world.site()
    assert run_on(world.hosts["one"]) == ["before", "after"] * 2


def test_a_failing_after_leaves_the_release_live(world: World) -> None:
    world.hosts["one"].failing_hooks.add("tell")
    world.settings["shop"].before = ""
    results = world.site()
    assert results["one"]["shop"]["result"] == "live"


# --- Apps that not every host serves --------------------------------------------------------------------------------


@pytest.fixture
def placed(tmp_path: Path) -> World:
    """Three hosts; the shop is live on two of them, and the first has another app alone. A release with hooks comes."""
    made = World(tmp_path, hosts=["one", "two", "three"], apps=["wiki", "shop"])
    made.settings["shop"].hosts = ("two", "three")
    made.settings["wiki"].hosts = ("one",)
    made.site()
    made.settings["shop"].code = 1
    made.settings["shop"].before, made.settings["shop"].after = "migrate", "tell"
    return made


def hooks_by_host(world: World) -> dict[str, list[str]]:
    return {host: run_on(machine) for host, machine in world.hosts.items()}


def test_the_first_host_that_serves_it_leads(placed: World) -> None:
    results = placed.site()
    assert {host: {app: told["result"] for app, told in one.items()} for host, one in results.items()} == {
        "one": {"wiki": "unchanged"},
        "two": {"shop": "live"},
        "three": {"shop": "live"},
    }
    assert hooks_by_host(placed) == {"one": [], "two": ["before", "after"], "three": []}


@pytest.mark.parametrize(
    ("hosts", "silent", "result", "ran"),
    [
        # One that doesn't serve it isn't asked, and so it may be silent.
        (["two", "three"], ["one"], "live", ["before", "after"]),
        (["one", "two", "three"], [], "live", ["before", "after"]),
        # One that serves it is, also where the first host of the run knows nothing of the app.
        (["two"], ["three"], "refused", []),
        (["one", "two"], ["three"], "refused", []),
        (["one", "two"], ["one"], "live", ["before", "after"]),
    ],
)
def test_only_hosts_that_serve_it_are_asked(
    placed: World, hosts: list[str], silent: list[str], result: str, ran: list[str]
) -> None:
    assert placed.site(hosts=hosts, silent=silent)["two"]["shop"]["result"] == result
    assert hooks_by_host(placed) == {"one": [], "two": ran, "three": []}


def test_a_host_that_serves_it_is_asked_though_the_first_of_the_run_doesnt(placed: World) -> None:
    placed.site(hosts=["three"])
    assert placed.site(hosts=["one", "two"])["two"]["shop"]["result"] == "live"
    assert hooks_by_host(placed) == {"one": [], "two": [], "three": ["before", "after"]}


def test_a_silent_host_holds_back_only_what_it_serves(placed: World) -> None:
    placed.settings["wiki"].hosts = ("one", "two")
    placed.settings["wiki"].code, placed.settings["wiki"].before = 1, "migrate the wiki"
    results = placed.site(hosts=["one", "two"], silent=["three"])
    assert (results["one"]["wiki"]["result"], results["two"]["wiki"]["result"]) == ("live", "live")
    assert results["two"]["shop"]["result"] == "refused"


def test_what_a_host_remembers_that_served_it_once_doesnt_count(placed: World) -> None:
    """The host may be of another environment, and have migrated another database."""
    placed.settings["shop"].hosts = ("two",)
    placed.site()
    placed.settings["shop"].hosts = ("three",)
    results = placed.site()
    assert "shop" not in results["two"]
    assert results["three"]["shop"]["result"] == "live"
    assert hooks_by_host(placed) == {"one": [], "two": ["before", "after"], "three": ["before", "after"]}
    # Where it was it serves on.
    assert placed.visits()["two", "shop"] == 200
