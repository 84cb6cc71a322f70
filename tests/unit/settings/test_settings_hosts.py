"""On which hosts an app is served: how that is written, what follows for one host, and for names that two apps have."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.fleet import proven_twice
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.checked import parse
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.placement import Inventory
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.request import BadSettings

from settings import Workshop, app

GROUPS = {
    "all": ["web1", "web2", "web3", "db1"],
    "ungrouped": [],
    "web": ["web1", "web2", "web3"],
    "staging": ["web3"],
    "production": ["web1", "web2"],
    "databases": ["db1"],
}
WEB = GROUPS["web"]
KNOWN = "Known hosts and groups: all, databases, db1, production, staging, ungrouped, web, web1, web2, web3"
LIST = "must be a list of hosts and groups of the inventory"


def on(host: str) -> Inventory:
    return Inventory(host, GROUPS)


def wiki(**changes: Any) -> dict[str, Any]:
    return app(name="wiki", source="shop", server_names=["wiki.test"], **changes)


@pytest.mark.parametrize(
    ("hosts", "serving"),
    [
        ([], WEB),
        (["all"], WEB),
        (["web"], WEB),
        (["web2"], ["web2"]),
        (["staging"], ["web3"]),
        (["staging", "web1"], ["web1", "web3"]),
        (["production", "web1"], ["web1", "web2"]),
        (["databases", "staging"], ["web3"]),
    ],
    ids=str,
)
def test_it_is_served_there_and_nowhere_else(workshop: Workshop, hosts: list[str], serving: list[str]) -> None:
    for host in WEB:
        plan = workshop.plan(app(), wiki(hosts=hosts), inventory=on(host))
        served = {item["app"]["name"]: item["hosts"] for item in plan["apps"]}
        assert served == {"shop": WEB, **({"wiki": serving} if host in serving else {})}
        # Nothing else of it reaches the other hosts.
        assert ("wiki" in plan["environments"], "wiki" in plan["secrets"]) == (host in serving, host in serving)
        assert ("web-wiki" in plan["accounts"]["groups"]) is (host in serving)


@pytest.mark.parametrize(
    ("hosts", "why"),
    [
        ("staging", f"{LIST} ([web1.example.com, staging])"),
        (None, f"{LIST} ([web1.example.com, staging])"),
        ([3], f"{LIST}; 3 isn't one"),
        ([" "], f'{LIST}; " " isn\'t one'),
        (["web*"], 'must name hosts and groups, without patterns; "web*" is one'),
        (["web:!web1"], 'must name hosts and groups, without patterns; "web:!web1" is one'),
    ],
    ids=str,
)
def test_a_wrong_list_is_refused(workshop: Workshop, hosts: Any, why: str) -> None:
    assert workshop.problem(app(hosts=hosts), inventory=on("web1")).endswith(f", but it {why}")


@pytest.mark.parametrize(
    ("hosts", "why"),
    [
        (["stagin"], f"'stagin' is neither a host nor a group of the inventory; did you mean 'staging'? {KNOWN}"),
        (["web1", "zebra"], f"'zebra' is neither a host nor a group of the inventory. {KNOWN}"),
        (["databases"], "no host of the group 'web' is among databases, so nobody would serve it"),
        (["ungrouped", "db1"], "no host of the group 'web' is among ungrouped, db1, so nobody would serve it"),
    ],
    ids=str,
)
@pytest.mark.parametrize("host", WEB)
def test_names_that_nobody_has_are_refused(workshop: Workshop, host: str, hosts: list[str], why: str) -> None:
    """On every host: one that isn't placed must say so too."""
    assert workshop.problem(app(), wiki(hosts=hosts), inventory=on(host)) == f"web_apps: 'wiki' has 'hosts': {why}"


def test_of_a_large_inventory_not_all_is_listed(workshop: Workshop) -> None:
    groups = {"web": [f"host-{number:03}" for number in range(300)]}
    problem = workshop.problem(app(hosts=["nowhere"]), inventory=Inventory("host-001", groups))
    assert (problem.count("host-"), problem[-3:]) == (12, ", …")


def test_an_absent_app_goes_from_everywhere(workshop: Workshop) -> None:
    gone = {"name": "wiki", "state": "absent", "hosts": ["of-old"], "purge": True}
    for host in WEB:
        assert workshop.plan(app(), gone, inventory=on(host))["absent"] == [{"name": "wiki", "purge": True}]


