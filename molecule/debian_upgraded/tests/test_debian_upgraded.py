"""From Debian 12 to 13: one app is deployed anew before the reboot, the other only after it."""

from __future__ import annotations

import re
import subprocess
import time

import pytest

from server import Server, report

LATE = "late.test"
UPGRADE = """
sed -i s/bookworm/trixie/g /etc/apt/sources.list
apt-get -q update
apt-get -q -y -o Dpkg::Options::=--force-confold full-upgrade
"""


def told(text: str) -> str:
    return re.sub(r"\s+", " ", text)


@pytest.fixture(scope="module")
def upgraded(installed: Server) -> Server:
    """The server with two apps and two releases of each, upgraded and not yet restarted."""
    installed.others = [{**installed.app, "name": "late", "server_names": [LATE]}]
    installed.secrets["late"] = installed.secrets["uwsgi-flask"]
    installed.deploy()
    installed.say("on Debian 12")
    installed.deploy()
    began = time.monotonic()
    with installed.load() as load:
        words = ["podman", "exec", "--env=DEBIAN_FRONTEND=noninteractive", f"uwsgi-flask-{installed.name}"]
        done = subprocess.run([*words, "sh", "-euc", UPGRADE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    # Its packages restart nginx, so a few may have to ask again.
    print(f"\nupgrade ({time.monotonic() - began:.1f} s): {load.summary()}")
    return installed


def test_what_runs_goes_on_and_status_says_what_a_restart_would_break(upgraded: Server) -> None:
    assert upgraded.sh("cut -d. -f1 /etc/debian_version") == "13"
    assert "on Debian 12" in upgraded.get("/")[1]
    said = told(upgraded.run("status.yml").output)
    assert said.count("can't be used: it is for Python 3.11, and this host has 3.13 now") == 2, said[-3000:]
    assert said.count("to roll back to: none") == 2


def test_no_rollback_is_tried_that_cannot_end_well(upgraded: Server) -> None:
    history = upgraded.sh("cat /opt/uwsgi-flask/history.jsonl")
    back = upgraded.run("rollback.yml", "-eapp=uwsgi-flask")
    assert back.code != 0
    assert "it is for Python 3.11, and this host has 3.13 now" in told(back.output)
    assert "Nothing was changed" in told(back.output)
    assert upgraded.sh("cat /opt/uwsgi-flask/history.jsonl") == history


def test_a_deploy_before_the_reboot_is_noticed_by_no_visitor(upgraded: Server) -> None:
    before = upgraded.live()
    with upgraded.load() as load:
        run = upgraded.run("site.yml", "-eapp=uwsgi-flask")
    assert run.code == 0, run.output[-4000:]
    # nginx's settings were written for the older one.
    report(f"deploy after the upgrade ({run.seconds:.1f} s)", load, reloads_nginx=True)
    assert upgraded.live() != before
    upgraded.assert_serves(upgraded.live())
    assert upgraded.sh("ls /opt/uwsgi-flask/current/venv/lib") == "python3.13"


def test_after_the_reboot_the_one_serves_and_the_next_run_heals_the_other(upgraded: Server) -> None:
    subprocess.run(["podman", "restart", f"uwsgi-flask-{upgraded.name}"], check=True, capture_output=True)
    end = time.monotonic() + 60
    while upgraded.get("/health")[0] != 200:
        assert time.monotonic() < end
        time.sleep(0.5)
    # systemd tries again and again to start it, and visitors wait.
    assert upgraded.get("/health", LATE)[0] != 200
    run = upgraded.deploy()
    assert upgraded.get("/health", LATE)[0] == 200
    print(f"\nhealed by a run of {run.seconds:.1f} s")
    assert upgraded.run().changed == 0


def test_there_is_a_way_back_again_once_two_releases_are_new(upgraded: Server) -> None:
    before = upgraded.live()
    upgraded.say("on Debian 13")
    upgraded.deploy()
    run = upgraded.run("rollback.yml", "-eapp=uwsgi-flask")
    assert run.code == 0, run.output[-3000:]
    upgraded.assert_serves(before)
