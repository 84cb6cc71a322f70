"""What is claimed, with its goal; and the controls, which have to lose or to fail, or the bench itself is broken."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Callable, Iterator

from bench.contenders import SEED
from bench.disturbed import SLOW_HEADERS, SLOW_UPLOADS
from bench.ratios import Scene, failed, failed_share, good_rate, loads, median, ratio, ratio_of
from bench.texts import figure

Scenes = dict[str, Scene]
WAIT_SECONDS = 0.05
# Why a goal may be missed.
OF_APP = """Most of the time is the app's own, whoever serves it, and threads that take turns cost a little of it: see
    what threads do."""
OF_TURNS = """The threads of a process take turns with Python's lock, in no fair order. Fewer of them are fairer, and
    then fewer requests can wait at a time: see what threads do."""
TIMES = " \N{MULTIPLICATION SIGN}"


@dataclasses.dataclass(frozen=True)
class Claim:
    """`sense` is `≥`, `≤`, `<` or `>`, and `unit` what stands behind the figure."""

    text: str
    figure: float
    sense: str
    goal: float
    unit: str = TIMES
    # Said where it isn't met.
    reason: str = ""

    @property
    def measured(self) -> str:
        return f"{figure(self.figure)}{self.unit}"

    @property
    def wanted(self) -> str:
        return f"{self.sense} {figure(self.goal)}{self.unit}"

    @property
    def line(self) -> str:
        return f"{self.text}: {self.measured} (goal {self.wanted})"

    @property
    def is_met(self) -> bool:
        compared = {
            "≥": self.figure >= self.goal, "≤": self.figure <= self.goal,
            "<": self.figure < self.goal, ">": self.figure > self.goal,
        }  # fmt: skip
        return compared[self.sense]


def claims(scenes: Scenes) -> list[Claim]:
    """Of the scenes that were measured, in order."""
    return list(of_each(CLAIMS, scenes))


def controls(scenes: Scenes) -> list[Claim]:
    return list(of_each(CONTROLS, scenes))


def of_each(table: dict[str, Callable[[Scene], Iterator[Claim]]], scenes: Scenes) -> Iterator[Claim]:
    for name, told in table.items():
        if name in scenes:
            yield from told(scenes[name])


def times(scene: Scene, text: str, name: str, other: str, goal: float, reason: str = "") -> Iterator[Claim]:
    """A claim about a ratio of good answers, if both took part."""
    if name in scene["runs"] and other in scene["runs"]:
        yield Claim(text, ratio(scene, name, other), "≥", goal, reason=reason)


def none_failed(scene: Scene, text: str, name: str, reason: str = "") -> Claim:
    return Claim(text, failed(scene, name), "≤", 0, " failed", reason)


def of_page(scene: Scene) -> Iterator[Claim]:
    yield from times(scene, "page at 64 connections, to the seed's set", "ours", SEED, 1.1, OF_APP)
    yield from times(scene, "page, to gunicorn sync", "ours", "gunicorn sync", 1.5, OF_APP)
    yield from times(scene, "page, to granian", "ours", "granian", 0.95, without_nginx(scene))
    if "ours, one thread" in scene["runs"]:
        slowest = ratio(scene, "ours", "ours, one thread", lambda load: load.p99)
        yield Claim("99th percentile of the page, to ours with one thread", slowest, "≤", 1.3, reason=OF_TURNS)


def of_json(scene: Scene) -> Iterator[Claim]:
    yield from times(scene, "JSON, to gunicorn sync", "ours", "gunicorn sync", 2, OF_APP)
    yield from times(scene, "JSON, to granian", "ours", "granian", 0.95, without_nginx(scene))


def without_nginx(scene: Scene) -> str:
    """What of it isn't nginx's doing."""
    names = ("uWSGI without nginx", "granian")
    if not scene["runs"].keys() >= {*names}:
        return ""
    return f"uWSGI without nginx in front has {figure(ratio(scene, *names))}{TIMES} of it."


def of_wait(scene: Scene) -> Iterator[Claim]:
    yield from times(scene, "50 ms of waiting at 64 connections, to the seed's set", "ours", SEED, 4)
    yield from times(scene, "50 ms of waiting, to gunicorn gthread (4 threads)", "ours", "gunicorn gthread", 2)


def of_page_256(scene: Scene) -> Iterator[Claim]:
    yield none_failed(scene, "page at 256 connections: requests that failed", "ours")


def of_page_1000(scene: Scene) -> Iterator[Claim]:
    # Seen in nginx's log at the level `warn`: "worker_connections are not enough, reusing connections".
    reason = """The container allows a process 4,096 files. nginx lets a worker have half as many connections, two
        for each visitor, and one that gets more than its share of the visitors hangs up on idle ones."""
    yield none_failed(scene, "page at 1000 connections: requests that failed", "ours", reason)
    reason = "The seed's set turns most away at once, and so serves the others nearly as fast as ever."
    yield from times(scene, "page at 1000 connections, good answers, to the seed's set", "ours", SEED, 1.5, reason)


def of_static(scene: Scene) -> Iterator[Claim]:
    for size, goal in (("10k", 15), ("100k", 7)):
        text = f"a file of {size.replace('k', ' KB')} by nginx, to `send_from_directory`"
        reason = f"""For each request nginx opens the file and its compressed form anew, below a folder that it has
            checked for links, and looks whether the app is closed. {limit(scene, f"Flask {size}")}"""
        yield from times(scene, text, f"nginx {size}", f"Flask {size}", goal, reason)
    for size in ("10k", "100k"):
        text = f"a file of {size.replace('k', ' KB')} compressed before, to the plain one"
        yield from times(scene, text, f"compressed {size}", f"nginx {size}", 1)


def limit(scene: Scene, name: str) -> str:
    """How much more than this one there could be at all."""
    most = figure(ratio(scene, "return 200", name))
    return f"nginx's own `return 200`, without any file, is {most}{TIMES} of it here: the load takes the rest."


def of_cache(scene: Scene) -> Iterator[Claim]:
    text = "page kept by nginx for 1 s, to the seed's page"
    yield from times(scene, text, "ours, cached", SEED, 15, limit(scene, SEED))
    reason = """For each request nginx asks the file system which release is live, so that a flip leaves nothing of the
        one before, and whether the app is closed, opens what it has kept, and logs a line of JSON."""
    text = "page kept by nginx for 1 s, to nginx's `return 200`"
    yield from times(scene, text, "ours, cached", "return 200", 0.65, reason)


def of_plumbing(scene: Scene) -> Iterator[Claim]:
    costs = scene["cpu_us"]
    beyond = median_difference(costs["ours, bare callable"], costs["return 200"])
    text = "processor time of nginx and uWSGI for a request, beyond nginx's `return 200`"
    reason = """uWSGI's protocol has a connection of its own for each request, which the threads of a process take turns
        to accept. It is a time, not a ratio, so a slower processor takes longer."""
    yield Claim(text, beyond, "≤", 60, " µs", reason)


def median_difference(figures: list[float], others: list[float]) -> float:
    return statistics.median(mine - its for mine, its in zip(figures, others, strict=True))


def pss(scene: Scene, name: str) -> float:
    return float(scene["memory"][name]["pss_bytes"])


def of_memory(scene: Scene) -> Iterator[Claim]:
    reason = """What is imported is there once for all processes, however many there are; each thread has memory of its
        own besides."""
    share = pss(scene, "ours") / pss(scene, SEED)
    yield Claim("memory (PSS) of the app server, to the seed's set", share, "≤", 0.65, reason=reason)


def of_heavy(scene: Scene) -> Iterator[Claim]:
    share = pss(scene, "ours, 40 MB shared") / pss(scene, "ours, 40 MB in each")
    yield Claim("memory of an app with 40 MB of data, 4 processes, to one copy in each", share, "≤", 0.45)


def of_slow(scene: Scene) -> Iterator[Claim]:
    beside = "ours, beside slow clients"
    who = f"{SLOW_HEADERS} clients with slow headers and {SLOW_UPLOADS} slow uploads"
    yield none_failed(scene, f"beside {who}: requests of others that failed", beside)
    yield from times(scene, "beside them, good answers to others, to what they get alone", beside, "ours, alone", 0.8)


def of_deploys(scene: Scene) -> Iterator[Claim]:
    for connections in (64, 256):
        (load,) = loads(scene, f"deploys at {connections}")
        under = f"{scene['deploys']} deploys under full load at {connections} connections"
        yield Claim(f"{under}: requests that failed", load.failed, "≤", 0, " failed")
        reason = f"""Half of the answers took {load.p50:.0f} ms or more: the load takes all of the cores, and a deploy
            needs them too."""
        yield Claim(f"{under}: the longest that any answer took", load.max / 1000, "<", 0.3, " s", reason)


CLAIMS: dict[str, Callable[[Scene], Iterator[Claim]]] = {
    "page": of_page,
    "page-256": of_page_256,
    "page-1000": of_page_1000,
    "json": of_json,
    "wait": of_wait,
    "static": of_static,
    "cache": of_cache,
    "plumbing": of_plumbing,
    "memory": of_memory,
    "heavy": of_heavy,
    "slow": of_slow,
    "deploys": of_deploys,
}


def control_of_absent(scene: Scene) -> Iterator[Claim]:
    for name in scene["runs"]:
        yield Claim(f"{name}: share of requests that failed", failed_share(scene, name), "≥", 1, "")


def control_of_page(scene: Scene) -> Iterator[Claim]:
    if "flask run" in scene["runs"]:
        yield Claim("`flask run`: the page, to ours", ratio(scene, "flask run", "ours"), "<", 0.9)


def control_of_wait(scene: Scene) -> Iterator[Claim]:
    """A process with one thread can't wait for two requests at a time."""
    possible = 4 / WAIT_SECONDS
    yield Claim(
        "the seed's set: its waits a second, to what 4 threads can do", good_rate(scene, SEED) / possible, "≤", 1.02
    )


