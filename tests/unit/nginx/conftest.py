"""A host with nginx for each test."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fake_nginx import Nginx


@pytest.fixture(autouse=True)
def without_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda handle: None)


@pytest.fixture
def nginx(tmp_path: Path) -> Nginx:
    return Nginx(tmp_path)
