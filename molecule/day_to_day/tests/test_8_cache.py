"""What nginx keeps of an app's answers: for whom, through a flip, and while the app is down."""

from __future__ import annotations

import contextlib
import itertools
import secrets
import threading
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest

from server import PROJECT, Server, ask

APP = """
import os
import pathlib
import secrets
import time

from flask import Flask, request

app = Flask(__name__)
BROKEN = pathlib.Path(os.environ["STATE_DIRECTORY"], "broken")


@app.get("/health")
def health():
    return secrets.token_hex()


@app.route("/news", methods=["GET", "POST"])
@app.get("/news/<path:path>")
def news(path=""):
    if BROKEN.exists():
        return "broken", 503
    time.sleep(float(request.args.get("seconds", 0)))
    return secrets.token_hex()


@app.get("/news/personal")
def personal():
    return secrets.token_hex(), {"Cache-Control": "private"}


@app.get("/news/welcome")
def welcome():
    return secrets.token_hex(), {"Set-Cookie": "visitor=1"}


@app.get("/news/by-language")
def by_language():
    return secrets.token_hex(), {"Vary": "Accept-Language"}
"""
Told = tuple[int, str, str]


@pytest.fixture
def kept(server: Server, tmp_path: Path) -> Server:
    """The server with an app of its own besides, of which nginx keeps answers, each of them unlike any other."""
    (tmp_path / "flask_wsgi.py").write_text(APP)
    (tmp_path / "requirements.txt").write_text((PROJECT / "uwsgi-flask" / "requirements.txt").read_text())
    own = {"name": "kept", "source": str(tmp_path), "server_names": ["kept.test"]}
    # Long, so that what is old is seen to be so.
    server.others = [{**own, "cache": {"paths": ["/"], "seconds": 60}}]
    deploy(server)
    return server


def deploy(server: Server) -> None:
    run = server.run("site.yml", "-eapp=kept")
    assert run.code == 0, run.output[-3000:]


def told(server: Server, path: str, **headers: str) -> Told:
    """Status, what the cache says, and the body; `Accept_Language` is a header's name too."""
    status, answered, body = ask(
        server.port, path, "kept.test", {name.replace("_", "-"): text for name, text in headers.items()}
    )
    return status, answered.get("x-cache", "nothing"), body


def test_an_answer_is_given_to_everybody_without_a_cookie(kept: Server) -> None:
    first = told(kept, "/news")
    assert first[:2] == (200, "MISS")
    assert told(kept, "/news") == (200, "HIT", first[2])
    # Another address, its query included, and one longer than what nginx usually reads an answer's headers into.
    for other in ("/news?a=1", "/news/1", f"/news?{'a' * 9000}"):
        assert [told(kept, other)[1] for _number in range(2)] == ["MISS", "HIT"]
    for personal in ({"Cookie": "a=b"}, {"Authorization": "Basic x"}, {"Content_Length": "0"}):
        status, cache, body = told(kept, "/news", **personal)
        assert (status, cache) == (200, "BYPASS")
        assert body != first[2]
    assert told(kept, "/news") == (200, "HIT", first[2]), "what was for one visitor was kept"
    for path in ("/news/personal", "/news/welcome"):
        assert [told(kept, path)[1] for _number in range(2)] == ["MISS", "MISS"]
    german, english = (told(kept, "/news/by-language", Accept_Language=language) for language in ("de", "en"))
    assert german[1] == english[1] == "MISS"
    assert told(kept, "/news/by-language", Accept_Language="de") == (200, "HIT", german[2])
    # What proves a release is asked of the app.
    health = [told(kept, "/health") for _number in range(2)]
    assert [cache for _status, cache, _body in health] == ["nothing", "nothing"]
    assert health[0] != health[1]
    assert other_method(kept, "HEAD", "/news") == (200, "HIT", "")
    # For the headers alone the whole is asked for, which the next visitor gets.
    assert other_method(kept, "HEAD", "/news/head") == (200, "MISS", "")
    assert len(told(kept, "/news/head")[2]) == 64
    status, cache, body = other_method(kept, "POST", "/news")
    assert (status, cache) == (200, "nothing")
    assert body != first[2]
    assert told(kept, "/news") == (200, "HIT", first[2])


