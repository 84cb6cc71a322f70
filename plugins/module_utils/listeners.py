"""Which programs listen on which ports of this machine, as the kernel tells: /proc/net/tcp (proc_pid_net(5))."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

TABLES = ("net/tcp", "net/tcp6")
LISTENS = "0A"
# Fields of a row: the local address with the port in hexadecimal, the state, and the socket's inode.
LOCAL, STATE, INODE = 1, 3, 9


def listeners(proc: Path = Path("/proc")) -> dict[str, str]:
    """Each TCP port that somebody listens on, with the program's name; "" if that can't be told.

    As text, because that is what a port is once it has been through JSON.
    """
    found = _found(proc)
    # One that was just being started again had ended by the time that its name was looked for.
    return _found(proc) if "" in found.values() else found


def _found(proc: Path) -> dict[str, str]:
    inodes = dict(_listening(proc))
    programs = dict(_programs(proc, set(inodes)))
    found = {port: programs.get(inode, "") for inode, port in inodes.items()}
    return dict(sorted(found.items(), key=lambda one: int(one[0])))


def _listening(proc: Path) -> Iterator[tuple[str, str]]:
    """The inode and the port of each socket that listens."""
    for table in TABLES:
        with contextlib.suppress(OSError):
            for line in (proc / table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[STATE] == LISTENS:
                    yield fields[INODE], str(int(fields[LOCAL].rpartition(":")[2], 16))


def _programs(proc: Path, inodes: set[str]) -> Iterator[tuple[str, str]]:
    """Which program has each of these sockets. A process may end while it is looked at."""
    names = {f"socket:[{inode}]": inode for inode in inodes}
    for process in proc.glob("[0-9]*"):
        with contextlib.suppress(OSError):
            for handle in os.scandir(process / "fd"):
                with contextlib.suppress(OSError):
                    inode = names.get(os.readlink(handle.path))
                    if inode:
                        yield inode, (process / "comm").read_text().strip()
