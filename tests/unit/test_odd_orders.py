"""What a person, a full disk or a cut may do in between: each of these once took a good site down, or kept a run from
ending well.
"""

from __future__ import annotations

import contextlib
import errno
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.refused import Impossible
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.registration import registered
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.remove import Removal

from machine import Cut, Machine
from world import World, change, cut, deploy, live, site


@pytest.fixture
def two(tmp_path: Path) -> World:
    """Two apps on one host."""
    made = World(tmp_path, hosts=["one"], apps=["shop", "wiki"])
    made.site()
    return made


def before_each(machine: Machine, happens: Callable[[str], None]) -> Callable[[], None]:
    """Let something happen before each change; returns what ends it."""
    plain = machine.changing

    def changing(what: str) -> None:
        happens(what)
        plain(what)

    machine.__dict__["changing"] = changing
    return lambda: machine.__dict__.pop("changing") and None


def no_room(what: str) -> OSError:
    return OSError(errno.ENOSPC, "No space left on device", what)


class TestKeepEnvironment:
    @pytest.mark.parametrize("moment", range(45))
    def test_repeated_after_a_cut(self, world: World, machine: Machine, moment: int) -> None:
        """The copy that is live must not be made anew."""
        three = [deploy(world) for _number in range(3)]
        environment = machine.app("shop").release(three[2]).environment
        environment.write_text(f'PASSWORD="new"\nWEB_RELEASE="{three[2]}"\n')
        with cut(machine, moment):
            world.rollback("one", "shop", keep_environment=True)
        asked: list[int] = []
        end = before_each(machine, lambda _what: asked.append(machine.visit("shop").status))
        with contextlib.suppress(Impossible):
            world.rollback("one", "shop", keep_environment=True)
        end()
        assert {*asked, machine.visit("shop").status} == {200}


class TestHooks:
    def test_a_release_that_was_refused_once_doesnt_go_live_without_its_hook(
        self, world: World, machine: Machine
    ) -> None:
        """Placing it failed once, and would succeed the second time."""
        deploy(world)
        world.settings["shop"].before = "migrate"
        change(world)
        failed: list[str] = []

        def once(what: str) -> None:
            if what.startswith("place ") and not failed:
                failed.append(what)
                raise no_room(what)

        end = before_each(machine, once)
        assert site(world)["result"] == "refused"
        end()
        assert (machine.hooks_run, world.records("one", "shop").hooks()["before"]) == ([], [])
        assert site(world)["result"] == "live"
        assert len(machine.hooks_run) == 1

    def test_one_that_was_withdrawn_by_a_rollback_that_was_cut_off_brings_them_again(
        self, world: World, machine: Machine
    ) -> None:
        deploy(world)
        world.settings["shop"].before = "migrate"
        left = deploy(world)
        moved: list[str] = []

        def after_the_flip(what: str) -> None:
            if moved:
                raise Cut(what)
            if "current to" in what:
                moved.append(what)

        end = before_each(machine, after_the_flip)
        with pytest.raises(Cut):
            world.rollback("one", "shop")
        end()
        assert live(world) != left
        site(world)
        assert (live(world), len(machine.hooks_run)) == (left, 2)


class TestALinkSetByHand:
    """`ln -sfn /opt/shop/releases/<id> current` is what a person types."""

    @pytest.fixture
    def serving(self, world: World, machine: Machine) -> str:
        release = deploy(world)
        current = machine.app("shop").current
        target = current.resolve()
        current.unlink()
        current.symlink_to(target)
        return release

    def test_another_is_refused_at_the_last_look(self, world: World, machine: Machine, serving: str) -> None:
        change(world, "sick-visit")
        assert site(world)["result"] == "refused"
        assert machine.visit("shop").status == 200

    def test_the_same_has_one_bad_probe(self, world: World, machine: Machine, serving: str) -> None:
        machine.ill[serving] = "sick-front"
        site(world)
        assert machine.visit("shop").status == 200

    def test_it_is_set_right(self, world: World, machine: Machine, serving: str) -> None:
        assert site(world)["result"] == "mended"
        assert site(world)["result"] == "unchanged"
        layout = machine.app("shop")
        assert str(layout.current.readlink()) == layout.release(serving).link_target


class TestGoingBack:
    def test_on_a_full_disk(self, world: World, machine: Machine) -> None:
        """Moving a link needs room; renaming one that is there doesn't."""
        good = deploy(world)
        change(world, "sick-visit")

        def full(what: str) -> None:
            if "systemctl enable" in what:
                flipped.append(what)
            machine.is_full = bool(flipped) and ".unfinished" not in what and machine.app("shop").current.exists()
            machine.is_full = machine.is_full and live(world) != good

        flipped: list[str] = []
        end = before_each(machine, full)
        site(world)
        end()
        machine.is_full = False
        assert (live(world), machine.visit("shop").status) == (good, 200)

    def test_to_one_whose_socket_is_gone(self, world: World, machine: Machine) -> None:
        first, second = deploy(world), change(world)

        def at_the_end(what: str) -> None:
            if what.startswith("systemctl disable"):
                raise Cut(what)

        end = before_each(machine, at_the_end)
        with pytest.raises(Cut):
            site(world)
        end()
        assert (live(world), machine.running("shop")) == (second, {first, second})
        machine.app("shop").release(first).socket.unlink()
        machine.ill[second] = "sick-front"
        site(world)
        assert machine.visit("shop").status == 200

    def test_leaves_the_one_before_as_it_was(self, world: World) -> None:
        world.settings["shop"].keep = 2
        first, _second = deploy(world), deploy(world)
        change(world, "sick-visit")
        site(world)
        assert world.records("one", "shop").previous() == first


