"""Run molecule scenarios side by side: `scenarios.py [NAME…]`, without names all of them.

Each scenario's output goes to .cache/molecule/<name>.log and is shown whole when it fails; while they run, one line
tells of every step. Exits with 1 if any scenario failed, or if there is none.
"""

import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
LOGS = ROOT / ".cache" / "molecule"
# A playbook at work keeps about one core busy.
AT_A_TIME = int(os.environ.get("SCENARIOS_AT_A_TIME") or 2)
# These take longest, and begin first.
LONGEST = (
    *("backing_services", "day_to_day", "interrupted", "https", "drift_and_removal", "twenty_deploys", "acme"),
    *("many_apps", "fleet"),
)
# Molecule tells of a step as `INFO  [default > converge] Executed: Successful`, and colours failures even when it is
# asked not to.
STEP = re.compile(r"> (?P<step>\w+)\] Executed: (?P<state>Successful|Failed)")
# "rollback (5.7 s): 2511 answers, 0 other than 200, worst 144 ms, median 2 ms, 2 releases"
FIGURE = re.compile(r"^[^\n]*?:\s\d+\s+answers,[^.]*?\breleases$", re.MULTILINE)
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class Result:
    """How a scenario ended, and after how many seconds."""

    name: str
    passed: bool
    seconds: float


def build_base(names: list[str]) -> None:
    """Make what all servers share beforehand, lest every scenario build the same image at the same time."""
    inventories = [f"--inventory=molecule/{name}/inventory.yml" for name in names]
    command = ["ansible-playbook", *inventories, "molecule/shared/create.yml", "--tags=base"]
    subprocess.run(command, cwd=ROOT, check=True)


def run(name: str) -> Result:
    """Run one scenario, with a line for each step that it finishes."""
    start = time.monotonic()
    # Plain text: a log is read by whatever is at hand.
    environment = os.environ | {"NO_COLOR": "1", "ANSIBLE_NOCOLOR": "1", "PY_COLORS": "0"}
    # Named, because molecule looks for it by itself only in a git repository.
    molecule = ["molecule", "--base-config", str(ROOT / ".config" / "molecule" / "config.yml")]
    command = [*molecule, "test", "--no-command-borders", "--scenario-name", name]
    with (
        (LOGS / f"{name}.log").open("w", buffering=1) as log,
        subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process,
    ):
        assert process.stdout is not None
        for coloured in process.stdout:
            line = COLOUR.sub("", coloured)
            log.write(line)
            step = STEP.search(line)
            if step:
                seconds = time.monotonic() - start
                print(f"    {name:<20} {step['step']:<12} {step['state'].lower():<10} {seconds:6.0f} s", flush=True)
    return Result(name, process.returncode == 0, time.monotonic() - start)


def show(result: Result) -> None:
    """Print all that a failed scenario said."""
    print(f"\n==> {result.name} failed; all that it said:\n")
    print((LOGS / f"{result.name}.log").read_text(), flush=True)


def figures(name: str) -> list[str]:
    """What a scenario's tests measured: lines of figures, whole again after molecule has broken and framed them."""
    lines = [line.strip().removeprefix("│").strip() for line in (LOGS / f"{name}.log").read_text().splitlines()]
    return [re.sub(r"\s+", " ", found) for found in FIGURE.findall("\n".join(lines))]


def main(names: list[str]) -> int:
    names = names or sorted(path.parent.name for path in (ROOT / "molecule").glob("*/molecule.yml"))
    # Or one of them would run alone at the end.
    names = sorted(names, key=lambda name: name not in LONGEST)
    if not names:
        print("molecule: there is no scenario in molecule/*/molecule.yml")
        return 1
    LOGS.mkdir(parents=True, exist_ok=True)
    build_base(names)
    print(f"==> Scenarios, {AT_A_TIME} at a time (output in .cache/molecule/): {', '.join(names)}", flush=True)
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        results = list(pool.map(run, names))
    for result in results:
        if not result.passed:
            show(result)
    print("\n==> Figures")
    for result in results:
        for figure in figures(result.name):
            print(f"    {result.name:<16} {figure}")
    print("\n==> Scenarios")
    for result in results:
        print(f"    {result.name:<20} {'passed' if result.passed else 'FAILED':<10} {result.seconds:6.0f} s")
    return int(not all(result.passed for result in results))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
