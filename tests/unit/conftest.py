"""The world that most unit tests play in: one host, one app, nothing deployed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from machine import Machine
    from world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    # Here, because it takes what it tests from the collection.
    from world import World

    return World(tmp_path, hosts=["one"], apps=["shop"])


@pytest.fixture
def machine(world: World) -> Machine:
    return world.hosts["one"]
