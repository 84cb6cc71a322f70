"""docs/performance.md, written from what was measured: `python -m bench.page [--check]`."""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path
from typing import Any

from bench.advice import advice
from bench.claims import TIMES, Claim, claims, controls, pss
from bench.ratios import Scene, failed_share, good_rate, median
from bench.texts import figure, filled, item, share, table, thousand

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "bench/results"
SERVING, DEPLOYING = RESULTS / "serving.json", RESULTS / "deploying.json"
PAGE = ROOT / "docs/performance.md"
PLOTS = {
    "throughput": "Good answers a second, by server and by what is asked",
    "latency": "How long the page takes at 64 connections: 50th, 90th and 99th percentile",
    "errors": "Share of requests that failed at 64, 256 and 1000 connections",
    "memory": "Memory of each app server and its processes",
}

BUSY = """
**The machine had other work to do** (its load was {:.1f} before the run began): these figures are rough, and the
longest times most of all.
"""

Told = dict[str, Any]


def written(told: Told, deploying: Told | None = None) -> str:
    """The whole page, of what results/serving.json and, if it is there, results/deploying.json hold."""
    scenes: dict[str, Scene] = told["scenes"]
    made = claims(scenes)
    parts = [
        head(told, made),
        goals(made),
        not_reached(made),
        everyone(scenes),
        advice(scenes, told["machine"]),
        more_threads(scenes),
        deploys(deploying) if deploying else "",
        bench_itself(controls(scenes)),
        measured(told),
        REPEAT,
    ]
    return "\n".join(part for part in parts if part)


def head(told: Told, made: list[Claim]) -> str:
    machine = told["machine"]
    met = sum(claim.is_met for claim in made)
    return (
        "# Performance\n\n"
        + filled(
            f"What this project's serving was measured to do, beside other ways to serve the same Flask app. Written "
            f"by `make bench` on {machine['date'][:10]}, on {machine['cores']} cores. {met} of {len(made)} goals are "
            "met. The ratios are what counts: the machine drops out of them, while its absolute figures are its own."
        )
        + (BUSY.format(machine["busy_before"]) if machine["busy_before"] > machine["cores"] / 2 else "")
    )


def goals(made: list[Claim]) -> str:
    rows = [(claim.text, claim.measured, claim.wanted, verdict(claim)) for claim in made]
    return "## Goals\n\n" + table(("ours", "measured", "goal", ""), rows)


def verdict(claim: Claim) -> str:
    return "met" if claim.is_met else "**not met**"


def not_reached(made: list[Claim]) -> str:
    missed = [claim for claim in made if not claim.is_met]
    if not missed:
        return ""
    items = [item(f"{claim.text}: {claim.measured}. {claim.reason}") for claim in missed]
    return "## Goals that are not reached\n\n" + "".join(items)


def everyone(scenes: dict[str, Scene]) -> str:
    """A row for each server."""
    asked = [scene for scene in ("page", "json", "wait") if scene in scenes]
    names = list(dict.fromkeys(name for scene in asked for name in scenes[scene]["runs"]))
    if not names:
        return ""
    heads = (
        "",
        "page/s",
        "JSON/s",
        "50 ms of waiting/s",
        "page, one visitor",
        "page, 99th percentile",
        "failed at 256",
        "failed at 1000",
        "memory",
    )
    rows = [
        (
            name,
            good(scenes, "page", name),
            good(scenes, "json", name),
            good(scenes, "wait", name),
            alone(scenes, "page-1", name),
            late(scenes, "page", name),
            lost(scenes, "page-256", name),
            lost(scenes, "page-1000", name),
            megabytes(scenes, name),
        )
        for name in names
    ]
    text = filled(
        """Good answers a second and times at 64 connections, medians of all rounds; with one visitor, the median time.
        As many processes as cores for all but the seed's set, which has 4, and waitress and `flask run`, which are one.
        All are behind the same nginx, except Apache and uWSGI without nginx. A request failed if its answer wasn't 2xx,
        or its connection broke or timed out. Memory is PSS after load, where a shared page counts once; nginx isn't in
        it."""
    )
    plots = "".join(f"\n![{text}](../bench/results/{name}.svg)\n" for name, text in PLOTS.items())
    return f"## Who serves how much\n\n{table(heads, rows)}\n{text}{plots}"


def has(scenes: dict[str, Scene], scene: str, name: str) -> bool:
    return scene in scenes and name in scenes[scene]["runs"]


def good(scenes: dict[str, Scene], scene: str, name: str) -> str:
    return thousand(good_rate(scenes[scene], name)) if has(scenes, scene, name) else ""


def late(scenes: dict[str, Scene], scene: str, name: str) -> str:
    return f"{median(scenes[scene], name, lambda load: load.p99):.0f} ms" if has(scenes, scene, name) else ""


def alone(scenes: dict[str, Scene], scene: str, name: str) -> str:
    return f"{median(scenes[scene], name, lambda load: load.p50):.1f} ms" if has(scenes, scene, name) else ""


def lost(scenes: dict[str, Scene], scene: str, name: str) -> str:
    return share(failed_share(scenes[scene], name)) if has(scenes, scene, name) else ""


def megabytes(scenes: dict[str, Scene], name: str) -> str:
    if name not in scenes.get("memory", {}).get("memory", {}):
        return ""
    return f"{pss(scenes['memory'], name) / 1e6:.0f} MB"


