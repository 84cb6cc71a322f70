"""What systemd says, read."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases import instance
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.system import System

from machine import Machine
from world import World, deploy

# In the columns of --all --plain --no-legend --full: a job is under way for the third.
LISTED = """\
shop@0123456789ab-mend.service loaded    inactive     dead            shop, release 0123456789ab: make anew what leads
shop@0123456789ab.service      loaded    active       running         shop, release 0123456789ab
shop@0123456789ab.socket       loaded    deactivating running stop    shop, release 0123456789ab: socket
shop@fedcba987654.service      not-found failed       failed          shop@fedcba987654.service
"""


def answering(monkeypatch: pytest.MonkeyPatch, code: int, printed: str) -> System:
    system = System()
    monkeypatch.setattr(system, "run", lambda *_words, **_more: (code, printed))
    return system


def test_states_of_units_in_any_state(monkeypatch: pytest.MonkeyPatch) -> None:
    system = answering(monkeypatch, 0, LISTED)
    assert system.states("shop@*") == {
        "shop@0123456789ab-mend.service": "inactive",
        "shop@0123456789ab.service": "active",
        "shop@0123456789ab.socket": "deactivating",
        "shop@fedcba987654.service": "failed",
    }
    assert answering(monkeypatch, 0, "").units("shop@*") == set()


def test_a_systemd_that_doesnt_answer_isnt_one_that_has_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OSError, match="Failed to list units: Connection timed out"):
        answering(monkeypatch, 1, "Failed to list units: Connection timed out").units("shop@*")


def test_what_cant_be_asked_for_isnt_taken_for_stopped(
    world: World, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its files would be removed next."""
    layout = machine.app("shop").release(deploy(world))
    states, asked = machine.states, list[str]()

    def fail(*patterns: str) -> dict[str, Any]:
        asked.extend(patterns)
        if len(asked) > 1:
            raise OSError("systemctl list-units: Connection timed out")
        return states(*patterns)

    monkeypatch.setattr(machine, "states", fail)
    with pytest.raises(OSError, match="Connection timed out"):
        instance.stop(machine, layout)
