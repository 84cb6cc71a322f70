"""Modules are packed by a process of its own, which the run never depends on."""

from __future__ import annotations

import os
import shutil
import signal
import time
from pathlib import Path

import pytest
from ansible import constants
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils import packing
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.packing import pack_beside


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The run's own, which Ansible removes when it ends."""
    folder = tmp_path / "run"
    folder.mkdir()
    monkeypatch.setattr(constants, "DEFAULT_LOCAL_TMP", str(folder))
    return folder


def ended() -> int:
    """How the process that packs has ended."""
    _pid, status = os.waitpid(-1, 0)
    return os.waitstatus_to_exitcode(status)


def test_each_is_packed_by_another_process(folder: Path) -> None:
    def pack(module: str) -> None:
        (folder / module).write_text(str(os.getpid()))

    pack_beside(["deploy", "release"], pack)
    assert [ended(), ended()] == [0, 0]
    packers = {(folder / module).read_text() for module in ("deploy", "release")}
    assert len(packers - {str(os.getpid())}) == 2


def test_nothing_to_pack_costs_no_process(folder: Path) -> None:
    pack_beside([], lambda module: None)
    with pytest.raises(ChildProcessError):
        ended()


def test_a_machine_that_has_no_room_for_another_process(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fork() -> int:
        raise OSError("Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", fork)
    pack_beside(["deploy"], lambda module: None)


def test_what_cant_be_packed_is_no_matter_of_the_run(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    pack_beside(["deploy"], lambda module: 1 // 0)
    assert ended() == 0
    assert folder.is_dir()
    assert capfd.readouterr() == ("", "")


def test_one_that_hangs_is_ended(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run waits for it."""
    monkeypatch.setattr(packing, "AT_MOST", 1)
    pack_beside(["deploy"], lambda module: time.sleep(60))
    assert ended() == -signal.SIGALRM


def test_a_run_that_has_ended_leaves_nothing_behind(folder: Path) -> None:
    """Ansible removes its folder, and makes it anew for what is packed, whether or not it can be."""

    def pack(module: str) -> None:
        shutil.rmtree(folder)
        folder.mkdir()
        raise FileNotFoundError(module)

    pack_beside(["deploy"], pack)
    assert ended() == 0
    assert not folder.exists()


def test_what_is_packed_stays_while_the_run_goes_on(folder: Path) -> None:
    pack_beside(["deploy"], lambda module: (folder / module).touch())
    assert ended() == 0
    assert (folder / "deploy").is_file()
