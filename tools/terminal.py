"""Draws the end of a run as an SVG, from what a terminal got: `terminal.py LOG SVG [FROM]`; a line begins with FROM.

script -qc 'ansible-playbook site.yml' run.log
python tools/terminal.py run.log docs/deploy.svg 'PLAY RECAP'
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

COLUMNS = 110
# A page that shows the picture loads nothing from anywhere.
OUTSIDE = re.compile(r"@font-face \{\{.*?\}\}|<!--.*?-->", re.DOTALL)
FORMAT = OUTSIDE.sub("", CONSOLE_SVG_FORMAT).replace("Fira Code", "monospace")


def draw(log: str, first: str) -> str:
    """The SVG of all lines from the last one that begins with `first`."""
    lines = log.replace("\r", "").splitlines()
    began = max((at for at, line in enumerate(lines) if line.startswith(first)), default=0)
    # What `script` says itself.
    shown = [line for line in lines[began:] if not line.startswith("Script ")]
    with open("/dev/null", "w", encoding="utf-8") as nowhere:
        console = Console(record=True, width=COLUMNS, file=nowhere)
        for line in shown:
            console.print(Text.from_ansi(line), soft_wrap=False)
    return console.export_svg(title="ansible-playbook site.yml", theme=MONOKAI, code_format=FORMAT)


if __name__ == "__main__":
    source, target, *more = sys.argv[1:]
    Path(target).write_text(draw(Path(source).read_text(encoding="utf-8"), more[0] if more else ""), encoding="utf-8")
