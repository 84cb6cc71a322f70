"""What is claimed of measurements, and controls that tell a broken bench."""

from __future__ import annotations

from typing import Any

import pytest

from bench.__main__ import SCENES
from bench.claims import CLAIMS, CONTROLS, Claim, claims, controls
from measured import load, scene


@pytest.mark.parametrize(
    ("figure", "sense", "goal", "is_met"),
    [
        (1.1, "≥", 1.1, True), (1.0, "≥", 1.1, False), (60, "≤", 60, True), (61, "≤", 60, False),
        (0.3, "<", 0.3, False), (0.2, "<", 0.3, True), (0.5, ">", 0.5, False), (0.6, ">", 0.5, True),
    ],
)  # fmt: skip
def test_when_a_goal_is_met(figure: float, sense: str, goal: float, is_met: bool) -> None:
    assert Claim("", figure, sense, goal).is_met is is_met


def test_each_claim_is_about_a_scene() -> None:
    assert set(CLAIMS) | set(CONTROLS) <= set(SCENES)


def test_what_was_not_measured_is_not_claimed() -> None:
    assert claims({}) == []
    page = scene(ours=[load(1200)], seed=[load(1000)])
    assert [(claim.figure, claim.is_met) for claim in claims({"page": page})] == [(1.2, True)]


def test_one_request_that_failed_is_too_many() -> None:
    (claim,) = claims({"page-256": scene(ours=[load(), load(timeout=1)], seed=[load()])})
    assert (claim.figure, claim.is_met) == (1, False)


CROWD = {"ours": [load()], "seed": [load(1000, bad_status=700)]}
SLOW = "uWSGI without nginx"


def slow(beside: int) -> dict[str, Any]:
    found = scene(ours=[load()])
    runs = {f"{SLOW}, alone": load(1000), f"{SLOW}, beside slow clients": load(beside)}
    return {**found, "runs": {name: scene(it=[one])["runs"]["it"] for name, one in runs.items()}}


@pytest.mark.parametrize(
    ("name", "good", "broken"),
    [
        ("absent", scene(nobody=[load(1000, bad_status=1000)]), scene(nobody=[load(1000, bad_status=999)])),
        ("wait", scene(ours=[load()], seed=[load(80)]), scene(ours=[load()], seed=[load(100)])),
        ("page-256", scene(**CROWD), scene(**CROWD | {"seed": [load()]})),
        ("slow", slow(0), slow(900)),
        (
            "deploys",
            {**scene(restarts_at_64=[load(read=3)]), "restarts": 10},
            {**scene(restarts_at_64=[load()]), "restarts": 10},
        ),
        (
            "plumbing",
            {**scene(), "cpu_us": {"ours": [400.0], "ours, bare callable": [100.0]}},
            {**scene(), "cpu_us": {"ours": [100.0], "ours, bare callable": [100.0]}},
        ),
    ],
)
def test_a_control_that_does_not_fail_is_told(name: str, good: dict[str, Any], broken: dict[str, Any]) -> None:
    for measured, is_met in ((good, True), (broken, False)):
        (control,) = controls({name: measured})
        assert control.is_met is is_met, control.line
