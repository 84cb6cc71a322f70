"""run.yml as a person runs it: what is refused before any host is touched."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from project import PROJECT


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """A run on two hosts that exist in documentation only."""
    hosts = {"ansible_ssh_common_args": "-o ConnectTimeout=1", "ansible_timeout": 1}
    inventory = folder / "hosts.yml"
    inventory.write_text(yaml.safe_dump({"web": {"hosts": {"192.0.2.1": hosts, "192.0.2.2": hosts}}}))
    return subprocess.run(
        [str(Path(sys.executable).with_name("ansible-playbook")), "-i", str(inventory), "run.yml", *words],
        cwd=PROJECT,
        env={**os.environ, "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize(
    "words", [(), ("-e", "command="), ("-e", "command=flask routes"), ("-e", "{command: [flask, routes]}")], ids=str
)
def test_what_is_no_command(tmp_path: Path, words: tuple[str, ...]) -> None:
    ended = run(tmp_path, *words)
    assert ended.returncode == 2
    assert "Say what to run, in quotes within the quotes" in ended.stdout
    assert "Run it in the live release" not in ended.stdout


@pytest.mark.parametrize("given", ["command='flask routes'", '{"command": "flask routes"}', "command=flask"])
def test_a_command_reaches_the_first_host_alone(tmp_path: Path, given: str) -> None:
    ended = run(tmp_path, "-e", given)
    assert "Run it in the live release" in ended.stdout
    assert "192.0.2.1" in ended.stdout
    assert "192.0.2.2" not in ended.stdout.partition("PLAY RECAP")[0]
