"""What all apps share, `web_app_defaults`: the keys of an app, by the same rules."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.parsing import (
    FIELDS,
    LEADS_TO_SOURCE,
    instead_of,
    meant_by,
    quoted,
)
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.rules import WrongValue
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.words import shown_name

DEFAULTS = "web_app_defaults"
# What every app has for itself.
ITS_OWN = ("name", "server_names", "redirect_names", "source", "ref", "package", "state", "purge")


@dataclasses.dataclass(frozen=True)
class Defaults:
    """What all apps share: values by key, and the keys whose values were wrong, which are told once."""

    values: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    wrong: frozenset[str] = frozenset()

    def with_own(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """An app's item, completed. Of dictionaries both have, each key counts for itself."""
        if given.get("state") == "absent":
            return dict(given)
        whole = {**self.values, **given}
        for name, shared in self.values.items():
            if isinstance(shared, Mapping) and isinstance(given.get(name), Mapping):
                whole[name] = {**shared, **given[name]}
        return whole

    def hide_source_of(self, given: Mapping[str, Any]) -> bool:
        """Whether a wrong one is what would lead to an app's source."""
        return bool((self.wrong - given.keys()) & LEADS_TO_SOURCE)


def parse_defaults(given: Any, problems: list[str]) -> Defaults:
    """`web_app_defaults`, what is wrong with it added to `problems`."""
    if not isinstance(given, Mapping):
        problems.append(f"{DEFAULTS}: must be a dictionary of keys of an app (processes: 4)")
        return Defaults()
    shareable = [name for name in FIELDS if name not in ITS_OWN]
    values: dict[str, Any] = {}
    wrong: set[str] = set()
    for name, value in given.items():
        if name not in shareable:
            own = f"has {name!r}, which belongs to each app itself; write it there"
            unknown = f"has an unknown key {shown_name(name)}{instead_of(name, shareable)}"
            problems.append(f"{DEFAULTS}: {own if name in FIELDS else unknown}")
            wrong |= {meant_by(name, shareable)} - {""}
            continue
        try:
            FIELDS[name].metadata["rule"](value)
            values[name] = value
        except WrongValue as error:
            wrong.add(name)
            problems.append(f"{DEFAULTS}: has {name!r}{quoted(name, value)}, but it {error}")
    return Defaults(values, frozenset(wrong))
