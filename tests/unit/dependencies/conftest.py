"""An index of this machine, and a project that locks by it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from index import Index

if TYPE_CHECKING:
    from locked import Project
    from settings import Workshop


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    """An index with one version of `tiny`, which needs `base`."""
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    made = Index(tmp_path / "index")
    made.add("tiny", "1.0", ["base"])
    made.add("base", "1.0")
    with made.served():
        yield made


@pytest.fixture
def project(workshop: Workshop, index: Index) -> Project:
    # Here, because it takes what it tests from the collection.
    from locked import Project

    return Project(workshop, index)