def unasked() -> str:
    """The path of a page that nobody has asked for yet."""
    return f"/news/{secrets.token_hex()}"


def other_method(server: Server, method: str, path: str) -> Told:
    with contextlib.closing(HTTPConnection("127.0.0.1", server.port, timeout=10)) as connection:
        connection.request(method, path, headers={"Host": "kept.test"})
        answer = connection.getresponse()
        return answer.status, answer.headers.get("X-Cache", "nothing"), answer.read().decode()


def test_a_flip_leaves_nothing_of_the_release_before(kept: Server) -> None:
    before = kept.live("kept")
    with Path(kept.others[0]["source"], "flask_wsgi.py").open("a") as file:
        file.write("# changed\n")
    with asking(kept) as answers:
        deploy(kept)
        time.sleep(1)
    after = kept.live("kept")
    assert after != before
    came = [release for release, _group in itertools.groupby(answers)]
    print(f"\n{len(answers)} answers: {came}")
    assert came == [before, after]
    # And a rollback, which leads to answers of its own again.
    with asking(kept) as answers:
        assert kept.run("rollback.yml", "-eapp=kept").code == 0
        time.sleep(1)
    assert [release for release, _group in itertools.groupby(answers)] == [after, kept.live("kept")]


@contextlib.contextmanager
def asking(server: Server) -> Iterator[list[str]]:
    """The releases that one visitor gets, who asks for the same again and again."""
    end, answers = threading.Event(), list[str]()

    def visitor() -> None:
        while not end.wait(0.01):
            _status, headers, _body = ask(server.port, "/news", "kept.test")
            answers.append(headers.get("x-release", "nothing"))

    thread = threading.Thread(target=visitor)
    thread.start()
    try:
        yield answers
    finally:
        end.set()
        thread.join()


def test_what_is_old_is_given_while_the_app_is_asked_or_down(kept: Server) -> None:
    release = kept.live("kept")
    kept.others[0] |= {"cache": {"paths": ["/news"], "seconds": 1}, "request_limits": {"/news/limited": "10/m"}}
    deploy(kept)
    assert kept.live("kept") == release, "what nginx keeps is no business of a release"
    slow = f"{unasked()}?seconds=2"
    first = told(kept, slow)
    time.sleep(2.1)
    began = time.monotonic()
    assert told(kept, slow) == (200, "STALE", first[2])
    assert told(kept, slow) == (200, "UPDATING", first[2])
    assert time.monotonic() - began < 2, "visitors waited for the app"
    time.sleep(3)
    assert told(kept, slow)[2] != first[2]

    page = unasked()
    first = told(kept, page)
    assert first[1] == "MISS"
    broken = "/var/lib/kept/broken"
    kept.sh(f"touch {broken}")
    time.sleep(2.1)
    # The app has answered each of them but the first, and what it said was passed over.
    for _number in range(4):
        status, cache, body = told(kept, page)
        assert (status, body) == (200, first[2])
        assert cache in ("STALE", "UPDATING")
        time.sleep(0.3)
    assert told(kept, page, Cookie="a=b") == (503, "BYPASS", "broken")
    kept.sh(f"rm {broken}")

    limited = [told(kept, "/news/limited")[:2] for _number in range(30)]
    assert limited.count((429, "nothing")) >= 15, "what is kept is no way around a limit"
    assert (200, "HIT") in limited

    units = f"kept@{release}-watch.path kept@{release}.socket kept@{release}.service"
    page = unasked()
    first = told(kept, page)
    kept.sh(f"systemctl stop {units}")
    try:
        time.sleep(2.1)
        for _number in range(3):
            status, cache, body = told(kept, page)
            assert (status, body) == (200, first[2])
            assert cache in ("STALE", "UPDATING")
            time.sleep(1)
        assert told(kept, unasked())[0] == 502
        assert told(kept, page, Cookie="a=b")[0] == 502
        assert told(kept, "/health")[:2] == (502, "nothing")
    finally:
        kept.sh(f"systemctl start {units}")
