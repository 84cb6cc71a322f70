"""On which hosts an app is served: those that its key `hosts` names, by themselves or by a group; without it on all."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.rules import WrongValue
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.words import LISTED, nearest, shown, shown_name

# The group whose hosts are deployed to.
WEB = "web"
# What a pattern of Ansible's has, and a name hasn't.
OF_PATTERNS = set("*?!&,~")


def host_names(value: Any) -> list[str]:
    """Names of hosts and groups; there may be none."""
    if not isinstance(value, list):
        raise WrongValue("must be a list of hosts and groups of the inventory ([web1.example.com, staging])")
    for name in value:
        if not isinstance(name, str) or not name.strip():
            raise WrongValue(f"must be a list of hosts and groups of the inventory; {shown(name)} isn't one")
        if OF_PATTERNS & set(name):
            raise WrongValue(f"must name hosts and groups, without patterns; {shown(name)} is one")
    return [str(name) for name in dict.fromkeys(value)]


@dataclasses.dataclass(frozen=True)
class Inventory:
    """What Ansible knows of hosts: `host` is the one that is asked about, `groups` has the hosts of each group.

    Hosts outside a run (`--limit`) are in it too.
    """

    host: str = ""
    groups: Mapping[str, Sequence[str]] = dataclasses.field(default_factory=dict)

    def places(self, named: Sequence[str], host: str = "") -> bool:
        """Whether an app with these `hosts` is served on a host, the own one if none is given."""
        host = host or self.host
        return not named or host in named or any(host in self.groups.get(name, ()) for name in named)

    def serving(self, named: Sequence[str]) -> list[str]:
        """The hosts that serve an app with these `hosts`."""
        return [host for host in self.groups.get(WEB, ()) if self.places(named, host)]

    def share(self, one: Sequence[str], other: Sequence[str]) -> bool:
        """Whether some host may serve both."""
        return not self.groups or not {*self.serving(one)}.isdisjoint(self.serving(other))

    def faults(self, named: Sequence[str]) -> Iterator[str]:
        """What is wrong with an app's `hosts`, as the ends of sentences."""
        hosts = {host for members in self.groups.values() for host in members}
        unknown = [name for name in named if name not in hosts and name not in self.groups]
        for name in unknown:
            known = sorted({*hosts, *self.groups})
            yield (
                f"{shown_name(name)} is neither a host nor a group of the inventory"
                f"{nearest(name, known, 'hosts and groups', LISTED)}"
            )
        if named and not unknown and not self.serving(named):
            yield f"no host of the group '{WEB}' is among {', '.join(named)}, so nobody would serve it"


def named_by(item: Mapping[str, Any]) -> list[str]:
    """The `hosts` of an item of `web_apps`, be it right or wrong."""
    given = item.get("hosts")
    return [name for name in given if isinstance(name, str)] if isinstance(given, list) else []


def placed_elsewhere(items: Iterable[Mapping[str, Any]], inventory: Inventory) -> list[Mapping[str, Any]]:
    """The apps that are served on other hosts alone."""
    return [item for item in items if item.get("state") != "absent" and not inventory.places(named_by(item))]
