"""The deploy lock in a run of its own: on many hosts at once, and a run that is ended while it holds all of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from project import PROJECT

HOSTS = [f"web{number}" for number in range(3)]
# As nothing here needs a server, each "host" is this machine, with a lock of its own.
LOCAL = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}


def playbook(folder: Path, *between: dict[str, object]) -> Path:
    lock = {"path": f"{folder}/locks/{{{{ inventory_hostname }}}}"}
    (folder / "locks").mkdir()
    tasks = [{"web_lock": {"state": "held", **lock}}, *between, {"web_lock": {"state": "free", **lock}}]
    play = {"hosts": "all", "gather_facts": False, "vars": LOCAL, "tasks": tasks}
    written = folder / "play.yml"
    written.write_text(yaml.safe_dump([play]))
    return written


def start(path: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [str(Path(sys.executable).with_name("ansible-playbook")), "-i", ",".join(HOSTS), str(path)],
        cwd=PROJECT,
        env={**os.environ, "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def held(folder: Path) -> list[str]:
    return sorted(path.parent.name for path in folder.glob("locks/*/holder.json"))


def wait_until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not is_so() and time.monotonic() < end:
        time.sleep(0.05)


def is_over(path: Path) -> bool:
    """Whether neither the run nor a guard of its is left."""
    return subprocess.run(["pgrep", "-f", str(path)], capture_output=True, check=False).returncode == 1


def test_a_run_that_ends_well_leaves_neither_lock_nor_guard(tmp_path: Path) -> None:
    path = playbook(tmp_path)
    run = start(path)
    output, _nothing = run.communicate(timeout=120)
    assert run.returncode == 0, output
    assert held(tmp_path) == []
    wait_until(lambda: is_over(path))
    assert is_over(path)


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGKILL"])
def test_a_run_that_is_ended_gives_every_lock_back(tmp_path: Path, name: str) -> None:
    path = playbook(tmp_path, {"ansible.builtin.command": "sleep 60"})
    run = start(path)
    wait_until(lambda: held(tmp_path) == HOSTS)
    assert held(tmp_path) == HOSTS
    run.send_signal(signal.Signals[name])
    output, _nothing = run.communicate(timeout=120)
    assert run.returncode != 0, output
    wait_until(lambda: is_over(path))
    assert held(tmp_path) == []
