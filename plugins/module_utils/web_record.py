"""What became of a release, kept on the host: `result.json` and `failure.log` beside it, and a line in the history.

Shared by the modules of several roles. No Ansible in here.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import shutil
import time
from pathlib import Path
from typing import Any

from ansible.module_utils.web_files import OwnedFile

GOOD = "good"
BAD = "bad"
# Refused releases kept for diagnosis, whatever the number of good ones.
KEEP_BAD = 3
# Years of deploys, and a file that opens at once.
HISTORY_LINES = 1000
# Lines of evidence in an error message; all of them are in failure.log.
SHOWN_LINES = 8
# How a line that names the cause begins, for Python and pip.
CAUSES = ("Error", "Exception", "Exit", "Interrupt", "ERROR", "error")


class Refused(Exception):
    """A release that didn't prove itself. `evidence` is what programs said of it, in their own words."""

    # Which release, where the caller didn't choose it.
    release = ""

    def __init__(self, step: str, cause: str, evidence: str = "") -> None:
        super().__init__(cause)
        self.step = step
        self.cause = cause
        self.evidence = evidence


class Records:
    """The records of one app below its directory `root` (/opt/<app>)."""

    def __init__(self, root: Path, by: str = "") -> None:
        self.root = root
        self.by = by

    def of(self, release: str) -> dict[str, Any]:
        """The last record of a release: {} if it was never proven nor refused."""
        with contextlib.suppress(OSError, ValueError):
            return dict(json.loads((self.directory(release) / "result.json").read_text()))
        return {}

    def result(self, release: str) -> str:
        """ "good", "bad", or "" for a release that was never proven nor refused."""
        return str(self.of(release).get("result", ""))

    def at(self, release: str) -> float:
        """When the release was last recorded, in seconds since the epoch; without a record, when it was made."""
        for name in ("result.json", "release.json"):
            if (self.directory(release) / name).exists():
                return (self.directory(release) / name).stat().st_mtime
        return self.directory(release).stat().st_mtime

    def directory(self, release: str) -> Path:
        return self.root / "releases" / release

    def history(self) -> list[dict[str, Any]]:
        """All that is remembered, oldest first."""
        entries = []
        for line in self._history_lines():
            with contextlib.suppress(ValueError):
                entries.append(json.loads(line))
        return entries

    def write(self, release: str, action: str, result: str, seconds: float, **more: Any) -> None:
        """Record what became of a release. `action` is what was tried: deploy, rollback, withdraw."""
        at = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        entry: dict[str, Any] = {"release": release, "action": action, "result": result, "at": at, "by": self.by}
        entry |= {"seconds": round(seconds, 1), **more}
        _private_file(self.directory(release) / "result.json", json.dumps(entry, indent=2) + "\n")
        for detail in ("steps", "files"):
            entry.pop(detail, None)
        lines = [*self._history_lines(), json.dumps(entry)]
        _private_file(self.root / "history.jsonl", "\n".join(lines[-HISTORY_LINES:]) + "\n")

    def mark(self, release: str, record: dict[str, Any]) -> None:
        """Change a release's record; the history stays as it is."""
        _private_file(self.directory(release) / "result.json", json.dumps(record, indent=2) + "\n")

    def refuse(self, release: str, refused: Refused, seconds: float, action: str = "deploy", **more: Any) -> None:
        """Mark a release as bad and keep the evidence beside it."""
        if not self.directory(release).is_dir():
            return
        head = f"{time.strftime('%Y-%m-%dT%H:%M:%S%z')} {refused.step}: {refused.cause}"
        _private_file(self.directory(release) / "failure.log", f"{head}\n\n{refused.evidence}\n")
        self.write(release, action, BAD, seconds, step=refused.step, cause=refused.cause, **more)

    def live(self) -> str:
        """The id that `current` leads to, if that release is there; else ""."""
        link = self.root / "current"
        if not link.is_symlink():
            return ""
        target = link.readlink().name
        return target if self.directory(target).is_dir() else ""

    def releases(self) -> list[str]:
        """Ids of all releases on the host, the one recorded last first."""
        folder = self.root / "releases"
        if not folder.is_dir():
            return []
        ids = [path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")]
        return sorted(ids, key=self.at, reverse=True)

    def prunable(self, keep: int | None = None, needed: str = "") -> list[Path]:
        """Releases and virtualenvs that nobody needs: good ones beyond `keep` (None keeps them all), all but a few
        others, and what was left unfinished. The live release stays, and so does `needed`.
        """
        by_age = self.releases()
        good = [release for release in by_age if self.result(release) == GOOD]
        other = [release for release in by_age if release not in good]
        kept = {*good[:keep], *other[:KEEP_BAD], needed, self.live()}
        venvs = {self.directory(release).joinpath("venv").resolve() for release in by_age if release in kept}
        return [
            *(self.directory(release) for release in by_age if release not in kept),
            *(path for path in self.root.glob("venvs/*") if path.resolve() not in venvs),
            *self.root.glob("releases/.*"),
        ]

    def remove(self, path: Path) -> None:
        """Remove a release or a virtualenv. Renamed first, so one that is cut off leaves nothing that looks whole."""
        doomed = path if path.name.startswith(".") else path.with_name(f".{path.name}.unfinished")
        path.rename(doomed)
        shutil.rmtree(doomed)

    def _history_lines(self) -> list[str]:
        path = self.root / "history.jsonl"
        return path.read_text().splitlines() if path.exists() else []


def message(app: str, release: str, refused: Refused, serving: str, root: Path) -> str:
    """The error that a person sees, the cause last, where the eye is when a run has ended."""
    fate = f"release {release} was refused"
    outcome = f"Release {serving} serves as before." if serving else "No release was live before, and none is now."
    evidence = f"More is on the host in {root}/releases/{release}/failure.log"
    if serving == release:
        # It was proven before: what failed is a repair of it, or what comes after it went live.
        fate = f"release {release} is live and stays so, but failed"
        outcome = "The next run tries again."
        evidence = f"More is in the host's journal: journalctl -u '{app}*@{release}*'"
    shown = [line for line in refused.evidence.splitlines() if line.strip()][-SHOWN_LINES:]
    return "\n".join(
        [
            *shown,
            f"{app}: {fate} at the step '{refused.step}': {refused.cause}",
            f"{outcome} {evidence}",
        ]
    )


def cause_in(evidence: str) -> str:
    """The line that names the cause: the last that reads like `ImportError: …` or `ERROR: …`; "" if none does."""
    for line in reversed([line.strip() for line in evidence.splitlines()]):
        word, colon, _rest = line.partition(":")
        if word.replace(".", "").replace("_", "").isalnum() and word.endswith(CAUSES) and (colon or word == line):
            return line
    return ""


def _private_file(path: Path, text: str) -> None:
    """For root alone: a traceback may hold what a visitor sent."""
    OwnedFile(path, text, mode=0o600).put()
