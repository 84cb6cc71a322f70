"""On the bench server: what a process and all that descend from it take, as one line of JSON.

    processes.py PID…    {"1234": {"pss_bytes": 61440000, "rss_bytes": 98304000, "cpu_us": 730000, "processes": 3}}

PSS counts a page that n processes share as an n-th in each, so that the sum is what they really take.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

TICK_US = 1_000_000 // os.sysconf("SC_CLK_TCK")


def fields(process: str) -> list[str]:
    """What stands in /proc/PID/stat after the name in parentheses, beginning with the state."""
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()


def parents() -> dict[str, str]:
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            found[folder.name] = fields(folder.name)[1]
        except OSError:
            continue
    return found


def family(process: str) -> list[str]:
    """The process and all that descend from it."""
    known = parents()
    found = [process]
    for one in found:
        found += [child for child, parent in known.items() if parent == one]
    return found


def taken(process: str) -> dict[str, int]:
    sums = {"pss_bytes": 0, "rss_bytes": 0, "cpu_us": 0, "processes": 0}
    for one in family(process):
        try:
            rollup = Path(f"/proc/{one}/smaps_rollup").read_text()
            stat = fields(one)
        except OSError:
            # It has ended meanwhile.
            continue
        sizes = {line.split()[0]: int(line.split()[1]) * 1024 for line in rollup.splitlines()[1:]}
        sums["pss_bytes"] += sizes["Pss:"]
        sums["rss_bytes"] += sizes["Rss:"]
        # Its own, and that of its children that have ended: uWSGI renews its workers now and then.
        sums["cpu_us"] += sum(map(int, stat[11:15])) * TICK_US
        sums["processes"] += 1
    return sums


if __name__ == "__main__":
    print(json.dumps({process: taken(process) for process in sys.argv[1:]}))
