"""What the figures say about the size of a server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bench.claims import pss
from bench.ratios import Scene, good_rate
from bench.texts import item, thousand


def advice(scenes: dict[str, Scene], machine: dict[str, Any]) -> str:
    """A section of the page, or nothing where nothing that it needs was measured."""
    items = "".join(item(text) for text in texts(scenes, machine))
    return f"## Choosing a server\n\n{items}" if items else ""


def texts(scenes: dict[str, Scene], machine: dict[str, Any]) -> Iterator[str]:
    cores, processes, threads = machine["cores"], machine["ours"]["processes"], machine["ours"]["threads"]
    if "page" in scenes:
        each = good_rate(scenes["page"], "ours") / cores
        yield f"""**Requests.** A core of this kind serves about {thousand(each)} small pages a second, with nginx and
            the load itself on the same cores. A page that takes your app 20 ms of processor time is 50 a second for
            each core, whatever is in front of it: measure your own page, and plan for half of what a server can do."""
    if "memory" in scenes:
        whole = pss(scenes["memory"], "ours") / 1e6
        yield f"""**Memory.** The bench app with {processes} processes takes {whole:.0f} MB, so {whole / processes:.0f}
            MB for each of them. While a deploy proves a new release, two instances run: keep as much free again."""
    if "heavy" in scenes:
        shared, copies = (pss(scenes["heavy"], f"ours, 40 MB {how}") / 1e6 for how in ("shared", "in each"))
        yield f"""**Large apps.** With 40 MB of data and 4 processes an app takes {shared:.0f} MB, because it is
            imported once and shared; with `preload: false` it takes {copies:.0f} MB."""
    if "wait" in scenes:
        waits = good_rate(scenes["wait"], "ours")
        yield f"""**Waiting.** A thread that waits for a database serves nobody else: {processes} processes with
            {threads} threads have {processes * threads} requests under way at a time, which was {thousand(waits)}
            a second of those that wait 50 ms. An app that waits for longer needs more `threads`, at little
            cost in memory; each may hold a connection to the database."""
