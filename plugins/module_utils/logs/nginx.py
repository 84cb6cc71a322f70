"""Lines of nginx's logs, as they are for people."""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections.abc import Collection
from datetime import datetime

from ansible_collections.uwsgi_flask.web.plugins.module_utils.logs.line import Line, clean

# "2026/11/24 10:15:02 [error] 123#123: *45 connect() failed …", in the host's own time.
COMPLAINT = re.compile(r"(?P<time>\d{4}/\d\d/\d\d \d\d:\d\d:\d\d) \[(?P<level>\w+)\] (?:\d+#\d+: )?(?P<text>.*)")
SERVER = re.compile(r", server: (?P<name>[^,]*),")
LEVELS = {"warn": "warning", "error": "error", "crit": "error", "alert": "error", "emerg": "error"}


def request(raw: bytes, source: str, later: float) -> Line:
    """A request: method, path, status, how long it took, and its id."""
    text = raw.decode(errors="replace")
    with contextlib.suppress(ValueError, KeyError, TypeError):
        told = json.loads(text)
        status = int(told["status"])
        level = "error" if status >= 500 else "warning" if status >= 400 else ""
        took = f"{float(told['seconds']) * 1000:.0f} ms"
        words = f"{told['method']} {told['path']} {status} {took} {told['request_id']}"
        return Line(datetime.fromisoformat(told["time"]).timestamp(), source, level, _one(words))
    return Line(later, source, "", _one(text))


def complaint(raw: bytes, source: str, later: float) -> Line:
    """A line of the error log; one that begins in another way belongs to the one after it."""
    text = raw.decode(errors="replace")
    if found := COMPLAINT.fullmatch(text):
        with contextlib.suppress(ValueError, OverflowError):
            moment = time.mktime(time.strptime(found["time"], "%Y/%m/%d %H:%M:%S"))
            return Line(moment, source, LEVELS.get(found["level"], ""), _one(f"[{found['level']}] {found['text']}"))
    return Line(later, source, "", _one(text))


def concerns(line: Line, names: Collection[str], places: Collection[str]) -> bool:
    """Whether a complaint is about an app: a request for one of its host names, or a file or socket of its own."""
    server = SERVER.search(line.text)
    return (server is not None and server["name"] in names) or any(place in line.text for place in places)


def _one(text: str) -> str:
    return " ".join(clean(text))
