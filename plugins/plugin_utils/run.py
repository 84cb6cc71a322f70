"""Who this run is, and whether another run still lives, as far as that can be told from this machine."""

from __future__ import annotations

import contextlib
import datetime
import getpass
import os
import pwd
import socket
import subprocess
import uuid
from pathlib import Path

from ansible_collections.uwsgi_flask.web.plugins.module_utils.lease import Holder


def is_near(holder: Holder) -> bool:
    """Whether the holder is a process of this machine, and one whose number means the same here."""
    here = this_run()
    # Machines made from one image have the same machine-id; only Linux has the other two, and then they must be known.
    parts = ("machine", "boot", "namespace") if Path("/proc/self/stat").exists() else ("machine",)
    return all(here[part] and holder.get(part) == here[part] for part in parts)


def is_dead(holder: Holder) -> bool:
    """Whether the holder's run has certainly ended. Of another machine, or another container, nothing is certain."""
    if not is_near(holder):
        return False
    pid = int(holder["pid"])
    return started(pid) != holder["started"] and not is_hidden(pid)


def is_hidden(pid: int) -> bool:
    """Whether there is such a process, but of another user, and the system doesn't show it (hidepid)."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        return not started(pid)
    except ProcessLookupError:
        return False
    return False


def this_run() -> Holder:
    """Who this run is. Tasks run in children of ansible-playbook, so the parent is the run itself.

    A host name alone says little: CI jobs have the same one. Machine, boot and process namespace tell them apart.
    """
    run = os.getppid()
    return {
        "by": getpass.getuser(),
        "controller": socket.gethostname(),
        "machine": _first_line("/etc/machine-id") or str(uuid.getnode()),
        "boot": _first_line("/proc/sys/kernel/random/boot_id"),
        "namespace": _namespace(),
        "pid": run,
        "started": started(run),
        "since": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def _first_line(path: str) -> str:
    with contextlib.suppress(OSError):
        return Path(path).read_text().strip()
    return ""


def _namespace() -> str:
    """Which numbers of processes mean the same as here."""
    with contextlib.suppress(OSError):
        return os.readlink("/proc/self/ns/pid")
    return ""


def started(pid: int) -> str:
    """When a process of this machine was started, in the system's own words; "" if none is seen by that number.

    Tells a process from a later one with the same number.
    """
    if Path("/proc/self/stat").exists():
        try:
            # After the program's name, which is in parentheses and may hold spaces: from field 3 on.
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            return ""
        # One that has ended, and whose parent hasn't asked how, is still listed.
        return "" if fields[0] == "Z" else fields[19]
    return subprocess.run(
        ["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout.strip()


def deployed_by() -> str:
    """Who deploys from which machine; the history on the hosts tells it."""
    try:
        user = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"
