"""Ours: the bench app as `site.yml` deploys it, several times with other settings."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
WORK = ROOT / ".cache/bench"
INVENTORY = ROOT / "bench/inventory.yml"
HOST = "bench"
SIZES = {"10k.css": 10 * 1024, "100k.css": 100 * 1024}
WORDS = ("margin", "padding", "colour", "border", "solid", "inherit", "auto", "flex", "1rem", "2px", "50%", "none")
# The host name that nginx knows each app by.
NAMES = {
    "ours": "bench",
    "ours, one thread": "bench-single",
    "ours, bare callable": "bench-bare",
    "ours, cached": "bench-cached",
    "ours, 40 MB shared": "bench-shared",
    "ours, 40 MB in each": "bench-copies",
}
HEAVY_WORKERS = 4


def host_name(name: str) -> str:
    return f"{NAMES[name]}.test"


def stage() -> Path:
    """The source that is deployed: the bench app, the sample app's lock, and static files. Returns its folder."""
    source = WORK / "app"
    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(ROOT / "bench/app", source, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "uwsgi-flask/requirements.txt", source)
    (source / "static").mkdir()
    for name, size in SIZES.items():
        (source / "static" / name).write_text(text_of(size))
    return source


def text_of(size: int) -> str:
    """So many bytes that compress as a style sheet does, the same each time."""
    chosen = random.Random(size)
    lines: list[str] = []
    length = 0
    while length < size:
        line = f".c{chosen.randrange(10**6)} {{ {chosen.choice(WORDS)}: {chosen.choice(WORDS)}; }}\n"
        lines.append(line)
        length += len(line)
    return "".join(lines)[:size]


def apps(source: Path, cores: int, names: Iterable[str]) -> list[dict[str, Any]]:
    """These items of `web_apps`. What isn't named here is the default."""
    heavy = {"module": "heavy", "processes": HEAVY_WORKERS}
    differ: dict[str, dict[str, Any]] = {
        "ours": {},
        "ours, one thread": {"threads": 1},
        "ours, bare callable": {"module": "bare"},
        "ours, cached": {"cache": {"paths": ["/"], "seconds": 1}},
        "ours, 40 MB shared": heavy,
        "ours, 40 MB in each": {**heavy, "preload": False},
    }
    same = {"source": str(source), "processes": cores}
    return [
        {"name": NAMES[name], "server_names": [host_name(name)], **same, **settings}
        for name, settings in differ.items()
        if name in names
    ]


def play(*words: str) -> float:
    """Seconds that a run of ansible-playbook takes; it has to succeed."""
    began = time.monotonic()
    command = ["ansible-playbook", f"-i{INVENTORY}", *words]
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"bench: {' '.join(command)} failed:\n{done.stdout[-5000:]}")
    return time.monotonic() - began


def settings_file(cores: int, source: Path, names: Iterable[str]) -> Path:
    path = WORK / "settings.yml"
    path.write_text(yaml.safe_dump({"web_apps": apps(source, cores, names), "web_locks": str(WORK / "locks")}))
    return path
