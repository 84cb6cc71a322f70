"""The blocks of the pages: what a reader is told to type or to write, and what he is shown.

A block that the scenario `as_documented` can't try has a mark above it: `<!-- not tried: why -->`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).parents[1]
PAGES = sorted([*PROJECT.glob("*.md"), *PROJECT.glob("docs/*.md")])
FENCED = re.compile(r"^(?: *<!-- not tried: (.+?) -->\n)?( *)```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


# Begins a line that was typed, in a block of what is shown.
PROMPT = "$ "


@dataclass(frozen=True)
class Block:
    """A fenced block without its indentation; `not_tried` is the reason, or ""."""

    language: str
    text: str
    not_tried: str = ""

    @property
    def commands(self) -> list[str]:
        """What is typed, one command each; a quote may go on over several lines."""
        found: list[str] = []
        lines = self.text.splitlines()
        if self.language != "sh":
            lines = [line.removeprefix(PROMPT) for line in lines if line.startswith(PROMPT)]
        for line in lines:
            if found and found[-1].count("'") % 2:
                found[-1] += "\n" + line
            elif line.strip():
                found.append(line)
        return found

    @property
    def shown(self) -> str:
        """What is printed."""
        return "".join(line for line in self.text.splitlines(keepends=True) if not line.startswith(PROMPT))


def prose(page: Path) -> str:
    return FENCED.sub("", page.read_text())


def blocks(page: Path, *languages: str) -> list[Block]:
    """The page's blocks in one of the languages, or all of them."""
    return [
        Block(language, re.sub(rf"^{indent}", "", text, flags=re.MULTILINE), reason)
        for reason, indent, language, text in FENCED.findall(page.read_text())
        if language in languages or not languages
    ]
