"""What a host tells of its apps before it is settled what is deployed."""

from __future__ import annotations

from machine import Machine
from world import World, deploy


def test_whether_visitors_get_the_live_release(world: World, machine: Machine) -> None:
    """Another host gives the app up only if they do."""
    live = deploy(world)
    assert world.look("one")["shop"]["served"] is True
    machine.ill[live] = "sick"
    assert world.look("one")["shop"]["served"] is False
