"""An app closed to visitors: while its folder is there, nginx answers 503 with the page in it.

nginx looks for the folder at each request, so nothing is reloaded. A file in it that is named like an address lets that
one pass.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence

from ansible_collections.uwsgi_flask.web.plugins.module_utils.files import OwnedFile, unfinished_name
from ansible_collections.uwsgi_flask.web.plugins.module_utils.layout import AppLayout
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.system import System

PAGE = "page.html"
# Whoever asks on the host itself: a deploy's last look, and status.
THIS_HOST = ("127.0.0.1", "::1")
DEFAULT_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Back soon</title>
<h1>Back soon</h1>
<p>This site is being worked on. Please try again in a few minutes.</p>
</html>
"""


@dataclasses.dataclass(frozen=True)
class Maintenance:
    """Closes and opens an app."""

    layout: AppLayout
    system: System

    def let_pass(self) -> list[str] | None:
        """Which addresses pass while the app is closed, but for the host's own; None if it is open."""
        try:
            names = os.listdir(self.layout.maintenance)
        except (FileNotFoundError, NotADirectoryError):
            return None
        return sorted({*names} - {PAGE, *THIS_HOST})

    def files(self, let_pass: Sequence[str], page: str) -> list[OwnedFile]:
        """What the folder should hold."""
        texts = {PAGE: page or DEFAULT_PAGE, **dict.fromkeys([*THIS_HOST, *let_pass], "")}
        return [OwnedFile(self.layout.maintenance / name, text) for name, text in texts.items()]

    def is_closed(self, let_pass: Sequence[str], page: str) -> bool:
        """Whether the app is closed like that."""
        return self.let_pass() == sorted(let_pass) and all(file.is_right() for file in self.files(let_pass, page))

    def close(self, let_pass: Sequence[str], page: str) -> None:
        """Close it, or change who passes and what the others see. Raises OSError."""
        folder = self.layout.maintenance
        wanted = self.files(let_pass, page)
        if self.let_pass() is None:
            # Whole or not at all: a page that is missing would be a 404.
            fresh = unfinished_name(folder)
            self.system.remove(folder)
            self.system.remove(fresh)
            self.system.make_directory(fresh, 0o755, "root")
            for file in wanted:
                self.system.put(dataclasses.replace(file, path=fresh / file.path.name))
            self.system.changing(f"rename {fresh}")
            fresh.rename(folder)
            return
        for file in wanted:
            self.system.put(file)
        for name in {*os.listdir(folder)} - {file.path.name for file in wanted}:
            self.system.remove(folder / name)

    def open(self) -> None:
        """Let everybody in again. Raises OSError."""
        self.system.remove(self.layout.maintenance)
