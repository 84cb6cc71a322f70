"""The client that keeps a site busy: what it counts as lost, and what no visitor would notice."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from load import Load

OK = b"HTTP/1.1 200 OK\r\nX-Release: abc\r\nContent-Length: 2\r\n\r\nok"
BROKEN = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"
ERROR = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"


@contextlib.contextmanager
def site(answer: Callable[[int, int], bytes]) -> Iterator[str]:
    """A site that gives `answer(connection, request)`, both counted from 0; nothing stands for hanging up."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            # Until the listener is closed.
            with contextlib.suppress(OSError):
                for number in range(100):
                    answer_on(listener.accept()[0], number)

        def answer_on(connection: socket.socket, number: int) -> None:
            with connection:
                request = 0
                while connection.recv(65536) and (given := answer(number, request)):
                    connection.sendall(given)
                    if given == BROKEN:
                        break
                    request += 1

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"


def loaded(answer: Callable[[int, int], bytes]) -> Load:
    with site(answer) as url, Load(url, connections=1, timeout=2, pause=0.01) as load:
        load.wait(0.3)
    return load


def test_good_answers_are_counted_by_release() -> None:
    load = loaded(lambda connection, request: OK)
    assert load.by["200 abc"] == load.summary()["answers"] > 1
    assert (load.failed, load.asked_again) == (0, 0)


def test_a_request_that_crosses_with_a_hang_up_is_asked_again() -> None:
    load = loaded(lambda connection, request: OK if connection or request < 3 else b"")
    assert (load.failed, load.asked_again) == (0, 1)
    assert load.by["200 abc"] > 3


@pytest.mark.parametrize(
    "answer",
    [
        lambda connection, request: OK if connection or request else b"",
        lambda connection, request: b"" if connection or request >= 3 else OK,
        lambda connection, request: BROKEN,
        lambda connection, request: ERROR,
    ],
    ids=["a new connection is hung up", "the second one too", "half an answer", "502"],
)
def test_everything_else_is_lost(answer: Callable[[int, int], bytes]) -> None:
    assert loaded(answer).failed > 0
