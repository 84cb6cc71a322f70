"""docs/performance.md is what bench/page.py makes of what was measured."""

from __future__ import annotations

import subprocess
import sys

from bench.page import DEPLOYING, PAGE, PLOTS, RESULTS, SERVING, read, written
from project import PROJECT


def test_the_page_is_of_the_measurements() -> None:
    told = read(SERVING)
    assert told
    assert PAGE.read_text() == written(told, read(DEPLOYING))


def test_the_command_says_so() -> None:
    command = [sys.executable, "-m", "bench.page", "--check"]
    checked = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")


def test_its_pictures_are_there_and_light() -> None:
    for name in PLOTS:
        assert (RESULTS / f"{name}.svg").stat().st_size < 60_000
