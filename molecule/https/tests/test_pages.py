"""Errors that nginx makes itself, as a visitor sees them: with pages of ours, or with an app's own."""

from __future__ import annotations

from collections import Counter

import pytest

from server import SAFE, Server

NAME = "flask.test"
HEADERS = {**SAFE, "strict-transport-security": "max-age=3600"}
OWN = """

@app.route("/own/<int:status>", methods=["GET", "POST"])
def own(status: int) -> tuple[str, int]:
    return f"the app's own {status}", status
"""
LARGE = "--data-binary @/usr/bin/python3"
# What is asked, with which status nginx answers, and what ours says then.
ERRORS = {
    "a dot file": ("/.env", 404, "There is nothing at this address."),
    "a dot file that looks like a picture": ("/.env.png", 404, "There is nothing at this address."),
    "the page's own address": ("/.error", 404, "There is nothing at this address."),
    "too large": (f"/own/200 {LARGE}", 413, "What you sent is larger than this site accepts."),
    "too large, in pieces": (
        f"/own/200 -H 'Transfer-Encoding: chunked' {LARGE}",
        413,
        "What you sent is larger than this site accepts.",
    ),
    "a cookie too large": (
        "/ -H \"Cookie: $(head -c 40000 /dev/zero | tr '\\0' a)\"",
        431,
        "Your browser sent more than this site accepts. Deleting this site's cookies may help.",
    ),
    "an address too long": (
        "/$(head -c 11000 /dev/zero | tr '\\0' a)",
        414,
        "The address is longer than this site accepts.",
    ),
}


@pytest.fixture(scope="module")
def story(installed: Server) -> Server:
    """One server whose settings stay from one test to the next."""
    with (installed.source / "flask_wsgi.py").open("a") as file:
        file.write(OWN)
    installed.app |= {"tls": "self_signed", "hsts": 3600}
    installed.deploy()
    installed.sh("command -v curl >/dev/null || apt-get install -qqy curl >/dev/null 2>&1")
    return installed


def answer(server: Server, words: str, address: str = "127.0.0.1") -> tuple[int, Counter[tuple[str, str]], str]:
    """Status, headers and body of what `curl https://flask.test<words>` gets."""
    said = server.sh(f"curl -sk -i --http1.1 -H Expect: --resolve {NAME}:443:{address} https://{NAME}{words}")
    head, _blank, body = said.replace("\r", "").partition("\n\n")
    first, *lines = head.splitlines()
    fields = [line.partition(": ") for line in lines]
    return int(first.split()[1]), Counter((name.lower(), value) for name, _colon, value in fields), body


def assert_headers(headers: Counter[tuple[str, str]]) -> None:
    """Each of them, once, and nothing about who made the page."""
    for name, value in HEADERS.items():
        assert [(named, times) for named, times in headers.items() if named[0] == name] == [((name, value), 1)]
    assert headers["server", "nginx"] == 1
    assert headers["content-type", "text/html"] == 1


@pytest.mark.parametrize(("words", "status", "text"), ERRORS.values(), ids=ERRORS)
def test_an_error_of_nginx_has_a_page_of_ours(story: Server, words: str, status: int, text: str) -> None:
    got, headers, body = answer(story, words)
    assert (got, f"<p>{text}</p>" in body) == (status, True), body
    assert_headers(headers)


@pytest.mark.parametrize("status", [400, 404, 413, 429, 500, 502, 503])
def test_what_the_app_answers_is_passed_on(story: Server, status: int) -> None:
    for words in ("", " -d x=y"):
        got, _headers, body = answer(story, f"/own/{status}{words}")
        assert (got, body) == (status, f"the app's own {status}")


def stop(server: Server) -> None:
    """Let nobody answer for the app; a deploy mends it."""
    service = f"uwsgi-flask@{server.live()}"
    server.sh(f"systemctl stop {service}.service {service}.socket")


def test_an_app_that_is_down_has_one_too(story: Server) -> None:
    stop(story)
    for words in ("/", "/own/200 -d x=y", "/own/200 -X DELETE"):
        status, headers, body = answer(story, words)
        assert (status, "<h1>Not available</h1>" in body) == (502, True), words
        assert_headers(headers)


def test_an_apps_own_pages_replace_ours_though_it_is_down(story: Server) -> None:
    """Of a form too, which nginx would send to no file. What has no page of its own gets the one for all."""
    pages = story.source / "static" / "sorry"
    pages.mkdir()
    (pages / "404.html").write_text("<p>Nothing here, sorry</p>")
    (pages / "error.html").write_text("<p>Sorry</p>")
    story.app["error_pages"] = "sorry"
    story.deploy()
    stop(story)
    for words, wanted, text in (
        ("/.env", 404, "<p>Nothing here, sorry</p>"),
        (f"/ {LARGE}", 413, "<p>Sorry</p>"),
        ("/", 502, "<p>Sorry</p>"),
        ("/ -d x=y", 502, "<p>Sorry</p>"),
    ):
        status, headers, body = answer(story, words)
        assert (status, body) == (wanted, text)
        assert_headers(headers)
    (pages / "error.html").unlink()
    story.deploy()
    assert answer(story, "/own/404")[2] == "the app's own 404"
    assert answer(story, "/.env")[2] == "<p>Nothing here, sorry</p>"
    assert "<h1>Too large</h1>" in answer(story, f"/ {LARGE}")[2]


def test_while_it_is_closed_the_page_of_that_comes_first(story: Server) -> None:
    assert story.run("maintenance.yml", "-estate=on").code == 0
    elsewhere = story.sh("hostname -I").split()[0]
    for words, wanted in (("/.env", 503), (f"/ {LARGE}", 503), (ERRORS["a cookie too large"][0], 431)):
        status, headers, body = answer(story, words, elsewhere)
        assert (status, "Back soon" in body) == (wanted, wanted == 503), words
        assert_headers(headers)
    assert story.run("maintenance.yml", "-estate=off").code == 0


def test_a_folder_without_pages_is_refused_before_any_host_is_touched(story: Server) -> None:
    story.app["error_pages"] = "sory"
    run = story.run()
    assert run.code != 0
    assert "has 'error_pages': there is neither error.html nor a page like 404.html in" in run.output
    del story.app["error_pages"]
