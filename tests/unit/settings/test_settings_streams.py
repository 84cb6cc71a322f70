"""Paths of streams that don't fit the app's other paths: one message that says what to do."""

from __future__ import annotations

from typing import Any

import pytest

from settings import Workshop, app

PREFIX = "web_apps: 'shop' has 'streaming': "
OUTSIDE = "would be outside the app, all of which is below '/shop' anyway; write "
FILES = "one is in the other, and nginx serves files there; choose another path for one of them"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"prefix": "/shop", "streaming": ["/shop/events"]}, f"'/shop/events' {OUTSIDE}'/events'"),
        ({"prefix": "/shop", "streaming": ["/shop"]}, f"'/shop' {OUTSIDE}'/events'"),
        ({"streaming": ["/static/live"]}, f"'/static/live' and 'static_url' '/static/': {FILES}"),
        ({"streaming": ["/static"]}, f"'/static' and 'static_url' '/static/': {FILES}"),
        ({"streaming": ["/a"], "static_url": "/a/static/"}, f"'/a' and 'static_url' '/a/static/': {FILES}"),
    ],
)
def test_a_path_that_fits_no_stream(workshop: Workshop, given: dict[str, Any], told: str) -> None:
    assert workshop.problem(app(**given)) == PREFIX + told


@pytest.mark.parametrize(
    "given",
    [
        {"prefix": "/shop", "streaming": ["/shopping"]},
        {"streaming": ["/statics"]},
        {"streaming": ["/events"], "static_url": "/"},
        {"streaming": []},
    ],
)
def test_one_that_only_looks_like_it(workshop: Workshop, given: dict[str, Any]) -> None:
    assert workshop.problems(app(**given)) == []


def test_what_was_refused_by_itself_is_named_once(workshop: Workshop) -> None:
    assert len(workshop.problems(app(static_url="static", streaming=["/static"]))) == 1