def control_of_crowd(scene: Scene) -> Iterator[Claim]:
    text = f"the seed's set at {scene['connections']} connections: share of requests that failed"
    yield Claim(text, failed_share(scene, SEED), ">", 0.5, "")


def control_of_static(scene: Scene) -> Iterator[Claim]:
    """Compressed files are smaller, or they weren't."""
    size = median(scene, "compressed 100k", lambda it: it.bytes / it.good)
    plain = median(scene, "nginx 100k", lambda it: it.bytes / it.good)
    yield Claim("bytes of the 100 KB file when compressed, to the plain one", size / plain, "<", 0.6)


def control_of_cache(scene: Scene) -> Iterator[Claim]:
    text = "the kept page with a cookie, which isn't kept, to the one without"
    yield Claim(text, ratio(scene, "ours, with a cookie", "ours, cached"), "<", 0.5)


def control_of_plumbing(scene: Scene) -> Iterator[Claim]:
    costs = scene["cpu_us"]
    text = "processor time of the page, to the bare callable's"
    yield Claim(text, ratio_of(costs["ours"], costs["ours, bare callable"]), ">", 1.5)


def control_of_heavy(scene: Scene) -> Iterator[Claim]:
    text = "memory of one copy of 40 MB in each of 4 processes"
    yield Claim(text, pss(scene, "ours, 40 MB in each") / 1e6, ">", 4 * 30, " MB")


def control_of_slow(scene: Scene) -> Iterator[Claim]:
    name = "uWSGI without nginx"
    share = ratio(scene, f"{name}, beside slow clients", f"{name}, alone")
    yield Claim(f"{name} beside the slow clients, to alone", share, "<", 0.1)


def control_of_deploys(scene: Scene) -> Iterator[Claim]:
    text = f"{scene['restarts']} restarts of an ordinary unit at 64 connections"
    yield Claim(text, failed(scene, "restarts at 64"), ">", 0, " failed")


CONTROLS: dict[str, Callable[[Scene], Iterator[Claim]]] = {
    "absent": control_of_absent,
    "page": control_of_page,
    "wait": control_of_wait,
    "page-256": control_of_crowd,
    "page-1000": control_of_crowd,
    "static": control_of_static,
    "cache": control_of_cache,
    "plumbing": control_of_plumbing,
    "heavy": control_of_heavy,
    "slow": control_of_slow,
    "deploys": control_of_deploys,
}
