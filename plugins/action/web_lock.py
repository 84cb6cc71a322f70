"""Controller's half of web_lock: says who this run is, and judges whether the run that holds a lock still lives."""

from __future__ import annotations

import contextlib
import datetime
import getpass
import os
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from ansible import constants as C
from ansible.errors import AnsibleActionFail
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase

# How long a lock outlives its run at most, about.
GUARD_SECONDS = 0.5


class ActionModule(ActionBase):
    """Takes the lock, that of a dead run of this controller included; refuses with the holder's name otherwise."""

    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        arguments = {**self._task.args, "holder": this_run()}
        take_age = int(arguments.pop("take_age", 900))
        try:
            take = boolean(arguments.pop("take", False))
        except TypeError:
            raise AnsibleActionFail(f"take_lock is {self._task.args['take']!r}, but must be true or false.") from None
        if arguments["state"] == "held" and not self._task.check_mode:
            # First, for the run may end as soon as it has the lock.
            self._post_guard({**arguments, "state": "free"}, task_vars)
        result = self._lock(arguments, task_vars)
        other = result.get("held_by")
        if other is not None:
            self._judge(other, result["age"], take, take_age)
            result = self._lock({**arguments, "displaces": other}, task_vars)
            if result.get("held_by") is not None:
                raise AnsibleActionFail(refusal(result["held_by"], result["age"], "another run was faster"))
        if arguments["state"] == "free":
            self._dismiss_guard(task_vars)
        return result

    def _post_guard(self, arguments: dict[str, Any], task_vars: dict[str, Any] | None) -> None:
        """Leave a process behind that gives the lock back when the run ends without having done so itself.

        Ansible runs no `always` when it is interrupted. The guard is a copy of this task's worker, so it has the
        connection and the passwords. It gives back what this run holds and nothing else, so it does no harm if the lock
        is never taken.
        """
        run, worker = arguments["holder"], os.getpid()
        guard = os.fork()
        if guard:
            self._guard_file(task_vars).write_text(str(guard))
            return
        try:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            os.setsid()
            while started(run["pid"]) == run["started"] or os.getppid() == worker:
                time.sleep(GUARD_SECONDS)
            # The run's own directory has gone with it.
            with tempfile.TemporaryDirectory() as C.DEFAULT_LOCAL_TMP:
                self._lock(arguments, task_vars)
        finally:
            os._exit(0)

    def _dismiss_guard(self, task_vars: dict[str, Any] | None) -> None:
        with contextlib.suppress(OSError, ValueError):
            os.kill(int(self._guard_file(task_vars).read_text()), signal.SIGTERM)

    def _guard_file(self, task_vars: dict[str, Any] | None) -> Path:
        """Where the guard's number stands: in a directory that is this run's own."""
        return Path(C.DEFAULT_LOCAL_TMP, f"web_lock-{(task_vars or {}).get('inventory_hostname')}")

    def _judge(self, other: dict[str, Any], age: int, take: bool, take_age: int) -> None:
        """Return if the lock may be taken from `other`; raise AnsibleActionFail if not."""
        if other.get("controller") == socket.gethostname():
            if started(int(other["pid"])) != other["started"]:
                return
            raise AnsibleActionFail(
                refusal(other, age, f"process {other['pid']} of this machine; wait for it, or end it")
            )
        if not take:
            raise AnsibleActionFail(refusal(other, age, "if that run is dead, take its lock with -e take_lock=true"))
        if age < take_age:
            raise AnsibleActionFail(
                refusal(other, age, f"it can be taken when it is {take_age} s old, in {take_age - age} s")
            )

    def _lock(self, arguments: dict[str, Any], task_vars: dict[str, Any] | None) -> dict[str, Any]:
        return dict(self._execute_module(module_name="web_lock", module_args=arguments, task_vars=task_vars))


def refusal(holder: dict[str, Any], age: int, remedy: str) -> str:
    who = f"{holder.get('by', 'somebody')} on {holder.get('controller', 'an unknown machine')}"
    return f"{who} has been deploying to this host since {holder.get('since', '?')} ({age} s): {remedy}."


def this_run() -> dict[str, Any]:
    """Who this run is. Tasks run in children of ansible-playbook, so the parent is the run itself."""
    run = os.getppid()
    return {
        "by": getpass.getuser(),
        "controller": socket.gethostname(),
        "pid": run,
        "started": started(run),
        "since": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def started(pid: int) -> str:
    """When a process of this machine was started, in the system's own words; "" if none lives by that number.

    Tells a process from a later one with the same number.
    """
    if Path("/proc/self/stat").exists():
        try:
            # Behind the program's name, which stands in parentheses and may hold spaces: from field 3 on.
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            return ""
        # One that has ended, and whose parent hasn't asked how, is still listed.
        return "" if fields[0] == "Z" else fields[19]
    return subprocess.run(
        ["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout.strip()
