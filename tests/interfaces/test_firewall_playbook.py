"""firewall.yml as a person runs it: what is refused before any host is touched."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from playbook import run_on_nobody

FIRST_ON_A_HOST = "Take the host's lease"


def said(folder: Path, **given: Any) -> str:
    ended = run_on_nobody(folder, "firewall.yml", "-e", json.dumps(given))
    assert ended.returncode != 0
    return ended.stdout


@pytest.mark.parametrize("given", [{"state": "off"}, {"undo_after": "soon"}, {"undo_after": 0}], ids=str)
def test_what_there_isnt(tmp_path: Path, given: dict[str, Any]) -> None:
    out = said(tmp_path, **given)
    assert "Say -e state=present (or nothing) or -e state=absent" in " ".join(out.split())
    assert FIRST_ON_A_HOST not in out


@pytest.mark.parametrize(
    "given", [{"web_firewall_open": [{"port": 0}]}, {"web_firewall_open": 9100}, {"web_http_port": "x"}], ids=str
)
def test_settings_that_cant_be_used(tmp_path: Path, given: dict[str, Any]) -> None:
    out = said(tmp_path, **given)
    (name,) = given
    assert f"{name}: is " in out
    assert FIRST_ON_A_HOST not in out


def test_good_ones_get_as_far_as_the_host(tmp_path: Path) -> None:
    assert FIRST_ON_A_HOST in said(tmp_path, web_firewall_open=[{"port": 9100, "from": ["192.0.2.0/24"]}])
