"""What several ask for at the same time, done once."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.together import Together


def test_each_returns_after_one_that_began_later_than_it_asked() -> None:
    began = list[float]()

    def do() -> None:
        began.append(time.monotonic())
        time.sleep(0.01)

    together = Together(do)

    def ask(_number: int) -> tuple[float, float]:
        asked = time.monotonic()
        together.ask()
        return asked, time.monotonic()

    with ThreadPoolExecutor(max_workers=20) as pool:
        asked = list(pool.map(ask, range(200)))
    assert all(any(start <= at <= end - 0.01 for at in began) for start, end in asked)
    assert len(began) < len(asked)


def test_one_by_one_each_is_done() -> None:
    count = list[int]()
    together = Together(lambda: count.append(1))
    for _time in range(3):
        together.ask()
    assert count == [1, 1, 1]


def test_one_that_failed_is_done_again_for_those_who_wait() -> None:
    first, done = threading.Event(), list[str]()

    def do() -> None:
        if first.is_set():
            done.append("again")
            return
        first.set()
        time.sleep(0.05)
        raise OSError("the disk is full")

    together = Together(do)

    def wait() -> None:
        first.wait()
        together.ask()

    with ThreadPoolExecutor(max_workers=2) as pool:
        failing, waiting = pool.submit(together.ask), pool.submit(wait)
    with pytest.raises(OSError, match="full"):
        failing.result()
    waiting.result()
    assert done == ["again"]


def test_what_can_wait_is_done_once_at_the_end_and_what_cannot_at_once() -> None:
    count = list[int]()
    together = Together(lambda: count.append(1))
    with together.at_the_end():
        together.ask_later()
        together.ask_later()
        assert count == []
        together.ask()
        assert count == [1]
    assert count == [1, 1]
    with together.at_the_end():
        pass
    assert count == [1, 1]
    together.ask_later()
    assert count == [1, 1, 1]


def test_what_is_owed_is_done_though_something_went_wrong() -> None:
    count = list[int]()
    together = Together(lambda: count.append(1))

    def fail() -> None:
        with together.at_the_end():
            together.ask_later()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert count == [1]
