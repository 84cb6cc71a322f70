"""Two hosts, one of each Debian: hooks run once for both, and no host's trouble or app is the other's."""

from __future__ import annotations

import contextlib
import re
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
import testinfra
from testinfra.host import Host

from server import Server, ask, report

NOTE = "echo run >> /var/lib/uwsgi-flask/migrations"
EVERYWHERE = "ls /opt /var/lib /var/lib/web-apps /etc/nginx/conf.d"


@pytest.fixture(scope="module")
def two(host: Host, installed: Server) -> Host:
    """The second host; both serve the unbroken app."""
    return testinfra.get_host("ansible://fleet-two", ansible_inventory=host.backend.ansible_runner.inventory_file)


@pytest.fixture(scope="module", autouse=True)
def all_hosts(installed: Server) -> None:
    """From here on a run reaches both hosts unless it says otherwise."""
    installed.limit = ""
    # One of them has a umask that keeps others out of whatever is made without a mode of its own.
    subprocess.run(
        ["podman", "exec", "uwsgi-flask-fleet-two", "sh", "-c",
         "echo 'Defaults umask=0027, umask_override' > /etc/sudoers.d/umask"],
        check=True,
    )  # fmt: skip
    installed.deploy()


def root(host: Host, command: str) -> str:
    with host.sudo():
        return str(host.check_output(command))


def migrations(server: Server, two: Host) -> tuple[int, int]:
    """How often the hook was run on each host."""
    count = "cat /var/lib/uwsgi-flask/migrations 2>/dev/null | wc -l"
    return int(server.sh(count)), int(root(two, count))


def live(two: Host) -> str:
    return root(two, "readlink /opt/uwsgi-flask/current").rpartition("/")[2]


def serves(port: int) -> int:
    return ask(port, "/health", "flask.test")[0]


def version(server: Server, release: str) -> str:
    return str(server.json(f"/opt/uwsgi-flask/releases/{release}/release.json")["version"])


def test_a_strict_umask_is_no_obstacle(server: Server, two: Host) -> None:
    assert serves(28601) == 200
    assert root(two, "umask") == "0027"


def test_the_version_is_the_same_and_the_id_is_the_hosts_own(server: Server, two: Host) -> None:
    """Their Pythons differ."""
    here = server.live()
    there = root(two, "cat /opt/uwsgi-flask/current/release.json")
    assert f'"version": "{version(server, here)}"' in there
    assert live(two) != here


def test_a_migration_runs_once(server: Server, two: Host) -> None:
    server.app["before_live"] = [NOTE]
    with server.load() as load:
        server.deploy()
    report("a migration, two hosts", load)
    assert migrations(server, two) == (1, 0)
    assert server.run().changed == 0


def test_a_limited_run_with_nothing_changed_leaves_it_alone(server: Server, two: Host) -> None:
    """Even if the hook would fail now: what is live stays live."""
    server.app["before_live"] = [NOTE]
    server.deploy()
    before = migrations(server, two)
    server.limit = "fleet-two"
    run = server.run()
    server.limit = ""
    assert run.code == 0, run.output[-3000:]
    assert migrations(server, two) == before
    assert serves(28601) == 200


def test_a_failing_migration_goes_live_nowhere(server: Server, two: Host) -> None:
    good = server.live(), live(two)
    server.app["before_live"] = ["exit 3"]
    server.say("with a migration that fails")
    with server.load() as load:
        run = server.run()
    report("a migration that fails, two hosts", load)
    assert run.code != 0
    assert "before_live failed on fleet-one" in run.last_lines(30), run.output[-4000:]
    assert (server.live(), live(two)) == good
    assert serves(28601) == 200


@contextlib.contextmanager
def unreachable(host: str) -> Iterator[None]:
    """No SSH to a host, while its site serves on."""
    container = f"uwsgi-flask-{host}"
    subprocess.run(["podman", "exec", container, "systemctl", "stop", "ssh"], check=True)
    subprocess.run(["podman", "exec", container, "sh", "-c", "kill $(pgrep -u deploy -f '^sshd'); true"], check=True)
    try:
        yield
    finally:
        subprocess.run(["podman", "exec", container, "systemctl", "start", "ssh"], check=True)


def test_a_host_that_cant_be_asked_is_told(server: Server, two: Host) -> None:
    server.app["before_live"] = [NOTE]
    server.say("while one is away")
    good = server.live()
    with unreachable("fleet-two"):
        run = server.run()
        assert run.code != 0
        assert "fleet-two can't be asked" in run.output, run.output[-4000:]
        assert "-e hooks=run" in run.output
        assert server.live() == good
        before = migrations_here(server)
        run = server.run("site.yml", "-ehooks=run")
        assert run.code != 0, "one host is unreachable, so the run is red"
        assert server.live() != good
        assert migrations_here(server) == before + 1
    assert serves(28601) == 200
    server.deploy()
    assert migrations_here(server) == before + 1


def migrations_here(server: Server) -> int:
    return int(server.sh("cat /var/lib/uwsgi-flask/migrations | wc -l"))


def test_the_next_host_leads_if_the_first_cant(server: Server, two: Host) -> None:
    """The first is refused before the hook; the second runs it and goes live."""
    server.app["before_live"] = [NOTE]
    server.say("the second leads")
    good, before = server.live(), migrations(server, two)
    room = "/opt/uwsgi-flask/venvs"
    server.sh(f"mkdir -p /var/gone && mount --bind {room} {room} && mount -o remount,ro,bind {room}")
    with (server.source / "requirements.txt").open("a") as file:
        file.write("\n# another virtualenv\n")
    with server.load() as load:
        run = server.run()
    server.sh(f"umount {room}")
    report("the first host can't, the second leads", load)
    assert run.code != 0
    assert server.live() == good
    assert migrations(server, two) == (before[0], before[1] + 1)
    assert serves(28601) == 200


