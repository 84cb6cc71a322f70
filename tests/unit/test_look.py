"""What a host tells of its apps before it is settled what is deployed."""

from __future__ import annotations

import pytest
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.system import Answer

from machine import Machine
from world import World, deploy


def test_whether_visitors_get_the_live_release(world: World, machine: Machine) -> None:
    """Another host gives the app up only if they do."""
    live = deploy(world)
    assert world.look("one")["shop"]["served"] is True
    machine.ill[live] = "sick"
    assert world.look("one")["shop"]["served"] is False


def test_what_was_stopped_isnt_asked(world: World, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its socket would start it."""
    live = deploy(world)
    machine.active.discard(machine.app("shop").release(live).service)
    asked: list[str] = []

    def ask(address: str, *_rest: object) -> Answer:
        asked.append(address)
        return Answer(200)

    monkeypatch.setattr(machine, "ask", ask)
    assert world.look("one")["shop"]["served"] is False
    assert asked == []
