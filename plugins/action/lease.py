"""Controller's half of the lease: says who this run is, judges whether another run still lives, and keeps the lease."""

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
import uuid
from pathlib import Path
from typing import Any

from ansible import constants as C
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.uwsgi_flask.web.plugins.module_utils.lease import TTL

MODULE = "uwsgi_flask.web.lease"
# How long a lease outlives its run at most, about.
KEEPER_SECONDS = 0.5
RENEW_SECONDS = TTL / 4


class ActionModule(ActionBase):
    """Takes the lease, that of a dead run included; refuses with the holder's name otherwise."""

    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        notes = self._notes(task_vars)
        if self._task.args["state"] == "free":
            return self._give_back(notes, task_vars)
        arguments = {**self._task.args, "holder": this_run(), "token": uuid.uuid4().hex}
        if not self._task.check_mode:
            # First, because the run may be ended as soon as it has the lease.
            self._post_keeper(arguments, notes, task_vars)
        result = self._call(arguments, task_vars)
        other = result.get("held_by")
        if other and is_dead(other["holder"]) and not other["at_work"]:
            result = self._call({**arguments, "displaces": other["token"]}, task_vars)
            other = result.get("held_by")
        if other:
            self._dismiss_keeper(notes)
            raise AnsibleActionFail(refusal(other))
        if result.pop("expired", False):
            self._display.warning("took over a lease that its run hadn't renewed for so long that it expired")
        return result

    def _give_back(self, notes: Path, task_vars: dict[str, Any] | None) -> dict[str, Any]:
        try:
            _keeper, token = notes.read_text().split()
        except OSError:
            return {"changed": False, "msg": "no lease was held"}
        result = self._call({**self._task.args, "token": token}, task_vars)
        self._dismiss_keeper(notes)
        return result

    def _dismiss_keeper(self, notes: Path) -> None:
        with contextlib.suppress(OSError, ValueError):
            os.kill(int(notes.read_text().split()[0]), signal.SIGTERM)
        notes.unlink(missing_ok=True)

    def _post_keeper(self, arguments: dict[str, Any], notes: Path, task_vars: dict[str, Any] | None) -> None:
        """Leave a process behind that renews the lease while the run lives, and gives it back when it has ended.

        Ansible runs no `always` when it is interrupted. The keeper is a copy of this task's worker, so it has the
        connection and the passwords. Nothing depends on it: without it the lease expires.
        """
        run, worker = arguments["holder"], os.getpid()
        held: dict[str, Any] = {name: arguments[name] for name in ("token", "path", "flock") if name in arguments}
        keeper = os.fork()
        if keeper:
            notes.write_text(f"{keeper} {arguments['token']}")
            return
        try:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            os.setsid()
            self._keep(run, worker, held, task_vars)
        finally:
            os._exit(0)

    def _keep(self, run: dict[str, Any], worker: int, held: dict[str, Any], task_vars: dict[str, Any] | None) -> None:
        due = time.monotonic() + RENEW_SECONDS
        with tempfile.TemporaryDirectory() as folder:
            # The run's own directory goes with it.
            C.DEFAULT_LOCAL_TMP = folder
            while started(run["pid"]) == run["started"] or os.getppid() == worker:
                time.sleep(KEEPER_SECONDS)
                if time.monotonic() >= due:
                    self._call_anew({**held, "state": "renewed"}, task_vars)
                    due = time.monotonic() + RENEW_SECONDS
            self._call_anew({**held, "state": "free"}, task_vars)

    def _call_anew(self, arguments: dict[str, Any], task_vars: dict[str, Any] | None) -> None:
        """A call with a directory of its own on the host: the task's is removed when the task has ended."""
        self._connection._shell.tmpdir = None
        self._call(arguments, task_vars)
        self._remove_tmp_path(self._connection._shell.tmpdir)

    def _notes(self, task_vars: dict[str, Any] | None) -> Path:
        """Where the keeper's number and the token stand: in a directory that is this run's own."""
        return Path(C.DEFAULT_LOCAL_TMP, f"lease-{(task_vars or {}).get('inventory_hostname')}")

    def _call(self, arguments: dict[str, Any], task_vars: dict[str, Any] | None) -> dict[str, Any]:
        return dict(self._execute_module(module_name=MODULE, module_args=arguments, task_vars=task_vars))


def refusal(other: dict[str, Any]) -> str:
    """Why this run can't have the lease, and what to do."""
    holder = other["holder"]
    if is_near(holder):
        remedy = f"process {holder['pid']} of this machine; wait for it, or end it"
    elif other["at_work"]:
        remedy = "it is changing the host just now; wait for it"
    else:
        remedy = f"wait for it. If that run is dead, its lease ends in {other['left']} s; then run this again"
    return f"{other['told']}: {remedy}."


def is_near(holder: dict[str, Any]) -> bool:
    """Whether the holder is a process of this machine, and one that can be seen from here."""
    here = this_run()
    return bool(holder) and all(holder.get(part) == here[part] for part in ("machine", "boot", "namespace"))


def is_dead(holder: dict[str, Any]) -> bool:
    """Whether the holder's run has certainly ended. Of another machine, or another container, nothing is certain."""
    return is_near(holder) and started(int(holder["pid"])) != holder["started"]


def this_run() -> dict[str, Any]:
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
    """When a process of this machine was started, in the system's own words; "" if none lives by that number.

    Tells a process from a later one with the same number.
    """
    if Path("/proc/self/stat").exists():
        try:
            # After the program's name, which is in parentheses and may hold spaces: from field 3 on.
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            return ""
        # One that has ended, and whose parent hasn't asked how, is still listed.
        return "" if fields[0] == "Z" else fields[19]
    return subprocess.run(
        ["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout.strip()