# --- An app that only some hosts serve ----------------------------------------------------------------------------


# It installs nothing, which is quick.
WIKI = """
def app(_environ, start_response):
    start_response("200 OK", [])
    return [b"the wiki"]
"""


def place(server: Server, *hosts: str, code: str = WIKI, **more: Any) -> None:
    """Let the settings place a second app on these hosts alone."""
    source = server.folder / "wiki"
    source.mkdir(exist_ok=True)
    (source / "requirements.txt").touch()
    (source / "flask_wsgi.py").write_text(code)
    server.others = [{"name": "wiki", "source": str(source), "server_names": ["wiki.test"], "hosts": [*hosts], **more}]


def answers() -> tuple[int, int]:
    """What visitors of the wiki get from each host; 0 where its name is nobody's."""
    return ask(28600, "/", "wiki.test")[0], ask(28601, "/", "wiki.test")[0]


def done(server: Server, playbook: str, *words: str) -> str:
    """What a run for the wiki on all hosts says. It does nothing on the first, and keeps no lease."""
    run = server.run(playbook, "-eapp=wiki", *words)
    assert run.code == 0, run.output[-4000:]
    assert re.search(r"^fleet-one .* changed=0 .* failed=0 ", run.output, re.MULTILINE), run.output[-4000:]
    assert not re.search(r"^fleet-one +wiki ", run.output, re.MULTILINE), run.output[-4000:]
    assert server.orphans() == ""
    return run.output


def test_an_app_is_served_where_it_is_placed_and_nowhere_else(server: Server, two: Host) -> None:
    place(server, "fleet-two")
    done(server, "site.yml")
    assert answers() == (0, 200)
    first = root(two, "readlink /opt/wiki/current")
    place(server, "fleet-two", code=WIKI.replace("the", "a new"))
    done(server, "site.yml")
    assert answers() == (0, 200)
    assert root(two, "readlink /opt/wiki/current") != first
    assert server.sh("ls /opt /var/lib/web-apps").split().count("wiki") == 0


def test_what_needs_no_settings_needs_no_limit(server: Server, two: Host) -> None:
    """In this order: each shows what the one before has done."""
    new = root(two, "readlink /opt/wiki/current").rpartition("/")[2]
    assert re.search(
        "^fleet-two +wiki +open +closed +closed ", done(server, "maintenance.yml", "-estate=on"), re.MULTILINE
    )
    assert answers() == (0, 503)
    assert re.search(
        "^fleet-two +wiki +closed +open +open ", done(server, "maintenance.yml", "-estate=off"), re.MULTILINE
    )
    assert answers() == (0, 200)
    assert re.search(
        rf"^fleet-two +wiki +{new} .* would go live ", done(server, "rollback.yml", "--check"), re.MULTILINE
    )
    old = re.search(rf"^fleet-two +wiki +{new} +(\w+) +live ", done(server, "rollback.yml"), re.MULTILINE)
    assert old
    pruned = done(server, "prune.yml")
    assert re.search("^fleet-two +wiki .* pruned ", pruned, re.MULTILINE), pruned
    assert f"\nwiki on fleet-two: without {new}\n" in pruned
    assert re.search(rf"^fleet-two +wiki +{old[1]} .* 200 ", done(server, "status.yml"), re.MULTILINE)
    assert "\nrun on fleet-two\n" in done(server, "run.yml", "-ecommand='echo run on $(uname -n)'")
    assert "web-deploy.lease" not in root(two, "ls /run").split()


def test_an_app_that_no_host_has_is_refused_in_one_line(server: Server) -> None:
    run = server.run("teardown.yml", "-eapp=wikki", "-econfirm=yes")
    told = (
        "app: no host of this run has 'wikki'; did you mean 'wiki'? Known apps: uwsgi-flask, wiki. Nothing was changed."
    )
    assert run.code == 2
    assert f"        {told}\n" in run.output
    assert run.output.count("fatal:") == 1
    run = server.run("prune.yml")
    assert run.code == 2
    assert "app: say which, with -e app=<name>. Known apps: uwsgi-flask, wiki. Nothing was changed." in run.output
    assert answers() == (0, 200)


def test_an_app_that_moves_is_removed_only_when_it_is_live_where_it_belongs(server: Server, two: Host) -> None:
    place(server, "fleet-one", code=f"import missing\n{WIKI}", elsewhere="remove")
    run = server.run("site.yml", "-eapp=wiki")
    assert run.code == 2
    assert "No module named 'missing'" in run.output
    # Where it belongs, its name is known by now.
    assert answers() == (502, 200)
    place(server, "fleet-one", elsewhere="remove")
    for expected in ((200, 200), (200, 0)):
        run = server.run("site.yml", "-eapp=wiki")
        assert run.code == 0, run.output[-4000:]
        assert answers() == expected
    assert root(two, "ls /opt /var/lib/web-apps").split().count("wiki.json") == 1, "its data is still registered"


def test_a_teardown_takes_the_app_and_its_data_from_wherever_they_are(server: Server, two: Host) -> None:
    run = server.run("teardown.yml", "-eapp=wiki")
    assert run.code == 2
    assert "would remove from fleet-one: wiki" in run.output
    run = server.run("teardown.yml", "-eapp=wiki", "-econfirm=yes", "-epurge=true")
    assert run.code == 0, run.output[-4000:]
    for listed in (server.sh(EVERYWHERE), root(two, EVERYWHERE)):
        assert "wiki" not in listed
    assert (serves(28600), serves(28601)) == (200, 200)
