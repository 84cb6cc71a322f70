"""settings.yml as a person runs it: refuses before any host is touched, all problems of all hosts at once."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clone import Clone
from index import Index
from project import PLAYBOOKS, PROJECT, read, tasks
from repositories import Upstream
from settings import Workshop, app


@pytest.fixture
def clone(workshop: Workshop) -> Clone:
    return Clone(workshop)


def names(plan: Any) -> list[str]:
    return [item["app"]["name"] for item in plan["apps"]]


def settings(workshop: Workshop, *apps: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Variables that a person writes."""
    return {"web_apps": [{"source": str(workshop.source), **given} for given in apps or [app()]], **more}


def test_all_problems_of_all_hosts_are_reported_once_and_no_host_is_touched(clone: Clone, workshop: Workshop) -> None:
    missing = app(name="wiki", source="elsewhere", server_names=["b.test"])
    clone.hosts(
        {
            "good": settings(workshop),
            "one": settings(
                workshop, app(processes=0), web_app_secrets={"shop": {"TOKEN": "of-the-secrets", "A": None}}
            ),
            "three": {**settings(workshop), "nginx_worker_conections": 9, "web_htp_port": 8080, "web_zebra": 1},
            "two": settings(workshop, app(processes=0), missing),
        }
    )
    ended = clone.run("site.yml")
    said = ended.stdout + ended.stderr
    assert ended.returncode == 2, said
    message = ended.stdout.partition("msg: |-\n")[2].partition("\n\n")[0]
    where = f"there is no folder '{clone.folder}/elsewhere'; give one, relative to the playbook or absolute"
    assert [line.strip() for line in message.splitlines()] == [
        "one, two: web_apps: 'shop' has 'processes': 0, but it must be a whole number from 1 to 512",
        "one: web_app_secrets: 'shop' must hold strings; put the value of 'A' in quotes",
        "three: nginx_worker_conections: nothing reads this variable; did you mean 'nginx_worker_connections'?",
        "three: web_htp_port: nothing reads this variable; did you mean 'web_http_port'?",
        f"two: web_apps: 'wiki' has 'source': {where}",
    ], said
    assert said.count("[ERROR]") + said.count("Origin:") == 0, said
    assert "of-the-secrets" not in said
    assert "UNREACHABLE" not in said
    assert "Serve the apps" not in said


def test_good_settings_pass_without_a_connection(clone: Clone, workshop: Workshop) -> None:
    clone.hosts({"one": settings(workshop)})
    ended = clone.run("settings.yml")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "The settings can be used" in ended.stdout


def test_what_is_kept_at_home_is_said_once_for_all_hosts(clone: Clone, workshop: Workshop) -> None:
    workshop.write("shop/.env", "TOKEN=hunter2")
    clone.hosts({"one": settings(workshop), "two": settings(workshop)})
    ended = clone.run("settings.yml")
    said = " ".join((ended.stdout + ended.stderr).split())
    assert ended.returncode == 0, said
    told = "'shop' keeps '.env' at home; to ship one, write '!.env' into .deployignore or 'exclude'"
    assert said.count(told) == 1, said


