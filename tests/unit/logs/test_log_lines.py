"""What becomes of nginx's lines and of the journal's, and how those of several hosts are merged."""

from __future__ import annotations

import json
import re
import stat
import time
from pathlib import Path
from typing import Any

import ansible.utils.color
import pytest
from ansible_collections.uwsgi_flask.web.plugins.module_utils.logs import journal, nginx
from ansible_collections.uwsgi_flask.web.plugins.module_utils.logs.line import LONGEST, Asked, clean
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.logs import merged_logs

REQUEST: dict[str, Any] = {
    "time": "2026-11-24T10:15:02.417+00:00", "request_id": "5d3b1e0f", "method": "GET", "path": "/orders",
    "status": 200, "seconds": 0.031, "upstream_seconds": None,
}  # fmt: skip


@pytest.mark.parametrize(("status", "level"), [(200, ""), (304, ""), (404, "warning"), (500, "error"), (504, "error")])
def test_a_request_is_a_line_for_people(status: int, level: str) -> None:
    line = nginx.request(json.dumps({**REQUEST, "status": status}).encode(), "shop access", 0)
    assert line.text == f"GET /orders {status} 31 ms 5d3b1e0f"
    assert (line.source, line.level, line.time) == ("shop access", level, 1795515302.417)


@pytest.mark.parametrize(
    "raw", [b"192.0.2.1 - - GET /", b'{"time": 1}', b"[1]", b"\xff", b'{"time": "x", "status": "y"}']
)
def test_what_is_no_request_is_shown_as_it_stands(raw: bytes) -> None:
    line = nginx.request(raw, "shop access", 7)
    assert (line.time, line.text) == (7, raw.decode(errors="replace"))


COMPLAINT = (
    b'2026/11/24 10:15:02 [error] 12#12: *4 open() "/opt/shop/x" failed, client: 192.0.2.7, server: shop.test, '
    b'request: "GET /x HTTP/1.1"'
)


def test_a_complaint_has_the_hosts_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    line = nginx.complaint(COMPLAINT, "nginx error", 0)
    monkeypatch.undo()
    time.tzset()
    assert (line.time, line.level) == (1795511702, "error")
    assert line.text.startswith('[error] *4 open() "/opt/shop/x" failed, client')
    assert nginx.complaint(b"more of it", "nginx error", 9).time == 9
    assert nginx.complaint(b"2026/99/99 10:15:02 [error] 1#1: no", "nginx error", 9).time == 9


def test_whom_a_complaint_concerns() -> None:
    line = nginx.complaint(COMPLAINT, "nginx error", 0)
    assert nginx.concerns(line, {"shop.test"}, [])
    assert nginx.concerns(line, {}, ["/opt/shop/"])
    assert not nginx.concerns(line, {"hop.test", "wiki.test"}, ["/opt/sho/"])


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb", ["a", "b"]),
        ("\x1b[31mred\x1b[0m", ["red"]),
        ("\x1b]0;title\x07", [r"\x1b]0;title\x07"]),
        ("a\tb\u202e", ["a\tb\\x202e"]),
        ("x" * LONGEST, ["x" * LONGEST]),
        ("x" * (LONGEST + 1), ["x" * LONGEST + "…"]),
    ],
)
def test_no_line_does_anything_to_a_terminal(text: str, shown: list[str]) -> None:
    assert list(clean(text)) == shown


# --- The journal ------------------------------------------------------------------------------------------------------


