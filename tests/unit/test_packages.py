"""An app that needs a package of the system which can't be installed: it is refused, and nothing else suffers."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.report import faults

from world import World, change, deploy, live, site

REASON = "'packages' names 'libmagicc1', which can't be installed: No package matching 'libmagicc1' is available"


def test_the_others_are_deployed(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.lacking = {"one": {"shop": REASON}, "two": {"shop": REASON}}
    for results in world.site().values():
        refused = results["shop"]
        assert (refused["result"], refused["step"], refused["cause"], refused["now"]) == (
            "refused",
            "packages",
            REASON,
            "",
        )
        assert results["wiki"]["result"] == "live"
        # The run is red, and its last words name app, key and package.
        assert f"shop: release {refused['release']} was refused at the step 'packages': {REASON}" in faults([refused])
    # Nothing was made for it.
    assert not world.hosts["one"].app("shop").registration.exists()
    world.lacking = {}
    assert {one["shop"]["result"] for one in world.site().values()} == {"live"}


def test_the_live_release_serves_on(world: World) -> None:
    before = deploy(world)
    change(world)
    world.lacking = {"one": {"shop": REASON}}
    told = site(world)
    assert (told["result"], told["now"]) == ("refused", before)
    assert f"Release {before} serves as before." in told["message"]
    assert world.visits() == {("one", "shop"): 200}


def test_a_release_that_is_live_already_stays_so_and_the_run_is_red(world: World) -> None:
    before = deploy(world)
    world.lacking = {"one": {"shop": REASON}}
    told = site(world)
    assert (told["result"], told["now"], told["step"]) == ("failed", before, "packages")
    assert world.visits() == {("one", "shop"): 200}
    world.lacking = {}
    assert site(world)["result"] == "unchanged"


def test_another_host_runs_the_hooks(tmp_path: Path) -> None:
    world = World(tmp_path, apps=["shop"])
    world.site()
    world.settings["shop"].code, world.settings["shop"].before = 1, "migrate"
    world.lacking = {"one": {"shop": REASON}}
    results = world.site()
    assert (results["one"]["shop"]["result"], results["two"]["shop"]["result"]) == ("refused", "live")
    assert (len(world.hosts["one"].hooks_run), len(world.hosts["two"].hooks_run)) == (0, 1)


def test_check_mode_says_it_and_changes_nothing(world: World) -> None:
    before = deploy(world)
    change(world)
    machine = world.hosts["one"]
    machine.calls.clear()
    told = world.deploy_of("one", world.item("one", "shop", world.look("one"))).rehearse_holding_back(
        REASON, "packages"
    )
    assert (told["result"], told["now"], told["changed"]) == ("would be refused", before, False)
    assert faults([told]) == f"shop: would be refused at the step 'packages': {REASON}"
    assert (machine.calls, live(world)) == ([], before)