class TestDamagedFiles:
    @pytest.mark.parametrize("text", ['{"sequence": null}', '{"sequence": "x"}', "[]", "", "{"])
    def test_a_result(self, two: World, text: str) -> None:
        two.records("one", "shop").layout.release(live(two)).result.write_text(text)
        self._assert_the_other_is_deployed(two)

    @pytest.mark.parametrize(
        "text",
        [
            '{"code": {}, "files": {}}',
            '{"code": [], "files": {}, "public_folder": "s", "virtualenv": "x"}',
            '{"serial": null}',
        ],
    )
    def test_a_description(self, two: World, text: str) -> None:
        two.records("one", "shop").layout.release(live(two)).description.write_text(text)
        self._assert_the_other_is_deployed(two)

    @pytest.mark.parametrize("text", ['{"name": "shop"}', '{"removed": true}', "{"])
    def test_a_registration(self, two: World, text: str) -> None:
        registration = two.hosts["one"].app("shop").registration
        registration.write_text(text)
        self._assert_the_other_is_deployed(two)
        assert json.loads(registration.read_text())["app_root"] == two.hosts["one"].app("shop").app_root

    def test_an_archive(self, two: World) -> None:
        plain = two.item

        def item(host: str, app: str, look: dict[str, Any], restart: bool = False) -> dict[str, Any]:
            made = plain(host, app, look, restart)
            if app == "shop":
                made["archive"].write_bytes(made["archive"].read_bytes()[:60])
            return made

        two.__dict__["item"] = item
        two.settings["shop"].code += 1
        self._assert_the_other_is_deployed(two)

    @staticmethod
    def _assert_the_other_is_deployed(world: World) -> None:
        world.settings["wiki"].code += 1
        assert world.site()["one"]["wiki"]["result"] == "live"

    def test_the_note_of_the_serial_itself(self, world: World, machine: Machine) -> None:
        deploy(world)
        site(world, restart=["shop"])
        layout = machine.app("shop").release(live(world))
        (layout.code / "flask_wsgi.py").unlink()
        layout.description.unlink()
        assert site(world)["result"] == "live"
        assert site(world)["result"] == "unchanged"

    def test_a_link_to_a_virtualenv_that_serves(self, world: World, machine: Machine) -> None:
        layout = machine.app("shop").release(deploy(world))
        virtualenv = layout.virtualenv.resolve()
        layout.virtualenv.unlink()
        world.settings["shop"].requirements += 1
        change(world, "sick")
        site(world)
        assert virtualenv.exists()


class TestRegistration:
    def test_tells_how_visitors_ask_now(self, world: World, machine: Machine) -> None:
        """A name that changes makes no new release, and a rollback must ask for the new one."""
        deploy(world)
        item = world.item("one", "shop", world.look("one"))
        item["front"]["host"] = "new.test"
        assert world.deploy_of("one", item).placing.run()
        assert json.loads(machine.app("shop").registration.read_text())["front"]["host"] == "new.test"

    def test_of_a_removed_app_is_no_licence(self, world: World, machine: Machine) -> None:
        """What somebody else puts into its places later stays."""
        deploy(world)
        layout = machine.app("shop")
        layout.data.mkdir(parents=True, exist_ok=True)
        (layout.data / "orders").write_text("precious\n")
        Removal(layout, machine).run()
        (layout.root / "photos").mkdir(parents=True)
        for one, _content in registered(str(machine.prefix), with_removed=True):
            Removal(one, machine).run()
        assert (layout.root / "photos").exists()

    @pytest.mark.parametrize("place", ["run", "tmpfiles", "releases"])
    def test_an_app_takes_over_nobodys_place(self, world: World, machine: Machine, place: str) -> None:
        path = getattr(machine.app("shop"), place)
        path.write_text("somebody's own\n") if place == "tmpfiles" else path.mkdir(parents=True)
        result = site(world)
        assert (result["result"], result["step"]) == ("refused", "place")
        assert "isn't ours" in result["cause"]


def test_an_app_is_timed_from_its_own_turn_on(tmp_path: Path) -> None:
    """Not from the first one's: several are deployed one after the other."""
    world = World(tmp_path, hosts=["one"])
    machine = world.hosts["one"]
    deploy = world.deploy_of("one", world.item("one", "wiki", {}))
    machine.sleep(100)
    assert world.place_and_run(deploy)["seconds"] < 100
    result = machine.app("wiki").release(deploy.wanted.id).result
    assert json.loads(result.read_text())["seconds"] < 100


@pytest.mark.parametrize("is_stopped", [True, False])
def test_a_socket_that_was_taken_away_comes_back_in_one_run(two: World, is_stopped: bool) -> None:
    """Its unit is active all the same, so starting it does nothing, whether or not its service runs."""
    machine = two.hosts["one"]
    layout = machine.app("wiki").release(two.live("one", "wiki"))
    layout.socket.unlink()
    if is_stopped:
        machine._stop(layout.service)
    assert two.site(apps=["wiki"])["one"]["wiki"]["result"] == "mended"
    assert machine.visit("wiki").status == 200
    assert two.site(apps=["wiki"])["one"]["wiki"]["result"] == "unchanged"
