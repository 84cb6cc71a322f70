"""Which services still run with libraries that an upgrade has replaced, as needrestart of Debian finds them.

No Ansible in here.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.uwsgi_flask.web.plugins.module_utils.layout import AppLayout

# Asked for libraries alone, for a program to read, and to restart nothing.
COMMAND = ("needrestart", "-b", "-l", "-r", "l")
SERVICE = "NEEDRESTART-SVC: "
# Without it the rest is another program's, or none.
VERSION = "NEEDRESTART-VER: "
NGINX = "nginx.service"


class Unreadable(Exception):
    """needrestart said something else than it should."""


@dataclasses.dataclass(frozen=True)
class Found:
    """What is outdated: units by app, those of jobs and of releases that are ending, nginx, and what isn't ours."""

    apps: dict[str, list[str]]
    ending: list[str]
    nginx: bool
    others: list[str]

    def describe(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def blind(proc: Path = Path("/proc")) -> bool:
    """Whether there are processes that root may not look into: needrestart passes over these without a word."""
    for process in proc.glob("[0-9]*"):
        try:
            os.readlink(process / "exe")
        except PermissionError:
            return True
        except OSError:
            # The kernel's own, and those that have ended meanwhile.
            continue
    return False


def services(printed: str) -> list[str]:
    """The units that needrestart lists. Raises Unreadable."""
    lines = printed.splitlines()
    if not any(line.startswith(VERSION) for line in lines):
        raise Unreadable(f"needrestart doesn't say what it should: {printed.strip()[:200] or 'nothing'}")
    return [line.removeprefix(SERVICE).strip() for line in lines if line.startswith(SERVICE)]


def sort_out(units: Sequence[str], apps: Iterable[tuple[AppLayout, str]]) -> Found:
    """Whose they are. `apps` are those of the host, each with its live release.

    Only what belongs to a live release is a reason for a new instance: a job comes to its end by itself, and so does a
    release that still drains.
    """
    outdated: dict[str, list[str]] = {}
    ending, ours = [], set()
    for layout, live in apps:
        for unit in units:
            release = layout.release_of(unit)
            if not release:
                continue
            ours.add(unit)
            if release == live and not layout.is_job(unit):
                outdated.setdefault(layout.name, []).append(unit)
            else:
                ending.append(unit)
    others = [unit for unit in units if unit not in ours and unit != NGINX]
    return Found(outdated, ending, NGINX in units, others)
