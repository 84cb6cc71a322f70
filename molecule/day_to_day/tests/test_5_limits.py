"""What takes long: a request that gets no answer in time, and streams, which may go on while a release is replaced."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

import pytest

from server import PROJECT, Server, ask

APP = """
import time

from flask import Flask, Response

app = Flask(__name__)


@app.get("/health")
def health():
    return "ok"


@app.get("/slow/<int:seconds>")
def slow(seconds):
    time.sleep(seconds)
    return "done"


@app.get("/events")
def events():
    def ticks():
        for number in range(250):
            yield f"data: {number}\\n\\n"
            time.sleep(1)
    return Response(ticks(), mimetype="text/event-stream")
"""
TIMEOUT = 2
# More than uWSGI grants any other request: 5 s more than nginx.
SECONDS = TIMEOUT + 5 + 3


@pytest.fixture
def slow(server: Server, tmp_path: Path) -> Server:
    """The server with an app of its own besides, whose requests may take two seconds."""
    (tmp_path / "static").mkdir()
    (tmp_path / "flask_wsgi.py").write_text(APP)
    (tmp_path / "requirements.txt").write_text((PROJECT / "uwsgi-flask" / "requirements.txt").read_text())
    own = {"name": "slow", "source": str(tmp_path), "server_names": ["slow.test"], "request_timeout": TIMEOUT}
    server.others = [{**own, "streaming": ["/events"]}]
    assert server.run("site.yml", "-eapp=slow").code == 0
    return server


def events(answer: HTTPResponse) -> Iterator[str]:
    """Each event when it arrives."""
    while line := answer.readline():
        if line.strip():
            yield line.decode().strip()


def until(server: Server, condition: str) -> None:
    """Wait up to ten seconds for what a shell finds true."""
    server.sh(f"for n in $(seq 100); do {condition} && exit; sleep 0.1; done; exit 1")


def test_limits_and_streams(slow: Server) -> None:
    # One that hangs: 504 by nginx, at its time, and not the 502 of a worker that is gone. Then uWSGI ends that.
    began = time.monotonic()
    status, _headers, page = ask(slow.port, "/slow/30", "slow.test")
    assert (status, "<h1>No answer in time</h1>" in page) == (504, True)
    assert TIMEOUT <= time.monotonic() - began < TIMEOUT + 2
    until(slow, "journalctl -u 'slow@*' | grep -q 'HARAKIRI ON WORKER'")

    # A stream goes on for longer than that, through a deploy that doesn't wait for it.
    release = slow.live("slow")
    with contextlib.closing(HTTPConnection("127.0.0.1", slow.port, timeout=10)) as connection:
        began = time.monotonic()
        connection.request("GET", "/events", headers={"Host": "slow.test"})
        answer = connection.getresponse()
        assert answer.headers["X-Release"] == release
        arrived = events(answer)
        assert next(arrived) == "data: 0"
        assert time.monotonic() - began < 1, "kept back until there was more of it"
        with Path(slow.others[0]["source"], "flask_wsgi.py").open("a") as file:
            file.write("# changed\n")
        run = slow.run("site.yml", "-eapp=slow")
        assert run.code == 0, run.output[-3000:]
        assert slow.live("slow") != release
        assert slow.sh(f"systemctl show --value -p ActiveState slow@{release}.service") == "deactivating"
        # One each second: the last of these come after the deploy.
        count = max(int(time.monotonic() - began) + 2, SECONDS)
        assert [next(arrived) for _number in range(count)] == [f"data: {number}" for number in range(1, count + 1)]
    # The visitor has gone, and with the last stream the release.
    until(slow, f"[ -z \"$(systemctl list-units -q 'slow@{release}*')\" ]")
