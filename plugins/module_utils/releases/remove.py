"""Taking an app off a host: only what is registered as ours, and its data only if that is asked for."""

from __future__ import annotations

import contextlib
import dataclasses
import grp
import json
import pwd
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.uwsgi_flask.web.plugins.module_utils.files import OwnedFile
from ansible_collections.uwsgi_flask.web.plugins.module_utils.layout import AppLayout
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases import instance
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.records import Records, read_json
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.registration import registered
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.system import System

# Debian numbers people's accounts from here on.
FIRST_PERSON = 1000


@dataclasses.dataclass
class Removal:
    """Takes one registered app off. Its data stays, and stays registered, unless `purge`."""

    layout: AppLayout
    system: System
    purge: bool = False

    def what(self) -> list[str]:
        """All that would go: units and paths."""
        layout = self.layout
        if not self._is_whole():
            # Whatever is in the other places now, somebody else has put there.
            left = [layout.data] if self.purge and layout.data.exists() else []
            return [*map(str, left), *([str(layout.registration)] if self._forgets() else [])]
        units = self.system.units(layout.unit_pattern())
        paths = [layout.root, layout.run, layout.tmpfiles, layout.build, layout.build_links, *self._unit_files()]
        if self.purge:
            paths.append(layout.data)
        there = [path for path in paths if path.is_symlink() or path.exists()]
        goes = [*sorted(unit for unit in units if layout.release_of(unit)), *map(str, there)]
        return [*goes, *([str(layout.registration)] if self._forgets() else [])]

    def run(self) -> list[str]:
        """Do it; returns what went. The registration goes last, so one that is cut off is finished by the next."""
        layout = self.layout
        gone = self.what()
        if not gone:
            return []
        if self._is_whole():
            self._remove_places()
        if self.purge:
            self.system.remove(layout.data)
        if not layout.data.exists():
            self.system.remove(layout.registration)
            self._remove_if_empty(layout.registration.parent)
        elif self._is_whole():
            content = {**read_json(layout.registration), "removed": True}
            self.system.put(OwnedFile(layout.registration, json.dumps(content, indent=2) + "\n", mode=0o600))
        return gone

    def _remove_places(self) -> None:
        """Stop the app and remove all that is ours, but for its data."""
        layout = self.layout
        records = Records(layout, self.system)
        for release in sorted(records.with_units() | records.busy()):
            instance.stop(self.system, layout.release(release), with_jobs=True)
        self.system.run(["systemctl", "stop", layout.build_unit])
        built = (layout.build, layout.build_links)
        for path in [*self._unit_files(), layout.tmpfiles, layout.run, layout.root, *built]:
            self.system.remove(path)
        self.system.reload_units()
        for path in built:
            self._remove_if_empty(path.parent)

    def _unit_files(self) -> list[Path]:
        found = self.layout.units.glob(self.layout.unit_pattern())
        return sorted(path for path in found if self.layout.release_of(path.name))

    def _is_whole(self) -> bool:
        """Whether the registration still speaks of more than data."""
        return not read_json(self.layout.registration).get("removed")

    def _forgets(self) -> bool:
        """Whether nothing would be left to remember."""
        return self.layout.registration.exists() and (self.purge or not self.layout.data.exists())

    @staticmethod
    def _remove_if_empty(folder: Path) -> None:
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def spare_accounts(gone: Iterable[Removal], every: bool = False, prefix: str = "") -> dict[str, list[str]]:
    """`users` and `groups` that nothing needs once these apps are off the host.

    An app's own go with its data: as long as that is there, another account must not get their numbers. `every` names
    those of all these apps, but never one that a person logs in with.
    """
    left = {layout.name: layout for layout, _content in registered(prefix, with_removed=True)}
    spare: dict[str, set[str]] = {"users": set(), "groups": set()}
    for removal in gone:
        layout = removal.layout
        left.pop(layout.name, None)
        if every or removal.purge or not layout.data.exists():
            spare["groups"].add(layout.group)
            spare["users"] |= {layout.user} if every or layout.user == layout.group else set()
    needed = {name for layout in left.values() for name in (layout.user, layout.group)} | {"root"}
    return {
        kind: sorted(name for name in names - needed if (_number(kind, name) or FIRST_PERSON) < FIRST_PERSON)
        for kind, names in spare.items()
    }


def _number(kind: str, name: str) -> int | None:
    """The number of a user or group, if there is one."""
    with contextlib.suppress(KeyError):
        return pwd.getpwnam(name).pw_uid if kind == "users" else grp.getgrnam(name).gr_gid
    return None


def removals(
    system: System, apps: Iterable[Mapping[str, Any]], every: bool = False, purge: bool = False, prefix: str = ""
) -> list[Removal]:
    """Those of `every` app that is registered, or of `apps` (`name` and `purge` of each) as far as they are."""
    there = {layout.name: layout for layout, _content in registered(prefix, with_removed=True)}
    if every:
        return [Removal(layout, system, purge) for layout in there.values()]
    return [Removal(there[app["name"]], system, bool(app["purge"])) for app in apps if app["name"] in there]
