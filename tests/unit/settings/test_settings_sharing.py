"""Host names that several apps share, each below a prefix of its own."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.placement import Inventory
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.request import BadSettings

from settings import Workshop, app

NAMES = ["a.test", "b.test"]


def sharing(**changes: Any) -> dict[str, Any]:
    """Another app below the same names as `first`."""
    return app(**{"name": "wiki", "source": "shop", "server_names": NAMES, "prefix": "/wiki", **changes})


def first(**changes: Any) -> dict[str, Any]:
    return app(**{"server_names": NAMES, **changes})


def test_each_has_what_leads_to_it_in_one_server_block(workshop: Workshop) -> None:
    plan = workshop.plan(first(), sharing(), app(name="alone", source="shop", server_names=["c.test"]))
    assert [item["site"]["shared"] for item in plan["apps"]] == ["shared.a.test", "shared.a.test", ""]
    (names,) = plan["shared"]
    assert names["app"]["name"] == "shared.a.test"
    assert names["app"]["server_names"] == NAMES
    closed = [item["site"]["closed"] for item in plan["apps"]]
    assert closed == ["closed_shop", "closed_wiki", "is_closed"]


def test_what_they_share_is_the_same_whoever_is_deployed(workshop: Workshop) -> None:
    apps = (first(headers={"X-Frame-Options": "DENY"}), sharing(hsts=0))
    plans = [workshop.plan(*apps, app=chosen) for chosen in ("", "shop", "wiki")]
    assert [plan["shared"] for plan in plans] == [plans[0]["shared"]] * 3
    assert [[item["app"]["name"] for item in plan["apps"]] for plan in plans] == [["shop", "wiki"], ["shop"], ["wiki"]]


def test_nothing_is_shared_where_no_such_app_is_deployed(workshop: Workshop) -> None:
    plan = workshop.plan(first(), sharing(), app(name="alone", source="shop", server_names=["c.test"]), app="alone")
    assert plan["shared"] == []


def test_the_order_of_names_is_no_difference(workshop: Workshop) -> None:
    apps = (first(), sharing(server_names=NAMES[::-1]))
    for listed in (apps, apps[::-1]):
        assert [item["site"]["shared"] for item in workshop.plan(*listed)["apps"]] == ["shared.a.test"] * 2


def test_on_a_host_that_serves_one_of_them_it_has_its_names_to_itself(workshop: Workshop) -> None:
    inventory = Inventory("one", {"web": ["one", "two"]})
    plan = workshop.plan(first(), sharing(hosts=["two"]), inventory=inventory)
    assert plan["shared"] == []
    assert [item["site"]["shared"] for item in plan["apps"]] == [""]


def test_an_app_on_its_way_out_shares_nothing(workshop: Workshop) -> None:
    plan = workshop.plan(first(), sharing(state="absent"))
    assert plan["shared"] == []


def test_a_certificate_is_the_names_own(workshop: Workshop) -> None:
    plan = workshop.plan(first(tls="self_signed"), sharing(tls="self_signed"))
    assert plan["certificates"] == {}
    assert plan["shared"][0]["app"]["tls"] == "self_signed"


@pytest.mark.parametrize("name", ["*.a.test", "[2001:db8::7]", "localhost"])
def test_any_name_can_be_shared(workshop: Workshop, name: str) -> None:
    (names,) = workshop.plan(first(server_names=[name]), sharing(server_names=[name]))["shared"]
    assert names["app"]["name"].strip("abcdefghijklmnopqrstuvwxyz0123456789._") == ""


@pytest.mark.parametrize(
    ("shop", "wiki", "problem"),
    [
        (
            {},
            {"prefix": ""},
            "both have 'a.test' in 'server_names'; a host name leads to one app, or to several with a ",
        ),
        ({"prefix": "/wiki"}, {}, "both have 'a.test' in 'server_names'; a host name leads to one app, or to several "),
        ({}, {"server_names": ["a.test"]}, "share a.test, so 'server_names' must be the same for both"),
        (
            {},
            {"tls": "self_signed"},
            "share a.test, b.test, so 'tls' must be the same for both: it belongs to the host",
        ),
        (
            {"tls": "self_signed", "hsts": 60},
            {"tls": "self_signed"},
            "share a.test, b.test, so 'hsts' must be the same",
        ),
        ({"redirect_names": ["c.test"]}, {}, "share a.test, b.test, so 'redirect_names' must be the same for both"),
        (
            {"redirect_names": ["c.test"]},
            {"redirect_names": ["c.test"], "server_names": ["d.test"]},
            "share c.test, so 'server_names' must be the same for both",
        ),
        ({}, {"server_names": ["d.test"], "redirect_names": ["a.test"]}, "both have 'a.test' in 'redirect_names' and "),
    ],
)
def test_what_belongs_to_the_names_is_the_same_for_all(
    workshop: Workshop, shop: dict[str, Any], wiki: dict[str, Any], problem: str
) -> None:
    problems = workshop.problems(first(**shop), sharing(**wiki))
    assert len(problems) == (2 if "both have 'a.test' in 'server_names'" in problem else 1)
    assert problems[0].startswith("web_apps: 'wiki' and 'shop' ")
    assert problem in problems[0]


def test_apps_that_share_redirects_share_them_whole(workshop: Workshop) -> None:
    both = {"redirect_names": ["c.test"]}
    (names,) = workshop.plan(first(**both), sharing(**both))["shared"]
    assert names["site"]["names"] == [*NAMES, "c.test"]


def test_one_left_on_a_host_shares_its_names_on(workshop: Workshop) -> None:
    """It serves on there, so who stays must not claim the names alone."""
    inventory = Inventory("one", {"web": ["one", "two"]})
    there = {"apps": {"shop": {"live": "0" * 12}, "wiki": {"live": "1" * 12}}}
    for chosen in ("", "shop"):
        plan = workshop.plan(first(), sharing(hosts=["two"]), inventory=inventory, host=there, app=chosen)
        assert [item["site"]["shared"] for item in plan["apps"]] == ["shared.a.test"]
        assert [names["app"]["name"] for names in plan["shared"]] == ["shared.a.test"]
    moved = [first(hosts=["two"]), sharing(hosts=["two"])]
    assert workshop.plan(*moved, inventory=inventory, host=there)["shared"] == []


def test_nor_may_it_have_the_same_prefix(workshop: Workshop) -> None:
    inventory, there = Inventory("one", {"web": ["one", "two"]}), {"apps": {"wiki": {"live": "1" * 12}}}
    heir = first(prefix="/wiki", hosts=["one"])
    with pytest.raises(BadSettings, match=r"'shop' has 'a.test', which leads to 'wiki'; that is on one still"):
        workshop.plan(heir, sharing(hosts=["two"]), inventory=inventory, host=there)