def more_threads(scenes: dict[str, Scene]) -> str:
    scene = scenes.get("threads")
    if not scene:
        return ""
    waits = {**scene, "runs": scene["waits"]}
    rows = [
        (
            name,
            thousand(good_rate(scene, name)),
            f"{median(scene, name, lambda load: load.p50):.1f} ms",
            f"{median(scene, name, lambda load: load.p99):.1f} ms",
            thousand(good_rate(waits, name)),
        )
        for name in scene["runs"]
    ]
    text = filled(
        """For each process, at 64 connections. The switch interval is how long Python lets a thread go on that another
        waits for; Python's own is 0.005 s."""
    )
    heads = ("threads", "page/s", "median", "99th percentile", "50 ms of waiting/s")
    return f"## What threads do\n\n{table(heads, rows)}\n{text}"


def deploys(told: Told) -> str:
    rows = [
        (
            name,
            f"{statistics.median(run['seconds']):.1f} s",
            f"{figure(run['ratio'])}{TIMES} {run['to']}",
            *goal_of(run),
        )
        for name, run in told["runs"].items()
    ]
    text = filled(
        f"""Medians; a ratio is that of the ratios within a round. What they are compared with is a playbook of 31
        `copy` tasks on the same server, by SSH with pipelining: {told["baseline_seconds"]:.1f} s. The sample app, its
        gate and its drain included; at a first deploy Debian's packages come from apt's cache. Twelve apps are on a
        second server of the same machine. A run with nothing to do is a third Ansible's own start, another third two
        calls of the server, and the rest the settings and the steps between."""
    )
    parts = [f"## Deploying\n\n{table(('run', 'seconds', 'ratio', 'goal', ''), rows)}\n{text}"]
    if told["scale"]:
        heads = ("servers", "nothing to do", "a changed template", "memory of the largest fork")
        scale = [
            (str(it["servers"]), f"{it['nothing']:.1f} s", f"{it['changed']:.1f} s", f"{it['megabytes_a_fork']:.0f} MB")
            for it in told["scale"]
        ]
        machine = told["machine"]
        more = filled(
            f"""Several servers at a time, all of them containers on the {machine["cores"]} cores of the machine that
            runs Ansible, so they share these: with servers elsewhere, only Ansible's own part grows. Memory is what a
            fork has for itself alone."""
        )
        parts.append(f"{table(heads, scale)}\n{more}")
    return "\n".join(parts)


def goal_of(run: Told) -> tuple[str, str]:
    if run.get("goal") is None:
        return "", ""
    return f"≤ {figure(run['goal'])}{TIMES}", "met" if run["ratio"] <= run["goal"] else "**not met**"


def bench_itself(held: list[Claim]) -> str:
    rows = [
        (claim.text, claim.measured, claim.wanted,
         "held" if claim.is_met else "**broken**")
        for claim in held
    ]  # fmt: skip
    text = filled(
        """These have to lose or to fail. If one doesn't, `make bench` ends with an error, and nothing above is to be
        believed."""
    )
    return f"## What shows that the bench can tell\n\n{text}\n{table(('control', 'measured', 'must be', ''), rows)}"


def measured(told: Told) -> str:
    machine = told["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    rounds = max(len(runs) for scene in told["scenes"].values() for runs in scene["runs"].values())
    seconds = max(scene.get("seconds", 0) for scene in told["scenes"].values())
    text = f"""One container with {machine["system"]}, {machine["cores"]} cores ({machine["cpu"]}),
        {machine["memory_bytes"] / 2**30:.0f} GiB of memory, kernel {machine["kernel"]}. {versions}. Ours was deployed
        by `site.yml` with {machine["ours"]["processes"]} processes of {machine["ours"]["threads"]} threads. The load is
        `wrk`, inside the same container on loopback, so it takes a part of the same cores from everyone. Each scene
        goes round all that it compares, {rounds} times with {seconds} s each; a ratio is the median of the ratios
        within a round. On a quiet machine, trust differences above 15 %."""
    seed = """The seed's set is what a guide of 2015 has: 4 processes of one thread, a queue of 100, `check-static` on
        the app's folder, Debian's own nginx.conf; corrected only where it wouldn't start."""
    return f"## How it was measured\n\n{filled(text)}\n{filled(seed)}"


REPEAT = """## How to repeat it

<!-- not tried: takes half an hour and all of a machine's cores -->
```sh
make bench          # everything, half an hour; writes bench/results/ and this page
make bench-short    # under 5 minutes: fewer servers, rounds and seconds; leaves this page as it is
make bench ONLY=page,static    # some scenes anew, the others as they were
```

The figures of every round are in [serving.json](../bench/results/serving.json). `make bench-deploys` measures
deploys, and `make profile` shows where the time of one goes.
"""


def read(path: Path) -> Told | None:
    found: Told | None = json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
    return found


def main() -> int:
    told = read(SERVING)
    if told is None:
        print("bench: nothing was measured yet; run `make bench`", file=sys.stderr)
        return 1
    wanted = written(told, read(DEPLOYING))
    if PAGE.exists() and PAGE.read_text(encoding="utf-8") == wanted:
        return 0
    if sys.argv[1:] == ["--check"]:
        print("docs/performance.md is stale; run `python -m bench.page`", file=sys.stderr)
        return 1
    PAGE.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
