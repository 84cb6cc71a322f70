"""Controller's half of the lease: takes it, that of a dead run included, and keeps it while the run lives."""

from __future__ import annotations

import contextlib
import json
import math
import os
import signal
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any

from ansible import constants as C
from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.plugins.action import ActionBase
from ansible_collections.uwsgi_flask.web.plugins.module_utils.lease import TTL, Holder
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.run import is_dead, is_near, started, this_run

MODULE = "uwsgi_flask.web.lease"
# What is called next in a run that looks at the host. Ansible takes a third of a second to pack the code of a module.
LOOKING = "uwsgi_flask.web.deploy"
# Seconds between the keeper's looks at whether the run still lives.
KEEPER_SECONDS = 0.5
# Renewals in each term.
RENEWALS = 4
# Seconds between two looks whether the lease that is waited for is free.
PAUSE_SECONDS = 3.0


class ActionModule(ActionBase):
    """Takes the lease, that of a dead run included; after `wait` seconds (0) refuses with the holder's name."""

    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        notes = Notes.of((task_vars or {}).get("inventory_hostname", ""))
        if self._task.args.get("state") == "held":
            return self._take(notes, task_vars)
        return self._give_back(notes, task_vars)

    def _take(self, notes: Notes, task_vars: dict[str, Any] | None) -> dict[str, Any]:
        host = (task_vars or {}).get("inventory_hostname")
        known = notes.token()
        asked = {name: value for name, value in self._task.args.items() if name != "wait"}
        arguments = {**asked, "holder": this_run(), "token": known or uuid.uuid4().hex}
        wait = seconds(self._task.args.get("wait", 0))
        end = time.monotonic() + wait
        if not known and not self._task.check_mode:
            # First, because the run may be ended as soon as it has the lease.
            self._post_keeper(arguments, notes, task_vars)
        result, is_told = self._try(arguments, task_vars), False
        while (other := result.get("held_by")) and not is_oneself(other["holder"]) and time.monotonic() < end:
            if not is_told:
                self._display.display(f"{host}: {other['told']}; waiting for up to {wait:.0f} s")
                is_told = True
            time.sleep(PAUSE_SECONDS)
            result = self._try(arguments, task_vars)
        if other:
            notes.dismiss_keeper()
            raise AnsibleActionFail(refusal(other))
        if "took_over" in result:
            self._display.warning(f"took over a lease that had expired: {result['took_over']}")
        return result

    def _try(self, arguments: dict[str, Any], task_vars: dict[str, Any] | None) -> dict[str, Any]:
        """What the host says, `held_by` in it if another run that may be alive has the lease."""
        result = self._call(arguments, task_vars)
        other = result.get("held_by")
        if other and is_dead(other["holder"]) and not other["at_work"]:
            return self._call({**arguments, "displaces": other["token"]}, task_vars)
        return result

    def _give_back(self, notes: Notes, task_vars: dict[str, Any] | None) -> dict[str, Any]:
        token = notes.token()
        if not token:
            return {"changed": False, "msg": "no lease was held"}
        result = self._call({**self._task.args, "token": token}, task_vars)
        if not result.get("failed"):
            notes.dismiss_keeper()
        return result

    def _post_keeper(self, arguments: dict[str, Any], notes: Notes, task_vars: dict[str, Any] | None) -> None:
        """Leave a process behind that renews the lease while the run lives, and gives it back when it has ended.

        Ansible runs no `always` when it is interrupted. The keeper is a copy of this task's worker, so it has the
        connection and the passwords. Nothing depends on it: without it the lease expires.
        """
        run, worker = arguments["holder"], os.getpid()
        keeper = os.fork()
        if keeper:
            notes.write(keeper, arguments["token"])
            return
        try:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            os.setsid()
            self._keep(run, worker, arguments, task_vars)
        finally:
            os._exit(0)

    def _keep(self, run: Holder, worker: int, arguments: dict[str, Any], task_vars: dict[str, Any] | None) -> None:
        held: dict[str, Any] = {name: arguments[name] for name in ("token", "path", "flock") if name in arguments}
        pause = float(arguments.get("ttl", TTL)) / RENEWALS
        due = time.monotonic() + pause
        while started(run["pid"]) == run["started"] or os.getppid() == worker:
            time.sleep(KEEPER_SECONDS)
            if time.monotonic() >= due:
                due = time.monotonic() + pause
                # A line that is down now may be up the next time.
                with contextlib.suppress(AnsibleError, OSError):
                    self._call_anew({**held, "state": "renewed"}, task_vars)
        # The run's own directory has gone with it.
        with tempfile.TemporaryDirectory() as C.DEFAULT_LOCAL_TMP:
            self._call_anew({**held, "state": "free"}, task_vars)

    def _call_anew(self, arguments: dict[str, Any], task_vars: dict[str, Any] | None) -> None:
        """A call with a directory of its own on the host: the task's is removed when the task has ended."""
        self._connection._shell.tmpdir = None
        self._call(arguments, task_vars)
        self._remove_tmp_path(self._connection._shell.tmpdir)

    def _call(self, arguments: dict[str, Any], task_vars: dict[str, Any] | None) -> dict[str, Any]:
        module, asked = MODULE, {name: value for name, value in arguments.items() if name != "look"}
        if arguments.get("look"):
            module, asked = LOOKING, {"lease_asked": asked}
        return dict(self._execute_module(module_name=module, module_args=asked, task_vars=task_vars))


