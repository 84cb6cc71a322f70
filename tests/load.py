"""Keeps connections to a site busy and counts every answer by status and release: nothing is forgiven.

As a program it runs until its time is up or it gets SIGTERM or SIGINT, then prints one JSON object:

    python tests/load.py http://127.0.0.1:8080/health --host shop.test --connections 16 --seconds 30

    {"answers": 38430, "failed": 0, "asked_again": 0, "worst_ms": 23.1, "median_ms": 3.9, "p99_ms": 11.8,
     "by": {"200 3f9a1c0b7d2e": 38430}, "errors": []}

`failed` counts answers other than 200 and connections that broke. `asked_again` counts requests that crossed with the
server's hanging up of an idle connection, and were asked again on a new one as every client has to. A client that is
led from http to https follows, and goes on there; what it finds there is the answer. Times are from before the request
is sent until the whole body is read, connecting included.
"""

from __future__ import annotations

import argparse
import collections
import http.client
import json
import select
import signal
import ssl
import statistics
import sys
import threading
import time
import urllib.parse
from typing import Any, Self

SHOWN_ERRORS = 10


class Secure(http.client.HTTPConnection):
    """HTTPS to an address, asking for another host name. Whether the certificate is good is another test's affair."""

    def __init__(self, address: str, port: int, name: str, timeout: float) -> None:
        super().__init__(address, port, timeout=timeout)
        self.name = name
        self.context = ssl.create_default_context()
        self.context.check_hostname = False
        self.context.verify_mode = ssl.CERT_NONE

    def connect(self) -> None:
        super().connect()
        self.sock = self.context.wrap_socket(self.sock, server_hostname=self.name)


class Load:
    """Clients, each on a connection of its own, asking one URL one request after another."""

    def __init__(
        self,
        url: str,
        host: str = "",
        connections: int = 16,
        timeout: float = 30.0,
        pause: float = 0.0,
        https_port: int = 443,
    ) -> None:
        self.url = urllib.parse.urlsplit(url)
        self.https_port = https_port
        self.host = host or self.url.netloc
        self.timeout = timeout
        self.pause = pause
        self.by: collections.Counter[str] = collections.Counter()
        self.errors: list[str] = []
        self.failed = 0
        self.asked_again = 0
        self.moved = False
        self.milliseconds: list[float] = []
        # When a request failed, and for how long it had been under way.
        self._failures: list[tuple[float, float]] = []
        self._lock = threading.Lock()
        self._end = threading.Event()
        self._threads = [threading.Thread(target=self._client, daemon=True) for _ in range(connections)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join(self.timeout + 1)

    def summary(self) -> dict[str, Any]:
        """What came back; read it after the end."""
        times = self.milliseconds or [0.0]
        return {
            "answers": sum(self.by.values()),
            "failed": self.failed,
            "asked_again": self.asked_again,
            "worst_ms": round(max(times), 1),
            "median_ms": round(statistics.median(times), 1),
            "p99_ms": round(sorted(times)[int(len(times) * 0.99)], 1),
            "by": dict(sorted(self.by.items())),
            "errors": self.errors,
        }

    def seconds_of_failure(self) -> float:
        """From when the first request that failed was sent until the last one had failed; 0.0 if none did."""
        if not self._failures:
            return 0.0
        return max(at for at, _took in self._failures) - min(at - took for at, took in self._failures)

    def wait(self, seconds: float) -> None:
        self._end.wait(seconds)

    def stop(self, *_signal: object) -> None:
        self._end.set()

    def _client(self) -> None:
        target = self.url.path or "/"
        if self.url.query:
            target += f"?{self.url.query}"
        connection = self._connection(self.url.scheme == "https")
        while not self._end.is_set():
            began = time.monotonic()
            if connection.sock and select.select([connection.sock], [], [], 0)[0]:
                # The server has hung up on an idle connection, as every one does at some time: a browser sees that
                # before it asks, and connects anew. A request that was sent and not answered is another thing.
                connection.close()
            try:
                answer = self._ask(connection, target)
                body = answer.read()
                if answer.headers.get("Location", "").startswith("https://") and self.url.scheme == "http":
                    # From here on by HTTPS, as a browser does that is led there.
                    connection.close()
                    connection = self._connection(is_secure=True)
                    self.moved = True
                    answer = self._ask(connection, target)
                    body = answer.read()
                what, problem = f"{answer.status} {answer.headers.get('X-Release', '-')}", ""
                if answer.status != 200:
                    problem = f"{what}: {body[:200]!r}"
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                what = problem = f"{type(error).__name__}: {error}"
            self._count(what, problem, (time.monotonic() - began) * 1000)
            if self.pause:
                self._end.wait(self.pause)
        connection.close()

    def _connection(self, is_secure: bool) -> http.client.HTTPConnection:
        host = self.url.hostname or ""
        if not is_secure:
            return http.client.HTTPConnection(host, self.url.port or 80, timeout=self.timeout)
        port = self.https_port if self.url.scheme == "http" else self.url.port or 443
        return Secure(host, port, self.host.partition(":")[0], self.timeout)

    def _ask(self, connection: http.client.HTTPConnection, target: str) -> http.client.HTTPResponse:
        """Ask; on an old connection that ends before a byte of the answer has come, ask again on a new one.

        Every client has to do so (RFC 9112, 9.3.1): request and hang-up may cross on the way. It is counted.
        """
        is_old = connection.sock is not None
        try:
            connection.request("GET", target, headers={"Host": self.host})
            return connection.getresponse()
        except (ConnectionResetError, BrokenPipeError):
            connection.close()
            if not is_old:
                raise
            with self._lock:
                self.asked_again += 1
        connection.request("GET", target, headers={"Host": self.host})
        return connection.getresponse()

    def _count(self, what: str, problem: str, milliseconds: float) -> None:
        with self._lock:
            self.by[what] += 1
            self.milliseconds.append(milliseconds)
            if problem:
                self.failed += 1
                self._failures.append((time.monotonic(), milliseconds / 1000))
                if len(self.errors) < SHOWN_ERRORS:
                    self.errors.append(f"{time.strftime('%H:%M:%S')} {problem}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0] if __doc__ else "")
    parser.add_argument("url")
    parser.add_argument("--host", default="", help="Host header, if not the URL's own")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=60.0, help="end at the latest after so many")
    parser.add_argument("--pause", type=float, default=0.0, help="seconds that each client waits between requests")
    given = parser.parse_args()
    load = Load(given.url, given.host, given.connections, pause=given.pause)
    signal.signal(signal.SIGTERM, load.stop)
    signal.signal(signal.SIGINT, load.stop)
    with load:
        load.wait(given.seconds)
    print(json.dumps(load.summary()))
    return 1 if load.failed else 0


if __name__ == "__main__":
    sys.exit(main())
