"""What `status.yml` says, tables for people and JSON for programs, and why a run fails."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.uwsgi_flask.web.plugins.module_utils.names import called
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.defaults import DEFAULTS, Defaults
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.parsing import items_of, names_of
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.placement import (
    Inventory,
    named_by,
    placed_elsewhere,
)
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.tables import size, table

STATUS = (
    "HOST", "APP", "LIVE", "REF", "SINCE", "BY", "ANSWER", "TIME", "WORKERS", "REQUESTS", "MEMORY", "QUEUE", "RESTARTS",
    "DISK",
)  # fmt: skip
# Raised where the JSON is changed so that a program that reads it must be; docs/status.schema.json describes it.
SCHEMA = 1
# A certificate that is valid for fewer deserves a warning.
FEW_DAYS = 20
# Of each app that is on a host where it isn't placed, `name`, its key `elsewhere`, and `hosts`, which shall serve it.
Misplaced = Sequence[Mapping[str, Any]]
BAD_RESULTS = ("refused", "failed", "would be refused")


def misplaced(elsewhere: Mapping[str, Misplaced]) -> list[str]:
    """A line for each app that is on hosts where it isn't placed; `elsewhere` has those of each host."""
    hosts: dict[str, list[str]] = {}
    apps = {one["name"]: one for every in elsewhere.values() for one in every}
    for host, every in elsewhere.items():
        for one in every:
            hosts.setdefault(one["name"], []).append(host)
    return [
        f"{name} is still on {', '.join(on)}, where its 'hosts' doesn't place it: {_fate(apps[name], on)}"
        for name, on in hosts.items()
    ]


def _fate(app: Mapping[str, Any], hosts: Sequence[str]) -> str:
    if app["elsewhere"] == "remove":
        return f"the next run in which it is live on {' or '.join(app['hosts'])} removes it"
    limit = f"-e app={app['name']} --limit {','.join(hosts)}"
    return f"it serves on there; to remove it, give it 'elsewhere: remove', or run teardown.yml {limit}"


def faults(results: Sequence[Mapping[str, Any]]) -> str:
    """Why apps weren't taken on one host, the cause of each last; "" if all were."""
    return "\n\n".join(one["message"] for one in results if one["result"] in BAD_RESULTS)


def certificate_faults(failed: Mapping[str, str]) -> str:
    """Why apps on one host have no certificate as it should be, a line each; `failed` has the reason by app."""
    return "\n".join(f"{called(app)}: couldn't get its certificate: {reason}" for app, reason in failed.items())


