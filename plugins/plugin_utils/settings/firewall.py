"""What a person may have the firewall leave open."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.rules import WrongValue, networks, port
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.words import nearest, shown_name

KEYS = ("port", "protocol", "from")
PROTOCOLS = ("tcp", "udp")
FORM = "{port: 9100, protocol: tcp, from: [192.0.2.0/24]}, of which only the port is needed"


def openings(value: Any) -> list[dict[str, Any]]:
    """Ports with their `protocol` and whom they are open to (`from`, everybody if that is empty)."""
    if not isinstance(value, list):
        raise WrongValue(f"must be a list of {FORM}")
    return [_opening(number, item) for number, item in enumerate(value, start=1)]


def _opening(number: int, item: Any) -> dict[str, Any]:
    for name in item if isinstance(item, Mapping) else ():
        if name not in KEYS:
            unknown = f"has an unknown key {shown_name(name)}{nearest(name, KEYS, 'keys')}"
            raise WrongValue(f"must be a list of {FORM}; its item {number} {unknown}")
    if not isinstance(item, Mapping) or "port" not in item:
        raise WrongValue(f"must be a list of {FORM}; its item {number} isn't one")
    protocol = item.get("protocol", "tcp")
    if protocol not in PROTOCOLS:
        raise WrongValue(f"must have a 'protocol' of tcp or udp; its item {number} has another")
    opening: dict[str, Any] = {"protocol": protocol, "from": []}
    for name, rule in (("port", port), ("from", networks)):
        if name in item:
            try:
                opening[name] = rule(item[name])
            except WrongValue as error:
                raise WrongValue(f"must be a list of {FORM}; in its item {number} '{name}' {error}") from None
    if "from" in item and not opening["from"]:
        raise WrongValue(f"must not have an empty 'from', which would let in nobody: leave it out in item {number}")
    return opening
