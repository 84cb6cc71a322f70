"""What status.yml says, from what the hosts answered."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.status import status_of
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.report import (
    certificate_faults,
    misplaced,
    status_of_hosts,
    status_report,
)

from project import PROJECT
from world import World, deploy


@pytest.fixture
def host(status_host: dict[str, Any]) -> dict[str, Any]:
    return status_host


def unmanaged(host: dict[str, Any]) -> list[str]:
    return list(status_of_hosts([host])["one"]["unmanaged"])


def test_an_app_that_web_apps_does_not_name_is_unmanaged(host: dict[str, Any]) -> None:
    assert unmanaged({**host, "web_apps": [{"name": "wiki"}]}) == ["shop"]
    assert unmanaged({**host, "web_apps": [{"name": "shop", "state": "absent"}]}) == []


def test_so_is_the_last_one(host: dict[str, Any]) -> None:
    assert unmanaged({**host, "web_apps": []}) == ["shop"]


def test_without_settings_nothing_is(host: dict[str, Any]) -> None:
    assert unmanaged(host) == []


def test_the_page_names_every_key_of_the_json(host: dict[str, Any]) -> None:
    told = json.loads(status_report(status_of_hosts([host]), "json"))
    text = (PROJECT / "docs/status.md").read_text().partition("## JSON")[2]
    named = set(re.findall(r"`(\w+)`", text.partition("```")[0]))
    assert {entry["result"] for entry in told["apps"][0]["last"]} == {"good", "bad"}
    (app,), (one,) = told["apps"], told["hosts"]
    assert {*told, *app, *one} | {key for entry in app["last"] for key in entry} <= named
    assert "stats_socket" not in app


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({}, []),
        ({"cores": 4}, ["  RESIZED started with 2 workers; the host has 4 cores: site.yml -e restart=shop"]),
        ({"cores": 1}, ["  RESIZED started with 2 workers; the host has 1 core: site.yml -e restart=shop"]),
        # It has the number that somebody chose.
        ({"cores": 4, "per_core": False}, []),
        # Nobody answers, which is told otherwise.
        ({"cores": 4, "busy": 0, "idle": 0}, []),
    ],
    ids=str,
)
def test_a_host_that_was_resized_is_told(host: dict[str, Any], change: dict[str, Any], told: list[str]) -> None:
    reports = status_of_hosts([host])
    assert reports["one"]["apps"][0]["per_core"] is True
    reports["one"]["apps"][0] |= change
    assert [line for line in status_report(reports).splitlines() if "RESIZED" in line] == told


def test_the_same_code_by_another_name_is_noted_and_nothing_restarts(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path, hosts=["one"], apps=["shop"])
    deploy(world)
    machine, real = world.hosts["one"], World.item
    layout = machine.app("shop")
    registration = json.loads(layout.registration.read_text())
    before = status_of(layout, registration, machine)

    def item(*words: Any, **more: Any) -> dict[str, Any]:
        made = real(*words, **more)
        made["release"] |= {"ref": "v2", "commit": "1a2b3c4d5e6f" + "0" * 28}
        return made

    monkeypatch.setattr(World, "item", item)
    machine.calls.clear()
    world.site()
    after = status_of(layout, registration, machine)
    assert (after["ref"], after["commit"][:7], after["live"]) == ("v2", "1a2b3c4", before["live"])
    assert (after["drift"], after["running"]) == ([], before["running"])
    written = f"write {layout.release(before['live']).description}"
    assert machine.calls == [written, "systemctl daemon-reload"]


@pytest.mark.parametrize(
    ("ref", "commit", "shown"),
    [
        ("", "", "-"),
        ("v2-dirty", "", "v2-dirty"),
        ("main", "1a2b3c4d5e6f" + "0" * 28, "main@1a2b3c4d5e6f"),
        ("1a2b3c4d5e6f" + "0" * 28, "1a2b3c4d5e6f" + "0" * 28, "1a2b3c4d5e6f"),
        ("1a2b3c4", "1a2b3c4d5e6f" + "0" * 28, "1a2b3c4d5e6f"),
    ],
)
def test_where_the_code_came_from_is_one_word(host: dict[str, Any], ref: str, commit: str, shown: str) -> None:
    host["reported"]["apps"][0] |= {"ref": ref, "commit": commit}
    line = status_report(status_of_hosts([host])).splitlines()[1]
    assert line.split()[3] == shown


def test_a_certificate_that_isnt_as_it_should_be_is_told(host: dict[str, Any]) -> None:
    failed = {"shop": "no address", "wiki": "it won't be renewed"}
    host["nginx_reported"]["failed_certificates"] = failed
    told = status_of_hosts([host])
    lines = status_report(told).splitlines()
    assert "one shop: CERTIFICATE no address" in lines
    assert "one wiki: CERTIFICATE it won't be renewed" in lines
    assert json.loads(status_report(told, "json"))["hosts"][0]["failed_certificates"] == failed


def test_what_else_couldnt_be_renewed_is_told_of_the_host(host: dict[str, Any]) -> None:
    failed = ["another certificate's renewal failed on this host: mail.test: no address"]
    host["nginx_reported"]["failed_renewals"] = failed
    told = status_of_hosts([host])
    assert f"one: CERTIFICATE {failed[0]}" in status_report(told).splitlines()
    assert json.loads(status_report(told, "json"))["hosts"][0]["failed_renewals"] == failed


def test_a_run_ends_with_a_line_for_each_of_them() -> None:
    assert certificate_faults({}) == ""
    assert certificate_faults({"shop": "no address", "wiki": "too many"}).splitlines() == [
        "shop: couldn't get its certificate: no address",
        "wiki: couldn't get its certificate: too many",
    ]


# --- Apps that are still where they aren't placed any more ----------------------------------------------------------

GROUPS = {"web": ["one", "two"], "staging": ["two"]}


@pytest.mark.parametrize(
    ("variables", "reported"),
    [
        ({"web_apps": [{"name": "shop"}]}, []),
        ({"web_apps": [{"name": "shop", "hosts": ["one"]}]}, []),
        ({"web_apps": [{"name": "shop", "hosts": ["staging"]}]}, ["shop"]),
        ({"web_apps": [{"name": "shop", "hosts": ["staging"], "elsewhere": "remove"}]}, ["shop"]),
        ({"web_apps": [{"name": "shop"}], "web_app_defaults": {"hosts": ["two"]}}, ["shop"]),
        ({"web_apps": [{"name": "shop", "hosts": ["one"]}], "web_app_defaults": {"hosts": ["two"]}}, []),
        ({"web_apps": [{"name": "shop", "hosts": ["two"], "state": "absent"}]}, []),
        ({"web_apps": [{"name": "wiki", "hosts": ["two"]}]}, []),
        # What settings.yml would refuse must not keep anybody from a report.
        ({"web_apps": [{"name": "shop", "hosts": "two"}], "web_app_defaults": 3}, []),
        ({}, []),
    ],
    ids=str,
)
def test_status_tells_what_is_placed_elsewhere(
    host: dict[str, Any], variables: dict[str, Any], reported: list[str]
) -> None:
    told = status_of_hosts([{**host, "groups": GROUPS, **variables}])
    assert [one["name"] for one in told["one"]["elsewhere"]] == reported
    assert json.loads(status_report(told, "json"))["hosts"][0]["elsewhere"] == reported
    said = "shop is still on one, where its 'hosts' doesn't place it: "
    assert [line.startswith(said) for line in status_report(told).splitlines()].count(True) == len(reported)


def test_a_run_ends_with_a_line_for_each_app_wherever_it_is() -> None:
    wiki = {"name": "wiki", "elsewhere": "report", "hosts": ["four"]}
    blog = {"name": "blog", "elsewhere": "remove", "hosts": ["four", "five"]}
    remedy = "give it 'elsewhere: remove', or run teardown.yml -e app=wiki --limit one,two"
    later = "the next run in which it is live on four or five removes it"
    assert misplaced({"one": [wiki], "two": [wiki, blog], "three": []}) == [
        f"wiki is still on one, two, where its 'hosts' doesn't place it: it serves on there; to remove it, {remedy}",
        f"blog is still on two, where its 'hosts' doesn't place it: {later}",
    ]
    assert misplaced({"one": []}) == []


def test_workers_are_told(host: dict[str, Any]) -> None:
    app = host["reported"]["apps"][0]
    assert app["workers"] == {"mail": {"state": "active", "restarts": 0}}
    app["workers"]["mail"]["restarts"] = 2
    assert "  worker mail: active, restarted 2 times" in status_report(status_of_hosts([host])).splitlines()


def test_timers_are_told_and_jobs_that_failed(host: dict[str, Any]) -> None:
    app = host["reported"]["apps"][0]
    assert app["timers"] == {}
    app["timers"] = {
        "clean": {"state": "active", "result": "success"},
        "send": {"state": "active", "result": "exit-code"},
    }
    lines = status_report(status_of_hosts([host])).splitlines()
    assert "  timer clean: active, its job is well" in lines
    assert "  timer send: active, its last job FAILED (exit-code)" in lines
