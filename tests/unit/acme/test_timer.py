"""The distribution's timer: whoever stopped it, a deploy lets it run again, and says so."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.uwsgi_flask.web.plugins.module_utils.acme.timer import keep_running

SYSTEMCTL = """\
#!/bin/sh
cd {folder}
case "$*" in
    "show --property="*" certbot.timer")
        cat state
        ;;
    *)
        echo "$*" >> done
        cat refused >&2 && exit 1
        exit 0
        ;;
esac
"""
STATES = {
    "runs": ("active", "enabled", "loaded"),
    "stopped": ("inactive", "enabled", "loaded"),
    "failed": ("failed", "enabled", "loaded"),
    "disabled": ("inactive", "disabled", "loaded"),
    "until the next boot": ("active", "disabled", "loaded"),
    "masked": ("inactive", "masked", "masked"),
}
STARTED = ["enable --now --quiet certbot.timer"]


class Systemd:
    """One that says what a test wants, and remembers what it was told."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "systemctl").write_text(SYSTEMCTL.format(folder=folder))
        (folder / "systemctl").chmod(0o755)

    def says(self, state: str) -> None:
        active, file, load = STATES[state]
        (self.folder / "state").write_text(f"LoadState={load}\nActiveState={active}\nUnitFileState={file}\n")

    def refuses(self, why: str) -> None:
        (self.folder / "refused").write_text(why)

    @property
    def done(self) -> list[str]:
        done = self.folder / "done"
        return done.read_text().splitlines() if done.exists() else []


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Systemd:
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return Systemd(tmp_path)


def test_one_that_runs_is_left_alone(systemd: Systemd) -> None:
    systemd.says("runs")
    assert keep_running() == (False, "")
    assert systemd.done == []


@pytest.mark.parametrize("state", ["stopped", "failed", "disabled", "until the next boot"])
def test_one_that_doesnt_is_started_and_a_rehearsal_says_so(systemd: Systemd, state: str) -> None:
    systemd.says(state)
    assert keep_running(is_rehearsal=True) == (True, "")
    assert systemd.done == []
    assert keep_running() == (True, "")
    assert systemd.done == STARTED


def test_whoever_masked_it_is_asked_to_undo_it(systemd: Systemd) -> None:
    systemd.says("masked")
    changed, fault = keep_running()
    assert not changed
    assert "certbot.timer is masked; systemctl unmask certbot.timer" in fault
    assert systemd.done == []


def test_one_that_cant_be_started_is_told(systemd: Systemd) -> None:
    systemd.says("stopped")
    systemd.refuses("no")
    assert keep_running() == (False, "certificates won't be renewed: certbot.timer can't be started: no")
