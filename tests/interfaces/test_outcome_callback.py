"""What the callback adds to a playbook's output, as a person sees it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from playbook import run_on_nobody

WORDS = ("maintenance.yml", "-e", "state=on", "-e", "app=shop", "-e", "password=hunter2")
COLOUR = "\x1b["


def test_a_run_ends_with_what_became_of_each_host_and_what_to_type(tmp_path: Path) -> None:
    ended = run_on_nobody(tmp_path, *WORDS)
    assert ended.returncode == 4, ended.stdout
    lines = ended.stdout.rpartition("PLAY RECAP")[2].strip().splitlines()
    inventory = tmp_path / "hosts.yml"
    assert lines[-5:-1] == [
        "HOST       RESULT",
        "192.0.2.1  unreachable",
        "192.0.2.2  unreachable",
        f"Next: ansible-playbook -i {inventory} maintenance.yml -e state=on -e app=shop -e …    (when that is mended)",
    ]
    told = r"FAILED after \d+ s: 192\.0\.2\.1, 192\.0\.2\.2 can't be reached; the reason is above the recap\."
    assert re.fullmatch(told, lines[-1])
    assert "hunter2" not in ended.stdout + ended.stderr
    assert COLOUR not in ended.stdout


@pytest.mark.parametrize(
    ("name", "value"),
    [("ANSIBLE_CALLBACKS_ENABLED", "ansible.posix.timer"), ("ANSIBLE_STDOUT_CALLBACK", "ansible.posix.json")],
)
def test_without_it_a_run_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    ended = run_on_nobody(tmp_path, *WORDS)
    assert ended.returncode == 4, ended.stdout
    assert "Next: " not in ended.stdout
    assert "unreachable" in ended.stdout.lower()


def test_each_playbook_of_a_command_tells_of_itself(tmp_path: Path) -> None:
    words = ("hosts.yml", "-e", '{"web_apps": [{"name": "shop", "state": "absent"}]}')
    ended = run_on_nobody(tmp_path, "settings.yml", *words)
    assert ended.returncode == 0, ended.stdout
    assert ended.stdout.count("PLAY RECAP") == 2
    assert ended.stdout.count("The settings can be used.") == 1


def test_playbooks_of_others_are_left_alone(tmp_path: Path) -> None:
    other = tmp_path / "site.yml"
    other.write_text("- name: Another\n  hosts: localhost\n  gather_facts: false\n  tasks: []\n")
    ended = run_on_nobody(tmp_path, str(other))
    assert ended.returncode == 0, ended.stdout
    assert "Next: " not in ended.stdout
