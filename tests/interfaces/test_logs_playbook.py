"""logs.yml as a person runs it: what is refused before any host is touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from playbook import run_on_nobody


@pytest.mark.parametrize("given", ["lines=0", "follow=maybe"])
def test_what_cannot_be_shown(tmp_path: Path, given: str) -> None:
    ended = run_on_nobody(tmp_path, "logs.yml", "-e", given)
    assert ended.returncode == 2
    assert "lines must be a number from 1 to 9999" in ended.stdout
    assert "Read the last lines" not in ended.stdout


@pytest.mark.parametrize("given", ['{"since": "2026-11-24 10:00", "grep": "a b"}'])
def test_what_can_be_shown_is_asked_of_the_hosts(tmp_path: Path, given: str) -> None:
    assert "Read the last lines" in run_on_nobody(tmp_path, "logs.yml", "-e", given).stdout
