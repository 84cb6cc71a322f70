"""The apps that a person described, checked one by one and against each other."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.app import App
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.keys import is_required
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.rules import WrongValue
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.words import nearest, shown, shown_name

# Keys without which nothing can be said of the source.
LEADS_TO_SOURCE = {"name", "source", "module", "requirements", "extras", "package", "static_folder", "state"}
# Keys whose values are never shown: people put there what others need not see.
NEVER_SHOWN = {"environment", "before_live", "after_live"}
# Keys that were, with what to do instead.
GONE = {"require_hashes": "requirements without hashes are locked by the run itself; leave the key out"}

FIELDS = {field.name: field for field in dataclasses.fields(App)}

Given = Sequence[Mapping[str, Any]]


def items_of(apps: Any, problems: list[str]) -> list[Mapping[str, Any]]:
    """The items of `web_apps`; none, and a problem, where it is no list of dictionaries."""
    if isinstance(apps, list) and all(isinstance(app, Mapping) for app in apps):
        return list(apps)
    problems.append("web_apps: must be a list of dictionaries, one for each app (begin each with '- name: …')")
    return []


def names_of(items: Given) -> list[str]:
    """What the apps are called, be their other keys right or wrong."""
    return [str(item["name"]) for item in items if isinstance(item.get("name"), str)]


def parse_app(given: Mapping[str, Any], number: int, problems: list[str]) -> App | None:
    """The app, what is wrong with it added to `problems`, with defaults in place of wrong values; None if those hide
    what its source is. `number` counts from 1."""
    called = shown_name(given["name"]) if given.get("name") and isinstance(given["name"], str) else f"item {number}"
    problems += [
        f"web_apps: {called} has {name!r}, which is gone: {why}" for name, why in GONE.items() if name in given
    ]
    unknown = [name for name in given if name not in FIELDS and name not in GONE]
    problems += [
        f"web_apps: {called} has an unknown key {shown_name(it)}{nearest(it, FIELDS, 'keys')}" for it in unknown
    ]
    problems += [f"web_apps: {called} {fault}" for fault in _missing(given)]
    # What a misspelt key was meant for is wrong too.
    wrong = {near for it in unknown for near in difflib.get_close_matches(str(it), FIELDS, n=1)}
    values: dict[str, Any] = {"server_names": []}
    for name, value in given.items():
        if name in FIELDS:
            try:
                values[str(name)] = FIELDS[name].metadata["rule"](value)
            except WrongValue as error:
                wrong.add(str(name))
                quoted = "" if name in NEVER_SHOWN or isinstance(value, Mapping) else f": {shown(value)}"
                problems.append(f"web_apps: {called} has {name!r}{quoted}, but it {error}")
    return None if "name" not in values or wrong & LEADS_TO_SOURCE else App(**values)


def _missing(given: Mapping[str, Any]) -> Iterator[str]:
    """An absent app needs its name only."""
    for name, field in FIELDS.items():
        if is_required(field) and name not in given and (name == "name" or given.get("state") != "absent"):
            yield f"is missing the key {name!r}: {field.metadata['means']}"


def clashes(items: Given) -> Iterator[str]:
    """Names that two apps claim. nginx only warns of a server name that appears twice, and serves one of them."""
    owners: dict[str, str] = {}
    names: set[str] = set()
    for item in items:
        name = item.get("name")
        if not isinstance(name, str):
            continue
        if name in names:
            yield f"web_apps: the name {shown_name(name)} appears twice; each app needs a name of its own"
        names.add(name)
        # An app that is on its way out leaves its host names to others.
        listed = item.get("server_names") if item.get("state") != "absent" else None
        for server_name in listed if isinstance(listed, list) else []:
            owner = owners.setdefault(str(server_name), name)
            if owner != name:
                yield (
                    f"web_apps: {shown_name(name)} and {shown_name(owner)} both have {shown_name(server_name)} in "
                    "'server_names'; a host name leads to one app"
                )
