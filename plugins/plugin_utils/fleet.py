"""What is decided for all hosts of an app together: which hooks are owed, who runs them, and who may then go live.

A hook is run once for the whole fleet. It is remembered by a key on the hosts, so an answer needs the memories of *all*
hosts of the app, also of those outside this run. Every host waits for its end, and none goes live unless it ended well.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.parsing import items_of, names_of

Items = Sequence[Mapping[str, Any]]
# What a host remembers: {app: {"hooks": {"before": keys, "after": keys}}}, as the look tells it.
Memory = Mapping[str, Mapping[str, Any]]

# A release that can go live on a host.
PREPARED = ("prepared",)
# One that is live there.
LIVE = ("live", "mended", "unchanged")


def owing(items: Items, memories: Iterable[Memory], steps: Sequence[str] = ("before", "after")) -> list[str]:
    """Names of the apps with hooks that none of these hosts remembers."""
    known = list(memories)
    return [item["app"]["name"] for item in items if any(_owes(item, step, known) for step in steps)]


def _owes(item: Mapping[str, Any], step: str, memories: Sequence[Memory]) -> bool:
    hooks, name = item["release"]["hooks"], item["app"]["name"]
    done = [key for memory in memories for key in memory.get(name, {}).get("hooks", {}).get(step, [])]
    return bool(hooks[step]) and hooks["key"] not in done


def first_hosts(hosts: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """By app, the first host that serves it: the one for what runs on one host alone, be it in this run or not.

    `hosts` are the variables of all hosts of the fleet, in the order of the inventory.
    """
    first: dict[str, str] = {}
    for host in hosts:
        items = items_of(host.get("web_apps", []), [])
        for name in names_of([item for item in items if item.get("state") != "absent"]):
            first.setdefault(name, str(host["inventory_hostname"]))
    return first


def leader(app: str, results: Mapping[str, Mapping[str, Any]], states: Sequence[str]) -> str:
    """The first host on which the app is in one of these states; "" if it is so nowhere.

    `results` is what the module `release` returned, by host, in the order of the hosts; a host may be missing.
    """
    for host, result in results.items():
        if any(one["app"] == app and one["result"] in states for one in (result or {}).get("apps", [])):
            return host
    return ""


def led(
    items: Items, host: str, names: Sequence[str], results: Mapping[str, Mapping[str, Any]], states: Sequence[str]
) -> list[dict[str, str]]:
    """The hooks that this host runs for all: `app`, `release` and `key` of each."""
    return [
        {"app": item["app"]["name"], "release": item["release"]["id"], "key": item["release"]["hooks"]["key"]}
        for item in items
        if item["app"]["name"] in names and leader(item["app"]["name"], results, states) == host
    ]


def held_back(
    names: Sequence[str], results: Mapping[str, Mapping[str, Any]], ended: Mapping[str, Mapping[str, Any]]
) -> dict[str, str]:
    """Apps that must not go live anywhere, with the reason: their hook failed, or nobody can say that it ended well.

    `ended` is what the module `hooks` returned, by host.
    """
    reasons = {}
    for app in names:
        host = leader(app, results, PREPARED)
        said = ended.get(host) or {}
        if not host:
            continue
        if "failed_apps" not in said:
            reasons[app] = f"{host} was to run before_live, and was lost on the way: nobody knows how it ended"
        elif app in said["failed_apps"]:
            reasons[app] = f"before_live failed on {host}\n{said['failed_apps'][app]}"
    return reasons


def unasked(
    names: Sequence[str], hosts: Sequence[str], answers: Iterable[Mapping[str, Any]], choice: str
) -> dict[str, str]:
    """Apps that are held back because a host can't be asked whether their hooks have been run, with the reason.

    `answers` are those of `hosts`, in their order; `choice` is "run" or "skip" where a person has decided.
    """
    silent = [host for host, answer in zip(hosts, answers, strict=True) if "look" not in answer]
    if not silent or choice in ("run", "skip"):
        return {}
    reason = (
        f"{', '.join(silent)} can't be asked whether the hooks of this release have been run: "
        "say -e hooks=run to run them now, or -e hooks=skip if they have been"
    )
    return dict.fromkeys(names, reason)


def proven_twice(names: Mapping[str, Sequence[str]]) -> list[str]:
    """What is wrong with names that a CA would have to find on several hosts, a line each.

    `names` has, by host, those that are proven by answering for them on port 80.
    """
    hosts: dict[str, list[str]] = {}
    for host, proven in names.items():
        for name in proven:
            hosts.setdefault(name, []).append(host)
    return [
        f"web_apps: 'tls: acme' and {name} on {', '.join(on)}: a CA asks only one of them; use 'tls: files', or prove "
        "names by DNS (web_acme_dns_plugin)"
        for name, on in hosts.items()
        if len(on) > 1
    ]
