"""How a release goes live, on a machine made of a folder: each case by itself, and a cut before every single change."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases import instance, virtualenv
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.place import unguarded
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.refused import Impossible

from machine import STREAM, Machine
from world import World, change, cut, deploy, live, site

# A deploy of one app over another makes about so many changes; the last of these moments are after its end.
MOMENTS = range(60)


def assert_converged(world: World, release: str) -> None:
    """One instance: live, running, enabled, recorded, visited; nothing unfinished."""
    machine, records = world.hosts["one"], world.records("one", "shop")
    assert (live(world), records.result(release)) == (release, "good")
    assert (machine.running("shop"), records.enabled()) == ({release}, {release})
    assert (machine.visit("shop").status, machine.visit("shop").release) == (200, release)
    assert not records.layout.candidate.is_symlink()
    assert [path for path in records.layout.root.rglob("*") if "unfinished" in path.name] == []


class TestDeploy:
    def test_first(self, world: World) -> None:
        release = deploy(world)
        assert_converged(world, release)

    def test_the_order_is_prove_enable_flip_look_record_retire(self, world: World, machine: Machine) -> None:
        first = deploy(world)
        machine.calls.clear()
        second = deploy(world)
        layout = machine.app("shop")
        order = [
            f"systemctl start {layout.release(second).unit('check')}",
            f"systemctl start {layout.release(second).unit('socket')}",
            f"link {layout.candidate} to",
            f"systemctl enable --no-reload {layout.release(second).target}",
            f"link {layout.previous} to",
            f"link {layout.current} to",
            f"write {layout.release(second).result}",
            f"systemctl disable --no-reload {layout.release(first).target}",
            f"systemctl stop {layout.release(first).unit('socket')}",
        ]
        found = [next(number for number, call in enumerate(machine.calls) if call.startswith(one)) for one in order]
        assert found == sorted(found)

    def test_a_python_that_the_host_lacks_is_told_before_anything_changes(self, world: World, machine: Machine) -> None:
        before = deploy(world)
        change(world)
        world.settings["shop"].python = "3.99"
        result = site(world)
        assert (result["result"], result["step"], result["now"]) == ("refused", "virtualenv", before)
        assert result["cause"].startswith("'python' asks for 3.99, and this host has no /usr/local/bin/python3.99 or ")
        assert world.records("one", "shop").releases() == [before]
        assert_converged(world, before)

    def test_nothing_to_do(self, world: World, machine: Machine) -> None:
        deploy(world)
        machine.calls.clear()
        assert site(world)["result"] == "unchanged"
        assert machine.calls == []

    def test_equal_requirements_share_a_virtualenv(self, world: World, machine: Machine) -> None:
        deploy(world)
        deploy(world)
        assert machine.builds == 1
        world.settings["shop"].requirements += 1
        deploy(world)
        assert machine.builds == 2

    def test_its_temporary_files_are_on_the_disk(self, world: World, machine: Machine) -> None:
        """/tmp may be memory, and uploads are large."""
        layout = machine.app("shop").release(deploy(world))
        assert 'TMPDIR="/var/tmp"' in layout.environment.read_text().splitlines()

    def test_drain_waits_for_an_empty_queue(self, world: World, machine: Machine) -> None:
        deploy(world)
        machine.queue = [4, 2, 0, 1, 0, 0, 0, 9]
        deploy(world)
        assert machine.queue == [9]

    def test_drain_gives_up_at_its_limit(self, world: World, machine: Machine) -> None:
        deploy(world)
        machine.queue = [1] * 10_000
        assert_converged(world, deploy(world))
        assert len(machine.queue) > 9_000

    def test_an_app_whose_places_are_taken_is_refused(self, world: World, machine: Machine) -> None:
        (machine.app("shop").root / "photos").mkdir(parents=True)
        result = site(world)
        assert (result["result"], result["step"]) == ("refused", "place")
        assert "isn't ours" in result["cause"]
        assert [path.name for path in machine.app("shop").root.iterdir()] == ["photos"]


REFUSALS = {
    "import": "check",
    "start": "start",
    "sick": "probe",
    "sick-front": "front",
    "sick-visit": "look",
}


class TestRefusal:
    @pytest.mark.parametrize("ill", REFUSALS)
    def test_the_one_before_serves_on(self, world: World, machine: Machine, ill: str) -> None:
        good = deploy(world)
        bad = change(world, ill)
        result = site(world)
        assert (result["result"], result["step"], result["now"]) == ("refused", REFUSALS[ill], good)
        assert f"Release {good} serves as before" in result["message"]
        assert_converged(world, good)
        records = world.records("one", "shop")
        assert records.result(bad) == "bad"
        assert result["cause"] in records.layout.release(bad).failure.read_text()

    @pytest.mark.parametrize("ill", [ill for ill in REFUSALS if ill != "sick-visit"])
    def test_no_visitor_ever_met_it(self, world: World, machine: Machine, ill: str) -> None:
        """The link doesn't move before the last proof."""
        deploy(world)
        change(world, ill)
        machine.calls.clear()
        site(world)
        assert [call for call in machine.calls if call.startswith(f"link {machine.app('shop').current} ")] == []

    @pytest.mark.parametrize("ill", REFUSALS)
    def test_a_first_release_leaves_nothing_live(self, world: World, machine: Machine, ill: str) -> None:
        machine.ill[world.wanted("one", "shop")] = ill
        result = site(world)
        assert (result["result"], result["now"]) == ("refused", "")
        assert "none is now" in result["message"]
        assert (machine.running("shop"), world.records("one", "shop").enabled()) == (set(), set())

    def test_the_cause_is_the_tracebacks_last_line(self, world: World) -> None:
        deploy(world)
        change(world, "import")
        assert site(world)["cause"] == "ImportError: no shop"

    def test_good_answers_must_be_in_a_row(self, world: World, machine: Machine) -> None:
        deploy(world)
        change(world)
        machine.transient = [200, 200, 500, 200]
        assert site(world)["result"] == "live"
        assert machine.transient == []

    def test_an_instance_that_dies_is_refused(self, world: World, machine: Machine) -> None:
        good = deploy(world)
        bad = change(world)
        plain = machine.ask

        def ask(*words: Any) -> Any:
            machine.died[bad] = machine.died.get(bad, 0) + 1
            return plain(*words)

        machine.__dict__["ask"] = ask
        assert site(world)["cause"] == "the instance died after it had answered"
        del machine.__dict__["ask"]
        assert_converged(world, good)

    def test_one_that_dies_while_it_is_probed_is_refused_at_once(self, world: World, machine: Machine) -> None:
        good = deploy(world)
        bad = change(world, "sick")
        plain, began = machine.ask, machine.clock()

        def ask(*words: Any) -> Any:
            machine.died[bad] = machine.died.get(bad, 0) + 1
            return plain(*words)

        machine.__dict__["ask"] = ask
        assert "died while it was probed; last answer: status 500" in site(world)["cause"]
        assert machine.clock() - began < 5
        del machine.__dict__["ask"]
        assert_converged(world, good)

    def test_a_bad_one_may_be_tried_again(self, world: World, machine: Machine) -> None:
        deploy(world)
        bad = change(world, "sick")
        site(world)
        machine.ill.clear()
        assert site(world)["result"] == "live"
        assert_converged(world, bad)
        assert not world.records("one", "shop").layout.release(bad).failure.exists()

    def test_a_full_disk_is_a_refusal_like_any_other(self, world: World, machine: Machine) -> None:
        good = deploy(world)
        change(world)
        machine.is_full = True
        result = site(world)
        machine.is_full = False
        assert (result["result"], result["now"]) == ("refused", good)
        assert "No space left" in result["cause"]
        assert "failure.log" not in result["message"], "it cites what couldn't be written"
        assert_converged(world, deploy(world))

    def test_one_app_that_is_refused_holds_back_no_other(self, tmp_path: Path) -> None:
        world = World(tmp_path, hosts=["one"], apps=["shop", "wiki"])
        world.hosts["one"].ill[world.wanted("one", "shop")] = "import"
        results = world.site()["one"]
        assert (results["shop"]["result"], results["wiki"]["result"]) == ("refused", "live")


