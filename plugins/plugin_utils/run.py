"""Who this run is, and whether another run still lives, as far as that can be told from this machine."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import os
import pwd
import re
import socket
import subprocess
import uuid
from pathlib import Path

from ansible_collections.uwsgi_flask.web.plugins.module_utils.lease import Holder


@dataclasses.dataclass(frozen=True)
class CI:
    """A CI: the variable that shows it, and those that hold who set off the job and which one it is."""

    name: str
    sign: str
    who: tuple[str, ...]
    number: str


# Forgejo and Gitea set GitHub's variables. Jenkins knows the person only with its plugin "build user vars".
KNOWN_CI = (
    CI("gitlab", "GITLAB_CI", ("GITLAB_USER_LOGIN",), "CI_JOB_ID"),
    CI("github", "GITHUB_ACTIONS", ("GITHUB_TRIGGERING_ACTOR", "GITHUB_ACTOR"), "GITHUB_RUN_ID"),
    CI("jenkins", "JENKINS_URL", ("BUILD_USER_ID",), "BUILD_NUMBER"),
    CI("woodpecker", "CI_PIPELINE_NUMBER", ("CI_PIPELINE_AUTHOR", "CI_COMMIT_AUTHOR"), "CI_PIPELINE_NUMBER"),
)


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
        "by": person(),
        "controller": place(),
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
    """Who deploys from where; the history on the hosts tells it."""
    return f"{person()}@{place()}"


def person() -> str:
    """Who started this run: in a CI's job whoever set it off, because the job's own account is the same for all."""
    job = _ci()
    asked = [os.environ.get(name, "") for name in job.who] if job else []
    try:
        account = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        account = str(os.getuid())
    return next(filter(None, map(_word, asked)), account)


def place() -> str:
    """From where: this machine, or the CI's job."""
    job = _ci()
    number = _word(os.environ.get(job.number, "")) if job else ""
    return f"{job.name}-{number}" if job and number else socket.gethostname()


def _ci() -> CI | None:
    return next((one for one in KNOWN_CI if os.environ.get(one.sign)), None)


def _word(text: str) -> str:
    """Fit for a column and a file: somebody who may push chooses what it says."""
    return re.sub(r"[^\w.+-]+", "-", text)[:60].strip("-")
