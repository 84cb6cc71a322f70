"""Ratios within a round, and their median."""

from __future__ import annotations

import pytest

from bench.ratios import failed, failed_share, good_rate, ratio, ratio_of
from measured import load, scene


def test_a_ratio_is_taken_within_a_round() -> None:
    """A machine that got slower from round to round changes nothing: by the medians of each it would be 1."""
    slowing = scene(ours=[load(4000), load(2000), load(1000)], seed=[load(2000), load(1000), load(500)])
    assert ratio(slowing, "ours", "seed") == 2
    crossed = scene(ours=[load(1000), load(2000), load(3000)], seed=[load(2000), load(500), load(2000)])
    assert ratio(crossed, "ours", "seed") == 1.5


def test_a_ratio_counts_good_answers_alone() -> None:
    fast_but_bad = scene(ours=[load(1000)], seed=[load(10_000, bad_status=9500)])
    assert ratio(fast_but_bad, "ours", "seed") == 2


def test_a_ratio_of_another_figure() -> None:
    found = scene(ours=[load(p99=45.0)], one=[load(p99=30.0)])
    assert ratio(found, "ours", "one", lambda it: it.p99) == 1.5


def test_to_nothing_there_is_no_ratio() -> None:
    assert ratio(scene(ours=[load()], dead=[load(0)]), "ours", "dead") == float("inf")


def test_rounds_that_one_lacks_are_refused() -> None:
    with pytest.raises(ValueError, match="shorter"):
        ratio(scene(ours=[load(), load()], seed=[load()]), "ours", "seed")


def test_failures_of_all_rounds_count() -> None:
    found = scene(ours=[load(read=1), load(), load(bad_status=2, timeout=3)])
    assert failed(found, "ours") == 6
    # Connections that broke were asked too; an answer with a bad status counts among the answers.
    assert failed_share(found, "ours") == pytest.approx(6 / 3004)
    assert good_rate(found, "ours") == 1000


def test_no_answer_at_all_is_no_success() -> None:
    assert failed_share(scene(ours=[load(0)]), "ours") == 1.0


def test_plain_figures() -> None:
    assert ratio_of([2.0, 9.0, 4.0], [1.0, 3.0, 1.0]) == 3
