"""The report of `status.yml`: what the hosts said, as a table for people or as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

HEADINGS = ("HOST", "APP", "LIVE", "REF", "SINCE", "BY", "WORKERS", "REQUESTS", "MEMORY", "QUEUE", "RESTARTS", "DISK")


def report(hosts: Mapping[str, Mapping[str, Any]], form: str = "table") -> str:
    """The whole report. `hosts` holds for each host `apps`, `unmanaged` and `nginx` as the status modules return them.

    `form` is "table" or "json"; the JSON is one line, a list with one object for each host and app.
    """
    rows = [{"host": host, **app} for host, said in hosts.items() for app in said["apps"]]
    if form == "json":
        extra = [
            {"host": host, "nginx_drift": said["nginx"], "unmanaged": said["unmanaged"]} for host, said in hosts.items()
        ]
        return json.dumps({"apps": rows, "hosts": extra}, sort_keys=True)
    return "\n".join([*_table(rows), *_remarks(rows, hosts)])


def _table(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    cells = [HEADINGS, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(HEADINGS))]
    return ["  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in cells]


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        row["host"],
        row["app"],
        row["live"] or "none",
        row["ref"] or "-",
        row["since"].replace("T", " ").replace("+00:00", "Z") or "-",
        row["by"] or "-",
        f"{row['busy']} busy, {row['idle']} idle",
        str(row["requests"]),
        _size(row["memory"]),
        str(row["queue"]),
        str(row["restarts"]),
        _size(row["disk"]),
    )


def _remarks(rows: Sequence[Mapping[str, Any]], hosts: Mapping[str, Mapping[str, Any]]) -> list[str]:
    lines = []
    for row in rows:
        place = f"{row['host']} {row['app']}"
        results = [_result(entry) for entry in row["last"]]
        lines += ["", f"{place}: last results", *(f"  {line}" for line in reversed(results))]
        lines += [f"  to roll back to: {', '.join(it for it in row['good'] if it != row['live']) or 'none'}"]
        if row["wanted"] != row["live"]:
            lines.append(f"  the settings here make {row['wanted']}, which isn't live; site.yml would deploy it")
        lines += [f"  DRIFT {line}" for line in row["drift"]]
    for host, said in hosts.items():
        lines += [f"{host}: DRIFT {line}" for line in said["nginx"]]
        lines += [
            f"{host}: {name} is unmanaged: it is there, and web_apps doesn't name it" for name in said["unmanaged"]
        ]
    return lines


def _result(entry: Mapping[str, Any]) -> str:
    words = (entry.get(part, "") for part in ("at", "action", "release", "result", "cause"))
    return " ".join(str(word) for word in words if word)


def _size(count: float) -> str:
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"web_status": report}
