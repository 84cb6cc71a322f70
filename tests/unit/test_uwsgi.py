"""How busy uWSGI's workers are, as its stats socket tells it."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.uwsgi_flask.web.plugins.module_utils import uwsgi

NOBODY = {"busy": 0, "idle": 0, "requests": 0}
STATS = {
    "workers": [
        {"status": "idle", "requests": 100},
        {"status": "busy", "requests": 20},
        {"status": "busy1", "requests": 3},
    ],
    # More than one block of a socket.
    "padding": "x" * 300_000,
}


@pytest.fixture
def stats(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A stats socket that says what a test is parametrized with."""
    path = tmp_path / "stats.sock"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(os.fspath(path))
        listening.listen()

        def answer() -> None:
            connection, _address = listening.accept()
            with connection:
                connection.sendall(request.param.encode())

        answering = threading.Thread(target=answer)
        answering.start()
        yield path
        answering.join()


def test_the_cores_are_those_that_it_counts() -> None:
    assert uwsgi.cores() == os.cpu_count()


@pytest.mark.parametrize("stats", [json.dumps(STATS)], indirect=True)
def test_workers_and_requests_are_counted(stats: Path) -> None:
    assert uwsgi.workers(stats) == {"busy": 2, "idle": 1, "requests": 123}


@pytest.mark.parametrize("stats", ["", "{", "{}"], indirect=True)
def test_an_answer_that_says_nothing_counts_as_none(stats: Path) -> None:
    assert uwsgi.workers(stats) == NOBODY


def test_where_nobody_listens_there_are_no_workers(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert uwsgi.workers(tmp_path / "gone") == uwsgi.workers(tmp_path / "file") == NOBODY


def test_an_app_without_a_live_release_has_no_workers() -> None:
    assert uwsgi.workers(Path()) == NOBODY


def test_one_that_hangs_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uwsgi, "SECONDS", 0.1)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(os.fspath(tmp_path / "stats.sock"))
        listening.listen()
        assert uwsgi.workers(tmp_path / "stats.sock") == NOBODY
