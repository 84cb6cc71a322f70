"""What is remembered of certbot: enough to touch no other's certificate, whenever a run is cut off."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.uwsgi_flask.web.plugins.module_utils.acme.notes import Notes


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / ".distribution/acme.json"


def test_they_are_read_as_they_were_written_and_are_for_root_alone(path: Path) -> None:
    notes = Notes.read(path)
    for app in ("wiki", "shop", "wiki"):
        notes.ask(app)
    notes.note("shop", "no address")
    assert Notes.read(path) == Notes(path, ["shop", "wiki"], {"shop": "no address"})
    assert path.stat().st_mode & 0o777 == 0o600
    notes.note("shop", "")
    assert Notes.read(path) == Notes(path, ["shop", "wiki"])


def test_a_cut_as_they_are_written_leaves_the_ones_before(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def cut(*_paths: object) -> None:
        raise KeyboardInterrupt

    Notes.read(path).ask("shop")
    before = path.read_text()
    with monkeypatch.context() as patch:
        patch.setattr("os.replace", cut)
        with pytest.raises(KeyboardInterrupt):
            Notes.read(path).ask("wiki")
    assert path.read_text() == before


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"asked": 7, "failed": {}}', '{"asked": []}'])
def test_broken_ones_say_that_nothing_is_ours(path: Path, text: str) -> None:
    path.parent.mkdir()
    path.write_text(text)
    assert Notes.read(path) == Notes(path)


def test_what_is_forgotten_leaves_nothing_behind(path: Path) -> None:
    notes = Notes.read(path)
    notes.ask("shop")
    notes.note("wiki", "no address")
    notes.forget("shop")
    assert Notes.read(path) == Notes(path, [], {"wiki": "no address"})
    notes.forget("wiki")
    notes.forget("wiki")
    assert not path.exists()
