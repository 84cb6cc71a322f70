"""A command in the live release: how it is run, and that a deploy lets it end."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases import command
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.refused import Impossible
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.remove import Removal

from machine import Machine
from world import World, change, deploy, live, site

STEP = """\
# Runs once.
[Unit]
Description=shop
PartOf=nothing

[Service]
Type=oneshot
User=web-shop
ExecStart=/opt/shop/steps/check
# Two of them.
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
CapabilityBoundingSet=
TimeoutStartSec=60

[Install]
WantedBy=nothing
"""


@pytest.fixture
def said(machine: Machine) -> list[tuple[Sequence[str], str]]:
    """What programs were called, and given."""
    calls: list[tuple[Sequence[str], str]] = []

    def converse(words: Sequence[str], text: str) -> tuple[int, str, str]:
        calls.append((words, text))
        return 3, "out", "err"

    machine.__dict__["converse"] = converse
    return calls


def test_it_runs_as_a_step_does(world: World, machine: Machine, said: list[tuple[Sequence[str], str]]) -> None:
    release = deploy(world)
    machine.app("shop").release(release).unit_file("check").write_text(STEP)
    assert command.run(machine, world.records("one", "shop"), "flask routes") == (release, 3, "out", "err")
    ((words, text),) = said
    assert [word.removeprefix("--property=") for word in words if word.startswith("--property=")] == [
        "User=web-shop",
        "SystemCallFilter=@system-service",
        "SystemCallFilter=~@privileged @resources",
        "CapabilityBoundingSet=",
    ]
    (unit,) = [word.removeprefix("--unit=") for word in words if word.startswith("--unit=")]
    assert unit.startswith(f"shop@{release}-command-")
    assert machine.app("shop").is_job(unit)
    assert text == "flask routes"


def test_it_stands_in_no_command_line(world: World, machine: Machine, said: list[tuple[Sequence[str], str]]) -> None:
    deploy(world)
    command.run(machine, world.records("one", "shop"), "flask --password hunter2")
    assert "hunter2" not in str(said[0][0])


def test_it_needs_a_live_release(world: World, machine: Machine, said: list[tuple[Sequence[str], str]]) -> None:
    machine.ill[world.wanted("one", "shop")] = "import"
    site(world)
    with pytest.raises(Impossible, match="no release is live"):
        command.run(machine, world.records("one", "shop"), "flask")
    release = deploy(world)
    machine.app("shop").release(release).unit_file("check").unlink()
    with pytest.raises(Impossible, match="is missing"):
        command.run(machine, world.records("one", "shop"), "flask")
    assert said == []


class TestWhileItRuns:
    @pytest.fixture
    def unit(self, world: World, machine: Machine) -> str:
        unit = machine.app("shop").release(deploy(world)).unit("command-0a1b2c3d")
        machine.active.add(unit)
        return unit

    def test_a_run_that_changes_nothing_finds_nothing_to_do(self, world: World, machine: Machine, unit: str) -> None:
        assert site(world)["result"] == "unchanged"
        assert unit in machine.active

    def test_deploys_let_it_end_and_keep_its_release(self, world: World, machine: Machine, unit: str) -> None:
        old = live(world)
        for _number in range(6):
            deploy(world)
        layout = machine.app("shop").release(old)
        assert unit in machine.active
        assert layout.directory.is_dir()
        assert layout.virtualenv.resolve().is_dir()
        assert site(world)["result"] == "unchanged"
        machine.active.remove(unit)
        site(world)
        assert not layout.directory.exists()

    def test_so_does_a_refusal(self, world: World, machine: Machine, unit: str) -> None:
        change(world, "sick")
        assert site(world)["result"] == "refused"
        assert unit in machine.active

    def test_a_removal_ends_it(self, world: World, machine: Machine, unit: str) -> None:
        for _number in range(2):
            deploy(world)
        Removal(machine.app("shop"), machine).run()
        assert unit not in machine.active


@pytest.mark.parametrize(
    ("unit", "is_one"),
    [
        ("shop@0123456789ab-command-12.service", True),
        ("shop@0123456789ab-worker-command-12.service", False),
        ("shop@0123456789ab-check.service", False),
        ("shop@0123456789ab.service", False),
        ("wiki@0123456789ab-command-12.service", False),
        ("shop@other-command-12.service", False),
    ],
)
def test_what_is_a_job(machine: Machine, unit: str, is_one: bool) -> None:
    assert machine.app("shop").is_job(unit) is is_one