class Notes:
    """What this run remembers of its lease on a host: the token, and which process is the keeper."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @classmethod
    def of(cls, host: str) -> Notes:
        """Those of a host, in a directory that is this run's own."""
        return cls(Path(C.DEFAULT_LOCAL_TMP, f"lease-{host}"))

    def write(self, keeper: int, token: str) -> None:
        self._path.write_text(json.dumps({"keeper": keeper, "started": started(keeper), "token": token}))

    def token(self) -> str:
        """The token of this run's lease; "" if it has none."""
        return str(self._read().get("token", ""))

    def dismiss_keeper(self) -> None:
        noted = self._read()
        # One that has ended may have left its number to a stranger.
        if noted and started(noted["keeper"]) == noted["started"]:
            os.kill(noted["keeper"], signal.SIGTERM)
        self._path.unlink(missing_ok=True)

    def _read(self) -> dict[str, Any]:
        with contextlib.suppress(FileNotFoundError, ValueError):
            return dict(json.loads(self._path.read_text()))
        return {}


def seconds(wait: Any) -> float:
    """How long to wait for another run. Raises AnsibleActionFail."""
    try:
        found = float(wait)
    except (TypeError, ValueError):
        found = -1
    if not 0 <= found < math.inf:
        raise AnsibleActionFail(f"wait: must be a number of seconds, not {wait!r}")
    return found


def is_oneself(holder: Holder) -> bool:
    """Whether this very run has the lease, because the inventory has the host under two names."""
    here = this_run()
    return is_near(holder) and (holder["pid"], holder["started"]) == (here["pid"], here["started"])


def refusal(other: dict[str, Any]) -> str:
    """Why this run can't have the lease, and what to do."""
    return f"{other['told']}: {_remedy(other['holder'], other['at_work'], other['left'])}."


def _remedy(holder: Holder, at_work: str, left: int) -> str:
    """What to do about a holder.

    `at_work` is the process on the host that is changing it, "" if none is; `left` the seconds until the lease expires.
    """
    if is_near(holder) and not is_dead(holder):
        if is_oneself(holder):
            return "that is this run itself, because the inventory has this host under two names; keep one"
        return f"process {holder['pid']} of this machine; wait for it, or end it"
    if at_work and is_dead(holder):
        return f"that run has ended, but process {at_work} of the host is still at work for it; wait for it"
    if at_work:
        return f"process {at_work} of the host is changing it just now; wait for it"
    return f"wait for it. If that run is dead, its lease ends in {left} s; then run this again"