def test_a_branch_is_one_commit_for_all_hosts_and_phases(
    clone: Clone, workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each host is looked at by a process of its own, twice; git asks the other side once."""
    upstream = Upstream(workshop.folder / "upstream")
    asked = workshop.folder / "asked"
    ssh = workshop.write("bin/ssh", f'#!/bin/sh\necho x >> {asked}\nfor last; do :; done\neval "$last"\n')
    ssh.chmod(0o755)
    source = app(source=f"git@git.test:{upstream.folder}", ref="main")
    clone.hosts({name: {"web_apps": [source]} for name in ("one", "two", "three")})
    monkeypatch.setenv("PATH", f"{ssh.parent}:{os.environ['PATH']}")
    ended = clone.run("show.yml")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    plans = [json.loads(line.removeprefix("PLAN ")) for line in ended.stdout.splitlines() if line.startswith("PLAN ")]
    assert [plan["apps"][0]["release"]["commit"] for plan in plans] == [upstream.git("rev-parse", "HEAD")] * 3
    # What there is, and the commit itself.
    assert asked.read_text().count("x") == 2


# --- Where a person may set them ----------------------------------------------------------------------------------


PLACES: dict[str, Callable[[Clone, dict[str, Any]], object]] = {
    "vars in the inventory file": lambda clone, given: clone.hosts({"one": {}}, vars=given),
    "a host of the inventory file": lambda clone, given: clone.hosts({"one": given}),
    "the inventory's group_vars/all": lambda clone, given: clone.write("inventory/group_vars/all.yml", given),
    "the inventory's group_vars": lambda clone, given: clone.write("inventory/group_vars/web/apps.yml", given),
    "the inventory's host_vars": lambda clone, given: clone.write("inventory/host_vars/one.yml", given),
    "the playbook's group_vars/all": lambda clone, given: clone.write("group_vars/all/apps.yml", given),
    "the playbook's group_vars": lambda clone, given: clone.write("group_vars/web.yml", given),
    "the playbook's host_vars": lambda clone, given: clone.write("host_vars/one/apps.yml", given),
}


@pytest.mark.parametrize("place", PLACES)
def test_every_place_wins_over_the_defaults(clone: Clone, workshop: Workshop, place: str) -> None:
    PLACES[place](clone, settings(workshop, web_http_port=8081, web_app_root="/srv"))
    plan = clone.plan()
    assert (names(plan), plan["web"]["http_port"]) == (["shop"], 8081)
    assert plan["apps"][0]["app"]["root"] == "/srv/shop"


def test_so_does_the_command_line_even_over_all_of_them(clone: Clone, workshop: Workshop) -> None:
    for put in PLACES.values():
        put(clone, settings(workshop, web_http_port=8081))
    given = {"web_apps": settings(workshop, app(name="wiki"))["web_apps"]}
    plan = clone.plan("-e", "web_http_port=8082", "-e", json.dumps(given))
    assert (names(plan), plan["web"]["http_port"], plan["web"]["https_port"]) == (["wiki"], 8082, 443)


@pytest.mark.parametrize(("written", "state"), [({}, "not set"), ({"web_apps": []}, "empty"), ("---\n", "not set")])
def test_without_apps_the_places_that_were_looked_at_are_named(clone: Clone, written: Any, state: str) -> None:
    """An empty file, a misspelt group or a variable in the wrong place must never deploy something else, green."""
    clone.write("group_vars/web.yml", written)
    clone.write("group_vars/wbe.yml", {"web_apps": [app()]})
    clone.hosts({"one": {}, "two": {}})
    (line,) = clone.refused()
    assert line == (
        f"web_apps: is {state}, so there is nothing to deploy; "
        f"list the apps in {clone.folder}/group_vars/web/web_apps.yml. "
        f"Looked at {clone.inventory}, {clone.folder}/group_vars/web.yml; "
        f"there is nothing at {clone.folder}/inventory/group_vars/{{all,web}}, {clone.folder}/group_vars/{{all}}"
    )


def test_the_projects_own_group_vars_give_an_inventory_of_yours_no_app() -> None:
    """The sample app belongs to the demo."""
    given = [path for path in (PROJECT / "group_vars").rglob("*.yml") if "web_apps" in path.read_text()]
    assert given == [PROJECT / "group_vars/demo/main.yml"]
    assert not (PROJECT / "group_vars/all").exists()


@pytest.mark.parametrize(
    ("inventory", "looked"),
    [("wbe: {hosts: {one: }}", "hosts.yml"), ("web: {}", "hosts.yml"), (None, "gone.yml")],
    ids=["a misspelt group", "an empty group", "no inventory"],
)
def test_a_run_that_reaches_nobody_is_red(clone: Clone, inventory: str | None, looked: str) -> None:
    if inventory is not None:
        clone.inventory.write_text(inventory)
    ended = clone.run("site.yml", inventory=str(clone.inventory.with_name(looked)))
    assert ended.returncode == 2, ended.stdout
    words = " ".join(ended.stdout.split())
    assert "There is no host in the group" in words
    assert str(clone.inventory.with_name(looked)) in words


# --- What would be served -----------------------------------------------------------------------------------------


def test_what_would_be_served_is_told_once_for_all_hosts(clone: Clone, workshop: Workshop) -> None:
    wiki = app(name="wiki", server_names=["shop.test"], prefix="/wiki")
    given = settings(workshop, app(), wiki, web_app_secrets={"shop": {"KEY": "hunter2", "TOKEN": "hunter3"}})
    clone.hosts({"one": given, "two": given, "three": {**given, "web_apps": given["web_apps"][:1]}})
    told = clone.run("settings.yml", "-e", "app=shop")
    assert told.returncode == 0, told.stdout
    (shop,) = (it for it in clone.plan("--limit", "one")["apps"] if it["app"]["name"] == "shop")
    size = sum(path.stat().st_size for path in workshop.source.rglob("*") if path.is_file())
    heading, line, after = told.stdout.partition("\nAPP ")[2].splitlines()[:3]
    assert heading.split() == ["HOSTS", "SOURCE", "FILES", "SIZE", "VERSION", "SECRETS", "NAMES"]
    where = f"shop one, three, two {workshop.source}"
    # What a deploy would call the same.
    assert line.split() == f"{where} 3 {size} B {shop['release']['version']} 2 shop.test".split()
    assert after == "ok: [one]"
    every = clone.run("settings.yml").stdout
    assert re.search(r"^wiki +one, two .* 0 +shop\.test/wiki$", every, re.MULTILINE)
    assert every.count("\nshop ") == 1
    assert "hunter" not in told.stdout + every
    assert told.stdout.rstrip().endswith("\nThe settings can be used.")


# --- What is never shown, and what never ends in a traceback ------------------------------------------------------


def test_no_secret_is_shown_however_talkative_ansible_is(clone: Clone, workshop: Workshop) -> None:
    url = "postgres://u:hunter2@db/shop"
    shop = app(environment=f"DATABASE_URL={url}", before_live=f"psql {url}", procceses=url)
    wiki = app(name="wiki", server_names=["b.test"], environment={"TOKEN": "hunter2"})
    clone.hosts(
        {
            "one": settings(
                workshop,
                shop,
                wiki,
                web_app_secrets={"wiki": {"KEY": "hunter2"}},
                web_build_environment={"PIP_INDEX_URL": url},
            )
        }
    )
    workshop.write("shop/requirements.txt", f"-i {url}\n")
    ended = clone.run("settings.yml", "-vvv", "--diff")
    said = ended.stdout + ended.stderr
    assert ended.returncode == 2
    assert said.count("web_apps: 'shop' has 'environment', but it must be a dictionary of NAME: value") >= 1
    assert "hunter2" not in said


def test_what_cant_be_read_is_named_in_a_line(clone: Clone, workshop: Workshop) -> None:
    os.mkfifo(workshop.source / "pipe")
    (workshop.source / "loop").symlink_to("loop")
    (Path(os.fsdecode(os.fsencode(workshop.source) + b"/caf\xe9.txt"))).touch()
    clone.hosts({"one": settings(workshop), "two": settings(workshop, web_nginx_user="{{ nothing }}")})
    loop = "'loop' is a link that can't be followed (Too many levels of symbolic links)"
    assert sorted(clone.refused()) == [
        "one: web_apps: 'shop' has 'source': 'caf\\\\xe9.txt' has a name that isn't UTF-8; rename it",
        f"one: web_apps: 'shop' has 'source': {loop}; replace it with what it stands for",
        "one: web_apps: 'shop' has 'source': 'pipe' is a pipe, a socket or a device; remove it",
        "two: web_nginx_user: can't be read: 'nothing' is undefined",
    ]


# --- Locks --------------------------------------------------------------------------------------------------------


def test_requirements_are_locked_once_for_all_hosts(
    clone: Clone, workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By whichever of the processes that check the hosts side by side, and by the uv beside ansible-playbook."""
    for name in ("UV_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(workshop.folder / name))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    index = Index(workshop.folder / "index")
    index.add("tiny", "1.0")
    workshop.write("shop/requirements.txt", "tiny\n")
    with index.served() as url:
        build = {"PIP_INDEX_URL": url.replace("http://", "http://reader:hunter2@")}
        variables = settings(workshop, web_build_environment=build)
        clone.hosts(dict.fromkeys(("one", "two", "three"), variables))
        rehearsed = clone.run("settings.yml", "--check")
        assert (rehearsed.returncode, (clone.folder / "locks").exists()) == (0, False), rehearsed.stdout
        assert rehearsed.stdout.count(" would be new (1 package); commit it\n") == 1
        made = clone.run("settings.yml", "-vvv")
        (lock,) = (clone.folder / "locks").iterdir()
        assert made.stdout.count(f"\nlocks/{lock.name} is new (1 package); commit it\n") == 1
        index.add("tiny", "2.0")
        again = clone.run("settings.yml")
        assert "commit it" not in again.stdout
        clone.hosts({"one": variables})
        assert "\ntiny==1.0 " in f"\n{clone.plan()['apps'][0]['release']['locked']}"
        refreshed = clone.run("settings.yml", "-e", "refresh=shop")
        assert f"\nlocks/{lock.name} is renewed (1 package); commit it\n" in refreshed.stdout
    assert "\ntiny==2.0 " in lock.read_text()
    for run in (rehearsed, made, again, refreshed):
        assert "hunter2" not in run.stdout + run.stderr + lock.read_text()


# --- Choosing apps ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", ["app=shop,", '{"app": ["shop"]}'])
def test_only_what_is_named_is_looked_at_and_deployed(clone: Clone, workshop: Workshop, given: str) -> None:
    wiki = app(name="wiki", source="elsewhere", server_names=["b.test"])
    clone.hosts({"one": settings(workshop, app(), wiki)})
    plan = clone.plan("-e", given)
    assert [item["app"]["name"] for item in plan["apps"]] == ["shop"]


def test_the_plan_takes_names_as_arguments_too(clone: Clone, workshop: Workshop) -> None:
    clone.hosts({"one": settings(workshop, app(), app(name="wiki", server_names=["b.test"]))})
    plan = clone.plan("-e", "chosen=wiki", "-e", "again=wiki")
    assert [(item["app"]["name"], item["release"]["serial"]) for item in plan["apps"]] == [("wiki", 1)]


def test_a_name_that_no_app_has_is_refused(clone: Clone, workshop: Workshop) -> None:
    clone.hosts({"one": settings(workshop)})
    assert clone.refused("settings.yml", "-e", "app=shpo", "-e", "restart=shop") == [
        "app: 'shpo' is not an app of this run; did you mean 'shop'? Known apps: shop",
        "restart: 'shop' is not an app of this run. Known apps: none",
    ]


# --- Where an app is served ---------------------------------------------------------------------------------------


def placed(clone: Clone, workshop: Workshop, **wiki: Any) -> None:
    """The shop is everywhere, the wiki where `wiki` says; each host has a number of processes of its own."""
    hosts = {name: {"web_http_port": port, "wanted": port - 8000} for name, port in PORTS.items()}
    second = app(name="wiki", server_names=["wiki.test"], processes="{{ wanted }}", **wiki)
    given = settings(workshop, app(before_live=["migrate"]), second)
    clone.hosts(hosts, vars=given, children={"staging": {"hosts": {"three": {}}}})


PORTS = {"one": 8001, "two": 8002, "three": 8003}


def plans(clone: Clone, *words: str) -> dict[str, Any]:
    """The plan of each host of a run."""
    ended = clone.run("show.yml", *words)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    shown = [json.loads(line.removeprefix("PLAN ")) for line in ended.stdout.splitlines() if line.startswith("PLAN ")]
    by_port = {plan["web"]["http_port"]: plan for plan in shown}
    return {name: by_port[port] for name, port in PORTS.items() if port in by_port}


def test_an_app_is_served_by_the_hosts_and_groups_that_it_names(clone: Clone, workshop: Workshop) -> None:
    placed(clone, workshop, hosts=["one", "staging"])
    made = plans(clone)
    assert {name: names(plan) for name, plan in made.items()} == {
        "one": ["shop", "wiki"],
        "two": ["shop"],
        "three": ["shop", "wiki"],
    }
    assert {name: made[name]["apps"][1]["app"]["processes"] for name in ("one", "three")} == {"one": 1, "three": 3}
    # A run for some hosts knows of all that serve it.
    for words in ([], ["--limit", "one"]):
        shop, wiki = plans(clone, *words)["one"]["apps"]
        assert (sorted(shop["hosts"]), sorted(wiki["hosts"])) == (["one", "three", "two"], ["one", "three"])


def test_a_host_that_there_isnt_is_refused_once_for_all_of_them(clone: Clone, workshop: Workshop) -> None:
    placed(clone, workshop, hosts=["one", "stagin"])
    known = "Known hosts and groups: all, one, staging, three, two, ungrouped, web"
    told = "'stagin' is neither a host nor a group of the inventory; did you mean 'staging'?"
    for words in ([], ["--limit", "two"]):
        assert clone.refused("settings.yml", *words) == [f"web_apps: 'wiki' has 'hosts': {told} {known}"]


# --- Every playbook -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [path for path in PLAYBOOKS if path.stem != "hosts"], ids=lambda path: path.name)
def test_every_playbook_checks_first(path: Path) -> None:
    """One that reads the settings checks them; one that needs nothing but the hosts, that there are any."""
    first = "settings.yml" if path.name in ("site.yml", "wheelhouse.yml", "libraries.yml") else "hosts.yml"
    assert read(path.name)[0]["ansible.builtin.import_playbook"] == first
    assert len(read(path.name)) > 1


ON_HOSTS_THAT_HAVE_THE_APP = ("maintenance", "prune", "rollback", "run", "status", "teardown")


def test_a_rollback_leaves_hosts_without_the_app_alone() -> None:
    """It learns who has it when it takes the lease, in one call."""
    (done,) = (task for task in tasks(PROJECT / "rollback.yml") if "uwsgi_flask.web.rollback" in task)
    assert done["when"] == "host.apps != [] and chosen is subset(host.apps)"


@pytest.mark.parametrize("name", [name for name in ON_HOSTS_THAT_HAVE_THE_APP if name != "rollback"])
def test_hosts_without_the_app_are_left_out_before_anything_is_done(name: str) -> None:
    """Not even their lease is taken."""
    done = [
        task.get("ansible.builtin.import_role", {}).get("tasks_from", task["name"])
        for task in tasks(PROJECT / f"{name}.yml")
        if {"ansible.builtin.assert", "ansible.builtin.import_playbook", "hosts"}.isdisjoint(task)
    ]
    assert done[0] == "chosen"
    assert len(done) > 1
