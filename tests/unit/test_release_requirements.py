"""The locked requirements as a part of each release on the host."""

from __future__ import annotations

from ansible_collections.uwsgi_flask.web.plugins.module_utils.look import app_states
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.place import damage
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.records import read_json

from machine import Machine
from world import World, deploy


def test_they_lie_in_the_release_and_an_edit_is_seen(world: World, machine: Machine) -> None:
    app = machine.app("shop")
    layout = app.release(deploy(world))
    assert layout.requirements.read_text() == "flask==3.1.3\n"
    assert layout.requirements.stat().st_mode & 0o777 == 0o640
    assert str(layout.requirements) in read_json(layout.description)["files"]
    layout.requirements.write_text("flask==1\n")
    assert damage(app, layout.id) == [f"{layout.requirements} was changed"]
    # What serves isn't mended but succeeded.
    assert app_states([(app, {})], machine)[app.name]["renew"] == [f"{layout.requirements} was changed"]
