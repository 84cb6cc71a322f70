"""A certbot that does nothing, and remembers how it was called."""

from __future__ import annotations

from pathlib import Path


class Asked:
    """A certbot that does nothing, and remembers how it was called."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # Whether certbot has then what was wanted.
        self.gets = True
        folder.mkdir()
        self.answer(0)
        program = folder / "certbot"
        program.write_text(
            f'#!/bin/sh\ncd {folder}\nprintf \'%s\\n\' "$@" >> words\nprintf %s "$REQUESTS_CA_BUNDLE" > trusted\n'
            'cat "$REQUESTS_CA_BUNDLE" /dev/null > bundle 2> /dev/null\n'
            "cat stdout\ncat stderr >&2\nexit $(cat code)\n"
        )
        program.chmod(0o755)

    def answer(self, code: int, out: str = "", err: str = "") -> None:
        for name, text in (("code", str(code)), ("stdout", out), ("stderr", err)):
            (self.folder / name).write_text(text)

    def place(self, name: str) -> Path:
        """Where on this host lies what a constant names."""
        return self.folder.parent / f"etc/{name.lower()}"

    @property
    def words(self) -> list[str]:
        words = self.folder / "words"
        return words.read_text().splitlines() if words.exists() else []

    @property
    def trusted(self) -> str:
        return (self.folder / "trusted").read_text()
