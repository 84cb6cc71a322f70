"""Which app a run without settings is about, where not every host has each."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.fleet import app_fault


@pytest.mark.parametrize(
    ("known", "chosen"),
    [
        (["shop", "wiki", "wiki"], ["shop"]),
        (["shop"], []),
        # One app on several hosts is one.
        (["shop", "shop"], []),
    ],
)
def test_one_that_a_host_has(known: list[str], chosen: list[str]) -> None:
    assert app_fault(known, chosen) == ""


@pytest.mark.parametrize(
    ("known", "chosen", "told"),
    [
        (["wiki", "shop"], ["shp"], "app: no host of this run has 'shp'; did you mean 'shop'? Known apps: shop, wiki"),
        (["shop"], ["orders"], "app: no host of this run has 'orders'. Known apps: shop"),
        # A variable of the shell that isn't set must not stand for the only app.
        (["shop"], [""], "app: no host of this run has ''. Known apps: shop"),
        (["shop"], [["wiki"]], "app: no host of this run has (not shown). Known apps: shop"),
        ([], ["shop"], "app: no host of this run has 'shop'. Known apps: none"),
        ([], [], "no host of this run has an app"),
        # One on each of two hosts is two: neither must be taken for the one that was meant.
        (["wiki", "shop"], [], "app: say which, with -e app=<name>. Known apps: shop, wiki"),
    ],
)
def test_one_that_none_has_or_none_at_all(known: list[str], chosen: list[Any], told: str) -> None:
    assert app_fault(known, chosen) == told
