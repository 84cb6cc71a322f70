"""What is decided for all hosts of an app together: which hooks are owed, who runs them, and who may then go live.

A hook is run once for the whole fleet of an app: the hosts that serve it, `hosts` of each item. It is remembered by a
key on these hosts, so an answer needs the memories of *all* of them, also of those outside this run. Every one of them
waits for its end, and none goes live unless it ended well. A host that doesn't serve the app isn't asked, and what it
remembers from earlier doesn't count: it may have been of another environment.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.parsing import items_of, names_of
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.placement import Inventory, placed_elsewhere
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.words import nearest, shown_name

Items = Sequence[Mapping[str, Any]]
# What a host remembers: {app: {"hooks": {"before": keys, "after": keys}}}, as the look tells it.
Memory = Mapping[str, Mapping[str, Any]]
# The same by host.
Memories = Mapping[str, Memory]

# A release that can go live on a host.
PREPARED = ("prepared",)
# One that is live there.
LIVE = ("live", "mended", "unchanged")


def owing(items: Items, memories: Memories, steps: Sequence[str] = ("before", "after")) -> list[str]:
    """Names of the apps with hooks that none of their hosts remembers, as far as it is known."""
    return [item["app"]["name"] for item in items if any(_owes(item, step, memories) for step in steps)]


def _owes(item: Mapping[str, Any], step: str, memories: Memories) -> bool:
    hooks, name = item["release"]["hooks"], item["app"]["name"]
    known = [memories[host].get(name, {}) for host in item["hosts"] if host in memories]
    done = [key for memory in known for key in memory.get("hooks", {}).get(step, [])]
    return bool(hooks[step]) and hooks["key"] not in done


def outsiders(items: Items, memories: Memories, playing: Sequence[str]) -> list[str]:
    """Hosts outside this run whose memories matter: they serve an app of which nobody here remembers the hooks.

    `items` are those of all hosts of the run, which needn't have the same apps.
    """
    asked = [host for item in items if owing([item], memories) for host in item["hosts"] if host not in playing]
    return list(dict.fromkeys(asked))


def memories(hosts: Sequence[str], answers: Iterable[Mapping[str, Any]]) -> dict[str, Memory]:
    """What hosts have answered, by host; `answers` are those of `hosts`, in their order."""
    return {host: answer["look"]["apps"] for host, answer in zip(hosts, answers, strict=True) if "look" in answer}


def first_hosts(hosts: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """By app, the first host that serves it: the one for what runs on one host alone, be it in this run or not.

    `hosts` are the variables of all hosts of the fleet, in the order of the inventory.
    """
    first: dict[str, str] = {}
    for host in hosts:
        name = str(host["inventory_hostname"])
        items = items_of(host.get("web_apps", []), [])
        shared = host.get("web_app_defaults")
        wanted = [{**(shared if isinstance(shared, Mapping) else {}), **item} for item in items]
        left = placed_elsewhere(wanted, Inventory(name, host.get("groups", {})))
        for app in names_of([item for item in wanted if item.get("state") != "absent" and item not in left]):
            first.setdefault(app, name)
    return first


def handed_over(left: Items, outcomes: Mapping[str, Items]) -> list[str]:
    """The marks that apps have `left` on a host: what runs on one host alone runs on another now.

    `left` are the plan's, `outcomes` what became of each app by host. Until it is live there, the old host goes on.
    """
    return [
        app["first_host"]
        for app in left
        if any(one["app"] == app["name"] and one["now"] for one in outcomes.get(app["hosts"][0], []))
    ]


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
    items: Items, names: Sequence[str], hosts: Sequence[str], answers: Iterable[Mapping[str, Any]], choice: str
) -> dict[str, str]:
    """Those of `names` that are held back because a host of theirs can't be asked whether their hooks have been run.

    With the reason. `answers` are those of `hosts`, in their order; `choice` is "run" or "skip" where a person has
    decided.
    """
    mute = [host for host, answer in zip(hosts, answers, strict=True) if "look" not in answer]
    silent = {item["app"]["name"]: [host for host in mute if host in item["hosts"]] for item in items}
    return {
        name: f"{', '.join(silent[name])} can't be asked whether the hooks of this release have been run: "
        "say -e hooks=run to run them now, or -e hooks=skip if they have been"
        for name in names
        if silent[name] and choice not in ("run", "skip")
    }


def arrived(apps: Sequence[Mapping[str, Any]], results: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Of the plan's apps those that were below another path until their release went live, without that path now.

    `results` is what became of each app on this host.
    """
    live = {one["app"]: one["now"] for one in results}
    return [
        {**item, "site": _at_one_place(item["site"])}
        for item in apps
        if len(item["site"]["places"]) > 1 and live.get(item["app"]["name"]) == item["release"]["id"]
    ]


def _at_one_place(site: Mapping[str, Any]) -> dict[str, Any]:
    one = {"places": site["places"][:1], "is_below": bool(site["places"][0][-1])}
    return {**site, **one, "waiting": {**site["waiting"], **one}}


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


def app_fault(known: Iterable[str], chosen: Sequence[Any]) -> str:
    """Why a run can't be about the chosen app, or about the only one there is if none is chosen; "" if it can.

    `known` are the apps of all its hosts together.
    """
    names = sorted({*known})
    unknown = [name for name in chosen if name not in names]
    if unknown:
        return f"app: no host of this run has {shown_name(unknown[0])}{nearest(unknown[0], names, 'apps')}"
    if chosen or len(names) == 1:
        return ""
    known_apps = f"Known apps: {', '.join(names)}"
    return f"app: say which, with -e app=<name>. {known_apps}" if names else "no host of this run has an app"
