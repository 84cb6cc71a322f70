"""The world that most unit tests play in: one host, one app, nothing deployed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

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


@pytest.fixture
def status_host(world: World) -> dict[str, Any]:
    """The variables of a host with one app, after status.yml has asked it."""
    from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.status import status_of

    from world import change, deploy

    world.settings["shop"].workers = ("mail",)
    deploy(world)
    deploy(world)
    change(world, "sick")
    world.site()
    world.rollback("one", "shop")
    machine = world.hosts["one"]
    layout = machine.app("shop")
    registration = json.loads(layout.registration.read_text())
    return {
        "inventory_hostname": "one",
        "reported": {"apps": [status_of(layout, registration, machine)]},
        "workers": {"apps": {"shop": {"busy": 0, "idle": 2, "requests": 4}}, "cores": 2},
        "nginx_reported": {"drift": [], "certificates": [], "failed_certificates": {}, "failed_renewals": []},
    }
