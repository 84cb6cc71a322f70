"""Figures and tables as Markdown."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

WIDTH = 120


def filled(text: str) -> str:
    return textwrap.fill(" ".join(text.split()), WIDTH, break_long_words=False, break_on_hyphens=False) + "\n"


def item(text: str) -> str:
    """An item of a list."""
    lines = textwrap.wrap(" ".join(text.split()), WIDTH - 2, break_long_words=False, break_on_hyphens=False)
    return "- " + "\n  ".join(lines) + "\n"


def table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    heads = list(heads)
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def figure(value: float) -> str:
    """With the digits that mean something."""
    if value == float("inf"):
        return "∞"
    if value >= 100 or value == int(value):
        return thousand(value)
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def thousand(value: float) -> str:
    return f"{value:,.0f}"


def share(value: float) -> str:
    return f"{value * 100:.0f} %" if value in (0, 1) or value >= 0.1 else f"{value * 100:.2g} %"
