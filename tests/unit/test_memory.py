"""Whether a second instance fits beside the live one, before anything of it is started."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.system import System

from machine import Machine
from world import World, change, deploy, live, site

MIB = 2**20


def started(machine: Machine, release: str) -> list[str]:
    return [call for call in machine.calls if call.startswith("systemctl start") and release in call]


def test_one_that_does_not_fit_is_refused_before_anything_is_started(world: World, machine: Machine) -> None:
    before = deploy(world)
    wanted = change(world)
    machine.takes, machine.left = 300 * MIB, 299 * MIB
    result = site(world)
    assert (result["result"], result["step"], result["now"]) == ("refused", "memory", before)
    assert result["cause"] == (
        "beside the live release, which takes 300 MiB, a second one doesn't fit into the 299 MiB that are free, swap "
        "included; give the app fewer 'processes' or the host more memory or swap, or set 'memory_check: false'"
    )
    assert started(machine, wanted) == []
    assert machine.visit("shop").release == before
    # The next run tries again.
    machine.left = 300 * MIB
    assert site(world)["result"] == "live"
    assert live(world) == wanted


def test_a_rollback_that_has_ended_is_waited_for_by_nobody(world: World, machine: Machine) -> None:
    before = deploy(world)
    deploy(world)
    machine.takes, machine.left = 300 * MIB, 300 * MIB
    assert world.rollback("one", "shop")["now"] == before
    assert (machine.beside, machine.coming) == (set(), {})


def test_what_it_costs_is_in_the_steps_result_once(world: World, machine: Machine) -> None:
    deploy(world)
    change(world)
    machine.takes, machine.left = 300 * MIB, 900 * MIB
    found = [step for step in site(world)["steps"] if step["step"] == "memory"]
    assert [(step["needs"], step["free"]) for step in found] == [(300 * MIB, 900 * MIB)]


def test_workers_count_too(world: World, machine: Machine) -> None:
    world.settings["shop"].workers = ("mail",)
    deploy(world)
    change(world)
    machine.takes, machine.left = 300 * MIB, 599 * MIB
    assert site(world)["step"] == "memory"


def test_the_first_release_has_nothing_beside_it(world: World, machine: Machine) -> None:
    machine.takes, machine.left = 300 * MIB, 0
    deploy(world)


def test_an_app_may_do_without(world: World, machine: Machine) -> None:
    deploy(world)
    world.settings["shop"].memory_check = False
    machine.takes, machine.left = 300 * MIB, 0
    deploy(world)


def test_a_good_release_stays_good_when_a_rollback_to_it_does_not_fit(world: World, machine: Machine) -> None:
    first = deploy(world)
    second = deploy(world)
    machine.takes, machine.left = 300 * MIB, 0
    result = world.rollback("one", "shop")
    assert (result["result"], result["step"], result["now"]) == ("refused", "memory", second)
    machine.left = 300 * MIB
    assert world.rollback("one", "shop")["now"] == first


def test_a_rollback_goes_by_what_is_set_now(world: World, machine: Machine) -> None:
    """The older release was described when nobody knew that it would matter."""
    first = deploy(world)
    deploy(world)
    world.settings["shop"].memory_check = False
    assert site(world)["result"] == "mended"
    machine.takes, machine.left = 300 * MIB, 0
    assert world.rollback("one", "shop")["now"] == first


def test_between_hooks_it_is_looked_at_again(world: World, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """They may take long, and the rest is another call of the module."""
    deploy(world)
    world.settings["shop"].before = "migrate"
    wanted = change(world)
    looks = iter([300 * MIB, 0])
    monkeypatch.setattr(machine, "memory_left", lambda: next(looks))
    machine.takes = 200 * MIB
    result = site(world)
    assert (result["result"], result["step"]) == ("refused", "memory")
    assert not [call for call in started(machine, wanted) if ".service" in call and "-" not in call.partition("@")[2]]


# --- The machine itself ---------------------------------------------------------------------------------------------


def test_descendants_count_and_what_they_share_counts_once() -> None:
    program = """
import os, sys
shared = bytearray(b"x" * 50_000_000)
if not os.fork():
    own = bytearray(b"y" * 50_000_000)
print("there", flush=True)
sys.stdin.read()
"""
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert [process.stdout.readline() for _each in range(2)] == ["there\n"] * 2
        took = System().memory_of(process.pid)
        process.communicate("")
    assert 100_000_000 < took < 140_000_000


def test_a_process_that_is_gone_takes_nothing() -> None:
    assert System().memory_of(2**30) == 0


def test_what_is_left_is_less_than_all() -> None:
    assert 0 < System().memory_left() < os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") * 2


def test_one_that_is_on_its_way_has_its_share_of_what_is_free(world: World, machine: Machine) -> None:
    deploy(world)
    wanted = change(world)
    machine.takes, machine.left = 300 * MIB, 500 * MIB
    machine.coming["another"] = 201 * MIB
    result = site(world)
    assert (result["step"], "299 MiB that are free" in result["cause"]) == ("memory", True)
    machine.coming["another"] = 200 * MIB
    assert site(world)["now"] == wanted
    # Whatever has become of it, it needs no more than it has.
    assert machine.coming == {"another": 200 * MIB}


@pytest.mark.parametrize("ill", ["import", "start", "sick"])
def test_one_that_is_refused_needs_nothing_any_more(world: World, machine: Machine, ill: str) -> None:
    deploy(world)
    machine.ill[change(world)] = ill
    machine.takes, machine.left = 300 * MIB, 500 * MIB
    assert site(world)["result"] == "refused"
    assert machine.coming == {}