class TestRepair:
    @pytest.mark.parametrize("nginx_was_down", [False, True])
    def test_a_live_release_is_never_stopped(self, world: World, machine: Machine, nginx_was_down: bool) -> None:
        good = deploy(world)
        machine.ill[good] = "sick"
        machine.nginx = not nginx_was_down
        result = site(world)
        assert (result["result"], result["now"]) == ("failed", good)
        assert "is live and stays so" in result["message"]
        assert (machine.running("shop"), live(world)) == ({good}, good)
        machine.ill.clear()
        machine.nginx = True
        site(world)
        assert_converged(world, good)

    @pytest.mark.parametrize("unit", ["service", "socket", "target"])
    def test_a_dead_unit_comes_back(self, world: World, machine: Machine, unit: str) -> None:
        good = deploy(world)
        machine._stop(machine.app("shop").release(good).unit(unit))
        assert site(world)["result"] == "mended"
        assert_converged(world, good)

    def test_links_modes_and_sockets_are_mended_in_place(self, world: World, machine: Machine) -> None:
        good = deploy(world)
        layout = machine.app("shop").release(good)
        layout.app.live_socket.unlink()
        layout.socket.chmod(0o666)
        layout.app.run.chmod(0o777)
        (layout.code / "flask_wsgi.py").chmod(0o666)
        layout.environment.chmod(0o644)
        machine._disable(layout.target)
        assert site(world)["result"] == "mended"
        assert_converged(world, good)
        assert layout.socket.stat().st_mode & 0o777 == 0o660
        assert layout.environment.stat().st_mode & 0o777 == 0o600
        assert site(world)["result"] == "unchanged"

    @pytest.mark.parametrize("what", ["root", "releases", "virtualenvs", "directory", "steps"])
    def test_what_a_release_lies_in_can_be_passed(self, world: World, machine: Machine, what: str) -> None:
        """Or the instance, which serves on, would fail at its next start."""
        good = deploy(world)
        layout = machine.app("shop").release(good)
        path = getattr(layout.app, what, None) or getattr(layout, what)
        path.chmod(0o700)
        assert unguarded(layout.app, good) == [f"{path} has another mode or owner"]
        assert site(world)["result"] == "mended"
        assert unguarded(layout.app, good) == []
        assert_converged(world, good)
        assert site(world)["result"] == "unchanged"

    def test_no_socket_is_taken_away_on_a_guess(
        self, world: World, machine: Machine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Its mode is in its unit, and systemd doesn't answer while it starts itself anew."""
        layout = machine.app("shop").release(deploy(world))
        layout.socket.chmod(0o600)
        monkeypatch.setattr(machine, "show", lambda units, *_properties: {unit: {} for unit in units})
        assert instance.unguarded_socket(machine, layout) is None

    @pytest.mark.parametrize("what", ["code", "ini", "wsgi", "unit", "environment", "virtualenv", "unit masked"])
    def test_changed_content_becomes_a_new_instance(self, world: World, machine: Machine, what: str) -> None:
        good = deploy(world)
        layout = machine.app("shop").release(good)
        path = {
            "code": layout.code / "flask_wsgi.py",
            "ini": layout.ini,
            "wsgi": layout.wsgi,
            "unit": layout.unit_file("service"),
            "environment": layout.environment,
            "virtualenv": layout.virtualenv.resolve() / "bin/flask",
            "unit masked": layout.unit_file("service"),
        }[what]
        path.unlink()
        path.symlink_to("/dev/null") if what == "unit masked" else path.write_text("by hand\n")
        machine.calls.clear()
        assert site(world)["result"] == "live"
        assert live(world) != good
        assert f"write {path}" not in machine.calls, "it was changed in place"
        assert_converged(world, live(world))
        assert site(world)["result"] == "unchanged"

    def test_a_restart_is_a_new_instance_of_the_same(self, world: World) -> None:
        good = deploy(world)
        version = world.records("one", "shop").described(good)["version"]
        assert site(world, restart=["shop"])["result"] == "live"
        assert live(world) != good
        assert world.records("one", "shop").described(live(world))["version"] == version
        assert site(world)["result"] == "unchanged"

    def test_strays_are_retired(self, world: World, machine: Machine) -> None:
        first, second = deploy(world), deploy(world)
        machine._start(machine.app("shop").release(first).target)
        assert site(world)["result"] == "mended"
        assert_converged(world, second)


class TestStreams:
    """The release before goes on with its streams: nobody waits for them, and nothing that they need goes."""

    @pytest.fixture
    def first(self, world: World, machine: Machine) -> str:
        """A release that is no longer live, but still serves a stream."""
        world.settings["shop"].streams = "(/events)(?![^/])"
        release = deploy(world)
        machine.streaming = {release}
        return release

    def test_a_deploy_waits_for_none(self, world: World, machine: Machine, first: str) -> None:
        began = machine.seconds
        second = deploy(world)
        assert machine.seconds - began < STREAM / 4
        assert machine.ending == {machine.app("shop").release(first).service}
        assert_converged(world, second)
        machine.calls.clear()
        assert site(world)["result"] == "unchanged"
        assert machine.calls == []

    def test_one_without_streams_just_then_is_stopped_like_any(
        self, world: World, machine: Machine, first: str
    ) -> None:
        machine.streaming.clear()
        deploy(world)
        assert machine.units(f"shop@{first}*") == set()

    def test_its_workers_are_stopped(self, world: World, machine: Machine) -> None:
        world.settings["shop"].workers = ("mail",)
        first = deploy(world)
        machine.streaming = {first}
        deploy(world)
        assert {unit.partition("@")[2][:12] for unit in machine.working("shop")} == {live(world)}

    def test_its_files_stay_until_they_have_ended(self, world: World, machine: Machine, first: str) -> None:
        layout = machine.app("shop").release(first)
        for _number in range(4):
            deploy(world)
        assert layout.directory.is_dir()
        assert layout.unit_file("service").is_file()
        machine.ending.clear()
        machine.streaming.clear()
        deploy(world)
        assert not layout.directory.exists()
        assert not layout.unit_file("service").exists()

    def test_a_rollback_to_it_cuts_them_off(self, world: World, machine: Machine, first: str) -> None:
        deploy(world)
        began = machine.seconds
        assert world.rollback("one", "shop")["now"] == first
        assert machine.seconds - began < STREAM / 4
        assert_converged(world, first)


class TestCut:
    """A run may end before any of its changes; the site serves, a boot brings it back, and the next run finishes."""

    @pytest.mark.parametrize("power", [False, True], ids=["cut", "power"])
    @pytest.mark.parametrize("moment", MOMENTS)
    def test_deploy(self, world: World, machine: Machine, moment: int, power: bool) -> None:
        deploy(world)
        wanted = change(world)
        with cut(machine, moment):
            site(world)
        assert machine.visit("shop").status == 200
        if power:
            machine.boot()
            assert machine.visit("shop").status == 200
        site(world)
        assert_converged(world, wanted)
        assert site(world)["result"] == "unchanged"

    @pytest.mark.parametrize("moment", MOMENTS)
    def test_the_next_probe_may_fail(self, world: World, machine: Machine, moment: int) -> None:
        """Whatever was recorded before the cut: what serves isn't stopped because of one bad answer."""
        deploy(world)
        wanted = change(world)
        with cut(machine, moment):
            site(world)
        machine.ill[wanted] = "sick-front"
        site(world)
        assert machine.visit("shop").status == 200

    @pytest.mark.parametrize("moment", MOMENTS)
    def test_the_first_release_too(self, world: World, machine: Machine, moment: int) -> None:
        """There is nothing to go back to: once visitors get it, one bad answer must not take it away."""
        with cut(machine, moment):
            site(world)
        served = machine.visit("shop").status
        machine.ill[world.wanted("one", "shop")] = "sick-front"
        site(world)
        assert machine.visit("shop").status == served

    @pytest.mark.parametrize("moment", MOMENTS)
    def test_the_next_run_may_want_another_release(self, world: World, machine: Machine, moment: int) -> None:
        deploy(world)
        change(world)
        with cut(machine, moment):
            site(world)
        assert_converged(world, deploy(world))

    @pytest.mark.parametrize("moment", range(30))
    def test_rollback(self, world: World, machine: Machine, moment: int) -> None:
        first, second, third = deploy(world), deploy(world), deploy(world)
        with cut(machine, moment):
            world.rollback("one", "shop")
        assert machine.visit("shop").status == 200
        machine.boot()
        assert machine.visit("shop").status == 200
        if live(world) == third:
            assert world.rollback("one", "shop")["now"] == second
        else:
            assert world.rollback("one", "shop")["now"] == first, "it went back to what was left"
        assert world.records("one", "shop").result(third) == "bad"
        assert_converged(world, live(world))

    def test_there_are_no_more_moments(self, world: World, machine: Machine) -> None:
        """The ranges above reach beyond the end of a run."""
        deploy(world)
        machine.calls.clear()
        deploy(world)
        assert len(machine.calls) < MOMENTS.stop
        machine.calls.clear()
        world.rollback("one", "shop")
        assert len(machine.calls) < 30


class TestRollback:
    @pytest.fixture
    def three(self, world: World) -> list[str]:
        return [deploy(world) for _number in range(3)]

    def test_goes_to_the_one_before_and_then_further(self, world: World, three: list[str]) -> None:
        for release in (three[1], three[0]):
            assert world.rollback("one", "shop")["now"] == release
            assert_converged(world, release)
        with pytest.raises(Impossible, match="no earlier good release"):
            world.rollback("one", "shop")
        assert [world.records("one", "shop").result(one) for one in three] == ["good", "bad", "bad"]

    def test_a_clock_that_is_set_back_changes_nothing(self, world: World, machine: Machine, three: list[str]) -> None:
        machine.seconds -= 10_000_000
        latest = deploy(world)
        assert world.rollback("one", "shop")["now"] == three[2]
        assert world.records("one", "shop").result(latest) == "bad"

    def test_to_a_chosen_one(self, world: World, three: list[str]) -> None:
        world.rollback("one", "shop", three[0])
        assert_converged(world, three[0])

    def test_refuses_what_cant_be_used(self, world: World, machine: Machine, three: list[str]) -> None:
        with pytest.raises(Impossible, match="no release 'ffffffffffff'"):
            world.rollback("one", "shop", "f" * 12)
        with pytest.raises(Impossible, match="live already"):
            world.rollback("one", "shop", three[2])
        world.rollback("one", "shop")
        with pytest.raises(Impossible, match="marked as bad"):
            world.rollback("one", "shop", three[2])
        (machine.app("shop").release(three[0]).code / "flask_wsgi.py").write_text("by hand")
        with pytest.raises(Impossible, match="isn't as it was"):
            world.rollback("one", "shop", three[0])
        assert_converged(world, three[1])

    def test_what_became_of_it_is_told_though_systemd_doesnt_answer(
        self, world: World, machine: Machine, three: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_patterns: str) -> dict[str, str]:
            raise OSError("systemctl list-units: Connection timed out")

        monkeypatch.setattr(machine, "states", fail)
        result = world.rollback("one", "shop")
        assert (result["result"], result["now"]) == ("refused", three[2])
        assert "serves as before" in result["message"]

    def test_never_to_one_that_is_for_another_python(
        self, world: World, three: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Debian was upgraded: it is told, and the release isn't tried and so not marked as bad."""
        monkeypatch.setattr(virtualenv, "orphaned", lambda _venv: "it is for another Python")
        with pytest.raises(Impossible, match="it is for another Python"):
            world.rollback("one", "shop")
        with pytest.raises(Impossible, match="it is for another Python"):
            world.rollback("one", "shop", three[1])
        assert_converged(world, three[2])
        assert world.records("one", "shop").result(three[1]) == "good"

    def test_a_target_that_fails_leaves_all_as_it_was(self, world: World, machine: Machine, three: list[str]) -> None:
        machine.ill[three[1]] = "sick"
        assert world.rollback("one", "shop")["result"] == "refused"
        assert_converged(world, three[2])
        assert world.records("one", "shop").result(three[1]) == "bad"

    def test_asks_the_older_ones_health_path(self, world: World, three: list[str]) -> None:
        """Gate settings belong to the release."""
        layout = world.records("one", "shop").layout.release(three[1])
        described = json.loads(layout.description.read_text())
        layout.description.write_text(json.dumps({**described, "gate": {**described["gate"], "path": "/was-here"}}))
        asked = []
        machine = world.hosts["one"]
        plain = machine.ask

        def ask(*words: Any) -> Any:
            asked.append(words[2])
            return plain(*words)

        machine.__dict__["ask"] = ask
        world.rollback("one", "shop")
        assert set(asked) == {"/was-here"}

    def test_todays_environment_with_the_old_code(self, world: World, machine: Machine, three: list[str]) -> None:
        environment = machine.app("shop").release(three[2]).environment
        environment.write_text(f'PASSWORD="new"\nWEB_RELEASE="{three[2]}"\n')
        made = world.rollback("one", "shop", keep_environment=True)["now"]
        assert made not in three
        assert_converged(world, made)
        layout = machine.app("shop").release(made)
        assert layout.environment.read_text() == f'PASSWORD="new"\nWEB_RELEASE="{made}"\n'
        assert made in layout.ini.read_text()
        assert made in layout.unit_file("service").read_text()
        assert world.look("one")["shop"]["renew"] == []


class TestPrune:
    def test_keeps_the_good_ones_their_virtualenvs_and_units(self, world: World, machine: Machine) -> None:
        made = []
        for number in range(6):
            world.settings["shop"].requirements = number // 2
            made.append(deploy(world))
        layout = machine.app("shop")
        assert {path.name for path in layout.releases.iterdir()} == {*made[-3:]}
        assert len(list(layout.virtualenvs.iterdir())) == 2
        units = {layout.release_of(path.name) for path in layout.units.glob("shop@*")}
        assert units == {*made[-3:]}

    def test_bad_ones_dont_count_and_are_bounded(self, world: World, machine: Machine) -> None:
        good = [deploy(world), deploy(world)]
        for _number in range(8):
            change(world, "import")
            assert site(world)["result"] == "refused"
        left = {path.name for path in machine.app("shop").releases.iterdir()}
        assert left >= {*good}
        assert len(left) == 2 + 3

    def test_a_rehearsal_foresees_it(self, world: World) -> None:
        deploy(world)
        deploy(world)
        world.settings["shop"].keep = 1
        (world.records("one", "shop").layout.previous).unlink()
        look = world.look("one")
        assert world.deploy_of("one", world.item("one", "shop", look)).rehearse()["changed"] is True