@pytest.fixture
def journalctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stands in for journalctl: prints the entries of a file, the newest first if asked, and writes down its words."""
    program = tmp_path / "journalctl"
    program.write_text(
        f'#!/bin/sh\necho "$@" >>{tmp_path}/words\n[ -e {tmp_path}/fault ] && {{ cat {tmp_path}/fault >&2; exit 1; }}\n'
        f'case "$*" in *--reverse*) exec tac {tmp_path}/entries;; esac\nexec cat {tmp_path}/entries\n'
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return tmp_path


def entries(folder: Path, *messages: Any, **more: Any) -> None:
    lines = [
        json.dumps(
            {
                "__CURSOR": f"c{at}", "__REALTIME_TIMESTAMP": str(at * 1_000_000), "MESSAGE": message, "PRIORITY": "6",
                "_SYSTEMD_UNIT": "shop@1.service", **more,
            }
        )
        for at, message in enumerate(messages)
    ]  # fmt: skip
    (folder / "entries").write_text("".join(f"{line}\n" for line in lines))


def test_the_last_lines_of_the_journal_and_the_cursor_of_the_newest(journalctl: Path) -> None:
    entries(journalctl, "a", "b 1\nb 2", [99, 255], None)
    found, cursor = journal.last("shop@*", Asked(3, pattern=re.compile(r"\w")), lambda unit: unit)
    assert [line.text for line in found] == ["b 1", "b 2", "c\ufffd"]
    assert [line.time for line in found] == [1, 1, 2]
    assert cursor == "c3"


def test_what_the_journal_gets_after_a_cursor(journalctl: Path) -> None:
    entries(journalctl, "a", "b", PRIORITY="3", _SYSTEMD_UNIT="init.scope", UNIT="shop@1-worker-mail.service")
    found, cursor = journal.after("c9", "shop@*", Asked(9, pattern=re.compile("a")), lambda unit: unit)
    assert [(line.text, line.level, line.source) for line in found] == [("a", "error", "shop@1-worker-mail.service")]
    assert cursor == "c1"
    assert "--after-cursor=c9" in (journalctl / "words").read_text()


def test_an_app_names_neither_another_unit_nor_anything_but_one_text(journalctl: Path) -> None:
    """Whoever writes to the journal by its own protocol chooses the fields, and may write one twice."""
    entries(journalctl, ["a", "b"], UNIT="wiki@1-\x1b]0;title\x07.service", PRIORITY=["3", "4"])
    found, _cursor = journal.last("shop@*", Asked(9), lambda unit: unit)
    assert [(line.text, line.source, line.level) for line in found] == [("a b", "shop@1.service", "error")]
    entries(journalctl, "Started", UNIT="shop@1.timer", _SYSTEMD_UNIT="init.scope")
    found, _cursor = journal.last("shop@*", Asked(9), lambda unit: unit)
    assert [line.source for line in found] == ["shop@1.timer"]


def test_a_large_journal_is_not_read_to_its_beginning(journalctl: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "SCAN", 10)
    entries(journalctl, "y", *("x" * 1000 for _number in range(5000)))
    assert journal.last("shop@*", Asked(9, pattern=re.compile("y")), lambda unit: unit) == ([], "c5000")


def test_units_that_never_were_are_no_fault_and_others_are(journalctl: Path) -> None:
    (journalctl / "fault").write_text("Failed to add filter for units: No data available\n")
    assert journal.last("shop@*", Asked(9), lambda unit: unit) == ([], "")
    assert journal.after("", "shop@*", Asked(9, since=1), lambda unit: unit) == ([], "")
    (journalctl / "fault").write_text("No space\n")
    with pytest.raises(OSError, match="journalctl: No space"):
        journal.last("shop@*", Asked(9), lambda unit: unit)


# --- Several hosts ----------------------------------------------------------------------------------------------------


def test_lines_of_several_hosts_are_merged_by_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ansible.utils.color, "ANSIBLE_COLOR", False)
    read = {
        "web1": json.dumps([[1795515302.417, "shop access", "", "GET / 200"], [1795515304, "shop app", "error", "no"]]),
        "web10": json.dumps([[1795515303, "shop worker-report", "", "b"], [1795515304, "shop app", "", "c"]]),
        "web2": "[]",
    }
    assert merged_logs(read).splitlines() == [
        "2026-11-24 10:15:02.417Z web1  shop access         GET / 200",
        "2026-11-24 10:15:03.000Z web10 shop worker-report  b",
        "2026-11-24 10:15:04.000Z web1  shop app            no",
        "2026-11-24 10:15:04.000Z web10 shop app            c",
    ]
    assert [line.split()[-1] for line in merged_logs(read, "2").splitlines()] == ["no", "c"]
    assert merged_logs({"web2": "[]"}) == ""


def test_colours_are_for_terminals_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    read = {"web1": json.dumps([[0, "shop app", "error", "no"]])}
    monkeypatch.setattr(ansible.utils.color, "ANSIBLE_COLOR", True)
    assert merged_logs(read).endswith("  \x1b[0;31mno\x1b[0m")
    monkeypatch.setattr(ansible.utils.color, "ANSIBLE_COLOR", False)
    assert "\x1b" not in merged_logs(read)
