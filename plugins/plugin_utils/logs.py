"""Lines of logs of several hosts, as one text by time."""

from __future__ import annotations

import heapq
import json
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime

from ansible.utils.color import stringc

COLOURS = {"error": "red", "warning": "yellow"}
# As wide as most sources are, so that columns stay where they are while one follows.
SOURCE_WIDTH = 14


def merged_logs(read: Mapping[str, str], count: int | str = 0, hosts: Collection[str] = ()) -> str:
    """The lines that the module `logs` read, by host, merged by time; the last `count`, 0 for all.

    `hosts` are those for which there is room in their column. In colours where Ansible's own output is.
    """
    widest = max(map(len, [*hosts, *read]), default=0)
    streams = [[(line[0], host, *line[1:]) for line in json.loads(lines)] for host, lines in read.items()]
    # Lines of the same moment and host keep their order.
    every = list(heapq.merge(*streams, key=lambda line: line[0]))
    every = every[-int(count) :] if int(count) else every
    width = max([SOURCE_WIDTH, *(len(source) for _time, _host, source, *_rest in every)])
    return "\n".join(
        _shown(time, f"{host:{widest}} {source:{width}}", level, text) for time, host, source, level, text in every
    )


def _shown(time: float, whose: str, level: str, text: str) -> str:
    moment = datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
    colour: Callable[[str, str], str] = stringc
    told = colour(text, COLOURS[level]) if level in COLOURS else text
    return f"{colour(f'{moment}Z {whose}', 'bright blue')}  {told}"
