#!/usr/bin/python3
"""Reads the logs of a host's apps; see DOCUMENTATION."""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.uwsgi_flask.web.plugins.module_utils.layout import AppLayout
from ansible_collections.uwsgi_flask.web.plugins.module_utils.logs import files, journal, nginx
from ansible_collections.uwsgi_flask.web.plugins.module_utils.logs.line import Asked, Line
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx import places
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.registration import registered

DOCUMENTATION = r"""
module: logs
short_description: Read the logs of a host's apps
description:
  - The journal of an app's units, its access log, and what nginx's error log says of it; without an app, all of them
    and requests that name no app. Reads only, and never more than a bounded part of a log.
options:
  app: {description: The app; all if empty., type: str, default: ""}
  lines: {description: How many lines at most; the last ones., type: int, default: 200}
  since: {description: "Since when, as C(10m) or in a form of journalctl's.", type: str, default: ""}
  grep: {description: A regular expression that is found in each line., type: str, default: ""}
  cursor: {description: "What an earlier call returned: only what has come since is read.", type: str, default: ""}
"""

RETURN = r"""
lines:
  description: "JSON: a list of lines by time, each a list of seconds since the epoch, source, level and text."
  type: str
  returned: always
cursor: {description: Where the logs ended., type: str, returned: always}
"""

OPTIONS: dict[str, dict[str, Any]] = {
    "app": {"type": "str", "default": ""},
    "lines": {"type": "int", "default": 200},
    "since": {"type": "str", "default": ""},
    "grep": {"type": "str", "default": ""},
    "cursor": {"type": "str", "default": ""},
}
# What is sent at most, in characters of text.
LARGEST = 4_000_000
# A time span, which counts back from now.
SPAN = re.compile(r"(\d+\s*[a-zA-Zµ]+\s*)+")
SERVER_NAME = re.compile(r"^\s*server_name ([^;]*);", re.MULTILINE)


class Reader:
    """What has been read of each log, and where it ended."""

    def __init__(self, asked: Asked, cursor: str) -> None:
        self.asked = asked
        self.lines: list[Line] = []
        self.before: dict[str, Any] = json.loads(cursor) if cursor else {}
        self.ends: dict[str, Any] = {"time": time.time()}

    def journal(self, layout: AppLayout) -> None:
        pattern = layout.unit_pattern()

        def source(unit: str) -> str:
            part = unit.partition("@")[2].rpartition(".")
            kind = "app" if part[2] == "service" else part[2]
            return f"{layout.name} {part[0].partition('-')[2] or kind}"

        if self.before:
            asked = dataclasses.replace(self.asked, since=self.before["time"])
            cursor = self.before.get(pattern, "")
            found, self.ends[pattern] = journal.after(cursor, pattern, self.asked if cursor else asked, source)
        else:
            found, self.ends[pattern] = journal.last(pattern, self.asked, source)
        self.lines += found

    def file(self, path: Path, source: str, parse: Callable[[bytes, float], Line | None]) -> None:
        if self.before:
            mark = self.before.get(str(path))
            found, end, left_out = files.after(path, mark and (mark[0], mark[1]), self.asked, parse)
            if left_out:
                words = f"{left_out} bytes of {path} are left out: they came too fast"
                found.insert(0, Line(found[0].time if found else time.time(), source, "warning", words))
        else:
            found, end = files.last(path, self.asked, parse)
        self.lines += found
        self.ends[str(path)] = end

    def result(self) -> dict[str, str]:
        self.lines.sort(key=lambda line: line.time)
        chosen = self.lines if self.before else self.lines[-self.asked.count :]
        size = 0
        for at in range(len(chosen) - 1, -1, -1):
            size += len(chosen[at].text)
            if size > LARGEST:
                chosen = chosen[at + 1 :]
                break
        told = [[line.time, line.source, line.level, line.text] for line in chosen]
        return {"lines": json.dumps(told), "cursor": json.dumps(self.ends)}


def read(reader: Reader, app: str) -> None:
    """Raises OSError."""
    layouts = [layout for layout, _registration in registered() if app in ("", layout.name)]
    for layout in layouts:
        reader.journal(layout)
        source = f"{layout.name} access"
        reader.file(places.LOGS / places.log_name(layout.name), source, _request(source))
    names, own = _of(layouts[0]) if app and layouts else (set(), [])

    def complaint(raw: bytes, later: float) -> Line | None:
        line = nginx.complaint(raw, "nginx error", later)
        return line if not app or nginx.concerns(line, names, own) else None

    reader.file(places.LOGS / places.ERROR_LOG, "nginx error", complaint)
    if not app:
        reader.file(places.LOGS / places.ACCESS_LOG, "nginx access", _request("nginx access"))


def _request(source: str) -> Callable[[bytes, float], Line]:
    return lambda raw, later: nginx.request(raw, source, later)


def _of(layout: AppLayout) -> tuple[set[str], list[str]]:
    """The host names that no other app has, and what a complaint about the app may name."""
    site = places.ROOT / places.site_file(layout.name)
    text = site.read_text(errors="replace") if site.is_file() else ""
    names = {name for found in SERVER_NAME.findall(text) for name in found.split()}
    return names, [f"{folder}/" for folder in (layout.root, layout.run, layout.data)]


def moment(since: str) -> float:
    """Seconds since the epoch, by systemd's rules. Raises ValueError."""
    if not since:
        return 0
    form = f"-{since}" if SPAN.fullmatch(since) else since
    done = subprocess.run(["systemd-analyze", "timestamp", "--", form], capture_output=True, text=True, check=False)
    found = re.search(r"UNIX seconds: @([\d.]+)", done.stdout)
    if not found:
        raise ValueError(f"since: {since!r} is no time: give one as 10m, 2h, today, yesterday or '2026-11-24 10:15'")
    return float(found[1])


def main() -> None:
    module = AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True)
    given = module.params
    try:
        pattern = re.compile(given["grep"]) if given["grep"] else None
        reader = Reader(Asked(given["lines"], moment(given["since"]), pattern), given["cursor"])
        read(reader, given["app"])
    except (ValueError, OSError) as error:
        module.fail_json(msg=f"{error}")
    except re.error as error:
        module.fail_json(msg=f"grep: {given['grep']!r} is no regular expression: {error}")
    module.exit_json(changed=False, **reader.result())


if __name__ == "__main__":
    main()
