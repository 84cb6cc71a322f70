"""Pruning: a host keeps nothing of an app but what serves, and no secret that the live release doesn't have."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.prune import Pruning
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.refused import Impossible

from machine import Machine
from world import World, change, cut, deploy, live, site


@pytest.fixture
def world(tmp_path: Path) -> World:
    """An app with three good releases and a refused one."""
    made = World(tmp_path, hosts=["one"], apps=["shop"])
    site(made)
    deploy(made)
    change(made, ill="import")
    assert site(made)["result"] == "refused"
    deploy(made)
    return made


@pytest.fixture
def machine(world: World) -> Machine:
    return world.hosts["one"]


def pruning(machine: Machine) -> Pruning:
    return Pruning(machine.app("shop"), machine)


def mentions(machine: Machine, release: str) -> list[str]:
    """Where a release is still spoken of, by a name or by a link."""
    every = [path for path in machine.prefix.rglob("*") if not path.is_relative_to(machine.app("shop").history)]
    return [str(path) for path in every if release in path.name or (path.is_symlink() and release in os.readlink(path))]


def test_only_what_serves_stays(world: World, machine: Machine) -> None:
    kept, others = live(world), [it for it in world.records("one", "shop").releases() if it != live(world)]
    assert len(others) == 3
    assert pruning(machine).releases() == sorted(others)
    gone = pruning(machine).run()
    assert {release: mentions(machine, release) for release in others} == {release: [] for release in others}
    assert len([path for path in gone if path.parent == machine.app("shop").releases]) == 3
    assert world.records("one", "shop").releases() == [kept]
    assert (machine.running("shop"), machine.visit("shop").status) == ({kept}, 200)
    assert site(world)["result"] == "unchanged"


def test_a_second_time_there_is_nothing_to_do(machine: Machine) -> None:
    planned = pruning(machine).what()
    assert pruning(machine).run() == planned
    assert pruning(machine).what() == []
    machine.calls.clear()
    assert pruning(machine).run() == []
    assert machine.calls == []


def test_there_is_nothing_to_roll_back_to(world: World, machine: Machine) -> None:
    pruning(machine).run()
    with pytest.raises(Impossible, match="there is no earlier good release"):
        world.rollback("one", "shop")
    deploy(world)
    assert world.rollback("one", "shop")["result"] == "live"


def test_a_release_of_which_a_job_runs_stays_until_it_has_ended(world: World, machine: Machine) -> None:
    old = world.records("one", "shop").good()[-1]
    job = machine.app("shop").release(old).unit("job-clean")
    machine.active.add(job)
    assert pruning(machine).busy() == [old]
    pruning(machine).run()
    assert job in machine.active
    assert machine.app("shop").release(old).environment.is_file()
    assert len(world.records("one", "shop").releases()) == 2
    machine.active.discard(job)
    pruning(machine).run()
    assert mentions(machine, old) == []


def test_what_a_run_that_was_cut_off_has_left_is_stopped_first(world: World, machine: Machine) -> None:
    kept, old = live(world), world.records("one", "shop").good()[1]
    machine._start(machine.app("shop").release(old).target)
    assert machine.running("shop") == {old, kept}
    pruning(machine).run()
    assert machine.running("shop") == {kept}
    assert mentions(machine, old) == []
    assert machine.visit("shop").status == 200


@pytest.mark.parametrize("lost", ["link", "record", "unit", "answer"])
def test_nothing_goes_where_another_may_have_to_take_over(world: World, machine: Machine, lost: str) -> None:
    app, release = machine.app("shop"), live(world)
    if lost == "link":
        app.current.unlink()
    elif lost == "record":
        app.release(release).result.unlink()
    elif lost == "answer":
        machine.ill[release] = "sick"
    else:
        machine.active.discard(app.release(release).service)
    told = "no release is live on this host" if lost == "link" else f"release {release} is live but isn't well"
    with pytest.raises(Impossible, match=f"{told}; deploy first"):
        pruning(machine)
    assert len(world.records("one", "shop").releases()) == 4


def test_hooks_of_a_release_that_was_left_are_forgotten_with_it(world: World, machine: Machine) -> None:
    """The run that rolled back was cut off before it could do so."""
    records, live_one = world.records("one", "shop"), live(world)
    left = records.good()[1]
    key = records.described(left)["hooks"]["key"]
    records.remember_hook("before", key)
    records.leaving(left, live_one)
    pruning(machine).run()
    assert key not in records.hooks()["before"]


def test_one_that_is_cut_off_is_finished_by_the_next(world: World, machine: Machine) -> None:
    for after in range(40):
        with cut(machine, after):
            pruning(machine).run()
        assert machine.visit("shop").status == 200
        if not pruning(machine).what():
            break
    assert after > 3
    assert world.records("one", "shop").releases() == [live(world)]
