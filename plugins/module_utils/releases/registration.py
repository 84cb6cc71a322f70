"""Which apps on a host are ours: a file for each, outside their directories, without which nothing is ever removed."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.uwsgi_flask.web.plugins.module_utils.files import OwnedFile
from ansible_collections.uwsgi_flask.web.plugins.module_utils.layout import AppLayout
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.records import number, read_json
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.refused import Impossible, Refused
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.system import System
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.wanted import Front, app_layout

# Where an app is can't change while it is there: these would lead to another place.
FIXED = ("app_root", "run_root")
# Without one of these it says nothing.
PARTS = {"name", "app_root", "run_root", "user", "group", "front"}


def register(system: System, layout: AppLayout, front: Front, timeout: float) -> bool:
    """Note that the app is ours, before anything of it is made, and how visitors ask for it. True if that is new.

    Raises Refused where its places are taken.
    """
    there = read_json(layout.registration)
    # That of an app that was removed is no licence; one that somebody has damaged is written anew.
    is_ours = layout.registration.exists() and not (is_whole(there) and there.get("removed"))
    if not is_ours or not is_whole(there):
        there = {}
    content = {
        "name": layout.name,
        "app_root": layout.app_root,
        "run_root": layout.run_root,
        "user": layout.user,
        "group": layout.group,
        "front": dataclasses.asdict(front),
        # It never falls while the app is there: a deploy that prunes a release must not make nginx load anything.
        # With whom its data is shared, noted when that is done.
        "data": there.get("data"),
        "longest_timeout": max(int(timeout), number(there.get("longest_timeout"))),
    }
    for name in FIXED:
        if there and there.get(name) != content[name]:
            raise Refused(
                "place",
                f"it is in {there.get(name)} on this host, but web_{name} is {content[name]}: set that back, "
                f"or take the app off first (teardown.yml -e app={layout.name})",
            )
    if not is_ours:
        _refuse_strangers(layout)
    file = OwnedFile(layout.registration, json.dumps(content, indent=2) + "\n", mode=0o600)
    if file.is_right():
        return False
    system.put(file)
    return True


def _refuse_strangers(layout: AppLayout) -> None:
    """Raise Refused if the app's places hold what another program may have put there."""
    if layout.root.exists() and any(layout.root.iterdir()):
        raise Refused(
            "place", f"{layout.root} is there and isn't ours: choose another name for the app, or move it away"
        )
    # An app of that name would take over what another program has below /run.
    taken = [path for path in (layout.run, layout.tmpfiles) if os.path.lexists(path)]
    if taken:
        raise Refused("place", f"{taken[0]} is there and isn't ours: choose another name for the app, or remove it")
    stranger = _owner(layout.data)
    if stranger not in ("", "root", layout.user):
        raise Refused(
            "place",
            f"{layout.data} belongs to {stranger}, and would become the app's data: choose another name for the app; "
            f"or, if it is the app's own, give it to the app: chown -R {layout.user} {layout.data}",
        )


def _owner(path: Path) -> str:
    """Who owns a path; "" if it isn't there, or if its owner's account was removed."""
    try:
        return path.owner()
    except (FileNotFoundError, KeyError):
        return ""


def is_whole(registration: Mapping[str, Any]) -> bool:
    return registration.keys() >= PARTS


def registered(prefix: str = "", with_removed: bool = False) -> Iterator[tuple[AppLayout, dict[str, Any]]]:
    """Every app of this host with its registration; those of which only the data is left too, if asked for."""
    folder = AppLayout("any", prefix=prefix).registration.parent
    for path in sorted(folder.glob("*.json")):
        content = read_json(path)
        if is_whole(content) and (with_removed or not content.get("removed")):
            yield app_layout(content, prefix), content


def find(app: str, prefix: str = "") -> tuple[AppLayout, dict[str, Any]]:
    """The app of this name; without a name, the only one there is. Raises Impossible."""
    every = list(registered(prefix=prefix))
    names = [layout.name for layout, _content in every]
    known = f"Apps on this host: {', '.join(names)}"
    if not names:
        raise Impossible("no app is deployed on this host")
    if not app and len(every) == 1:
        return every[0]
    if not app:
        raise Impossible(f"say which app, with -e app=<name>. {known}")
    if app not in names:
        raise Impossible(f"there is no app {app!r} on this host. {known}")
    return every[names.index(app)]
