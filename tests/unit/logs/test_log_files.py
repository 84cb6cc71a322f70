"""Logs that are files: their end, what comes after it, and how little of a large one is read."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from ansible_collections.uwsgi_flask.web.plugins.module_utils.logs import files
from ansible_collections.uwsgi_flask.web.plugins.module_utils.logs.line import Asked, Line


def parse(raw: bytes, later: float) -> Line | None:
    """Lines as "12 words", with the time in front; one without is of the time of the line after it."""
    number, _space, text = raw.decode().partition(" ")
    if text == "another app's":
        return None
    return Line(float(number), "log", "", text) if number.isdigit() else Line(later, "log", "", raw.decode())


def texts(lines: list[Line]) -> list[str]:
    return [line.text for line in lines]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "shop.log"


def test_the_last_lines_in_their_order(log: Path) -> None:
    log.write_text("1 a\n2 b\n3 another app's\n4 c\n")
    found, end = files.last(log, Asked(2), parse)
    assert texts(found) == ["b", "c"]
    assert end == (log.stat().st_ino, log.stat().st_size)


def test_a_line_that_isn_t_whole_yet_comes_when_it_is(log: Path) -> None:
    log.write_text("1 a\n2 hal")
    found, end = files.last(log, Asked(9), parse)
    assert texts(found) == ["a"]
    log.write_text("1 a\n2 half\n")
    assert texts(files.after(log, end, Asked(9), parse)[0]) == ["half"]


def test_lines_since_a_moment_in_which_something_is_found(log: Path) -> None:
    log.write_text("1 GET /x\n5 GET /y\n6 POST /x\n7 GET /x\n")
    assert texts(files.last(log, Asked(9, 5, re.compile("^GET")), parse)[0]) == ["GET /y", "GET /x"]


def test_a_line_without_a_time_has_that_of_the_line_after_it(log: Path) -> None:
    log.write_text("1 a\nmore\n7 b\n")
    assert [line.time for line in files.last(log, Asked(9), parse)[0]] == [1, 7, 7]


def test_lines_across_blocks_and_a_rotation(log: Path) -> None:
    every = [f"{number} {'x' * (number % 300)}" for number in range(2000)]
    log.with_name("shop.log.1").write_text("\n".join(every[:1500]) + "\n")
    log.write_text("\n".join(every[1500:]) + "\n")
    found, _end = files.last(log, Asked(1900), parse)
    assert [int(line.time) for line in found] == list(range(100, 2000))


def test_what_comes_is_read_on_over_a_rotation(log: Path) -> None:
    log.write_text("1 a\n")
    _found, end = files.last(log, Asked(9), parse)
    with log.open("a") as opened:
        opened.write("2 b\n")
    log.rename(log.with_name("shop.log.1"))
    found, end, _left_out = files.after(log, end, Asked(9), parse)
    assert texts(found) == ["b"]
    log.write_text("3 c\n")
    found, end, left_out = files.after(log, end, Asked(9), parse)
    assert (texts(found), left_out) == (["c"], 0)
    assert files.after(log, end, Asked(9), parse)[0] == []


def test_nothing_is_lost_of_much_before_a_rotation(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "STEP", 8)
    log.write_text("0 a\n")
    _found, end = files.last(log, Asked(9), parse)
    with log.open("a") as opened:
        opened.write("1 b\n2 c\n3 d\n")
    log.rename(log.with_name("shop.log.1"))
    log.write_text("4 e\n")
    seen = []
    for _turn in range(3):
        found, end, _left_out = files.after(log, end, Asked(9), parse)
        seen += texts(found)
    assert seen == ["b", "c", "d", "e"]
    with log.open("a") as opened:
        opened.write("5 long, long, long\n")
    found, after_it, _left_out = files.after(log, end, Asked(9), parse)
    assert texts(found) == ["long, "]
    assert after_it != end


def test_a_log_that_was_emptied_or_comes_later_is_read_from_its_beginning(log: Path) -> None:
    assert files.last(log, Asked(9), parse) == ([], None)
    assert files.after(log, None, Asked(9), parse) == ([], None, 0)
    log.write_text("1 a\n2 b\n")
    found, end, _left_out = files.after(log, None, Asked(9), parse)
    assert texts(found) == ["a", "b"]
    log.write_text("3 c\n")
    assert texts(files.after(log, end, Asked(9), parse)[0]) == ["c"]


def test_no_more_than_a_part_of_a_large_log_is_read(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "BLOCK", 64)
    monkeypatch.setattr(files, "SCAN", 1000)
    log.write_text("".join(f"{number} line\n" for number in range(1000, 2000)))
    found, _end = files.last(log, Asked(9999, pattern=re.compile("line")), parse)
    assert 90 <= len(found) <= 100
    assert found[-1].time == 1999


def test_a_line_without_an_end_takes_no_longer_than_others(log: Path) -> None:
    with log.open("wb") as opened:
        opened.truncate(files.SCAN)
        opened.seek(0, 2)
        opened.write(b"\n5 b\n")
    began = time.monotonic()
    assert texts(files.last(log, Asked(9, 1, re.compile("^b")), parse)[0]) == ["b"]
    assert time.monotonic() - began < 5


def test_who_falls_far_behind_is_told_what_is_left_out(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "STEP", 20)
    monkeypatch.setattr(files, "BEHIND", 100)
    log.write_text("0 a\n")
    _found, end = files.last(log, Asked(9), parse)
    with log.open("a") as opened:
        opened.write("1 line\n" * 100)
    found, mark, left_out = files.after(log, end, Asked(9), parse)
    assert left_out == 680
    assert len(found) < 4
    assert mark is not None
    assert log.stat().st_size - mark[1] < 7
