"""Tells of tasks that take long that they are still at work, so that nobody takes a slow run for one that hangs."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

# Seconds until the first line, and between the next ones.
FIRST = 10
NEXT = 30


class Alive:
    """Says so by `say`, from a thread that lives as long as the run."""

    def __init__(self, say: Callable[[str], object], first: float = FIRST, after: float = NEXT) -> None:
        self._say, self._first, self._after = say, first, after
        self._pause = min(1.0, first / 4)
        # By host and task: what the task is called, when it began, and when it is told of next.
        self._tasks: dict[tuple[str, str], tuple[str, float, float]] = {}
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def began(self, host: str, name: str, task: str) -> None:
        now = time.monotonic()
        with self._lock:
            self._tasks[host, task] = (name, now, now + self._first)
        if self._thread is None:
            self._thread = threading.Thread(target=self._watch, daemon=True)
            self._thread.start()

    def ended(self, host: str, task: str) -> None:
        with self._lock:
            self._tasks.pop((host, task), None)

    def stop(self) -> None:
        self._stopped.set()

    def _watch(self) -> None:
        while not self._stopped.wait(self._pause):
            for line in self._due(time.monotonic()):
                self._say(line)

    def _due(self, now: float) -> list[str]:
        """A line for each task, with the hosts that are at it; those that began a moment later are told of too."""
        with self._lock:
            names = {name for name, _began, due in self._tasks.values() if due <= now}
            late = {key: it for key, it in self._tasks.items() if it[0] in names and it[2] <= now + self._pause}
            for key, (name, began, _due) in late.items():
                self._tasks[key] = (name, began, now + self._after)
        lines = []
        for name in dict.fromkeys(name for name, _began, _due in late.values()):
            hosts = {host: began for (host, _task), (called, began, _due) in late.items() if called == name}
            lines.append(f"Still at work after {now - min(hosts.values()):.0f} s: {name} ({', '.join(hosts)})")
        return lines


@contextlib.contextmanager
def telling(
    say: Callable[[str], object], ask: Callable[[], str], first: float = FIRST, after: float = NEXT
) -> Iterator[None]:
    """While this lasts, says now and then what `ask` answers, which is asked for nothing else."""
    ended, speaking, began = threading.Event(), threading.Lock(), time.monotonic()

    def tell() -> None:
        pause = first
        while not ended.wait(pause):
            pause, doing = after, ask()
            with speaking:
                if doing and not ended.is_set():
                    say(f"Still at work after {time.monotonic() - began:.0f} s: {doing}")

    # Nobody waits for an answer that doesn't come.
    threading.Thread(target=tell, daemon=True).start()
    try:
        yield
    finally:
        # Not amid a line: it goes by a queue of all workers, and one that ends with its lock would stop the run.
        with speaking:
            ended.set()
