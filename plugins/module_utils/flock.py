"""The lock under which a host is changed: one process at a time, whoever started it.

No Ansible in here.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

FLOCK = "/run/web-deploy.flock"
# How long to wait for a process orphaned by a lost connection: it may be building a virtualenv.
WAIT_SECONDS = 600
PAUSE = 0.2


class Busy(Exception):
    """Another process kept a lock for too long; `process` is its number on the host, "" if that can't be told."""

    def __init__(self, lock: Path, process: str) -> None:
        super().__init__(f"process {process or '?'} of this host holds {lock}")
        self.process = process


def clock() -> float:
    """Seconds since the boot, sleep included: nobody sets this clock back."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


@contextlib.contextmanager
def flock(path: Path, seconds: float) -> Iterator[None]:
    """Hold a file's lock, and leave this process's number in it. Raises Busy if another keeps it so many seconds."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        end = clock() + seconds
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if clock() >= end:
                    raise Busy(path, os.pread(handle, 20, 0).decode(errors="replace").strip()) from None
                time.sleep(PAUSE)
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(handle)
