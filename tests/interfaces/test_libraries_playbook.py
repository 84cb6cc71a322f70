"""libraries.yml beside site.yml, whose plays it runs on the hosts that need it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from playbook import run_on_nobody
from project import PROJECT, read


def test_bad_settings_and_an_unknown_app_are_told_before_any_host_is_touched(tmp_path: Path) -> None:
    """What it starts anew is made from the settings."""
    ended = run_on_nobody(tmp_path, "libraries.yml", "--check")
    assert "web_apps: is not set" in ended.stdout
    assert "TASK [Take the host's lease]" not in ended.stdout


@pytest.mark.parametrize("playbook", ["site.yml", "settings.yml"])
def test_the_plays_that_it_borrows_can_be_told_their_hosts(playbook: str) -> None:
    hosts = [play["hosts"] for play in read(playbook) if "hosts" in play]
    assert hosts == ["{{ on_hosts | default('web') }}"]
    (borrowed,) = [play for play in read("libraries.yml") if play.get("ansible.builtin.import_playbook") == "site.yml"]
    assert set(borrowed["vars"]) == {"on_hosts", "app", "restart"}


def test_needrestart_is_told_of_the_units_that_there_are() -> None:
    """The pattern in the playbook is for Perl; what it says means the same here."""
    text = (PROJECT / "libraries.yml").read_text()
    (pattern,) = re.findall(r"qr\((.*)\)\} = 0;", text)
    for unit in ("shop@3f9a1c0b7d2e.service", "shop-2@3f9a1c0b7d2e-worker-mail.service"):
        assert re.search(pattern, unit)
    for unit in ("getty@tty1.service", "postgresql@15-main.service", "nginx.service"):
        assert not re.search(pattern, unit)
