"""What several ask for at the same time, done once."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.together import Together


def test_each_returns_after_one_that_began_later_than_it_asked() -> None:
    together, began = Together(), list[float]()

    def do() -> None:
        began.append(time.monotonic())
        time.sleep(0.01)

    def ask(_number: int) -> tuple[float, float]:
        asked = time.monotonic()
        together.ask(do)
        return asked, time.monotonic()

    with ThreadPoolExecutor(max_workers=20) as pool:
        asked = list(pool.map(ask, range(200)))
    assert all(any(start <= at <= end - 0.01 for at in began) for start, end in asked)
    assert len(began) < len(asked)


def test_one_by_one_each_is_done() -> None:
    together, count = Together(), list[int]()
    for _time in range(3):
        together.ask(lambda: count.append(1))
    assert count == [1, 1, 1]


def test_one_that_failed_is_done_again_for_those_who_wait() -> None:
    together, first, done = Together(), threading.Event(), list[str]()

    def fail() -> None:
        first.set()
        time.sleep(0.05)
        raise OSError("the disk is full")

    def wait() -> None:
        first.wait()
        together.ask(lambda: done.append("again"))

    with ThreadPoolExecutor(max_workers=2) as pool:
        failing, waiting = pool.submit(together.ask, fail), pool.submit(wait)
    with pytest.raises(OSError, match="full"):
        failing.result()
    waiting.result()
    assert done == ["again"]
