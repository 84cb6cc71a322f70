"""Tables for a terminal, as texts: columns as wide as they must be, and never wider than the terminal."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Sequence

GAP = "  "
# Not COLUMNS, which a shell or a CI may export though nobody looks at the output.
WIDTH = "UWSGI_FLASK_TERMINAL_WIDTH"
# Narrower than that, a heading isn't read any more.
NARROWEST = 8


def terminal_width() -> int:
    """Columns of the terminal; 0 where the output goes to a file or another program, which cuts nothing.

    Tasks run in processes without a terminal: for these the callback puts it into the environment.
    """
    if sys.stdout.isatty():
        return shutil.get_terminal_size().columns
    columns = os.environ.get(WIDTH, "")
    return int(columns) if columns.isdigit() else 0


def table(
    headings: Sequence[str], rows: Iterable[Sequence[str]], width: int = 0, flexible: Sequence[str] = ()
) -> list[str]:
    """A line for the headings and one for each row. Where they don't fit `width`, `flexible` columns are cut."""
    cells = [list(headings), *map(list, rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(headings))]
    may_shrink = [column for column, heading in enumerate(headings) if heading in flexible]
    while width and sum(widths) + len(GAP) * (len(widths) - 1) > width:
        widest = max(may_shrink, key=lambda column: widths[column], default=None)
        if widest is None or widths[widest] <= NARROWEST:
            break
        widths[widest] -= 1
    return [
        GAP.join(_cut(text, room).ljust(room) for text, room in zip(line, widths, strict=True)).rstrip()
        for line in cells
    ]


def _cut(text: str, room: int) -> str:
    return text if len(text) <= room else f"{text[: room - 1]}…"


def some_of(names: Sequence[str], room: int = 30) -> str:
    """As many of the names as there is room for, at least one, and how many more there are."""
    shown = list(names[:1])
    for name in names[1:]:
        if len(", ".join([*shown, name])) > room:
            break
        shown.append(name)
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" +{more}" if more else "")


def size(count: float) -> str:
    """Bytes as a person reads them."""
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"
