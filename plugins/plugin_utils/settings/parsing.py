"""The apps that a person described, checked one by one and against each other."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.app import App
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.environment import names_only
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.keys import is_required
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.placement import Inventory, named_by
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.rules import WrongValue
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.tried_keys import tried
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.words import nearest, shown, shown_name

# Keys without which nothing can be said of the source.
LEADS_TO_SOURCE = {
    *("name", "source", "ref", "source_key", "sha256", "exclude", "package", "requirements", "extras"),
    *("module", "callable", "chdir", "static_folder", "state"),
}
# Keys whose values are never shown: people put there what others need not see.
NEVER_SHOWN = {"environment", "before_live", "after_live", "workers", "timers", "uwsgi_options"}
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


def quoted(name: str, value: Any) -> str:
    """How a message shows the value of a key."""
    return "" if name in NEVER_SHOWN or isinstance(value, Mapping) else f": {shown(value)}"


def parse_app(given: Mapping[str, Any], number: int, problems: list[str]) -> tuple[App | None, frozenset[str]]:
    """The app, what is wrong with it added to `problems`, with defaults in place of wrong values; None if those hide
    what its source is. Beside it the keys of these values. `number` counts from 1."""
    called = shown_name(given["name"]) if given.get("name") and isinstance(given["name"], str) else f"item {number}"
    problems += [
        f"web_apps: {called} has {name!r}, which is gone: {why}" for name, why in GONE.items() if name in given
    ]
    unknown = [name for name in given if name not in FIELDS and name not in GONE]
    problems += [f"web_apps: {called} has an unknown key {shown_name(it)}{instead_of(it)}" for it in unknown]
    # What a misspelt key was meant for is wrong too, but told already.
    wrong = {meant for it in unknown if (meant := meant_by(it))}
    problems += [f"web_apps: {called} {fault}" for fault in _missing({**dict.fromkeys(wrong), **given})]
    values: dict[str, Any] = {"server_names": []}
    for name, value in given.items():
        if name in FIELDS:
            try:
                values[str(name)] = FIELDS[name].metadata["rule"](value)
            except WrongValue as error:
                wrong.add(str(name))
                if name == "environment":
                    values["environment"] = names_only(value)
                problems.append(f"web_apps: {called} has {name!r}{quoted(name, value)}, but it {error}")
    if values.get("package") and "module" not in given and given.get("state") != "absent":
        lacking = "has 'package', so it needs the key 'module' too: the Python module in it that has the app"
        problems.append(f"web_apps: {called} {lacking}")
    is_known = "name" in values and not wrong & LEADS_TO_SOURCE
    return App(**values) if is_known else None, frozenset(wrong)


def meant_by(key: Any, known: Collection[str] = FIELDS) -> str:
    """The key that is meant by an unknown one; "" if it resembles none."""
    remedy, meant = tried(key)
    return meant if remedy else next(iter(difflib.get_close_matches(str(key), known, n=1)), "")


def instead_of(key: Any, known: Collection[str] = FIELDS) -> str:
    """What follows an unknown key: what to write, or all there are."""
    remedy, _meant = tried(key)
    return f"; {remedy}" if remedy else nearest(key, known, "keys")


def _missing(given: Mapping[str, Any]) -> Iterator[str]:
    """An absent app needs its name only."""
    for name, field in FIELDS.items():
        if is_required(field) and name not in given and (name == "name" or given.get("state") != "absent"):
            yield f"is missing the key {name!r}: {field.metadata['means']}"


class Claim(NamedTuple):
    """A host name that an app has: in which key, below which `prefix`, and on which `hosts`."""

    app: str
    key: str
    prefix: Any
    hosts: list[str]

    def is_beside(self, other: Claim) -> bool:
        """Whether the name may lead to both, each below its own prefix, or from both to elsewhere."""
        return self.key == other.key and self.prefix != other.prefix


def clashes(items: Given, inventory: Inventory) -> Iterator[str]:
    """Names that two apps claim. nginx only warns of a server name that appears twice, and serves one of them.

    On hosts of their own, two apps may have the same host name, and anywhere below prefixes of their own.
    """
    claims: dict[str, list[Claim]] = {}
    names: set[str] = set()
    for item in items:
        name = item.get("name")
        if not isinstance(name, str):
            continue
        if name in names:
            yield f"web_apps: the name {shown_name(name)} appears twice; each app needs a name of its own"
        names.add(name)
        for key, server_name in _claimed(item):
            claim = Claim(name, key, item.get("prefix", ""), named_by(item))
            earlier = claims.setdefault(str(server_name), [])
            near = (one for one in earlier if one.app == name or inventory.share(one.hosts, claim.hosts))
            rival = next((one for one in near if one.app == name or not one.is_beside(claim)), claim)
            earlier.append(claim)
            if rival.app != name:
                keys = f"'{key}'" if key == rival.key else f"'{key}' and '{rival.key}'"
                way_out = ", or to several with a 'prefix' of their own" if keys == "'server_names'" else ""
                yield (
                    f"web_apps: {shown_name(name)} and {shown_name(rival.app)} both have {shown_name(server_name)} in "
                    f"{keys}; a host name leads to one app{way_out}"
                )
            elif key != rival.key:
                yield (
                    f"web_apps: {shown_name(name)} has {shown_name(server_name)} in 'server_names' and in "
                    "'redirect_names'; keep one"
                )


def _claimed(item: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The host names of an item, with the key that each stands in. One that is on its way out claims none."""
    for key in ("server_names", "redirect_names"):
        listed = item.get(key) if item.get("state") != "absent" else None
        yield from ((key, name) for name in (listed if isinstance(listed, list) else []))
