"""run.yml as a person runs it: what is refused before any host is touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from playbook import run_on_nobody

ASKED = "See which apps are there"


@pytest.mark.parametrize(
    "words", [(), ("-e", "command="), ("-e", "command=flask routes"), ("-e", "{command: [flask, routes]}")], ids=str
)
def test_what_is_no_command(tmp_path: Path, words: tuple[str, ...]) -> None:
    ended = run_on_nobody(tmp_path, "run.yml", *words)
    assert ended.returncode == 2
    assert "Say what to run, in quotes within the quotes" in ended.stdout
    assert ASKED not in ended.stdout


@pytest.mark.parametrize("given", ["command='flask routes'", '{"command": "flask routes"}', "command=flask"])
def test_a_command_gets_as_far_as_the_hosts(tmp_path: Path, given: str) -> None:
    assert ASKED in run_on_nobody(tmp_path, "run.yml", "-e", given).stdout
