"""What certbot has, for each test."""

from __future__ import annotations

from pathlib import Path

import pytest

from lineages import Certbots


@pytest.fixture
def certbots(tmp_path: Path) -> Certbots:
    return Certbots(tmp_path)
