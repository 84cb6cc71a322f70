"""Which host runs what runs on one alone."""

from __future__ import annotations

from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.fleet import first_hosts


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
