"""Paths of the cache that don't fit the app's other paths: one message that says what to do."""

from __future__ import annotations

from typing import Any

import pytest

from settings import Workshop, app

PREFIX = "web_apps: 'shop' has 'cache': "
FILES = "and nginx serves the files there itself; leave it out"
STREAM = "and a stream can't be kept; leave it out"


def kept(*paths: str) -> dict[str, Any]:
    return {"paths": list(paths)}


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"cache": kept("/events"), "streaming": ["/events"]}, f"'/events' is in '/events' of 'streaming', {STREAM}"),
        (
            {"cache": kept("/events/a"), "streaming": ["/events"]},
            f"'/events/a' is in '/events' of 'streaming', {STREAM}",
        ),
        ({"cache": kept("/static")}, f"'/static' is in '/static' of 'static_url', {FILES}"),
        ({"cache": kept("/static/a")}, f"'/static/a' is in '/static' of 'static_url', {FILES}"),
        ({"cache": kept("/media/a"), "media": {"/media": "up"}}, f"'/media/a' is in '/media' of 'media', {FILES}"),
        (
            {"cache": kept("/shop/news"), "prefix": "/shop"},
            "'/shop/news' begins with 'prefix', which stands before it without being told; write '/news'",
        ),
        (
            {"cache": kept("/shop"), "prefix": "/shop"},
            "'/shop' begins with 'prefix', which stands before it without being told; write '/'",
        ),
        (
            {"cache": kept("/"), "health_path": "/"},
            "'/' is 'health_path' too, which the app must answer itself; give it a health path of its own",
        ),
    ],
)
def test_a_path_that_fits_no_cache(workshop: Workshop, given: dict[str, Any], told: str) -> None:
    assert workshop.problem(app(**given)) == PREFIX + told


@pytest.mark.parametrize(
    "given",
    [
        {},
        # What is below a path that is kept goes its own way.
        {"streaming": ["/events"], "media": {"/media": "up"}},
        {"static_url": "/"},
        {"prefix": "/shop"},
        {"cache": kept("/eventsx", "/staticx"), "streaming": ["/events"]},
        {"cache": {}},
    ],
)
def test_one_that_only_looks_like_it(workshop: Workshop, given: dict[str, Any]) -> None:
    assert workshop.problems(app(**{"cache": kept("/"), **given})) == []


def test_what_was_refused_by_itself_is_named_once(workshop: Workshop) -> None:
    assert len(workshop.problems(app(static_url="static", cache=kept("/static")))) == 1


def test_a_second_unless_it_is_said(workshop: Workshop) -> None:
    assert workshop.item(app(cache=kept("/")))["app"]["cache"] == {"paths": ["/"], "seconds": 1}
    assert workshop.item(app(cache={"seconds": 9, "paths": ["/"]}))["site"]["cache"]["seconds"] == 9
