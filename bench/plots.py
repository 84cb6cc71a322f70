"""The pictures of docs/performance.md: SVG, with text as text, and the same bytes for the same figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench.claims import pss
from bench.ratios import Scene, failed_share, good_rate, median

COLOURS = ("#4477aa", "#66ccee", "#ccbb44", "#ee6677")
Bars = dict[str, dict[str, float]]


def bars(groups: Bars, path: Path, label: str) -> None:
    """Horizontal bars: a group for each server, in it one bar for each kind. Nothing if there are none."""
    # Here, because only who draws needs it.
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "bench", "font.size": 9})
    from matplotlib import pyplot

    servers = list(dict.fromkeys(server for kind in groups.values() for server in kind))
    if not servers:
        return
    figure, axes = pyplot.subplots(figsize=(8, 0.8 + 0.16 * len(servers) * (len(groups) + 1)), layout="constrained")
    height = 0.8 / len(groups)
    for at, (kind, values) in enumerate(groups.items()):
        places = [servers.index(server) + at * height for server in values]
        drawn = axes.barh(places, list(values.values()), height, label=kind, color=COLOURS[at % len(COLOURS)])
        axes.bar_label(drawn, fmt=lambda value: f"{value:,.0f}", padding=2, fontsize=7)
    axes.set_yticks([at + 0.4 - height / 2 for at in range(len(servers))], servers)
    axes.invert_yaxis()
    axes.set_xlabel(label)
    axes.margins(x=0.1)
    axes.spines[["top", "right"]].set_visible(False)
    if len(groups) > 1:
        axes.legend(frameon=False)
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


def draw(told: dict[str, Any], folder: Path) -> None:
    """Write each picture whose scenes were measured."""
    scenes: dict[str, Scene] = told["scenes"]
    asked = {"page": "page", "JSON": "json", "50 ms of waiting": "wait"}
    throughput = {
        kind: {server: good_rate(scenes[name], server) for server in scenes[name]["runs"]}
        for kind, name in asked.items()
        if name in scenes
    }
    bars(throughput, folder / "throughput.svg", "good answers a second")
    if "page" in scenes:
        page = scenes["page"]
        latency: Bars = {
            "50 %": {server: median(page, server, lambda load: load.p50) for server in page["runs"]},
            "90 %": {server: median(page, server, lambda load: load.p90) for server in page["runs"]},
            "99 %": {server: median(page, server, lambda load: load.p99) for server in page["runs"]},
        }
        bars(latency, folder / "latency.svg", "milliseconds until the whole answer is there")
    crowds = {"64": "page", "256": "page-256", "1000": "page-1000"}
    present = [scenes[name] for name in crowds.values() if name in scenes]
    common = [name for name in present[0]["runs"] if all(name in scene["runs"] for scene in present)] if present else []
    errors = {
        f"{connections} connections": {server: failed_share(scenes[name], server) * 100 for server in common}
        for connections, name in crowds.items()
        if name in scenes
    }
    bars(errors, folder / "errors.svg", "% of requests that failed")
    if "memory" in scenes:
        memory = scenes["memory"]
        taken = {server: pss(memory, server) / 1e6 for server in memory["memory"]}
        bars({"PSS": taken}, folder / "memory.svg", "MB of memory (PSS) after load")
