"""What became of each fault: told while a scenario runs, kept beside its log, and made into docs/faults.md's tables.

python tests/fault_table.py        write the tables anew from what the last runs have kept
"""

from __future__ import annotations

import dataclasses
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

PROJECT = Path(__file__).parents[1]
KEPT = PROJECT / ".cache" / "faults"
PAGE = PROJECT / "docs" / "faults.md"


@dataclasses.dataclass(frozen=True)
class Row:
    """A fault, how it was made, and what clients saw: `failed` of `answers`, and for how many `seconds` any failed."""

    fault: str
    done: str
    answers: int
    failed: int
    seconds: float
    note: str = ""


def record(scenario: str, fault: str, done: str, answers: int, failed: int, seconds: float, note: str = "") -> None:
    """Keep a row of a scenario's table; one for the same fault is replaced. Prints it too."""
    kept = KEPT / f"{scenario}.json"
    rows = {row.fault: row for row in _rows(scenario)} if kept.exists() else {}
    rows[fault] = row = Row(fault, done, answers, failed, round(seconds, 1), note)
    KEPT.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps([dataclasses.asdict(row) for row in rows.values()], indent=1) + "\n")
    print(f"\n{_line(row)}")


def begin(scenario: str) -> None:
    """Forget what an earlier run has kept."""
    (KEPT / f"{scenario}.json").unlink(missing_ok=True)


def table(scenario: str) -> str:
    """The rows as Markdown. Raises FileNotFoundError where the scenario has never run here."""
    head = ["| fault | what was done | answers | failed | seconds | |", "|---|---|---:|---:|---:|---|"]
    return "\n".join([*head, *map(_line, _rows(scenario))])


def _line(row: Row) -> str:
    seconds = f"{row.seconds:.1f}" if row.failed else "0"
    return f"| {row.fault} | {row.done} | {row.answers} | {row.failed} | {seconds} | {row.note} |"


def _rows(scenario: str) -> Iterator[Row]:
    for kept in json.loads((KEPT / f"{scenario}.json").read_text()):
        yield Row(**kept)


def with_tables(page: str) -> str:
    """The page with each table that has been measured here in place of the one it holds."""

    def measured(found: re.Match[str]) -> str:
        scenario = found.group("scenario")
        if not (KEPT / f"{scenario}.json").exists():
            print(f"{scenario}: not run here, its table stays")
            return found.group()
        return f"{found.group('begin')}\n{table(scenario)}\n{found.group('end')}"

    return re.sub(
        r"(?P<begin><!-- faults: (?P<scenario>\w+)[^\n]*-->)\n.*?(?P<end><!-- end -->)", measured, page, flags=re.DOTALL
    )


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text()))
    sys.exit()
