"""Measure how the project serves, beside other servers, in one throw-away container.

    python -m bench [--short] [--only page,static] [--deploys N] [--keep]

Writes bench/results/ and docs/performance.md; with --short, all of it below .cache/bench/short/ instead. Exits with 1
if a control didn't fail: then the bench is broken, whatever else it says.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from bench import deployed, disturbed, machine, page, plots, scenes, setup
from bench.claims import claims, controls
from bench.ratios import Scene
from bench.scenes import Bench, Plan
from bench.server import Server

SINGLE, BARE, CACHED = "ours, one thread", "ours, bare callable", "ours, cached"
HEAVY = ("ours, 40 MB shared", "ours, 40 MB in each")
SCENES: dict[str, Callable[[Bench], Scene]] = {
    "absent": scenes.absent,
    "page": scenes.page,
    "json": scenes.json,
    "wait": scenes.wait,
    "page-1": scenes.page_at(1),
    "page-256": scenes.page_at(256),
    "page-1000": scenes.page_at(1000),
    "static": scenes.static,
    "cache": scenes.cache,
    "plumbing": scenes.plumbing,
    "memory": scenes.memory,
    "heavy": scenes.heavy,
    "threads": scenes.threads,
    "slow": disturbed.slow,
    "deploys": disturbed.deploys,
}
# Which of ours a scene needs besides the first.
NEEDED: dict[str, tuple[str, ...]] = {"page": (SINGLE,), "cache": (CACHED,), "plumbing": (BARE,), "heavy": HEAVY}
NOT_IN_SHORT = ("page-1", "page-1000", "heavy", "threads", "deploys")
FULL = Plan(rounds=4, seconds=3, is_short=False, deploys=10)
SHORT = Plan(rounds=2, seconds=1, is_short=True, deploys=2)


class Progress:
    """A line for each step, with the minutes since the beginning."""

    def __init__(self) -> None:
        self.began = time.monotonic()

    def __call__(self, text: str) -> None:
        past = int(time.monotonic() - self.began)
        print(f"bench {past // 60:2}:{past % 60:02}  {text}", flush=True)


def asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--short", action="store_true", help="fewer servers, rounds and seconds: under 5 minutes")
    parser.add_argument("--only", default="", metavar="SCENE,…", help=f"some scenes alone: {', '.join(SCENES)}")
    parser.add_argument("--keep", action="store_true", help="leave the server, for the next run or to look inside")
    parser.add_argument("--deploys", type=int, metavar="N", help="under each of two loads; 10, or 2 with --short")
    return parser.parse_args()


def chosen(only: str, is_short: bool) -> list[str]:
    """The scenes of this run, in order. Ends the bench where one isn't known."""
    named = [name.strip() for name in only.split(",") if name.strip()]
    unknown = [name for name in named if name not in SCENES]
    if unknown:
        sys.exit(f"bench: no scene is called {unknown[0]!r}; there are {', '.join(SCENES)}")
    return [name for name in SCENES if name in named] or [
        name for name in SCENES if not (is_short and name in NOT_IN_SHORT)
    ]


def ready(names: list[str], plan: Plan, say: Progress) -> Bench:
    """A server with everything that these scenes need."""
    say("the server")
    setup.create()
    server = Server()
    say("ours, by site.yml")
    needed = ["ours", *(it for name in names for it in NEEDED.get(name, ()))]
    setup.deploy_ours(server, needed)
    setup.install(server, say)
    say("the contenders")
    setup.start(server, plan.contenders)
    return Bench(server, plan, say)


def measure(bench: Bench, names: list[str], folder: Path, is_fresh: bool, busy: float) -> page.Told:
    """Run the scenes, and keep what each said as soon as it is there."""
    path = folder / page.SERVING.name
    told: page.Told = (not is_fresh and page.read(path)) or {"scenes": {}}
    told["machine"] = machine.described(bench.server) | {"busy_before": busy}
    for at, name in enumerate(names, 1):
        bench.say(f"{at} of {len(names)}: {name}: {(SCENES[name].__doc__ or '').partition(chr(10))[0]}")
        told["scenes"][name] = SCENES[name](bench)
        told["scenes"] = {it: told["scenes"][it] for it in SCENES if it in told["scenes"]}
        path.write_text(as_json(told), encoding="utf-8")
    return told


def as_json(told: page.Told) -> str:
    """With a line for each load, so that a change can be read."""
    text = json.dumps(told, indent=1, ensure_ascii=False)
    lines: list[str] = []
    is_within = False
    for line in text.splitlines():
        stripped = line.strip()
        if is_within:
            lines[-1] += stripped if stripped.startswith("}") else f" {stripped}"
        else:
            lines.append(line)
        if stripped == "{" and line.startswith("     "):
            is_within = True
        elif stripped.startswith("}"):
            is_within = False
    return "\n".join(lines) + "\n"


def main() -> int:
    given = asked()
    say, busy = Progress(), round(os.getloadavg()[0], 1)
    names = chosen(given.only, given.short)
    folder = deployed.WORK / "short" if given.short else page.RESULTS
    folder.mkdir(parents=True, exist_ok=True)
    plan = SHORT if given.short else FULL
    bench = ready(names, dataclasses.replace(plan, deploys=given.deploys or plan.deploys), say)
    told = measure(bench, names, folder, is_fresh=not given.only, busy=busy)
    plots.draw(told, folder)
    written = folder / page.PAGE.name if given.short else page.PAGE
    written.write_text(page.written(told, page.read(page.DEPLOYING)), encoding="utf-8")
    if not given.keep:
        setup.destroy()
    return conclude(told, names, folder, written, say)


def conclude(told: page.Told, names: list[str], folder: Path, written: Path, say: Progress) -> int:
    """Say what is met, what isn't, and whether the bench can be believed. Returns how it ends."""
    now = {name: told["scenes"][name] for name in names}
    for claim in claims(now):
        say(f"{'met    ' if claim.is_met else 'NOT MET'}  {claim.line}")
    broken = [claim for claim in controls(now) if not claim.is_met]
    for claim in controls(now):
        say(f"{'control' if claim.is_met else 'BROKEN '}  {claim.line}")
    if broken:
        say(f"{len(broken)} controls did not fail as they must: the bench is broken")
    say(f"results: {folder}/, page: {written}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
