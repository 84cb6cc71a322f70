"""The bench server from outside: a container, and commands in it."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from typing import Any

from bench import wrk
from bench.wrk import Load, Target

CONTAINER = "uwsgi-flask-bench"
PLACE = "/srv/bench"
USER = "bench"
# Longer than anything that is waited for in one command.
LONGEST = 300


class Server:
    def __init__(self) -> None:
        self.cores = int(self.sh("nproc"))

    def sh(self, command: str, is_checked: bool = True) -> str:
        """What a shell line in the container prints. Ends the bench if it fails, unless that isn't checked."""
        done = subprocess.run(
            ["podman", "exec", CONTAINER, "bash", "-c", command],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=LONGEST,
        )  # fmt: skip
        if done.returncode and is_checked:
            sys.exit(f"bench: in the server, `{command}` failed:\n{done.stdout[-3000:]}")
        return done.stdout

    def send(self, folder: str, place: str) -> None:
        """Copy what is in a folder here into one there."""
        subprocess.run(["podman", "cp", f"{folder}/.", f"{CONTAINER}:{place}"], check=True)

    def start(self, unit: str, command: str, user: str = USER) -> None:
        """A transient unit. Its sockets are in /run/contenders, open to nginx."""
        self.stop(unit)
        properties = {
            "User": user,
            "UMask": "0000",
            "LimitNOFILE": "65536",
            "WorkingDirectory": f"{PLACE}/app",
            "KillMode": "mixed",
            "TimeoutStopSec": "5",
        }
        options = " ".join(f"-p {name}={value}" for name, value in properties.items())
        self.sh(f"systemd-run --quiet --unit={unit} {options} {command}")

    def stop(self, unit: str) -> None:
        self.sh(f"systemctl stop {unit}.service; systemctl reset-failed {unit}.service", is_checked=False)

    def status(self, target: Target) -> tuple[str, int]:
        """Status and length of one answer; `000` if there was none."""
        headers = " ".join(f"-H {shlex.quote(header)}" for header in target.headers)
        said = self.sh(
            f"curl -s -o /dev/null -m 5 -w '%{{http_code}} %{{size_download}}' {headers} {target.url}", False
        )
        code, _space, size = said.partition(" ")
        return code, int(size or 0)

    def load(self, target: Target, connections: int, seconds: int) -> Load:
        words = wrk.command(target, connections, seconds, self.cores)
        return wrk.parse(self.sh(shlex.join(words), is_checked=False), connections)

    def pid(self, unit: str) -> str:
        """The main process of a unit."""
        return self.sh(f"systemctl show --value -p MainPID {unit}.service").strip()

    def taken(self, *units: str) -> dict[str, dict[str, int]]:
        """What inside/processes.py says of each unit's processes, by unit."""
        pids = [self.pid(unit) for unit in units]
        told: dict[str, Any] = json.loads(self.sh(f"python3 {PLACE}/inside/processes.py {' '.join(pids)}"))
        return {unit: told[pid] for unit, pid in zip(units, pids, strict=True)}

    def live_unit(self, app: str) -> str:
        """The unit of an app's live release, without its ending."""
        return f"{app}@{self.sh(f'basename $(realpath /opt/{app}/current)').strip()}"

    def forget_logs(self) -> None:
        """Empty the access logs: they would fill the disk, and logrotate would compress them in the middle of a run."""
        self.sh(f"ls {PLACE}/log/*.log /var/log/nginx/*.log | grep -v error | xargs truncate -s 0", is_checked=False)
