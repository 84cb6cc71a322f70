"""maintenance.yml as a person runs it: what is refused before any host is touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from playbook import run_on_nobody


@pytest.mark.parametrize("page", ["missing.html", "folder", "empty.html"])
def test_a_page_that_cant_be_shown_is_refused_in_one_line(tmp_path: Path, page: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "empty.html").touch()
    ended = run_on_nobody(tmp_path, "maintenance.yml", "-e", "state=on", "-e", f"page={tmp_path / page}")
    said = ended.stdout + ended.stderr
    assert ended.returncode == 2, said
    told = f'page: "{tmp_path / page}" must be a file of HTML that isn\'t empty. Nothing was changed.'
    assert f"        {told}\n" in ended.stdout, said
    assert "See which apps are there" not in said


def test_a_page_that_is_there_is_taken(tmp_path: Path) -> None:
    page = tmp_path / "closed.html"
    page.write_text("<p>Closed")
    ended = run_on_nobody(tmp_path, "maintenance.yml", "-e", "state=on", "-e", f"page={page}")
    assert "must be a file of HTML" not in ended.stdout + ended.stderr
    assert "See which apps are there" in ended.stdout


def test_a_state_that_there_isnt(tmp_path: Path) -> None:
    ended = run_on_nobody(tmp_path, "maintenance.yml", "-e", "state=maybe")
    assert ended.returncode == 2
    assert "Say -e state=on or -e state=off" in ended.stdout
    assert "See which apps are there" not in ended.stdout


def test_to_open_it_no_page_is_looked_for(tmp_path: Path) -> None:
    ended = run_on_nobody(tmp_path, "maintenance.yml", "-e", "state=off", "-e", "page=missing.html")
    assert "must be a file of HTML" not in ended.stdout + ended.stderr
    assert "See which apps are there" in ended.stdout
