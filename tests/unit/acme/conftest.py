"""What certbot has, for each test, and a certbot that remembers how it was asked."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.uwsgi_flask.web.plugins.module_utils.acme import certbot as tested
from ansible_collections.uwsgi_flask.web.plugins.module_utils.acme.lineage import lineage, no_room, parts, set_aside
from ansible_collections.uwsgi_flask.web.plugins.module_utils.acme.notes import Notes
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.system import System

from fake_certbot import Asked
from lineages import Certbots

WANTED = SimpleNamespace(is_as_wanted=lambda *_of_what: True)


@pytest.fixture
def certbots(tmp_path: Path) -> Certbots:
    return Certbots(tmp_path)


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Asked:
    made = Asked(tmp_path / "bin")
    monkeypatch.setenv("PATH", f"{made.folder}:{os.environ['PATH']}")
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    for name in ("WEBROOT", "CA_BUNDLE", "DNS_CREDENTIALS", "CERTBOT_DROP_IN", "SYSTEM_TRUST"):
        monkeypatch.setattr(tested, name, str(made.place(name)))
    return made


@pytest.fixture
def notes(tmp_path: Path, certbots: Certbots, asked: Asked, monkeypatch: pytest.MonkeyPatch) -> Notes:
    """Before anything was asked, on a host where certbot has nothing besides what `asked` gets."""

    def found(system: System, app: str) -> Any:
        return WANTED if asked.gets and "certonly" in asked.words else lineage(system, app, certbots.folder)

    monkeypatch.setattr(tested, "lineage", found)
    for name, seconds in (("MOMENT", 0.0), ("PAUSE", 0.01), ("OTHERS_SECONDS", 0.0)):
        monkeypatch.setattr(tested, name, seconds)
    for function in (parts, no_room):
        monkeypatch.setattr(tested, function.__name__, functools.partial(function, certbots=certbots.folder))
    aside = functools.partial(set_aside, certbots=certbots.folder, kept=tmp_path / "kept")
    monkeypatch.setattr(tested, "set_aside", aside)
    assert not certbots.folder.exists()
    return Notes.read(tmp_path / "acme.json")
