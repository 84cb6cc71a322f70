"""Fixtures that several kinds of tests share. The project's own collection is importable from here on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from ansible.plugins.loader import init_plugin_loader

init_plugin_loader([str(Path(__file__).parents[1] / "collections")])

if TYPE_CHECKING:
    from settings import Workshop


@pytest.fixture
def workshop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    # Here, because it takes what it tests from the collection.
    from settings import Workshop

    return Workshop(tmp_path)
