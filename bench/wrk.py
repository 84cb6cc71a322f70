"""What wrk is told, and what it says."""

from __future__ import annotations

import dataclasses
import json
import re

SCRIPT = "/srv/bench/inside/wrk.lua"
# Seconds after which a client that has got no answer counts as failed.
PATIENCE = 10


@dataclasses.dataclass(frozen=True)
class Target:
    """What is asked: a port on loopback, a path, and the headers that tell what is meant."""

    port: int
    path: str = "/"
    host: str = "127.0.0.1"
    is_compressed: bool = False
    cookie: str = ""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{self.path}"

    @property
    def headers(self) -> list[str]:
        headers = [f"Host: {self.host}"]
        if self.is_compressed:
            headers.append("Accept-Encoding: gzip")
        if self.cookie:
            headers.append(f"Cookie: {self.cookie}")
        return headers


@dataclasses.dataclass(frozen=True)
class Load:
    """One run of wrk. Times are in milliseconds, `seconds` is how long it took, `bytes` all that was read."""

    requests: int
    seconds: float
    bytes: int
    bad_status: int
    connect: int
    read: int
    write: int
    timeout: int
    p50: float
    p90: float
    p99: float
    max: float

    @property
    def broken(self) -> int:
        """Connections that failed in any way."""
        return self.connect + self.read + self.write + self.timeout

    @property
    def failed(self) -> int:
        return self.bad_status + self.broken

    @property
    def good(self) -> int:
        """Answers with 2xx: nothing that is asked here redirects, which is seen before."""
        return self.requests - self.bad_status

    @property
    def good_rate(self) -> float:
        """Good answers a second."""
        return self.good / self.seconds if self.seconds else 0.0


def command(target: Target, connections: int, seconds: int, threads: int) -> list[str]:
    """The words of a run that ends by itself."""
    words = ["wrk", f"-t{min(threads, connections)}", f"-c{connections}", f"-d{seconds}s", f"--timeout={PATIENCE}s"]
    for header in target.headers:
        words += ["-H", header]
    return [*words, "-s", SCRIPT, target.url]


def parse(said: str, connections: int) -> Load:
    """A Load of what wrk printed. Where nobody listens it measures nothing, which is each connection refused.

    Raises ValueError if it is neither.
    """
    if "unable to connect" in said:
        return Load(0, 0.0, 0, 0, connections, 0, 0, 0, 0.0, 0.0, 0.0, 0.0)
    found = re.search(r"^JSON (\{.*\})$", said, re.MULTILINE)
    if not found:
        raise ValueError(f"wrk said no figures: {said[-500:]!r}")
    told = json.loads(found[1])
    times = {name: round(told.pop(f"{name}_us") / 1000, 3) for name in ("p50", "p90", "p99", "max")}
    return Load(seconds=round(told.pop("duration_us") / 1e6, 3), **told, **times)
