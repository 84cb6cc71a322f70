"""How long deploys take, each as a share of 31 plain `copy` tasks on the same server in the same run.

    make bench-deploys        # python -m bench.deploys [--rounds 5] [--servers 1,5,20]

The seed of this project was 31 tasks that copy files; a person who has a playbook of that kind can compare. The machine
and its network drop out of a ratio, so it means the same elsewhere. Each round runs everything once, one after another,
with one app on a server and with twelve on another, and a ratio is the median of those of the rounds. Then the same
runs on more servers at a time. The result is bench/results/deploying.json; the servers are containers of its own.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import json
import os
import platform
import random
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
WORK = ROOT / ".cache/bench-deploys"
RESULT = ROOT / "bench/results/deploying.json"
COPIES = 31
APPS = 12
FIRST_PORT = 2430
PLAY = "- hosts: web\n  become: true\n  gather_facts: false\n  tasks:\n"
# As so many tasks and not as a loop: that is how such playbooks are written.
TASK = '    - ansible.builtin.copy: {{content: "{0}", dest: "/run/copied-{0}", mode: "0644"}}\n'
BASELINE = f"{COPIES} copy tasks"
ONE, TWELVE = "nothing to do", f"nothing to do, {APPS} apps"
CHANGED, ALL_CHANGED = "a changed template", f"a changed template in {APPS} apps"
# What a run is compared with, and how many times that it may take.
GOALS = {
    "a first deploy": (BASELINE, 1.6),
    CHANGED: (BASELINE, 0.33),
    ONE: (BASELINE, 0.15),
    "a rollback": (BASELINE, 0.20),
    "status": (BASELINE, None),
    TWELVE: (ONE, 1.3),
    ALL_CHANGED: (CHANGED, 3.0),
}


# Of the hosts: which has twelve apps, and which has one.
ALL_APPS, ONE_APP, EVERY = slice(1), slice(1, 2), slice(None)


def several(count: int) -> slice:
    """So many hosts that have one app."""
    return slice(1, 1 + count)


@dataclasses.dataclass(frozen=True)
class Run:
    """How long a playbook took, in seconds, and what its largest process had for itself alone, in bytes."""

    seconds: float
    memory: int


@dataclasses.dataclass
class Bench:
    """Servers: `deploys-1` with twelve apps, `deploys-2` and so on with one. The apps are copies of the sample app."""

    count: int
    taken: dict[str, list[Run]] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        shutil.rmtree(WORK, ignore_errors=True)
        WORK.mkdir(parents=True)
        hosts = {
            f"deploys-{number}": {"ansible_port": FIRST_PORT + number, "test_server_suite": "trixie"}
            for number in range(1, self.count + 2)
        }
        self.every = list(hosts)
        groups = {"test_servers": {"children": {"web": {}}}, "web": {"hosts": hosts}}
        self.inventory = WORK / "inventory.json"
        self.inventory.write_text(json.dumps(groups))
        # Beside the playbooks, because Ansible looks for group_vars beside the one that it runs.
        self.copying = ROOT / ".copying.yml"
        names = [f"app{number:02}" for number in range(1, APPS + 1)]
        for name in names:
            ignored = shutil.ignore_patterns("tests", "__pycache__")
            shutil.copytree(ROOT / "uwsgi-flask", WORK / name, ignore=ignored)
        self.one, self.all = self._settings(names[:1]), self._settings(names)

    def _settings(self, names: list[str]) -> Path:
        apps = [
            {"name": it, "source": str(WORK / it), "server_names": [f"{it}.test"], "static_url": "/"} for it in names
        ]
        path = WORK / f"{len(names)}.json"
        path.write_text(json.dumps({"web_apps": apps, "web_app_secrets": {}}))
        return path

    def play(self, what: str, playbook: str, *words: str, settings: Path | None = None, hosts: slice = ONE_APP) -> None:
        """Run a playbook on some of the hosts; it has to succeed. Its time counts as `what`, "" for none."""
        limit = "--limit=" + ",".join(self.every[hosts])
        given = [f"-e@{settings}"] if settings else []
        command = ["ansible-playbook", f"-i{self.inventory}", limit, *given, *words, playbook]
        print(f"{what or playbook} …", end="", flush=True)
        began = time.monotonic()
        with (WORK / "log").open("w") as log:
            process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT, text=True)
            memory = largest(process)
        seconds = time.monotonic() - began
        if process.returncode:
            sys.exit(f"\n{' '.join(command)} failed:\n{(WORK / 'log').read_text()[-5000:]}")
        print(f" {seconds:.1f} s", flush=True)
        if what:
            self.taken.setdefault(what, []).append(Run(seconds, memory))

    def create(self, hosts: slice) -> None:
        """Servers that run already stay."""
        self.play("", "molecule/shared/create.yml", hosts=hosts)
        self.play("", "molecule/shared/prepare.yml", hosts=hosts)

    def site(self, what: str, settings: Path, hosts: slice = ONE_APP) -> None:
        self.play(what, "site.yml", settings=settings, hosts=hosts)

    def change(self, count: int) -> None:
        """Change a template of the first so many apps."""
        for number in range(1, count + 1):
            page = WORK / f"app{number:02}/templates/base.html"
            page.write_text(page.read_text().partition("<!-- ")[0] + f"<!-- {random.random()} -->\n")

    # --- What is measured -----------------------------------------------------------------------------------------

    def on_one_server(self, rounds: int) -> None:
        """A server that has Debian's packages in apt's cache, and then all that happens to one that has apps.

        No other server is there yet that could want a share of the cores.
        """
        self.create(slice(2))
        self.site("", self.one)
        for _round in range(2):
            self.play(
                "", "teardown.yml", "-econfirm=yes", "-epurge=true", "-eremove_packages=true", "-eremove_users=true"
            )
            self.site("a first deploy", self.one)
        self.site("", self.all, ALL_APPS)
        for _round in range(rounds):
            self.play(BASELINE, str(self.copying))
            self.change(APPS)
            self.site(CHANGED, self.one)
            self.site(ALL_CHANGED, self.all, ALL_APPS)
            self.site(ONE, self.one)
            self.site(TWELVE, self.all, ALL_APPS)
            self.play("a rollback", "rollback.yml", "-eapp=app01")
            self.play("status", "status.yml")

    def on_several(self, counts: list[int], rounds: int) -> None:
        for count in counts:
            hosts = several(count)
            self.create(hosts)
            self.change(1)
            self.site("", self.one, hosts)
            for _round in range(rounds):
                self.site(f"{ONE}, {count} servers", self.one, hosts)
                self.change(1)
                self.site(f"{CHANGED}, {count} servers", self.one, hosts)

    # --- What is written ------------------------------------------------------------------------------------------

    def result(self, counts: list[int]) -> dict[str, Any]:
        median = {what: statistics.median(run.seconds for run in runs) for what, runs in self.taken.items()}
        runs = {
            what: {
                "seconds": [round(run.seconds, 2) for run in self.taken[what]],
                "to": to,
                "ratio": round(self._ratio(what, to), 3),
                "goal": goal,
            }
            for what, (to, goal) in GOALS.items()
            if what in median
        }
        scale = [
            {
                "servers": count,
                "nothing": round(median[f"{ONE}, {count} servers"], 2),
                "changed": round(median[f"{CHANGED}, {count} servers"], 2),
                "megabytes_a_fork": round(
                    max(run.memory for run in self.taken[f"{CHANGED}, {count} servers"]) / 1e6, 1
                ),
            }
            for count in counts
            if f"{ONE}, {count} servers" in median
        ]
        if not counts and RESULT.exists():
            scale = json.loads(RESULT.read_text())["scale"]
        return {
            "machine": machine(),
            "baseline_seconds": round(median[BASELINE], 2),
            "runs": runs,
            "scale": scale,
        }

    def _ratio(self, what: str, to: str) -> float:
        """The median of each round's ratio; of what isn't in every round, a first deploy, that of the medians."""
        ours, others = ([run.seconds for run in self.taken[it]] for it in (what, to))
        if len(ours) != len(others):
            return statistics.median(ours) / statistics.median(others)
        return statistics.median([one / other for one, other in zip(ours, others, strict=True)])


def largest(process: subprocess.Popen[str]) -> int:
    """Wait for a process; the most that a fork of it had to itself, in bytes."""
    most = 0
    while True:
        for child in children(process.pid):
            most = max(most, private(child))
        try:
            process.wait(timeout=0.2)
        except subprocess.TimeoutExpired:
            continue
        return most


def children(pid: int) -> Iterator[int]:
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            yield from map(int, task.read_text().split())
        except OSError:
            continue


def private(pid: int) -> int:
    """Bytes that a process shares with no other; 0 for what is no copy of Ansible, such as ssh."""
    try:
        if b"ansible" not in Path(f"/proc/{pid}/cmdline").read_bytes():
            return 0
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return 1024 * sum(int(line.split()[1]) for line in lines if line.startswith("Private_"))


def machine() -> dict[str, Any]:
    """What it was measured on."""
    names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "cpu": names[0].partition(": ")[2] if names else platform.machine(),
        "cores": os.cpu_count(),
        "memory_bytes": memory,
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5, help="of each kind of run")
    parser.add_argument(
        "--servers",
        default="1,5,20",
        help="numbers of servers to run on at a time; with none, their figures stay as they were",
    )
    parser.add_argument("--keep", action="store_true", help="leave the servers running")
    given = parser.parse_args()
    counts = [int(count) for count in given.servers.split(",") if count]
    bench = Bench(max([1, *counts]))
    bench.copying.write_text(PLAY + "".join(map(TASK.format, range(COPIES))))
    try:
        bench.on_one_server(given.rounds)
        bench.on_several(counts, given.rounds)
    finally:
        bench.copying.unlink()
        if not given.keep:
            bench.play("", "molecule/shared/destroy.yml", hosts=EVERY)
    result = bench.result(counts)
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
    for what, run in result["runs"].items():
        goal = f"goal {run['goal']}" if run["goal"] else ""
        print(f"{what:36} {statistics.median(run['seconds']):7.2f} s  {run['ratio']:6.3f} of {run['to']}  {goal}")
    for row in result["scale"]:
        print(
            "{servers:3} servers: nothing {nothing} s, changed {changed} s, {megabytes_a_fork} MB a fork".format(**row)
        )
    print(f"Written: {RESULT.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
