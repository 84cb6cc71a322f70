"""Workers move with the link: whatever happens, those of the live release run after a run, and no others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.uwsgi_flask.web.plugins.module_utils.release_layout import WATCH
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.status import status_of

from machine import Machine
from world import World, change, cut, deploy, live, site

# A deploy with workers over another makes about so many changes; the last of these moments are after its end.
MOMENTS = range(60)


@pytest.fixture
def world(world: World) -> World:
    world.settings["shop"].workers = ("mail", "report")
    world.settings["shop"].timers = ("clean",)
    return world


def assert_only_the_live_work(world: World) -> None:
    machine, release = world.hosts["one"], live(world)
    layout = machine.app("shop").release(release)
    assert machine.working("shop") == {layout.unit(kind) for kind in ("worker-mail", "worker-report", "timer-clean")}


class TestDeploy:
    def test_they_run_with_the_release(self, world: World) -> None:
        for _number in range(3):
            deploy(world)
            assert_only_the_live_work(world)
        assert site(world)["result"] == "unchanged"

    def test_the_order_is_prove_work_enable_time_flip_record_end_the_old_timers_retire(
        self, world: World, machine: Machine
    ) -> None:
        first = deploy(world)
        machine.calls.clear()
        second = deploy(world)
        layout = machine.app("shop")
        order = [
            f"systemctl start {layout.release(second).unit('socket')}",
            f"link {layout.candidate} to",
            f"systemctl start {layout.release(second).unit('worker-mail')}",
            f"systemctl enable --no-reload {layout.release(second).target}",
            f"systemctl start {layout.release(second).unit('timer-clean')}",
            f"link {layout.current} to",
            f"write {layout.release(second).result}",
            f"systemctl stop {layout.release(first).unit('timer-clean')}",
            f"systemctl start {layout.release(second).target} {layout.release(second).unit('timer-clean')}",
            f"systemctl stop {layout.release(first).unit('socket')}",
        ]
        found = [next(number for number, call in enumerate(machine.calls) if call.startswith(one)) for one in order]
        assert found == sorted(found)
        stopped = machine.calls[found[-1]]
        assert layout.release(first).unit("worker-mail") in stopped

    def test_each_is_a_script_and_a_unit_of_the_release(self, world: World, machine: Machine) -> None:
        layout = machine.app("shop").release(deploy(world))
        assert layout.script("worker-mail").read_text() == "#!/bin/sh\nset -eu\nexec work at mail\n"
        assert layout.unit_file("worker-mail").read_text() == f"# worker-mail of {layout.id}\n"

    def test_one_that_is_taken_out_is_gone(self, world: World, machine: Machine) -> None:
        deploy(world)
        world.settings["shop"].workers = ("mail",)
        world.settings["shop"].timers = ()
        site(world)
        assert machine.working("shop") == {machine.app("shop").release(live(world)).unit("worker-mail")}
        world.settings["shop"].workers = ()
        site(world)
        assert machine.working("shop") == set()
        assert machine.visit("shop").status == 200

    def test_a_boot_brings_them(self, world: World, machine: Machine) -> None:
        deploy(world)
        machine.boot()
        assert_only_the_live_work(world)
        assert site(world)["result"] == "unchanged"

    def test_a_changed_script_becomes_a_new_instance(self, world: World, machine: Machine) -> None:
        good = deploy(world)
        machine.app("shop").release(good).script("worker-mail").write_text("by hand\n")
        assert site(world)["result"] == "live"
        assert live(world) != good
        assert_only_the_live_work(world)


class TestRefusal:
    @pytest.mark.parametrize("ill", ["import", "start", "sick", "sick-front"])
    def test_they_never_work_for_one_that_isnt_proven(self, world: World, machine: Machine, ill: str) -> None:
        deploy(world)
        bad = change(world, ill)
        assert site(world)["result"] == "refused"
        assert bad not in machine.worked
        assert_only_the_live_work(world)

    def test_one_that_ends_at_once_refuses_the_release(self, world: World, machine: Machine) -> None:
        good = deploy(world)
        change(world, "worker")
        machine.calls.clear()
        result = site(world)
        assert (result["result"], result["step"], result["now"]) == ("refused", "workers", good)
        assert "worker-mail.service didn't stay up for 3 s" in result["cause"]
        assert [call for call in machine.calls if call.startswith(f"link {machine.app('shop').current} ")] == []
        assert_only_the_live_work(world)

    def test_one_that_ends_within_the_three_seconds_does_so_too(self, world: World, machine: Machine) -> None:
        good = deploy(world)
        bad = change(world)
        plain, began = machine.sleep, machine.seconds

        def sleep(seconds: float) -> None:
            plain(seconds)
            if machine.seconds > began + 2:
                machine.died[bad] = 1

        machine.__dict__["sleep"] = sleep
        assert (site(world)["step"], live(world)) == ("workers", good)
        assert_only_the_live_work(world)

    def test_those_of_an_app_that_starts_slowly_are_watched_for_longer(self, world: World, machine: Machine) -> None:
        """They import the app too, and what is wrong with them shows only then."""
        good = deploy(world)
        bad = machine.app("shop").release(change(world))
        plain, plain_sleep, began = machine.systemctl, machine.sleep, []

        def systemctl(*words: str) -> tuple[int, str]:
            if words[0] == "start" and bad.unit("service") in words:
                machine.seconds += 10
            elif words[0] == "start" and bad.unit("worker-mail") in words:
                began.append(machine.seconds)
            return plain(*words)

        def sleep(seconds: float) -> None:
            plain_sleep(seconds)
            if began and machine.seconds > began[0] + 9:
                machine.died[bad.id] = 1

        machine.__dict__.update(systemctl=systemctl, sleep=sleep)
        assert (site(world)["step"], live(world)) == ("workers", good)
        assert_only_the_live_work(world)

    def test_after_a_flip_back_those_before_work(self, world: World) -> None:
        deploy(world)
        change(world, "sick-visit")
        assert site(world)["step"] == "look"
        assert_only_the_live_work(world)

    def test_a_first_release_leaves_none(self, world: World, machine: Machine) -> None:
        machine.ill[world.wanted("one", "shop")] = "worker"
        assert site(world)["result"] == "refused"
        assert machine.working("shop") == set()


class TestRepair:
    def test_one_that_was_stopped_comes_back(self, world: World, machine: Machine) -> None:
        good = deploy(world)
        machine._stop(machine.app("shop").release(good).unit("worker-mail"))
        assert (site(world)["result"], live(world)) == ("mended", good)
        assert_only_the_live_work(world)

    def test_one_that_doesnt_come_back_is_told_and_all_else_is_mended(self, world: World, machine: Machine) -> None:
        good = deploy(world)
        machine.ill[good] = "worker"
        machine._disable(machine.app("shop").release(good).target)
        result = site(world)
        assert (result["result"], result["step"], result["now"]) == ("failed", "workers", good)
        assert machine.visit("shop").status == 200
        assert world.records("one", "shop").enabled() == {good}
        machine.ill.clear()
        assert site(world)["result"] == "unchanged"

    def test_a_lost_socket_ends_no_worker(self, world: World, machine: Machine) -> None:
        good = deploy(world)
        machine.app("shop").release(good).socket.unlink()
        machine.worked.clear()
        machine.calls.clear()
        assert site(world)["result"] == "mended"
        stopped = [call for call in machine.calls if call.startswith("systemctl stop")]
        assert stopped
        assert "worker" not in str(stopped)
        assert ".target" not in str(stopped)
        assert_only_the_live_work(world)

    def test_a_message_says_who_serves_though_its_workers_are_ill(self, world: World, machine: Machine) -> None:
        good = deploy(world)
        machine.ill[good] = "worker"
        change(world, "import")
        assert f"Release {good} serves as before" in site(world)["message"]


class TestStatus:
    def drift(self, world: World, machine: Machine) -> list[str]:
        layout = machine.app("shop")
        drift: list[str] = status_of(layout, json.loads(layout.registration.read_text()), machine)["drift"]
        return drift

    def test_one_that_isnt_active(self, world: World, machine: Machine) -> None:
        good = deploy(world)
        assert self.drift(world, machine) == []
        machine._stop(machine.app("shop").release(good).unit("worker-mail"))
        assert self.drift(world, machine) == ["the worker mail isn't active: inactive"]

    def test_a_watch_that_isnt_active(self, world: World, machine: Machine) -> None:
        watch = machine.app("shop").release(deploy(world)).unit(WATCH)
        machine.active.discard(watch)
        told = f"{watch} isn't active, so what leads to the app doesn't come back by itself"
        assert self.drift(world, machine) == [told]

    def test_one_of_another_release(self, world: World, machine: Machine) -> None:
        first, _second = deploy(world), deploy(world)
        unit = machine.app("shop").release(first).unit("worker-mail")
        machine._start(unit)
        assert f"{unit} runs beside those of the live release" in self.drift(world, machine)


class TestTimers:
    def test_each_is_a_unit_that_starts_another(self, world: World, machine: Machine) -> None:
        layout = machine.app("shop").release(deploy(world))
        assert layout.unit("timer-clean") == f"shop@{layout.id}-timer-clean.timer"
        assert layout.script("job-clean").read_text() == "#!/bin/sh\nset -eu\nexec do clean\n"
        assert layout.unit_file("job-clean").is_file()

    def test_one_that_was_stopped_comes_back(self, world: World, machine: Machine) -> None:
        good = deploy(world)
        machine._stop(machine.app("shop").release(good).unit("timer-clean"))
        assert site(world)["result"] == "mended"
        assert_only_the_live_work(world)

    def test_a_job_at_work_comes_to_its_end_and_keeps_its_release(self, world: World, machine: Machine) -> None:
        layout = machine.app("shop").release(deploy(world))
        job = layout.unit("job-clean")
        machine.active.add(job)
        for _number in range(6):
            deploy(world)
        assert job in machine.active
        assert layout.directory.is_dir()
        assert layout.unit_file("job-clean").is_file()
        assert site(world)["result"] == "unchanged"

    def test_a_calendar_that_systemd_doesnt_understand_is_refused(self, world: World, machine: Machine) -> None:
        good = deploy(world)
        world.settings["shop"].calendar = "never"
        change(world)
        result = site(world)
        assert (result["result"], result["step"], result["now"]) == ("refused", "place", good)
        assert (
            result["cause"] == "the timer clean has a calendar that systemd doesn't understand: Failed to parse 'never'"
        )
        assert_only_the_live_work(world)

    def test_a_release_that_a_visitor_sent_back_keeps_none(self, world: World, machine: Machine) -> None:
        deploy(world)
        bad = change(world, "sick-visit")
        assert (site(world)["result"], bad in machine.running("shop")) == ("refused", False)
        assert_only_the_live_work(world)

    @pytest.mark.parametrize("moment", MOMENTS)
    def test_a_job_that_is_due_while_a_run_is_cut_off_is_run(self, world: World, machine: Machine, moment: int) -> None:
        """A job runs in the release that `current` leads to, so that one must have its timers at every moment."""
        deploy(world)
        change(world)
        with cut(machine, moment):
            site(world)
        layout = machine.app("shop").release(live(world))
        assert layout.unit("timer-clean") in machine.active

    def test_one_host_is_the_first(self, tmp_path: Path) -> None:
        world = World(tmp_path, hosts=["one", "two"], apps=["shop"])
        world.site()
        marks = {host: machine.app("shop").first_host for host, machine in world.hosts.items()}
        assert {host: mark.is_file() for host, mark in marks.items()} == {"one": True, "two": False}
        before = world.live("two", "shop")
        marks["one"].unlink()
        marks["two"].write_text("")
        world.site()
        assert {host: mark.is_file() for host, mark in marks.items()} == {"one": True, "two": False}
        assert world.live("two", "shop") == before


class TestRollback:
    def test_brings_the_older_ones(self, world: World) -> None:
        first, _second = deploy(world), deploy(world)
        assert world.rollback("one", "shop")["now"] == first
        assert_only_the_live_work(world)

    def test_a_target_whose_workers_fail_leaves_all_as_it_was(self, world: World, machine: Machine) -> None:
        first, second = deploy(world), deploy(world)
        machine.ill[first] = "worker"
        assert (world.rollback("one", "shop")["result"], live(world)) == ("refused", second)
        assert_only_the_live_work(world)

    def test_a_copy_with_todays_environment_has_its_own(self, world: World, machine: Machine) -> None:
        first, second = deploy(world), deploy(world)
        machine.app("shop").release(second).environment.write_text("NEW=1\n")
        made = world.rollback("one", "shop", keep_environment=True)["now"]
        assert made not in (first, second)
        assert_only_the_live_work(world)
        layout = machine.app("shop").release(made)
        assert layout.unit_file("worker-mail").read_text() == f"# worker-mail of {made}\n"


class TestCut:
    @pytest.mark.parametrize("then", ["again", "power", "refused", "another"])
    @pytest.mark.parametrize("moment", MOMENTS)
    def test_the_next_run_leaves_those_of_the_live_one(
        self, world: World, machine: Machine, moment: int, then: str
    ) -> None:
        deploy(world)
        change(world)
        with cut(machine, moment):
            site(world)
        if then == "power":
            machine.boot()
        elif then == "another":
            change(world)
        elif then == "refused":
            change(world, "import")
        assert site(world)["result"] in (("refused",) if then == "refused" else ("live", "mended", "unchanged"))
        assert_only_the_live_work(world)

    @pytest.mark.parametrize("moment", MOMENTS)
    def test_nor_do_others_work_when_the_live_one_is_ill(self, world: World, machine: Machine, moment: int) -> None:
        """Nobody can be retired then; what was cut off works no longer all the same."""
        good = deploy(world)
        change(world)
        with cut(machine, moment):
            site(world)
        machine.ill[live(world)] = "sick-front"
        if live(world) == good:
            change(world, "import")
        site(world)
        layout = machine.app("shop")
        assert {layout.release_of(unit) for unit in machine.working("shop")} == {live(world)}

    @pytest.mark.parametrize("moment", range(30))
    def test_a_first_release_that_was_cut_off_works_no_longer(
        self, world: World, machine: Machine, moment: int
    ) -> None:
        with cut(machine, moment):
            site(world)
        if live(world):
            return
        change(world, "import")
        assert site(world)["result"] == "refused"
        assert machine.working("shop") == set()

    @pytest.mark.parametrize("moment", range(35))
    def test_rollback(self, world: World, machine: Machine, moment: int) -> None:
        for _number in range(3):
            deploy(world)
        with cut(machine, moment):
            world.rollback("one", "shop")
        world.rollback("one", "shop")
        assert_only_the_live_work(world)

    def test_there_are_no_more_moments(self, world: World, machine: Machine) -> None:
        deploy(world)
        machine.calls.clear()
        deploy(world)
        assert len(machine.calls) < MOMENTS.stop


def test_systemd_is_asked_in_so_many_calls(world: World, machine: Machine) -> None:
    """A look is a call; a run that changes nothing makes one for all units of the release."""
    deploy(world)
    asked: list[Any] = []
    plain = machine.show

    def show(*words: Any) -> Any:
        asked.append(words[0])
        return plain(*words)

    machine.__dict__["show"] = show
    assert site(world)["result"] == "unchanged"
    assert sum("worker-mail" in str(units) for units in asked) == 1
