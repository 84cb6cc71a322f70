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
