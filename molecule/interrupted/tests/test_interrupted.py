"""A run that ends where it should not: the site serves, and the next run finishes what was begun."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path

import pytest

from server import Run, Server, report

CALLBACK = Path(__file__).parents[1] / "callback"
GO_LIVE = "Deploy in one call, where nginx already runs what it should"
# Seconds: longer than it takes to drain an old instance.
PATIENCE = 60


def change(server: Server, words: str, with_virtualenv: bool = True) -> None:
    """Make another release of the app: other code, and another virtualenv too, so that no step is left out."""
    server.say(words)
    if with_virtualenv:
        requirements = server.source / "requirements.txt"
        requirements.write_text(requirements.read_text().partition("\n# cut")[0] + f"\n# cut {words}\n")


def run_to(server: Server, task: int, tasks_to: str = "/dev/null") -> Run:
    """site.yml, killed at the beginning of a task; 0 lets it end."""
    return server.run(
        "site.yml",
        ANSIBLE_CALLBACK_PLUGINS=str(CALLBACK),
        ANSIBLE_CALLBACKS_ENABLED="kill_at",
        KILL_AT=str(task),
        TASKS_TO=tasks_to,
    )


def assert_finishes(server: Server, words: str) -> None:
    """The next plain run makes the new release live, and leaves nothing lying about."""
    assert server.get("/health")[0] == 200
    done = server.run()
    # What a cut session has left at work may take longer on a busy machine than a run waits: it says so.
    end = time.monotonic() + PATIENCE
    while done.code != 0 and "is changing it just now; wait for it" in done.output and time.monotonic() < end:
        done = server.run()
    assert done.code == 0, done.output[-4000:]
    server.assert_serves(server.live())
    assert words in server.get("/")[1]


def assert_hooks_are_done(server: Server) -> None:
    """Both hooks of the live release are remembered."""
    key = server.json("/opt/uwsgi-flask/current/release.json")["hooks"]["key"]
    done = server.json("/opt/uwsgi-flask/hooks.json")
    assert key in done["before"]
    assert key in done["after"]


def test_killed_at_every_task(server: Server) -> None:
    tasks_to = server.folder / "tasks.json"
    # With hooks, or their tasks would have nothing to do.
    server.app |= {"before_live": ["echo before"], "after_live": ["echo after"]}
    change(server, "whole")
    assert run_to(server, 0, str(tasks_to)).code == 0
    tasks = json.loads(tasks_to.read_text())
    assert len(tasks) > 15
    print(f"\n{len(tasks)} tasks in a deploy")
    with server.load() as load:
        touched = False
        for number, task in enumerate(tasks, start=1):
            same = number > 1 and not touched
            touched = task["touched"]
            if same:
                print(f"  cut before {number:2} {task['name']}: the host is as at the cut before, so not run")
                continue
            # Building a virtualenv takes longest, and is no matter to a cut before it begins or after it has ended.
            change(server, f"cut {number}", with_virtualenv="virtualenv" in task["name"] or "requires" in task["name"])
            cut = run_to(server, number)
            assert cut.code == -signal.SIGKILL, cut.output[-3000:]
            assert_finishes(server, f"cut {number}")
            assert_hooks_are_done(server)
            print(f"  cut before {number:2} {task['name']}: served, finished by the next run", flush=True)
    report("killed at every task", load)
    assert server.run().changed == 0


def started_going_live(server: Server, delay: float) -> subprocess.Popen[str]:
    """A run that has been making a release live for `delay` seconds."""
    process = server.start()
    assert process.stdout is not None
    for line in process.stdout:
        if GO_LIVE in line:
            break
    # The module is the one Python that root runs there.
    server.sh("for n in $(seq 400); do pgrep -x python3 -u root > /dev/null && break; sleep 0.05; done")
    time.sleep(delay)
    return process


@pytest.mark.parametrize("victim", ["module", "session"])
def test_killed_on_the_host_while_going_live(server: Server, victim: str) -> None:
    """At several moments, for nobody can tell in which step one falls: before the flip, behind it, while it drains."""
    # Without hooks one call does it all.
    server.app |= {"before_live": [], "after_live": []}
    hits = 0
    with server.load() as load:
        for delay in (0.0, 0.5, 1.0, 1.6, 2.4):
            words = f"{victim} {delay}"
            change(server, words, with_virtualenv=False)
            process = started_going_live(server, delay)
            if victim == "module":
                # It may have ended already, which is a case too.
                server.sh("kill -9 $(pgrep -nx python3 -u root); true")
            else:
                server.cut_ssh()
            output, _nothing = process.communicate(timeout=120)
            hits += process.returncode != 0
            print(f"\n  {victim} killed {delay} s after the task began: exit {process.returncode}", end="")
            # A session that was cut leaves the module running: the next run meets it, or what it has done.
            assert server.get("/health")[0] == 200, output[-2000:]
            assert_finishes(server, words)
    report(f"{victim} killed while a release went live, {hits} of 5 times in time", load)
    assert hits >= 2
