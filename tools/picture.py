"""Takes a picture of a page with Chromium: `picture.py PAGE PNG [WIDTH HEIGHT [dark]]`."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip


def take(page: Path, picture: Path, size: str = "1400,1000", is_dark: bool = False) -> None:
    """A profile of its own, so that nothing of a person's browser is seen or changed."""
    scheme = f"--blink-settings=preferredColorScheme={0 if is_dark else 1}"
    with tempfile.TemporaryDirectory() as profile:
        where = (f"--user-data-dir={profile}", f"--window-size={size}", scheme, f"--screenshot={picture.absolute()}")
        subprocess.run(["chromium", *QUIET, *where, page.absolute().as_uri()], check=True, capture_output=True)


if __name__ == "__main__":
    given = sys.argv[1:]
    take(Path(given[0]), Path(given[1]), ",".join(given[2:4]) or "1400,1000", "dark" in given[4:])
