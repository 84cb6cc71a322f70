"""What is said of replaced libraries: a line for each host."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Found = Mapping[str, Any]


def to_restart(found: Found, settings: Iterable[Any], asked: str = "") -> list[str]:
    """Apps that get a new instance: outdated ones that the settings have, of those that were asked for."""
    names = {item.get("name") for item in settings if isinstance(item, Mapping) and item.get("state") != "absent"}
    wanted = [name.strip() for name in asked.split(",") if name.strip()]
    return [name for name in found["apps"] if name in names and (not wanted or name in wanted)]


def libraries_report(hosts: Iterable[Mapping[str, Any]], is_check: bool) -> str:
    """What was outdated on each host and what became of it, from the variables of the hosts.

    `found` is what the module `libraries` found before, `left` what it found after where anything was done, and
    `outdated` are the apps that got a new instance.
    """
    return "\n".join(f"{host['inventory_hostname']}: {_line(host, is_check)}" for host in hosts)


def _line(host: Mapping[str, Any], is_check: bool) -> str:
    found, left, restarted = host["found"], host.get("left", {}), host["outdated"]
    if not found["is_known"]:
        return "nothing is known until a run without --check has installed needrestart"
    words = []
    for name in found["apps"]:
        if name not in restarted:
            words.append(f"{name} is outdated, and no app of this run")
        elif is_check:
            words.append(f"{name} would get a new instance")
        else:
            words.append(f"{name} is STILL outdated" if name in left.get("apps", {}) else f"{name} got a new instance")
    if found["nginx"]:
        words.append("nginx would be replaced" if is_check else "nginx was replaced")
    if found["ending"]:
        words.append(f"ends by itself: {', '.join(found['ending'])}")
    if found["others"]:
        words.append(f"not ours, left alone: {', '.join(found['others'])}")
    return "; ".join(words) or "nothing runs with replaced libraries"
