"""The lease as playbooks take it: real runs, ended in every way in which a run may end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from project import PROJECT

PLAY = """
- hosts: all
  gather_facts: false
  vars:
    lease: "{folder}/{{{{ inventory_hostname }}}}.lease"
  tasks:
    - uwsgi_flask.web.lease: {{state: held, path: "{{{{ lease }}}}", flock: "{folder}/flock"}}
    - ansible.builtin.command: sleep {seconds}
    - uwsgi_flask.web.lease: {{state: free, path: "{{{{ lease }}}}", flock: "{folder}/flock"}}
"""
HOSTS = ("one", "two", "three")


def start(folder: Path, seconds: int, *hosts: str) -> subprocess.Popen[str]:
    """A run that holds leases for so long."""
    play = folder / "play.yml"
    play.write_text(PLAY.format(folder=folder, seconds=seconds))
    environment = {
        **os.environ,
        "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": str(PROJECT / "collections"),
    }
    return subprocess.Popen(
        [
            str(Path(sys.executable).with_name("ansible-playbook")),
            "-c",
            "local",
            "-i",
            f"{','.join(hosts)},",
            str(play),
        ],
        cwd=PROJECT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def leases(folder: Path) -> set[str]:
    return {path.stem for path in folder.glob("*.lease")}


def wait_for(folder: Path, wanted: set[str], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while leases(folder) != wanted:
        assert time.monotonic() < end, leases(folder)
        time.sleep(0.1)


def end(run: subprocess.Popen[str], number: signal.Signals) -> None:
    """Ansible misses a signal that comes while it starts a process; a person presses Ctrl-C again."""
    for _again in range(6):
        run.send_signal(number)
        try:
            run.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            continue
        return
    raise AssertionError("the run doesn't end")


def test_is_given_back_at_the_end(tmp_path: Path) -> None:
    run = start(tmp_path, 0, "one")
    output, _nothing = run.communicate(timeout=60)
    assert run.returncode == 0, output
    assert leases(tmp_path) == set()


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGKILL"])
def test_is_given_back_when_the_run_is_ended(tmp_path: Path, name: str) -> None:
    """On every host, though Ansible itself does nothing any more."""
    run = start(tmp_path, 60, *HOSTS)
    wait_for(tmp_path, {*HOSTS})
    end(run, signal.Signals[name])
    wait_for(tmp_path, set())


def test_a_second_run_is_refused_with_the_holders_name(tmp_path: Path) -> None:
    first = start(tmp_path, 60, "one")
    wait_for(tmp_path, {"one"})
    second = start(tmp_path, 0, "one")
    output, _nothing = second.communicate(timeout=60)
    first.kill()
    first.communicate(timeout=60)
    assert second.returncode != 0
    assert "has been deploying to this host since" in output
    assert f"process {first.pid} of this machine; wait for it, or end it." in output.replace("\n", " ").replace(
        "  ", " "
    )
    wait_for(tmp_path, set())
