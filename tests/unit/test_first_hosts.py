"""Which host runs what runs on one alone, and which app has arrived where it will be."""

from __future__ import annotations

import pytest
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.fleet import arrived, first_hosts, handed_over


def host(name: str, *apps: str, **more: object) -> dict[str, object]:
    return {"inventory_hostname": name, "web_apps": [{"name": app, **more} for app in apps]}


def test_the_first_that_serves_the_app() -> None:
    assert first_hosts([host("a", "shop"), host("b", "shop", "wiki"), host("c", "wiki")]) == {"shop": "a", "wiki": "b"}


def test_one_that_gives_it_up_is_none() -> None:
    assert first_hosts([host("a", "shop", state="absent"), host("b", "shop")]) == {"shop": "b"}


def test_settings_that_are_no_apps_count_for_nothing() -> None:
    assert first_hosts([{"inventory_hostname": "a"}, {"inventory_hostname": "b", "web_apps": "shop"}]) == {}


def test_a_host_where_it_isnt_placed_is_none() -> None:
    groups = {"web": ["a", "b", "c"], "staging": ["b", "c"]}
    fleet = [{**host(name, "shop", "wiki", hosts=["staging"]), "groups": groups} for name in groups["web"]]
    assert first_hosts(fleet) == {"shop": "b", "wiki": "b"}
    shared = [{**host(name, "shop"), "groups": groups, "web_app_defaults": {"hosts": ["c"]}} for name in groups["web"]]
    assert first_hosts(shared) == {"shop": "c"}


@pytest.mark.parametrize(
    ("outcomes", "is_handed_over"),
    [
        ({"b": [{"app": "shop", "now": "3f9a1c0b7d2e"}]}, True),
        # Refused there, and none is live.
        ({"b": [{"app": "shop", "now": ""}]}, False),
        # Lost on the way, or not in this run; another of its hosts doesn't run what runs once.
        ({"b": []}, False),
        ({"c": [{"app": "shop", "now": "3f9a1c0b7d2e"}]}, False),
        ({"b": [{"app": "wiki", "now": "3f9a1c0b7d2e"}]}, False),
    ],
)
def test_an_app_that_left_hands_over_once_it_is_live_where_it_belongs(
    outcomes: dict[str, list[dict[str, str]]], is_handed_over: bool
) -> None:
    mark = "/opt/shop/first-host"
    left = [{"name": "shop", "hosts": ["b", "c"], "first_host": mark}]
    assert handed_over(left, outcomes) == ([mark] if is_handed_over else [])


@pytest.mark.parametrize(
    ("former", "now", "roots"),
    [("/old", "new-release", ["/new/"]), ("/old", "old-release", None), (None, "new-release", None)],
)
def test_an_app_leaves_its_former_path_when_its_release_is_live(
    former: str | None, now: str, roots: list[str] | None
) -> None:
    places = [[f"{prefix}/", "", "", prefix] for prefix in ("/new", former) if prefix is not None]
    site = {"places": places, "is_below": False}
    item = {"app": {"name": "shop"}, "release": {"id": "new-release"}, "site": {**site, "waiting": site}}
    found = arrived([item], [{"app": "shop", "now": now}])
    assert [[place[0] for place in one["site"]["places"]] for one in found] == ([] if roots is None else [roots])
    for one in found:
        assert one["site"]["is_below"]
        assert one["site"]["waiting"] == {"places": places[:1], "is_below": True}
