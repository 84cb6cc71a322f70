"""Several apps of one run on one host, side by side."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import random
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.uwsgi_flask.web.plugins.module_utils.release_layout import ReleaseLayout
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases import batch, instance
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.batch import RELEASE_OPTIONS, Batch
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.system import Answer

from machine import Cut, Machine
from world import World

APPS = [f"app{number:02}" for number in range(1, 13)]

Make = Callable[..., Batch]


class Slow(Machine):
    """One on which whatever is done takes a moment, so that others come in between; notes who waits and which links
    lead to what visitors get.
    """

    def __init__(self, prefix: Path) -> None:
        super().__init__(prefix)
        self.at_work: set[int] = set()
        self.most = 0
        self.told: list[tuple[str, str]] = []

    def changing(self, what: str) -> None:
        self.at_work.add(threading.get_ident())
        self.most = max(self.most, len(self.at_work))
        time.sleep(0.001)
        super().changing(what)

    def link(self, path: Path, target: str) -> None:
        super().link(path, target)
        if path.name == "current":
            self.told.append(("flip", path.parent.name))
            time.sleep(0.005)

    def ask(self, address: str | Path, host: str, path: str, timeout: float) -> Answer:
        if isinstance(address, str) and ("flip", host.partition(".")[0]) in self.told:
            self.told.append(("look", host.partition(".")[0]))
        return super().ask(address, host, path, timeout)


@pytest.fixture(autouse=True)
def without_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sync", lambda: None)
    monkeypatch.setattr(os, "fsync", lambda handle: None)


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path, hosts=[], apps=APPS)
    made.hosts["one"] = Slow(tmp_path / "one")
    return made


@pytest.fixture
def machine(world: World) -> Slow:
    machine = world.hosts["one"]
    assert isinstance(machine, Slow)
    return machine


@pytest.fixture
def make(world: World, machine: Slow, monkeypatch: pytest.MonkeyPatch) -> Make:
    """A batch of all apps as they are wanted now; `given` are more of the module's parameters."""
    monkeypatch.setattr(batch, "System", lambda: machine)
    monkeypatch.setattr(batch, "app_layout", lambda app: machine.app(app["name"]))

    def make(held_back: dict[str, str] | None = None, **given: Any) -> Batch:
        items = [world.item("one", app, world.look("one")) for app in APPS]
        parameters = {name: option.get("default") for name, option in RELEASE_OPTIONS.items()}
        archives = {item["app"]["name"]: str(item["archive"]) for item in items}
        fronts = {item["app"]["name"]: item["front"] for item in items}
        told = {**parameters, "apps": items, "archives": archives, "host": "one", "by": "ann@laptop", **given}
        return Batch(told, fronts, held_back, "packages")

    return make


def change_all(world: World) -> None:
    for app in APPS:
        world.settings[app].code += 1


def results(made: Batch) -> dict[str, str]:
    return {one["app"]: one["result"] for one in made.run()}


def test_all_go_live_side_by_side_and_are_told_in_their_order(make: Make, machine: Slow) -> None:
    assert list(results(make()).items()) == [(app, "live") for app in APPS]
    assert machine.most > 1


def test_links_move_one_by_one(make: Make, machine: Slow) -> None:
    make().run()
    flips = [number for number, (what, _app) in enumerate(machine.told) if what == "flip"]
    assert len(flips) == len(APPS)
    # A visitor's look has followed before another link moves.
    assert all(machine.told[number + 1] == ("look", machine.told[number][1]) for number in flips)


def test_one_that_is_refused_changes_no_other(make: Make, world: World, machine: Slow) -> None:
    make().run()
    before = {app: machine.app(app).current.resolve().name for app in APPS}
    change_all(world)
    ill = world.item("one", APPS[5], world.look("one"))["release"]["id"]
    machine.ill[ill] = "sick"
    told = results(make())
    assert told == {**dict.fromkeys(APPS, "live"), APPS[5]: "refused"}
    now = {app: machine.app(app).current.resolve().name for app in APPS}
    assert [app for app in APPS if now[app] == before[app]] == [APPS[5]]


def test_a_second_run_finds_nothing_to_do(make: Make, machine: Slow) -> None:
    make().run()
    machine.calls.clear()
    assert set(results(make()).values()) == {"unchanged"}
    assert machine.calls == []


