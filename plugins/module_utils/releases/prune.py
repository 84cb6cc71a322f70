"""Leaving a host nothing of an app but what serves: the other releases go, and with them the secrets that they had."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from ansible_collections.uwsgi_flask.web.plugins.module_utils.layout import AppLayout
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases import instance
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.probe import Prober
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.records import (
    GOOD,
    Records,
    number,
    read_json,
    remove_all,
)
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.refused import Impossible
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.system import System
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.wanted import wanted_of


@dataclasses.dataclass
class Pruning:
    """Removes every release of one app but the live one. Afterwards there is nothing to roll back to.

    Raises Impossible where no release is surely the one that serves.
    """

    layout: AppLayout
    system: System

    def __post_init__(self) -> None:
        self.records = Records(self.layout, self.system)
        self.live = self.records.live()
        if not self.live:
            raise Impossible("no release is live on this host; deploy first")
        if self.records.result(self.live) != GOOD or not self._is_well():
            # Another one may have to take over.
            raise Impossible(f"release {self.live} is live but isn't well; deploy first, and see status.yml")

    def _is_well(self) -> bool:
        """Whether all that serves is up, and answers."""
        layout = self.layout.release(self.live)
        front = read_json(self.layout.registration)["front"]
        wanted = wanted_of(layout, self.records.described(self.live), front)
        return instance.is_active(self.system, layout) and Prober(wanted, self.system).is_well()

    def busy(self) -> list[str]:
        """Releases that stay besides, because a job or a stream of theirs still runs."""
        return sorted(self.records.busy() - {self.live})

    def releases(self) -> list[str]:
        """Ids of those that go."""
        return sorted({*self.records.releases()} - {self.live, *self.busy()})

    def what(self) -> list[Path]:
        """All that goes, the links to it first."""
        links = [link for link in (self.layout.previous, self.layout.candidate) if link.is_symlink()]
        return [*links, *self.records.all_but({self.live, *self.busy()})]

    def run(self) -> list[Path]:
        """Do it; returns what went. Raises Refused and OSError. One that is cut off is finished by the next."""
        # What a rollback that was cut off owes the releases that go now.
        self.records.settle()
        drain = number(self.records.described(self.live).get("drain"))
        # What a run that was cut off after the flip has left still answers whoever came before.
        for release in sorted(self.records.with_units() - {self.live, *self.busy()}):
            instance.drain(self.system, self.layout.release(release), drain)
            instance.stop(self.system, self.layout.release(release))
        gone = self.what()
        remove_all(self.system, gone)
        return gone
