"""What is measured. Each scene goes round and round over all that it compares: A B A B, never A A B B."""

from __future__ import annotations

import dataclasses
import datetime
import sys
from collections.abc import Callable

from bench import deployed, setup
from bench.contenders import BY_NAME, CLOSED_PORT, CONTENDERS, RETURN_200, SEED, Contender
from bench.ratios import Scene
from bench.server import Server
from bench.wrk import Target

# What takes part where not all do.
FEW = ("seed", "gunicorn sync", "gunicorn gthread", "granian", "waitress", "uWSGI without nginx")
FEWER = ("seed", "gunicorn sync", "gunicorn gthread", "granian")
USUAL = 64


def now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


@dataclasses.dataclass(frozen=True)
class Plan:
    rounds: int
    seconds: int
    is_short: bool
    # Under each load.
    deploys: int

    @property
    def contenders(self) -> list[Contender]:
        return [BY_NAME[name] for name in (*FEWER, "uWSGI without nginx")] if self.is_short else CONTENDERS


@dataclasses.dataclass(frozen=True)
class Bench:
    server: Server
    plan: Plan
    say: Callable[[str], None]

    def ours(self, path: str = "/", name: str = "ours", is_compressed: bool = False) -> Target:
        return Target(80, path, deployed.host_name(name), is_compressed)

    def both(self, path: str, contenders: list[Contender]) -> dict[str, Target]:
        """Ours, and these."""
        return {"ours": self.ours(path)} | {one.name: one.target(path) for one in contenders}

    def rounds(self, targets: dict[str, Target], connections: int = USUAL, most: int = 99) -> Scene:
        """Load on each target in turn, as often as planned but at most so often.

        Ends the bench if one doesn't answer as it should before.
        """
        for name, target in targets.items():
            status, size = self.server.status(target)
            if status != "200" or not size:
                sys.exit(f"bench: {name} answers {target.url} with {status} and {size} bytes")
        scene: Scene = {
            "date": now(),
            "connections": connections,
            "seconds": self.plan.seconds,
            "runs": {name: [] for name in targets},
        }
        for _round in range(min(self.plan.rounds, most)):
            for name, target in targets.items():
                load = self.server.load(target, connections, self.plan.seconds)
                scene["runs"][name].append(dataclasses.asdict(load))
            self.server.forget_logs()
        return scene


def page(bench: Bench) -> Scene:
    """A page of 2 KB from a template."""
    return bench.rounds(
        bench.both("/", bench.plan.contenders) | {"ours, one thread": bench.ours("/", "ours, one thread")}
    )


def json(bench: Bench) -> Scene:
    """An answer of 200 bytes of JSON."""
    return bench.rounds(bench.both("/json", bench.plan.contenders))


def wait(bench: Bench) -> Scene:
    """A request that waits for 50 ms, as for a database."""
    return bench.rounds(bench.both("/wait", bench.plan.contenders))


def page_at(connections: int) -> Callable[[Bench], Scene]:
    def scene(bench: Bench) -> Scene:
        names = FEWER if bench.plan.is_short else FEW
        return bench.rounds(bench.both("/", [BY_NAME[name] for name in names]), connections)

    scene.__doc__ = f"The page at {connections} connection{'s' * (connections > 1)}."
    return scene


def static(bench: Bench) -> Scene:
    """Static files by nginx, compressed before, and by Flask."""
    targets: dict[str, Target] = {}
    for size in ("10k", "100k"):
        targets |= {
            f"nginx {size}": bench.ours(f"/static/{size}.css"),
            f"compressed {size}": bench.ours(f"/static/{size}.css", is_compressed=True),
            f"Flask {size}": bench.ours(f"/sent/{size}.css"),
        }
    return bench.rounds(targets | {"return 200": Target(RETURN_200)})


def cache(bench: Bench) -> Scene:
    """The page kept by nginx for a second."""
    cached = bench.ours("/", "ours, cached")
    return bench.rounds(
        {
            SEED: BY_NAME[SEED].target("/"),
            "ours, cached": cached,
            "ours, with a cookie": dataclasses.replace(cached, cookie="session=1"),
            "return 200": Target(RETURN_200),
        }
    )


def plumbing(bench: Bench) -> Scene:
    """What nginx and uWSGI cost without an app: microseconds of processor for a request."""
    server = bench.server
    costs = {
        "ours, bare callable": (bench.ours("/", "ours, bare callable"), ["nginx", server.live_unit("bench-bare")]),
        "return 200": (Target(RETURN_200), ["bench-nginx-ours"]),
        "ours": (bench.ours("/"), ["nginx", server.live_unit("bench")]),
    }
    scene = bench.rounds({name: target for name, (target, _units) in costs.items()})
    scene["cpu_us"] = {name: [] for name in costs}
    for _round in range(bench.plan.rounds):
        for name, (target, units) in costs.items():
            before = server.taken(*units)
            load = server.load(target, USUAL, bench.plan.seconds)
            after = server.taken(*units)
            spent = sum(after[unit]["cpu_us"] - before[unit]["cpu_us"] for unit in units)
            scene["cpu_us"][name].append(round(spent / load.requests, 2))
    return scene


def memory(bench: Bench) -> Scene:
    """What an app server and its processes take after a start and load."""
    contenders = [one for one in bench.plan.contenders if one.name != "uWSGI without nginx"]
    units = {one.name: one.unit for one in contenders} | {"ours": bench.server.live_unit("bench")}
    # Or those would look large that have served more before.
    setup.start(bench.server, contenders)
    bench.server.sh(f"systemctl restart {units['ours']}.service")
    targets = bench.both("/", contenders)
    scene = bench.rounds(targets, most=2)
    taken = bench.server.taken(*[units[name] for name in targets])
    scene["memory"] = {name: taken[units[name]] for name in targets}
    return scene


def heavy(bench: Bench) -> Scene:
    """An app with 40 MB of data, shared by its processes or in each of them."""
    names = ("ours, 40 MB shared", "ours, 40 MB in each")
    scene = bench.rounds({name: bench.ours("/", name) for name in names}, most=2)
    units = {name: bench.server.live_unit(deployed.NAMES[name]) for name in names}
    taken = bench.server.taken(*units.values())
    scene["memory"] = {name: taken[unit] for name, unit in units.items()}
    return scene


def threads(bench: Bench) -> Scene:
    """Ours with more and fewer threads, and another switch interval: the page, and the wait."""
    variants = setup.variants()
    setup.start(bench.server, variants)
    scene = bench.rounds({one.name: one.target("/") for one in variants}, most=3)
    waiting = bench.rounds({one.name: one.target("/wait") for one in variants}, most=3)
    scene["waits"] = waiting["runs"]
    for one in variants:
        bench.server.stop(one.unit)
    return scene


def absent(bench: Bench) -> Scene:
    """Nobody there: a closed port, and a contender that was stopped behind nginx. All of it has to fail."""
    stopped = BY_NAME["gunicorn sync"]
    bench.server.stop(stopped.unit)
    scene: Scene = {"date": now(), "connections": USUAL, "seconds": 1, "runs": {}}
    for name, target in (("a closed port", Target(CLOSED_PORT)), ("a contender that was stopped", stopped.target("/"))):
        scene["runs"][name] = [dataclasses.asdict(bench.server.load(target, USUAL, 1))]
    setup.start(bench.server, [stopped])
    return scene
