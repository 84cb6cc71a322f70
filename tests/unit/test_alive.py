"""Long tasks say that they are still at work."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from ansible.playbook.play_context import PlayContext
from ansible.plugins.loader import connection_loader
from ansible_collections.uwsgi_flask.web.plugins.action import release
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.alive import Alive, telling


def test_a_long_task_tells_once_for_all_hosts_and_again_later() -> None:
    said: list[str] = []
    both = threading.Event()

    def say(line: str) -> None:
        said.append(line)
        if len(said) > 1:
            both.set()

    alive = Alive(say, first=0.1, after=0.1)
    alive.began("web1", "Install nginx", "1")
    alive.began("web2", "Install nginx", "1")
    assert both.wait(5)
    alive.stop()
    assert set(said) == {"Still at work after 0 s: Install nginx (web1, web2)"}


def test_a_quick_task_tells_nothing() -> None:
    said: list[str] = []
    alive = Alive(said.append, first=0.2)
    alive.began("web1", "Look", "1")
    alive.ended("web1", "1")
    time.sleep(0.5)
    alive.stop()
    assert said == []


def test_nothing_is_told_once_the_call_has_ended() -> None:
    """A worker's line that comes while it ends could keep the lock of the queue that all workers write to."""
    said: list[str] = []
    asked, may_answer = threading.Event(), threading.Event()

    def ask() -> str:
        asked.set()
        may_answer.wait(5)
        return "the step 'probe' of shop (web1)"

    with telling(said.append, ask, first=0.01):
        assert asked.wait(5)
    may_answer.set()
    time.sleep(0.1)
    assert said == []


def test_what_a_long_call_is_at_is_asked_for_and_a_quick_ones_isnt() -> None:
    said: list[str] = []
    asked = threading.Event()

    def ask() -> str:
        asked.set()
        return "the step 'probe' of shop (web1)"

    with telling(said.append, ask, first=5):
        pass
    assert not asked.is_set()
    with telling(said.append, ask, first=0.05):
        assert asked.wait(5)
        time.sleep(0.1)
    assert said == ["Still at work after 0 s: the step 'probe' of shop (web1)"]


def test_the_step_is_what_the_host_has_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(release, "STEP", tmp_path / "step")
    action = release.ActionModule.__new__(release.ActionModule)
    action._connection = connection_loader.get("local", PlayContext())
    assert action._doing("web1") == ""
    (tmp_path / "step").write_text("shop probe\n")
    assert action._doing("web1") == "the step 'probe' of shop (web1)"
