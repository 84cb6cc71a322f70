"""Figures out of the rounds: a ratio is taken within a round, where both saw the same machine; their median counts."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import Any

from bench.wrk import Load

# A scene of results/serving.json: what its loads were, by who answered, one for each round.
Scene = dict[str, Any]


def loads(scene: Scene, name: str) -> list[Load]:
    return [Load(**one) for one in scene["runs"][name]]


def median(scene: Scene, name: str, of: Callable[[Load], float]) -> float:
    return statistics.median(of(one) for one in loads(scene, name))


def good_rate(scene: Scene, name: str) -> float:
    """Good answers a second."""
    return median(scene, name, lambda load: load.good_rate)


def failed(scene: Scene, name: str) -> int:
    """How many failed in all rounds."""
    return sum(load.failed for load in loads(scene, name))


def failed_share(scene: Scene, name: str) -> float:
    """Of all that was asked in all rounds, 0 to 1; 1 where there was no answer at all."""
    asked = sum(load.requests + load.broken for load in loads(scene, name))
    return failed(scene, name) / asked if asked else 1.0


def ratio(scene: Scene, name: str, other: str, of: Callable[[Load], float] = lambda load: load.good_rate) -> float:
    """How many times the other's figure it has. Where the other has none, there is no ratio: infinity."""
    pairs = zip(loads(scene, name), loads(scene, other), strict=True)
    return statistics.median(of(mine) / of(its) if of(its) else float("inf") for mine, its in pairs)


def ratio_of(figures: list[float], others: list[float]) -> float:
    """The same for plain figures, one for each round."""
    return statistics.median(mine / its for mine, its in zip(figures, others, strict=True))
