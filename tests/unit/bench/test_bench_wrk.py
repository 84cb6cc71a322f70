"""What wrk is told, and what is read out of what it says."""

from __future__ import annotations

import pytest

from bench.wrk import Load, Target, command, parse

SAID = """Running 3s test @ http://127.0.0.1:80/
  2 threads and 64 connections
Requests/sec:   3000.00

JSON {"requests": 9000, "duration_us": 3000000, "bytes": 18000000, "bad_status": 900, "connect": 1, "read": 2, \
"write": 3, "timeout": 4, "p50_us": 20000, "p90_us": 30500, "p99_us": 60001, "max_us": 99000}
"""
REFUSED = "unable to connect to 127.0.0.1:8199 Connection refused\n"


def test_figures_are_read() -> None:
    assert parse(SAID, 64) == Load(9000, 3.0, 18_000_000, 900, 1, 2, 3, 4, p50=20.0, p90=30.5, p99=60.001, max=99.0)


def test_every_failure_counts() -> None:
    load = parse(SAID, 64)
    assert (load.good, load.broken, load.failed) == (8100, 10, 910)
    assert load.good_rate == 2700


def test_where_nobody_listens_each_connection_failed() -> None:
    load = parse(REFUSED, 64)
    assert (load.requests, load.failed, load.good_rate) == (0, 64, 0.0)


@pytest.mark.parametrize("said", ["", "Usage: wrk <options> <url>", SAID.replace("JSON", "")])
def test_a_run_without_figures_is_no_measurement(said: str) -> None:
    with pytest.raises(ValueError, match="no figures"):
        parse(said, 64)


def test_a_target_is_asked_as_it_says() -> None:
    words = command(Target(80, "/static/10k.css", "bench.test", is_compressed=True, cookie="a=1"), 64, 3, 2)
    assert words[:4] == ["wrk", "-t2", "-c64", "-d3s"]
    headers = [words[at + 1] for at, word in enumerate(words) if word == "-H"]
    assert headers == ["Host: bench.test", "Accept-Encoding: gzip", "Cookie: a=1"]
    assert words[-1] == "http://127.0.0.1:80/static/10k.css"


def test_one_connection_has_one_thread() -> None:
    assert "-t1" in command(Target(80), 1, 3, 2)