def test_systemd_is_asked_of_all_that_serve_at_once(make: Make, machine: Slow, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each question costs as much as a look at an app's files."""
    make().run()
    again, asked = make(), list[str]()

    def noted(name: str, ask: Callable[..., Any]) -> Callable[..., Any]:
        def note(*words: Any) -> Any:
            asked.append(name)
            return ask(*words)

        return note

    for name in ("show", "units"):
        monkeypatch.setattr(machine, name, noted(name, getattr(machine, name)))
    assert set(results(again).values()) == {"unchanged"}
    assert asked == ["show", "units"]


def test_what_cant_be_asked_of_all_is_asked_of_each(make: Make, machine: Slow, monkeypatch: pytest.MonkeyPatch) -> None:
    make().run()
    again, see = make(), instance.see

    def fail(machine: Machine, layouts: Sequence[ReleaseLayout]) -> instance.Seen:
        if len(layouts) > 1:
            raise OSError("Resource temporarily unavailable")
        return see(machine, layouts)

    monkeypatch.setattr(instance, "see", fail)
    assert set(results(again).values()) == {"unchanged"}


@pytest.mark.parametrize(("part", "method"), [("golive", "check"), ("placing", "run")])
def test_a_fault_that_nobody_expected_is_told_of_its_app_alone(
    make: Make, machine: Slow, monkeypatch: pytest.MonkeyPatch, part: str, method: str
) -> None:
    made = make()
    monkeypatch.setattr(getattr(made.deploys[2], part), method, lambda: 1 // 0)
    told = made.run()
    assert [one["result"] for one in told] == ["refused" if app == APPS[2] else "live" for app in APPS]
    assert told[2]["cause"] == "ZeroDivisionError: integer division or modulo by zero"
    assert machine.calls.count("systemctl daemon-reload") == 2


def test_systemd_reads_its_units_twice_however_many_apps_there_are(make: Make, machine: Slow) -> None:
    make().run()
    assert machine.calls.count("systemctl daemon-reload") == 2


def test_what_is_held_back_is_refused_with_its_reason(make: Make) -> None:
    told = make(held_back={APPS[0]: "libmagic1 can't be installed"}).run()
    assert (told[0]["result"], told[0]["step"]) == ("refused", "packages")
    assert {one["result"] for one in told[1:]} == {"live"}


def test_small_code_comes_within_the_call(make: Make, world: World) -> None:
    item = world.item("one", APPS[0], world.look("one"))
    packed = json.dumps({APPS[0]: base64.b64encode(Path(item["archive"]).read_bytes()).decode()})
    made = make(archives={}, packed=packed)
    assert made.lacking() == {"needs_code": APPS[1:], "needs_wheels": {}}
    assert make(archives={}, packed=packed, all_is_sent=True).lacking() == {}
    assert results(made)[APPS[0]] == "live"


@pytest.mark.parametrize("seed", range(12))
def test_cut_off_anywhere_all_serve_and_the_next_run_finishes(
    make: Make, world: World, machine: Slow, seed: int
) -> None:
    """A run that is killed ends in all apps at once, each at another step; some are ill besides."""
    chosen = random.Random(seed)
    make().run()
    before = {app: machine.app(app).current.resolve().name for app in APPS}
    change_all(world)
    wanted = {app: world.item("one", app, world.look("one"))["release"]["id"] for app in APPS}
    ill = chosen.sample(APPS, 3)
    machine.ill |= {wanted[app]: chosen.choice(["sick", "start", "import"]) for app in ill}
    machine.cut_at = chosen.randrange(1, 400)
    with contextlib.suppress(Cut):
        make().run()
    for app in APPS:
        answer = machine.visit(app)
        assert (answer.status, answer.release in (before[app], wanted[app])) == (200, True), (app, answer)
    machine.cut_at = None
    told = results(make())
    assert {app for app, result in told.items() if result == "refused"} == {*ill}
    for app in APPS:
        live = before[app] if app in ill else wanted[app]
        assert machine.visit(app).release == live
        assert machine.running(app) == {live}


def test_one_that_changes_makes_no_other_look_as_if_it_had(
    make: Make, world: World, machine: Slow, monkeypatch: pytest.MonkeyPatch
) -> None:
    """systemd says of every unit that it must be read anew, from the first change of any until the next reload."""
    make().run()
    world.settings[APPS[0]].code += 1
    must_reload = threading.Event()
    show, changing = machine.show, machine.changing

    def notice(what: str) -> None:
        changing(what)
        if what.endswith("daemon-reload"):
            must_reload.clear()
        elif "/etc/systemd/" in what or what.startswith(("systemctl enable", "systemctl disable")):
            must_reload.set()

    def told(units: list[str], *properties: str) -> dict[str, dict[str, str]]:
        answer = "yes" if must_reload.is_set() else "no"
        return {unit: {**state, "NeedDaemonReload": answer} for unit, state in show(units, *properties).items()}

    monkeypatch.setattr(machine, "changing", notice)
    monkeypatch.setattr(machine, "show", told)
    assert results(make()) == {APPS[0]: "live", **dict.fromkeys(APPS[1:], "unchanged")}
    assert not must_reload.is_set()
    assert set(results(make()).values()) == {"unchanged"}


MIB = 2**20


class Small(Slow):
    """One with room for two instances beside those that serve."""

    def memory_left(self) -> int:
        running = sum(unit.endswith(".service") and "@" in unit for unit in self.active)
        return (len(APPS) + 2 - running) * 300 * MIB

    def memory_of(self, process: int) -> int:
        return 300 * MIB


@pytest.fixture
def small(make: Make, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Small:
    """In place of the machine that `make` has chosen; all apps come at once."""
    machine = Small(tmp_path / "small")
    world.hosts["one"] = machine
    monkeypatch.setattr(batch, "System", lambda: machine)
    monkeypatch.setattr(batch, "app_layout", lambda app: machine.app(app["name"]))
    monkeypatch.setattr(batch, "FOR_EACH_CORE", 12)
    return machine


def test_what_fits_one_after_the_other_is_not_refused_because_all_come_at_once(
    make: Make, world: World, small: Small
) -> None:
    make().run()
    change_all(world)
    assert results(make()) == dict.fromkeys(APPS, "live")
    assert small.coming == {}


def test_one_that_fits_at_no_time_is_refused_while_the_others_go_on(
    make: Make, world: World, small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    make().run()
    change_all(world)
    monkeypatch.setattr(small, "memory_left", lambda: 299 * MIB)
    assert results(make()) == dict.fromkeys(APPS, "refused")


def test_one_that_ends_while_others_are_at_work_is_found(
    make: Make, world: World, machine: Slow, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was seen serving when the run began; a build that takes minutes later its visitors get nothing."""
    made = make()
    made.run()
    world.settings[APPS[0]].code += 1
    made = make()
    last = made.deploys[-1]
    run = last.run

    def ends(**given: bool) -> dict[str, Any]:
        machine.active -= {unit for unit in machine.active if unit.startswith(f"{APPS[-1]}@")}
        return run(**given)

    monkeypatch.setattr(last, "run", ends)
    told = results(made)
    assert (told[APPS[-1]], machine.visit(APPS[-1]).status) == ("mended", 200)


def test_one_whose_refusal_fails_too_holds_back_no_other(
    make: Make, world: World, machine: Slow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    made = make()
    first = made.deploys[0]

    def no_memory() -> None:
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(first.golive, "check", lambda: 1 // 0)
    monkeypatch.setattr(first.golive, "leave_only_live_workers", no_memory)
    monkeypatch.setattr(first.golive.prober, "visitors_are_served", no_memory)
    assert results(made) == {APPS[0]: "refused", **dict.fromkeys(APPS[1:], "live")}
    assert {app: machine.visit(app).status for app in APPS[1:]} == dict.fromkeys(APPS[1:], 200)


@pytest.mark.parametrize("method", ["prove", "prove_through_front", "look"])
def test_a_fault_that_nobody_expected_takes_its_release_back(
    make: Make, world: World, machine: Slow, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """Wherever it is: what was started is stopped, and the link leads to what was proven."""
    make().run()
    before = {app: machine.app(app).current.resolve().name for app in APPS}
    change_all(world)
    made = make()
    monkeypatch.setattr(made.deploys[2].golive.prober, method, lambda *_given: 1 // 0)
    told = made.run()
    assert [one["result"] for one in told] == ["refused" if app == APPS[2] else "live" for app in APPS]
    assert machine.visit(APPS[2]).release == before[APPS[2]]
    assert machine.running(APPS[2]) == {before[APPS[2]]}


def test_a_build_that_takes_long_keeps_no_other_waiting(
    make: Make, world: World, machine: Slow, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pip may take half an hour. Meanwhile one that is down is mended, and good releases go live."""
    make().run()
    change_all(world)
    world.settings[APPS[-1]].code -= 1
    machine.active -= {unit for unit in machine.active if unit.startswith(f"{APPS[-1]}@")}
    made = make()
    slow, ends = made.deploys[0], threading.Event()
    place = slow.placing.run

    def build() -> bool:
        ends.wait(20)
        return place()

    monkeypatch.setattr(slow.placing, "run", build)
    monkeypatch.setattr(batch, "WAITS_FOR_OTHERS", 0.5)
    run = threading.Thread(target=made.run)
    run.start()
    wanted = {deploy.app.name: deploy.wanted.id for deploy in made.deploys[1:]}
    end = time.monotonic() + 8
    while time.monotonic() < end and {app: machine.visit(app).release for app in wanted} != wanted:
        time.sleep(0.1)
    served = {app: machine.visit(app).release for app in wanted}
    ends.set()
    run.join()
    assert served == wanted


def test_systemd_that_reads_nothing_at_the_end_costs_no_result(
    make: Make, machine: Slow, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No memory for another process, say. All are live by then, and whoever deploys must hear of it."""
    systemctl = machine.systemctl

    def fail(*words: str) -> tuple[int, str]:
        if words[0] == "daemon-reload" and machine.told:
            raise OSError(12, "Cannot allocate memory")
        return systemctl(*words)

    monkeypatch.setattr(machine, "systemctl", fail)
    assert set(results(make()).values()) == {"live"}