def status_of_hosts(reached: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """What `status_report` prints, from the variables of the hosts that answered."""
    return {
        host["inventory_hostname"]: {
            "apps": [
                {**app, **host["workers"]["apps"][app["app"]], "cores": host["workers"]["cores"]}
                for app in host["reported"]["apps"]
            ],
            "nginx": host["nginx_reported"]["drift"],
            "certificates": host["nginx_reported"]["certificates"],
            "failed_certificates": host["nginx_reported"]["failed_certificates"],
            "failed_renewals": host["nginx_reported"]["failed_renewals"],
            "unmanaged": _unmanaged(host),
            "elsewhere": _elsewhere(host),
        }
        for host in reached
    }


def _unmanaged(host: Mapping[str, Any]) -> list[str]:
    """Apps of a host that its web_apps doesn't name; none where there is no such variable, because nothing is known."""
    if "web_apps" not in host:
        return []
    named = names_of(items_of(host["web_apps"], []))
    return [app["app"] for app in host["reported"]["apps"] if app["app"] not in named]


def _elsewhere(host: Mapping[str, Any]) -> Misplaced:
    """Apps of a host that its web_apps places on others alone."""
    shared = host.get(DEFAULTS, {})
    defaults = Defaults(shared if isinstance(shared, Mapping) else {})
    items = [defaults.with_own(item) for item in items_of(host.get("web_apps"), [])]
    inventory = Inventory(host["inventory_hostname"], host.get("groups", {}))
    there = [app["app"] for app in host["reported"]["apps"]]
    return [
        {"name": it["name"], "elsewhere": it.get("elsewhere", "report"), "hosts": inventory.serving(named_by(it))}
        for it in placed_elsewhere(items, inventory)
        if it.get("name") in there
    ]


def rows_of(hosts: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The apps of all hosts, each with its host."""
    return [
        # The socket was only for asking the workers.
        {"host": host, **{name: value for name, value in app.items() if name != "stats_socket"}}
        for host, said in hosts.items()
        for app in said["apps"]
    ]


def status_report(hosts: Mapping[str, Mapping[str, Any]], form: str = "table") -> str:
    """The whole report. `hosts` holds for each host `apps`, `unmanaged`, `elsewhere` and `nginx` (what differs there).

    `form` is "table" or "json"; the JSON is one line.
    """
    rows = rows_of(hosts)
    if form == "json":
        extra = [
            {
                "host": host,
                "nginx_drift": said["nginx"],
                "certificates": said["certificates"],
                "failed_certificates": said["failed_certificates"],
                "failed_renewals": said["failed_renewals"],
                "unmanaged": said["unmanaged"],
                "elsewhere": [one["name"] for one in said["elsewhere"]],
            }
            for host, said in hosts.items()
        ]
        return json.dumps({"schema": SCHEMA, "apps": rows, "hosts": extra}, sort_keys=True)
    return "\n".join([*table(STATUS, map(_cells, rows)), *_remarks(rows, hosts)])


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        row["host"],
        row["app"],
        row["live"] or "none",
        source_called(row["ref"], row["commit"]),
        when(row["since"]),
        row["by"] or "-",
        row["answer"] or "-",
        f"{row['answer_ms']} ms",
        f"{row['busy']} busy, {row['idle']} idle",
        str(row["requests"]),
        size(row["memory"]),
        str(row["queue"]),
        str(row["restarts"]),
        size(row["disk"]),
    )


def resized(row: Mapping[str, Any]) -> list[str]:
    """What to do where an app that has a worker for each core was started when the host had more or fewer of them."""
    workers, cores = row["busy"] + row["idle"], row["cores"]
    if not row["per_core"] or workers in (0, cores):
        return []
    told = f"started with {many(workers, 'worker')}; the host has {many(cores, 'core')}"
    return [f"{told}: site.yml -e restart={row['app']}"]


def many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def when(at: str) -> str:
    """A time as people read it."""
    return at.replace("T", " ").replace("+00:00", "Z") or "-"


def source_called(ref: str, commit: str) -> str:
    """What the source is called, and the commit unless that is its name."""
    if commit and commit.startswith(ref):
        return commit[:12]
    return "@".join(filter(None, (ref, commit[:12]))) or "-"


def _remarks(rows: Sequence[Mapping[str, Any]], hosts: Mapping[str, Mapping[str, Any]]) -> list[str]:
    lines = []
    for row in rows:
        results = [_result(entry) for entry in row["last"]]
        lines += ["", f"{row['host']} {row['app']}: last results", *(f"  {line}" for line in reversed(results))]
        lines += [f"  to roll back to: {', '.join(it for it in row['good'] if it != row['live']) or 'none'}"]
        lines += [f"  worker {name}: {_worker(it)}" for name, it in row["workers"].items()]
        lines += [f"  timer {name}: {it['state']}, {_job(it['result'])}" for name, it in row["timers"].items()]
        if row["answer"] != "200":
            lines.append(f"  VISITORS get {row['answer'] or 'nothing'}")
        if row["let_pass"] is not None:
            lines.append(f"  CLOSED visitors get 503{''.join(f', but not {it}' for it in row['let_pass'])}")
        lines += [f"  DRIFT {line}" for line in row["drift"]]
        lines += [f"  RESIZED {line}" for line in resized(row)]
    for host, said in hosts.items():
        lines += ["", *(f"{host} {_certificate(one)}" for one in said["certificates"])] if said["certificates"] else []
        lines += [f"{host} {app}: CERTIFICATE {reason}" for app, reason in said["failed_certificates"].items()]
        lines += [f"{host}: CERTIFICATE {line}" for line in said["failed_renewals"]]
        lines += [f"{host}: DRIFT {line}" for line in said["nginx"]]
        lines += [
            f"{host}: {name} is unmanaged: it is there, and web_apps doesn't name it" for name in said["unmanaged"]
        ]
    return [*lines, *misplaced({host: said["elsewhere"] for host, said in hosts.items()})]


def _certificate(one: Mapping[str, Any]) -> str:
    """Until when a certificate is valid, and for what."""
    left = one["days_left"]
    warning = "" if left >= FEW_DAYS else "EXPIRES SOON: " if left >= 0 else "EXPIRED: "
    return (
        f"{one['app']}: {warning}certificate for {', '.join(one['names'])}, signed by {one['issuer']}, "
        f"valid until {one['expires'][:10]} ({left} days)"
    )


def _result(entry: Mapping[str, Any]) -> str:
    words = (entry.get(part, "") for part in ("at", "action", "release", "result", "cause"))
    return " ".join(str(word) for word in words if word)


def _worker(one: Mapping[str, Any]) -> str:
    """Whether it runs, and how often it has ended by itself."""
    times = one["restarts"]
    return f"{one['state']}, restarted {times} time{'' if times == 1 else 's'}" if times else str(one["state"])


def _job(result: str) -> str:
    """How what a timer starts ended when it last ran; a job that has never run counts as one that ended well."""
    return "its job is well" if result == "success" else f"its last job FAILED ({result})"
