"""How long deploys take, each as a share of 31 plain `copy` tasks on the same server in the same run.

    make demo && python bench/deploys.py [--rounds 5] [--inventory inventory/demo.yml]

The seed of this project was 31 tasks that copy files; a person who has a playbook of that kind can compare. The machine
and its network drop out of a ratio, so it means the same elsewhere. Each round runs everything once, one after another;
the median of the rounds is printed. It deploys a copy of the sample app, and leaves the demo with that copy.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
COPIES = 31
PLAY = "- hosts: web\n  become: true\n  gather_facts: false\n  tasks:\n"
# As so many tasks and not as a loop: that is how such playbooks are written.
TASK = '    - ansible.builtin.copy: {{content: "{0}", dest: "/run/copied-{0}", mode: "0644"}}\n'


def run(inventory: Path, playbook: Path, *words: str) -> float:
    """Seconds that a playbook takes; it has to succeed."""
    began = time.monotonic()
    command = ["ansible-playbook", f"-i{inventory}", *words, str(playbook)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout}")
    return time.monotonic() - began


def rounds(inventory: Path, count: int, folder: Path, copying: Path) -> dict[str, list[float]]:
    """Seconds of each kind of run, by what it is."""
    source = folder / "app"
    shutil.copytree(ROOT / "uwsgi-flask", source, ignore=shutil.ignore_patterns("tests", "__pycache__"))
    page = source / "templates/base.html"
    app = {"name": "uwsgi-flask", "source": str(source), "server_names": ["127.0.0.1"], "static_url": "/"}
    settings = folder / "settings.json"
    # The demo has secrets for its other app.
    settings.write_text(json.dumps({"web_apps": [app], "web_app_secrets": {}}))
    copying.write_text(PLAY + "".join(map(TASK.format, range(COPIES))))
    own = f"-e@{settings}"
    run(inventory, ROOT / "site.yml", own)
    taken: dict[str, list[float]] = {}
    for number in range(count):
        page.write_text(page.read_text().partition("<!-- ")[0] + f"<!-- {number} {time.time()} -->\n")
        for what, playbook, words in (
            (f"{COPIES} copy tasks", copying, ()),
            ("a changed template", ROOT / "site.yml", (own,)),
            ("nothing to do", ROOT / "site.yml", (own,)),
            ("a rollback", ROOT / "rollback.yml", ("-eapp=uwsgi-flask",)),
        ):
            taken.setdefault(what, []).append(run(inventory, playbook, *words))
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--inventory", type=Path, default=ROOT / "inventory/demo.yml")
    given = parser.parse_args()
    # Beside the playbooks, because Ansible looks for group_vars beside the one that it runs.
    with (
        tempfile.TemporaryDirectory() as folder,
        tempfile.NamedTemporaryFile(dir=ROOT, prefix=".copying-", suffix=".yml") as copying,
    ):
        taken = rounds(given.inventory, given.rounds, Path(folder), Path(copying.name))
    whole = statistics.median(taken[f"{COPIES} copy tasks"])
    for what, seconds in taken.items():
        print(f"{what:20} {statistics.median(seconds):6.2f} s  {statistics.median(seconds) / whole:5.2f}")


if __name__ == "__main__":
    main()
