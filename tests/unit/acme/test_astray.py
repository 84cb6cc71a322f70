"""Whether a name leads here: asked for over a real network, as a CA asks."""

from __future__ import annotations

import contextlib
import errno
import http.server
import socket
import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.uwsgi_flask.web.plugins.module_utils.acme import astray as tested
from ansible_collections.uwsgi_flask.web.plugins.module_utils.acme.astray import BELOW, astray, left

HERE = "127.0.0.1"
OTHERS = "2001:db8::7"


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A port that refuses connections until somebody listens there, in place of 80."""
    with socket.socket() as reserved:
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reserved.bind((HERE, 0))
        number: int = reserved.getsockname()[1]
        monkeypatch.setattr(tested, "PORT", number)
        yield number


@contextlib.contextmanager
def listening(port: int, handler: Any) -> Iterator[None]:
    class Server(socketserver.TCPServer):
        allow_reuse_address = True

    with Server((HERE, port), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


class Answer(http.server.BaseHTTPRequestHandler):
    """nginx, which gives what lies in the folder, or a server that says the same to everybody."""

    webroot: Path
    always: tuple[int, str] | None = None
    location = ""

    def do_GET(self) -> None:
        place = self.webroot / self.path.lstrip("/")
        there = (200, place.read_text()) if place.is_file() else (404, "nothing here")
        status, text = self.always or there
        self.send_response(status)
        if self.location:
            self.send_header("Location", self.location)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_words: object) -> None:
        pass


class Mail(socketserver.BaseRequestHandler):
    """No web server at all."""

    def handle(self) -> None:
        self.request.recv(1000)
        self.request.sendall(b"220 mail.test ready\r\n")


def answering(webroot: Path, always: tuple[int, str] | None = None, location: str = "") -> type[Answer]:
    return type("Answering", (Answer,), {"webroot": webroot, "always": always, "location": location})


def test_a_name_that_leads_here_is_well(tmp_path: Path, port: int) -> None:
    with listening(port, answering(tmp_path)), left(tmp_path) as mark:
        assert astray(HERE, mark) == ""
        assert "where another server answers (404)" in astray(HERE, mark[::-1])


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_the_ca_follows_a_redirect_and_so_is_it_followed(tmp_path: Path, port: int, status: int) -> None:
    with http.server.ThreadingHTTPServer((HERE, 0), answering(tmp_path)) as behind, left(tmp_path) as mark:
        threading.Thread(target=behind.serve_forever, args=(0.01,)).start()
        location = f"http://{HERE}:{behind.server_port}/{BELOW}/{mark}"
        with listening(port, answering(tmp_path, (status, ""), location)):
            assert astray(HERE, mark) == ""
        for elsewhere in (f"{location}x", "file:///etc/hostname", ""):
            with listening(port, answering(tmp_path, (status, ""), elsewhere)):
                assert f"where another server answers ({status})" in astray(HERE, mark)
        behind.shutdown()


@pytest.mark.parametrize("status", [200, 404, 503])
def test_another_server_is_told_with_the_remedy(tmp_path: Path, port: int, status: int) -> None:
    with listening(port, answering(tmp_path, (status, "welcome"))):
        told = f"{HERE} leads to {HERE}, where another server answers ({status}); let it lead to this host"
        assert astray(HERE, "mark") == told


def test_one_that_is_no_web_server_too(port: int) -> None:
    with listening(port, Mail):
        assert "where something else than a web server answers" in astray(HERE, "mark")


def test_a_closed_port_is_told_with_the_remedy(port: int) -> None:
    told = astray(HERE, "mark")
    assert told.startswith(f"{HERE} leads to {HERE}, where port {port} doesn't answer (")
    assert told.endswith("; open it, because the CA asks there")


def test_a_name_without_an_address_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_what: object, **_more: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    told = "shop.invalid has no address; add an A or AAAA record that leads to this host"
    assert astray("shop.invalid", "mark") == told


@pytest.mark.parametrize("number", [errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT])
def test_an_address_that_only_others_reach_is_passed_over_and_no_other(
    tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    connect = socket.create_connection

    def connected(address: tuple[str, int], *more: Any, **options: Any) -> socket.socket:
        if address[0] == OTHERS:
            raise OSError(number, "no way")
        return connect(address, *more, **options)

    find = socket.getaddrinfo

    def found(name: str, *more: Any, **options: Any) -> list[Any]:
        if name != "shop.test":
            return find(name, *more, **options)
        return [(0, 0, 0, "", (address, port)) for address in (OTHERS, HERE, HERE)]

    monkeypatch.setattr(socket, "create_connection", connected)
    monkeypatch.setattr(socket, "getaddrinfo", found)
    assert "shop.test leads to 127.0.0.1, where port" in astray("shop.test", "mark")
    with listening(port, answering(tmp_path)), left(tmp_path) as mark:
        assert astray("shop.test", mark) == ""


def test_the_mark_is_readable_by_nginx_while_it_is_needed(tmp_path: Path) -> None:
    webroot = tmp_path / "web-acme"
    with left(webroot) as mark:
        assert (webroot / BELOW / mark).read_text() == mark
        for path in (webroot, webroot / BELOW, webroot / BELOW / mark):
            assert path.stat().st_mode & 0o004
    assert list((webroot / BELOW).iterdir()) == []


def test_it_goes_too_when_something_fails(tmp_path: Path) -> None:
    with contextlib.suppress(ValueError), left(tmp_path):
        raise ValueError
    assert list((tmp_path / BELOW).iterdir()) == []


def test_what_a_kill_left_goes_and_what_certbot_leaves_for_a_ca_stays(tmp_path: Path) -> None:
    below = tmp_path / BELOW
    with left(tmp_path) as killed:
        content = (below / killed).read_text()
    (below / killed).write_text(content)
    (below / f".{killed}.unfinished").write_text("")
    (below / "a-token-of-the-ca").write_text("certbot's")
    with left(tmp_path) as mark:
        assert sorted(path.name for path in below.iterdir()) == sorted(["a-token-of-the-ca", mark])
