"""docs/performance.md out of measurements: it says what isn't reached, and what deploys took."""

from __future__ import annotations

from typing import Any

from bench.claims import TIMES
from bench.page import written
from measured import MACHINE, load, scene


def told(**scenes: Any) -> dict[str, Any]:
    return {"machine": MACHINE, "scenes": {name.replace("_", "-"): one for name, one in scenes.items()}}


PAGE = scene(ours=[load(2400)], seed=[load(2000)], granian=[load(3000)])


def test_a_goal_and_whether_it_is_met() -> None:
    page = written(told(page=PAGE))
    assert f"| page at 64 connections, to the seed's set | 1.20{TIMES} | ≥ 1.10{TIMES} | met |" in page
    assert f"| page, to granian | 0.80{TIMES} | ≥ 0.95{TIMES} | **not met** |" in page
    assert "1 of 2 goals are met" in page


def test_what_is_not_reached_has_a_section() -> None:
    section = written(told(page=PAGE)).partition("## Goals that are not reached\n\n")[2].partition("\n#")[0]
    assert section.startswith(f"- page, to granian: 0.80{TIMES}")
    assert len(section.splitlines()) >= 1
    reached = scene(ours=[load(2400)], seed=[load(2000)])
    assert "not reached" not in written(told(page=reached))


def test_a_row_for_each_server() -> None:
    crowd = scene(ours=[load()], seed=[load(1000, bad_status=800)])
    page = written(told(page=PAGE, page_256=crowd))
    assert "| ours | 2,400 |  |  |  | 30 ms | 0 % |  |  |" in page
    assert "| seed | 2,000 |  |  |  | 30 ms | 80 % |  |  |" in page


def test_requests_for_each_core() -> None:
    assert "A core of this kind serves about 1,200 small pages a second" in " ".join(written(told(page=PAGE)).split())


def test_deploys_if_they_were_measured() -> None:
    runs = {"nothing to do": {"seconds": [2.0, 4.0, 3.0], "to": "31 copy tasks", "ratio": 0.3, "goal": 0.5}}
    scale = [{"servers": 5, "nothing": 4.0, "changed": 9.0, "megabytes_a_fork": 20.4}]
    deploying = {"machine": {"cores": 2}, "baseline_seconds": 10.0, "runs": runs, "scale": scale}
    page = written(told(page=PAGE), deploying)
    assert f"| nothing to do | 3.0 s | 0.30{TIMES} 31 copy tasks | ≤ 0.50{TIMES} | met |" in page
    assert "| 5 | 4.0 s | 9.0 s | 20 MB |" in page
    assert "## Deploying" not in written(told(page=PAGE))


def test_a_machine_that_had_other_work_is_told() -> None:
    assert "other work" not in written(told(page=PAGE))
    busy = {**told(page=PAGE), "machine": {**MACHINE, "busy_before": 1.1}}
    assert "had other work to do** (its load was 1.1" in written(busy)


def test_no_line_of_text_is_too_long() -> None:
    lines = written(told(page=PAGE)).splitlines()
    assert [line for line in lines if len(line) > 120 and not line.startswith(("|", "!"))] == []
