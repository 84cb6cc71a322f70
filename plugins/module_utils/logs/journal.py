"""The journal of an app's units, from its end backwards or from a cursor onwards."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

from ansible_collections.uwsgi_flask.web.plugins.module_utils.logs.line import Asked, Line, clean

# Entries that are looked at in one go, whatever is searched for.
SCAN = 100_000
# Entries that are taken in one go onwards; the rest comes with the next.
STEP = 2000
# What journalctl says where no unit ever matched.
NO_UNIT = "No data available"
# The unit of systemd itself.
MANAGER = "init.scope"
# By syslog's priorities, 0 to 7: `err` and worse, and `warning`.
LEVELS = {**dict.fromkeys("0123", "error"), "4": "warning"}


def last(pattern: str, asked: Asked, source: Callable[[str], str]) -> tuple[list[Line], str]:
    """The last lines of the units that match, and the cursor of the newest entry, "" if there is none.

    `source` names the source of a unit's lines. Raises OSError.
    """
    words = [f"--since=@{asked.since:.6f}"] if asked.since else []
    found: list[Line] = []
    newest = ""
    for number, entry in enumerate(_entries(pattern, "--reverse", *words)):
        newest = newest or str(entry["__CURSOR"])
        found += reversed([line for line in _lines(entry, source) if asked.wants(line)])
        if len(found) >= asked.count or number >= SCAN:
            break
    return found[: asked.count][::-1], newest


def after(cursor: str, pattern: str, asked: Asked, source: Callable[[str], str]) -> tuple[list[Line], str]:
    """What has come after a cursor; without one, since the moment that was asked for. Raises OSError."""
    word = f"--after-cursor={cursor}" if cursor else f"--since=@{asked.since:.6f}"
    found: list[Line] = []
    for number, entry in enumerate(_entries(pattern, word)):
        cursor = str(entry["__CURSOR"])
        found += [line for line in _lines(entry, source) if asked.wants(line)]
        if number >= STEP:
            break
    return found, cursor


def _entries(pattern: str, *words: str) -> Iterator[dict[str, Any]]:
    """Entries as journalctl tells them; it is ended when nobody wants another one. Raises OSError."""
    command = ["journalctl", f"--unit={pattern}", "--output=json", "--all", "--quiet", "--no-pager", *words]
    command.append("--output-fields=MESSAGE,PRIORITY,UNIT,_SYSTEMD_UNIT")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            for line in process.stdout:
                yield json.loads(line)
            said = process.stderr.read().decode(errors="replace").strip()
            if process.wait() != 0 and NO_UNIT not in said:
                raise OSError(f"journalctl: {said}")
        finally:
            process.kill()


def _lines(entry: dict[str, Any], source: Callable[[str], str]) -> Iterator[Line]:
    level = LEVELS.get(_text(entry.get("PRIORITY"))[:1], "")
    time = int(entry["__REALTIME_TIMESTAMP"]) / 1e6
    unit = _text(entry.get("_SYSTEMD_UNIT"))
    # What systemd itself says of a unit. An app could say that it is another one.
    unit = _text(entry.get("UNIT")) if unit in ("", MANAGER) else unit
    for line in clean(_text(entry.get("MESSAGE"))):
        yield Line(time, source(unit), level, line)


def _text(field: Any) -> str:
    """A field, all of it if it was written more than once. What isn't UTF-8 comes as numbers."""
    if not isinstance(field, list):
        return str(field or "")
    if all(isinstance(item, int) for item in field):
        return bytes(field).decode(errors="replace")
    return " ".join(map(_text, field))