def test_it_can_be_shared(workshop: Workshop) -> None:
    shared: dict[str, Any] = {"web_app_defaults": {"hosts": ["staging"], "elsewhere": "remove"}}
    (left,) = workshop.plan(app(), inventory=on("web1"), host={"apps": {"shop": {}}}, **shared)["elsewhere"]
    mark = "/opt/shop/first-host"
    assert left == {"name": "shop", "elsewhere": "remove", "hosts": ["web3"], "first_host": mark}
    assert [it["hosts"] for it in workshop.plan(app(), inventory=on("web3"), **shared)["apps"]] == [["web3"]]


# --- Where it was -------------------------------------------------------------------------------------------------

LIVE = {"wiki": {"live": "0" * 12, "served": True}}
PREPARED = {"wiki": {"live": "", "served": False}}
ILL = {"wiki": {"live": "0" * 12, "served": False}}
# The key, what the hosts of the run told, and whether the app is reported, or removed, on web1.
STAYS: list[tuple[str, dict[str, Any], str]] = [
    ("report", {"web1": {}, "web3": {}}, ""),
    ("report", {"web1": LIVE, "web3": LIVE}, "reported"),
    ("remove", {"web1": {}, "web3": LIVE}, ""),
    ("remove", {"web1": LIVE, "web3": LIVE}, "removed"),
    # Visitors would have nobody.
    ("remove", {"web1": LIVE, "web3": {}}, "reported"),
    ("remove", {"web1": LIVE, "web3": PREPARED}, "reported"),
    ("remove", {"web1": LIVE, "web3": ILL}, "reported"),
    ("remove", {"web1": LIVE}, "reported"),
    # Another one that has been left says nothing.
    ("remove", {"web1": LIVE, "web2": LIVE, "web3": {}}, "reported"),
]


@pytest.mark.parametrize(("elsewhere", "fleet", "fate"), STAYS)
def test_where_it_was_it_is_reported_or_removed(
    workshop: Workshop, elsewhere: str, fleet: dict[str, Any], fate: str
) -> None:
    # `purge` is for an app that goes from everywhere.
    moved = wiki(hosts=["staging"], elsewhere=elsewhere, purge=True)
    plan = workshop.plan(app(), moved, inventory=on("web1"), host={"apps": fleet["web1"]}, fleet=fleet)
    assert plan["absent"] == ([{"name": "wiki", "purge": False}] if fate == "removed" else [])
    told = {"name": "wiki", "elsewhere": elsewhere, "hosts": ["web3"], "first_host": "/opt/wiki/first-host"}
    assert plan["elsewhere"] == ([told] if fate == "reported" else [])
    plan = workshop.plan(app(), moved, inventory=on("web3"), host={"apps": fleet.get("web3", {})}, fleet=fleet)
    assert (plan["elsewhere"], plan["absent"]) == ([], [])


@pytest.mark.parametrize("chosen", ["", "shop"])
@pytest.mark.parametrize(
    ("elsewhere", "remedy"),
    [("report", "give 'wiki' 'elsewhere: remove', or run teardown.yml"), ("remove", "run teardown.yml")],
)
def test_a_name_that_one_left_there_is_asked_by_is_refused(
    workshop: Workshop, chosen: str, elsewhere: str, remedy: str
) -> None:
    """nginx would warn of it, and go on serving the old one."""
    moved = wiki(hosts=["staging"], elsewhere=elsewhere)
    heir = app(hosts=["web1"], redirect_names=["wiki.test"])
    options: dict[str, Any] = {"inventory": on("web1"), "host": {"apps": LIVE}, "app": chosen}
    with pytest.raises(BadSettings) as refused:
        workshop.plan(heir, moved, **options)
    assert str(refused.value) == (
        "web_apps: 'shop' has 'wiki.test', which leads to 'wiki'; that is on web1 still, where its 'hosts' doesn't "
        f"place it: {remedy} -e app=wiki --limit web1"
    )
    assert workshop.plan(heir, moved, inventory=on("web1"), app=chosen)
    assert workshop.plan(app(hosts=["web1"]), moved, **options)


def test_not_if_it_is_removed_by_the_same_run(workshop: Workshop) -> None:
    heir, fleet = app(hosts=["web1"], redirect_names=["wiki.test"]), {"web1": LIVE, "web3": LIVE}
    moved = wiki(hosts=["staging"], elsewhere="remove")
    plan = workshop.plan(heir, moved, inventory=on("web1"), host={"apps": LIVE}, fleet=fleet)
    assert plan["absent"] == [{"name": "wiki", "purge": False}]


