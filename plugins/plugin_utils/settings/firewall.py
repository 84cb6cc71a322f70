"""What a person may have the firewall leave open."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.rules import WrongValue, networks, port
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.words import shown

KEYS = {"port", "protocol", "from"}
PROTOCOLS = ("tcp", "udp")
FORM = "{port: 9100, protocol: tcp, from: [192.0.2.0/24]}, of which only the port is needed"


def openings(value: Any) -> list[dict[str, Any]]:
    """Ports with their `protocol` and whom they are open to (`from`, everybody if that is empty)."""
    if not isinstance(value, list):
        raise WrongValue(f"must be a list of {FORM}")
    found = []
    for item in value:
        if not isinstance(item, Mapping) or "port" not in item or not {*item} <= KEYS:
            raise WrongValue(f"must be a list of {FORM}; {shown(item)} isn't one")
        protocol = item.get("protocol", "tcp")
        if protocol not in PROTOCOLS:
            raise WrongValue(f"must have a 'protocol' of tcp or udp, not {shown(protocol)}")
        try:
            sources = networks(item["from"]) if "from" in item else []
            found.append({"port": port(item["port"]), "protocol": protocol, "from": sources})
        except WrongValue as error:
            raise WrongValue(f"must be a list of {FORM}; in {shown(item)} a value {error}") from None
        if "from" in item and not sources:
            raise WrongValue(f"must not have an empty 'from', which would let in nobody; leave it out in {shown(item)}")
    return found
