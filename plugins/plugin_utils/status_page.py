"""What status.yml says as a page to look at: one file of HTML that needs nothing beside it.

Everything is made into texts here, and the template only puts them where they belong. It escapes all of them: names and
causes come from hosts.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.report import (
    FEW_DAYS,
    many,
    resized,
    rows_of,
    source_called,
    when,
)
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.run import deployed_by
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.tables import size

TEMPLATES = Path(__file__).resolve().parents[1] / "templates"
# How a history calls a release that was taken.
GOOD = "good"
# What the template tells by a sign, a colour and a word: all is well, something should be looked at, it is bad.
WELL, ODD, BAD = "well", "odd", "bad"
SIGNS = {WELL: "✓", ODD: "!", BAD: "✕"}
# Milliseconds that fill the bar of an app's answer.
LONG_ANSWER = 1000

Host = Mapping[str, Any]
Row = Mapping[str, Any]


def status_page(hosts: Mapping[str, Host], silent: Sequence[str] = ()) -> str:
    """The page. `hosts` is what `status_of_hosts` tells, `silent` are those that didn't answer."""
    rows = rows_of(hosts)
    fleet = [_fleet_row(row) for row in rows]
    worries = list(_worries(hosts, rows, silent))
    names = sorted({row["app"] for row in rows})
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("status.html.j2").render(
        made=datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M:%SZ"),
        by=deployed_by(),
        title=f"{many(len(names), 'app')} on {many(len(hosts) + len(silent), 'server')}",
        verdict=_state(
            max((one["state"]["kind"] for one in [*fleet, *worries]), key=[WELL, ODD, BAD].index, default=WELL),
            many(len(worries), "thing") + " to look at" if worries else "All is well",
        ),
        worries=worries,
        fleet=fleet,
        apps=[{"name": name, "hosts": [_deploys(row) for row in rows if row["app"] == name]} for name in names],
        certificates=[_certificate(host, one) for host, said in hosts.items() for one in said["certificates"]],
    )


def _state(kind: str, words: str) -> dict[str, str]:
    return {"kind": kind, "sign": SIGNS[kind], "words": words}


def _fleet_row(row: Row) -> dict[str, Any]:
    return {
        "host": row["host"],
        "app": row["app"],
        "state": _state_of(row),
        "live": row["live"] or "none",
        "ref": "" if not row["ref"] else source_called(row["ref"], row["commit"]),
        "since": when(row["since"]),
        "by": row["by"] or "-",
        "time": f"{row['answer_ms']} ms",
        "share": min(100, round(100 * row["answer_ms"] / LONG_ANSWER)),
        "load": f"{row['busy']} of {row['busy'] + row['idle']} busy",
        "requests": str(row["requests"]),
        "memory": size(row["memory"]),
        "disk": size(row["disk"]),
        "restarts": str(row["restarts"]),
    }


def _state_of(row: Row) -> dict[str, str]:
    if row["answer"] != "200":
        return _state(BAD, f"visitors get {row['answer'] or 'nothing'}")
    if row["let_pass"] is not None:
        return _state(ODD, "closed")
    return _state(ODD, "serves, drift") if row["drift"] else _state(WELL, "serves")


def _worries(hosts: Mapping[str, Host], rows: Sequence[Row], silent: Sequence[str]) -> Iterator[dict[str, Any]]:
    """All that a person should look at, with where it is."""
    yield from (_worry(host, BAD, "no answer", "the server couldn't be reached") for host in silent)
    for row in rows:
        yield from _of_app(row)
    for host, said in hosts.items():
        yield from _of_host(host, said)


def _worry(where: str, kind: str, words: str, text: str) -> dict[str, Any]:
    return {"where": where, "state": _state(kind, words), "text": text}


def _of_app(row: Row) -> Iterator[dict[str, Any]]:
    where, state = f"{row['app']} on {row['host']}", _state_of(row)
    if row["answer"] != "200":
        yield _worry(where, BAD, "visitors", state["words"])
    if row["let_pass"] is not None:
        yield _worry(where, ODD, "closed", f"visitors get 503{''.join(f', but not {it}' for it in row['let_pass'])}")
    yield from (_worry(where, ODD, "drift", line) for line in row["drift"])
    yield from (_worry(where, ODD, "resized", line) for line in resized(row))
    failed = {name: timer["result"] for name, timer in row["timers"].items() if timer["result"] != "success"}
    yield from (_worry(where, ODD, "timer", f"the job of {name} failed ({how})") for name, how in failed.items())


def _of_host(host: str, said: Host) -> Iterator[dict[str, Any]]:
    yield from (_worry(host, ODD, "drift", line) for line in said["nginx"])
    failed = said["failed_certificates"].items()
    yield from (_worry(f"{app} on {host}", BAD, "certificate", reason) for app, reason in failed)
    yield from (_worry(host, BAD, "certificate", line) for line in said["failed_renewals"])
    yield from (_worry(f"{it} on {host}", ODD, "unmanaged", "web_apps doesn't name it") for it in said["unmanaged"])
    left = [one["name"] for one in said["elsewhere"]]
    yield from (_worry(f"{it} on {host}", ODD, "elsewhere", "its 'hosts' doesn't place it there") for it in left)


def _deploys(row: Row) -> dict[str, Any]:
    # It may have been live before, and refused since.
    good = [entry for entry in row["last"] if entry["release"] == row["live"] and entry["result"] == GOOD]
    newest_live = good[-1] if good else None
    return {
        "host": row["host"],
        "back": ", ".join(it for it in row["good"] if it != row["live"]) or "none",
        "results": [
            {
                "at": when(entry.get("at", "")),
                "release": entry["release"],
                "is_live": entry is newest_live,
                "state": _result(entry),
                "ref": entry.get("ref") or "",
                "by": entry.get("by") or "",
                "cause": str(entry.get("cause") or ""),
                "seconds": f"{entry.get('seconds', 0):.1f} s",
            }
            for entry in reversed(row["last"])
        ],
    }


def _result(entry: Mapping[str, Any]) -> dict[str, str]:
    if entry["result"] != GOOD:
        return _state(BAD, f"refused at {entry['step']}" if entry.get("step") else "refused")
    return _state(ODD, "rolled back to") if entry["action"] == "rollback" else _state(WELL, "deployed")


def _certificate(host: str, one: Mapping[str, Any]) -> dict[str, Any]:
    left = one["days_left"]
    kind = BAD if left < 0 else ODD if left < FEW_DAYS else WELL
    words = "expired" if left < 0 else many(left, "day") + " left"
    return {
        "host": host,
        "app": one["app"],
        "names": ", ".join(one["names"]),
        "issuer": one["issuer"],
        "expires": one["expires"][:10],
        "state": _state(kind, words),
    }
