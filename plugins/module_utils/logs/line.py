"""One line of a log, and what somebody wants to see of them."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator

# A longer one isn't read by anybody in a terminal.
LONGEST = 2000
# An app's own colours go; what else would do something to a terminal is shown as it is written.
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


@dataclasses.dataclass(frozen=True)
class Line:
    """`time` in seconds since the epoch; `source` as "shop access"; `level` is "error", "warning" or ""."""

    time: float
    source: str
    level: str
    text: str


@dataclasses.dataclass(frozen=True)
class Asked:
    """The last `count` lines since a moment (0 for any) in which the pattern is found."""

    count: int
    since: float = 0
    pattern: re.Pattern[str] | None = None

    def wants(self, line: Line) -> bool:
        return self.pattern is None or self.pattern.search(line.text) is not None


def clean(text: str) -> Iterator[str]:
    """The lines of a text, each such that a terminal only shows it."""
    for line in COLOUR.sub("", text).splitlines():
        shown = CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", line)
        yield shown if len(shown) <= LONGEST else f"{shown[:LONGEST]}…"
