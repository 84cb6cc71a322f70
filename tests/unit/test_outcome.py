"""What a run says when it has ended."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.wanted import Front
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.command_line import CommandLine
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.outcome import BAD, CHANGED, NEXT, WELL, Outcome
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.tables import some_of, table

from project import PLAYBOOKS
from world import World, change, deploy

OLD, NEW = "e8f95a32a2d7", "fd4a97ac4f6f"
ADDRESS = "https://shop.example.com/"
# Those that change nothing but what a person sees.
LOOKING = {"hosts.yml", "status.yml", "run.yml", "logs.yml"}


def one(result: str = "live", **more: Any) -> dict[str, Any]:
    now = NEW if result in ("live", "would go live") else OLD
    told = {"app": "shop", "before": OLD, "now": now, "result": result, "seconds": 4.91, "address": ADDRESS}
    return {**told, **more}


def outcome(
    *apps: dict[str, Any], playbook: str = "site.yml", hosts: dict[str, str] | None = None, **given: Any
) -> Outcome:
    """Of a run in which each of these was said by the host `web1`."""
    made = Outcome(playbook, CommandLine(playbook, given), bool(given.get("check")), hosts=hosts or {})
    made.apps = {("web1", it["app"]): it for it in apps}
    made.has_failed = any(it in ("failed", "unreachable") for it in (hosts or {}).values())
    return made


def lines(made: Outcome, width: int = 0) -> list[str]:
    return [text for text, _tone in made.lines(width)]


def verdict(made: Outcome) -> tuple[str, str]:
    text, tone = [*made.lines()][-1]
    return text.partition(": ")[2], tone


@pytest.mark.parametrize(
    ("needs", "free", "told"),
    [
        (300, 500, ["Note: shop on web1: a second instance needs about 300 MiB, and 500 MiB were free"]),
        (250, 500, []),
        (0, 0, []),
    ],
)
def test_what_two_instances_cost_is_told_where_it_is_much(needs: int, free: int, told: list[str]) -> None:
    step = {"step": "memory", "needs": needs * 2**20, "free": free * 2**20, "seconds": 0.01}
    made = outcome(one(steps=[step, {"step": "start", "seconds": 1.0}]))
    assert [line for line in lines(made) if line.startswith("Note: ")] == told


def test_every_playbook_that_changes_something_says_what_comes_next() -> None:
    assert {path.name for path in PLAYBOOKS} - LOOKING == {*NEXT}


def test_a_deploy_ends_with_a_table_the_address_and_what_to_type() -> None:
    wiki = one("unchanged", app="wiki", seconds=0.3, address="http://shop.example.com/wiki/")
    made = outcome(wiki, one(before=""), hosts={"web1": "changed"})
    assert lines(made)[:-1] == [
        "HOST  APP   BEFORE        NOW           RESULT     SECONDS  ADDRESS",
        f"web1  shop  none          {NEW}  live       4.9      {ADDRESS}",
        f"web1  wiki  {OLD}  {OLD}  unchanged  0.3      http://shop.example.com/wiki/",
        "Next: ansible-playbook status.yml",
    ]
    assert [tone for _text, tone in made.lines()][1:3] == [CHANGED, WELL]
    assert verdict(made) == ("1 of 2 changed.", WELL)


def test_a_run_that_finds_nothing_to_do_says_so() -> None:
    assert verdict(outcome(one("unchanged"))) == ("there was nothing to do.", WELL)
    assert lines(outcome(one("unchanged"), check=True))[-2] == "Next: ansible-playbook status.yml"
    assert verdict(outcome(one("unchanged"), check=True)) == ("there was nothing to do. Nothing was changed.", WELL)


def test_what_changed_beside_the_apps_is_no_secret() -> None:
    made = outcome(one("unchanged"), hosts={"web1": "changed"})
    assert verdict(made) == ("something else changed on web1.", WELL)
    made = outcome(one("unchanged"), hosts={"web1": "would change"}, check=True)
    assert lines(made)[-2] == "Next: ansible-playbook site.yml"
    assert verdict(made) == ("something else would change on web1. Nothing was changed.", CHANGED)


def test_a_release_that_was_refused_says_where_to_read_why_and_how_to_try_again() -> None:
    cause = {
        "step": "check",
        "cause": "ModuleNotFoundError: no x\nmore",
        "evidence": "/opt/w/failure.log",
    }
    made = outcome(one(), one("refused", app="wiki", **cause), hosts={"web1": "failed"})
    assert lines(made)[3:-1] == [
        "wiki on web1: at the step 'check': ModuleNotFoundError: no x",
        "Read: sudo cat /opt/w/failure.log    (on web1)",
        "Next: ansible-playbook site.yml -e app=wiki    (when that is mended)",
    ]
    assert [tone for _text, tone in made.lines()][2] == BAD
    assert verdict(made) == ("wiki was not taken; the reason is above the recap.", BAD)


def test_the_same_cause_on_several_hosts_is_told_once() -> None:
    made = outcome(one("refused", cause="no space"))
    made.apps["web2", "shop"] = one("refused", cause="no space")
    assert [text for text in lines(made) if "no space" in text] == ["shop on web1, web2: no space"]


def test_hosts_that_said_nothing_are_in_the_table_too() -> None:
    made = outcome(one(), hosts={"web1": "changed", "web2": "unreachable", "web3": "failed"})
    assert lines(made)[2:4] == [
        "web2  -     -             -             unreachable  -",
        "web3  -     -             -             failed       -",
    ]
    assert verdict(made) == ("web3 failed; web2 can't be reached; the reason is above the recap.", BAD)


def test_a_host_may_fail_though_its_apps_were_taken() -> None:
    assert verdict(outcome(one(), hosts={"web1": "failed"})) == ("web1 failed; the reason is above the recap.", BAD)


def test_a_rehearsal_is_followed_by_the_command_itself() -> None:
    made = outcome(one("would go live"), check=True, diff=True, extra_vars=("app=shop",), subset="web1")
    assert lines(made)[-2] == "Next: ansible-playbook site.yml -e app=shop --limit web1"
    assert verdict(made) == ("1 of 1 would change. Nothing was changed.", CHANGED)


def test_an_app_that_was_closed_can_be_opened() -> None:
    closed = {"app": "shop", "before": "open", "now": "closed", "result": "closed"}
    made = outcome(closed, playbook="maintenance.yml", extra_vars=("state=on let_pass=192.0.2.1",))
    assert lines(made)[-2] == (
        "Next: ansible-playbook maintenance.yml -e state=off -e let_pass=192.0.2.1 -e app=shop    (to open it)"
    )
    opened = outcome({**closed, "now": "open", "result": "open"}, playbook="maintenance.yml")
    assert lines(opened)[-2] == "Next: ansible-playbook status.yml"


def test_where_no_app_is_concerned_the_hosts_are_told() -> None:
    made = outcome(playbook="firewall.yml", hosts={"web1": "changed", "web2": "unchanged"})
    assert lines(made)[:4] == ["HOST  RESULT", "web1  changed", "web2  unchanged", "Next: ansible-playbook status.yml"]
    assert verdict(made) == ("1 of 2 changed.", WELL)


def test_settings_lead_to_a_rehearsal() -> None:
    made = outcome(playbook="settings.yml")
    assert lines(made) == ["Next: ansible-playbook site.yml --check --diff", "The settings can be used."]
    made.has_failed = True
    assert verdict(made) == ("no host was touched; the reason is above the recap.", BAD)


def test_what_the_modules_return_can_be_told(tmp_path: Any) -> None:
    world = World(tmp_path, hosts=["one"], apps=["shop"])
    item = world.item("one", "shop", world.look("one"))
    item["release"]["prefix"] = "/wiki"
    rehearsed = world.deploy_of("one", item).rehearse()
    assert rehearsed["address"].endswith("/wiki/")
    deploy(world)
    change(world, "sick")
    world.hosts["one"].done.clear()
    (refused,) = world.site()["one"].values()
    # What it is at can be told meanwhile.
    assert world.hosts["one"].done[:4] == ["shop place", "shop memory", "shop check", "shop start"]
    made = outcome(refused, hosts={"web1": "failed"})
    assert refused["address"].startswith("http://")
    assert any(refused["evidence"] in text for text in lines(made))
    assert refused["evidence"].endswith(f"{refused['release']}/failure.log")


# --- Tables ---------------------------------------------------------------------------------------------------------


def test_no_line_is_wider_than_the_terminal() -> None:
    made = outcome(one(address="https://" + "long." * 20 + "test/"), hosts={"web1": "changed"})
    assert max(map(len, lines(made, 100)[:2])) == 100
    assert NEW in lines(made, 100)[1]
    assert max(map(len, lines(made))) > 100


def test_what_cant_be_cut_is_whole() -> None:
    assert table(["ID", "NAME"], [[NEW, "x" * 20]], width=10, flexible=["NAME"])[1] == f"{NEW}  xxxxxxx…"


@pytest.mark.parametrize(
    ("room", "told"), [(0, "one +2"), (8, "one, two +1"), (15, "one, two, three")], ids=["one", "two", "all"]
)
def test_names_are_as_many_as_there_is_room_for(room: int, told: str) -> None:
    assert some_of(["one", "two", "three"], room) == told


# --- Addresses ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("front", "prefix", "url"),
    [
        (Front("shop.test", 443, "https"), "", "https://shop.test/"),
        (Front("shop.test", 80), "/wiki", "http://shop.test/wiki/"),
        (Front("shop.test", 8443, "https"), None, "https://shop.test:8443/"),
        (Front("", 0), "", ""),
    ],
    ids=str,
)
def test_an_address_is_what_a_visitor_types(front: Front, prefix: str | None, url: str) -> None:
    assert front.url({"prefix": prefix}) == url


def test_a_rollback_that_some_hosts_missed_takes_no_host_back_twice() -> None:
    """Repeated as it was, it would take a host that has gone back to a still older release."""
    hosts = {"web1": "changed", "web2": "unreachable", "web3": "failed"}
    made = outcome(one(), playbook="rollback.yml", hosts=hosts)
    again = (
        f"Next: ansible-playbook rollback.yml -e app=shop -e release={NEW} --limit web2,web3    (when that is mended)"
    )
    assert lines(made)[-2] == again
    made.apps["web3", "shop"] = one("refused")
    assert lines(made)[-2] == again
    # They had different releases before.
    made.apps["web3", "shop"] = one("live", now=OLD)
    assert lines(made)[-2] == "Next: ansible-playbook rollback.yml --limit web2    (when that is mended)"
    del made.apps["web1", "shop"], made.apps["web3", "shop"]
    assert lines(made)[-2] == "Next: ansible-playbook rollback.yml    (when that is mended)"
