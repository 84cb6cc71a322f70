"""run.yml as a person runs it: what is refused before any host is touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from playbook import run_on_nobody


@pytest.mark.parametrize(
    "words", [(), ("-e", "command="), ("-e", "command=flask routes"), ("-e", "{command: [flask, routes]}")], ids=str
)
def test_what_is_no_command(tmp_path: Path, words: tuple[str, ...]) -> None:
    ended = run_on_nobody(tmp_path, "run.yml", *words)
    assert ended.returncode == 2
    assert "Say what to run, in quotes within the quotes" in ended.stdout
    assert "Run it in the live release" not in ended.stdout


@pytest.mark.parametrize("given", ["command='flask routes'", '{"command": "flask routes"}', "command=flask"])
def test_a_command_reaches_the_first_host_alone(tmp_path: Path, given: str) -> None:
    ended = run_on_nobody(tmp_path, "run.yml", "-e", given)
    assert "Run it in the live release" in ended.stdout
    assert "192.0.2.1" in ended.stdout
    assert "192.0.2.2" not in ended.stdout.partition("PLAY RECAP")[0]