def test_not_if_the_run_is_for_another_app(workshop: Workshop) -> None:
    moved, fleet = wiki(hosts=["staging"], elsewhere="remove"), {"web1": LIVE, "web3": LIVE}
    for name, absent in (("shop", []), ("wiki", [{"name": "wiki", "purge": False}])):
        plan = workshop.plan(app(), moved, inventory=on("web1"), host={"apps": LIVE}, fleet=fleet, app=name)
        assert plan["absent"] == absent


def test_where_it_is_served_makes_no_other_release(workshop: Workshop) -> None:
    assert workshop.id(app(hosts=["staging"], elsewhere="remove"), inventory=on("web3")) == workshop.id()


# --- What is checked of it ----------------------------------------------------------------------------------------


def test_what_a_host_doesnt_serve_isnt_looked_at_there(workshop: Workshop) -> None:
    missing = app(name="wiki", source="nowhere", server_names=["wiki.test"], hosts=["staging"])
    assert workshop.problems(app(), missing, inventory=on("web1")) == []
    assert "there is no folder" in workshop.problem(app(), missing, inventory=on("web3"))


def test_it_can_be_named_in_a_run_for_hosts_that_dont_serve_it(workshop: Workshop) -> None:
    given = [app(), wiki(hosts=["staging"])]
    assert workshop.plan(*given, inventory=on("web1"), app="wiki", restart="wiki")["apps"] == []


CLASHES: list[tuple[list[str], list[str], bool]] = [
    ([], [], True),
    ([], ["staging"], True),
    (["production"], ["staging"], False),
    (["web1"], ["web2"], False),
    (["web1"], ["production"], True),
    (["web1", "staging"], ["web2", "web3"], True),
]


@pytest.mark.parametrize(("one", "other", "is_clash"), CLASHES, ids=str)
@pytest.mark.parametrize("key", ["server_names", "redirect_names"])
def test_a_host_name_leads_to_one_app_on_each_host(
    workshop: Workshop, key: str, one: list[str], other: list[str], is_clash: bool
) -> None:
    """Whichever host is asked about, also one that serves neither."""
    rival = {**wiki(hosts=other), key: ["shop.test"], **({} if key == "server_names" else {"server_names": ["w.test"]})}
    for host in WEB:
        problems = workshop.problems(app(hosts=one), rival, inventory=on(host))
        assert ["both have 'shop.test'" in problem for problem in problems] == [True] * is_clash


def test_of_three_apps_those_clash_that_meet(workshop: Workshop) -> None:
    names = {"source": "shop", "server_names": ["shop.test"]}
    third = app(name="third", hosts=["web2"], **names)
    assert workshop.problems(
        app(hosts=["web1"]), app(name="wiki", hosts=["production"], **names), third, inventory=on("web3")
    ) == [
        (
            "web_apps: 'wiki' and 'shop' both have 'shop.test' in 'server_names'; "
            "a host name leads to one app, or to several with a 'prefix' of their own"
        ),
        (
            "web_apps: 'third' and 'wiki' both have 'shop.test' in 'server_names'; "
            "a host name leads to one app, or to several with a 'prefix' of their own"
        ),
    ]


def test_a_name_is_still_one_apps_own(workshop: Workshop) -> None:
    """Or one of the two would be taken for the other where both were."""
    two = [app(hosts=["web1"]), app(hosts=["web2"], server_names=["b.test"])]
    assert "the name 'shop' appears twice" in workshop.problem(*two, inventory=on("web1"))


# --- What is proven to a CA, and which hooks are told of ------------------------------------------------------------


def test_a_ca_asks_only_where_it_is_served(workshop: Workshop) -> None:
    secure = app(tls="acme", hosts=["staging"], server_names=["shop.example.org"])
    both = app(tls="acme", hosts=["production"], server_names=["shop.example.org"])
    for given, count in ((secure, 0), (both, 1)):
        proven = {}
        for host in WEB:
            settings, problems = parse(workshop.request(given, inventory=on(host), web_acme_email="a@example.org"))
            assert problems == []
            proven[host] = settings.proven_here()
        assert len(proven_twice(proven)) == count


def test_what_other_hosts_must_know_of_hooks(workshop: Workshop) -> None:
    hooked = wiki(hosts=["production"], before_live=["migrate"])
    (told,) = workshop.plan(app(), hooked, inventory=on("web2"))["hooked"]
    assert (told["app"], told["hosts"]) == ({"name": "wiki"}, ["web1", "web2"])
    assert told["release"]["hooks"]["before"] == ["migrate"]
    assert workshop.plan(app(), hooked, inventory=on("web3"))["hooked"] == []
