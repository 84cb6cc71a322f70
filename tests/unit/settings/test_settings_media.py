"""Paths of uploads that don't fit the app's other paths: one message that says what to do."""

from __future__ import annotations

from typing import Any

import pytest

from settings import Workshop, app

PREFIX = "web_apps: 'shop' has 'media': "
MIXED = "one is in the other; choose another path for one of them"
HIDDEN = "and nginx would look for a file there; choose another path for one of them"
PLACED = {"/media": "uploads"}


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"static_url": "/media/"}, f"'/media' and '/media' of 'static_url': {MIXED}"),
        ({"static_url": "/media/static/"}, f"'/media' and '/media/static' of 'static_url': {MIXED}"),
        ({"media": {"/static/media": "a"}}, f"'/static/media' and '/static' of 'static_url': {MIXED}"),
        ({"streaming": ["/media"]}, f"'/media' and '/media' of 'streaming': {MIXED}"),
        ({"streaming": ["/media/live"]}, f"'/media' and '/media/live' of 'streaming': {MIXED}"),
        ({"media": {"/media": "a", "/media/b": "b"}}, f"'/media/b' and '/media' of 'media': {MIXED}"),
        (
            {"prefix": "/shop", "media": {"/shop/media": "a"}},
            "'/shop/media' begins with 'prefix', which stands before it without being told; write '/media'",
        ),
        (
            {"health_path": "/media/health"},
            f"'/media' holds 'health_path' '/media/health', {HIDDEN}",
        ),
    ],
)
def test_a_path_that_fits_no_uploads(workshop: Workshop, given: dict[str, Any], told: str) -> None:
    assert workshop.problem(app(**{"media": PLACED, **given})) == PREFIX + told


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"static_url": "/"},
        {"static_url": "/media-static/"},
        {"streaming": ["/mediator"]},
        {"prefix": "/media"},
        {"media": {"/a": "same", "/b": "same/inner"}},
        {"media": {}},
    ],
)
def test_one_that_only_looks_like_it(workshop: Workshop, given: dict[str, Any]) -> None:
    assert workshop.problems(app(**{"media": PLACED, "prefix": "/shop", **given})) == (
        [f"{PREFIX}'/media' begins with 'prefix', which stands before it without being told; write '/media'"]
        if given.get("prefix") == "/media"
        else []
    )


def test_what_was_refused_by_itself_is_named_once(workshop: Workshop) -> None:
    assert len(workshop.problems(app(static_url="static", media={"/static": "a"}))) == 1


def test_the_host_is_told_which_folders_nginx_reads(workshop: Workshop) -> None:
    item = workshop.item(app(media={"/a": "uploads/", "/b": "uploads", "/c": "more/deep"}))
    assert item["release"]["media"] == {"reader": "www-data", "folders": ["more/deep", "uploads"]}
