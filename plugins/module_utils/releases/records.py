"""What is live on a host, and what became of each release: links, `result.json` and `failure.log`, and the history.

Every decision about an app is made from what stands here, so a run that was cut off is finished by the next one.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import os
from pathlib import Path
from typing import Any

from ansible_collections.uwsgi_flask.web.plugins.module_utils.files import OwnedFile
from ansible_collections.uwsgi_flask.web.plugins.module_utils.layout import AppLayout
from ansible_collections.uwsgi_flask.web.plugins.module_utils.release_layout import ReleaseLayout
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.refused import Refused
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.system import System

GOOD = "good"
BAD = "bad"
# Refused releases kept for diagnosis, whatever the number of good ones.
KEEP_BAD = 3
# Years of deploys, and a file that opens at once.
HISTORY_LINES = 1000


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file of ours; {} if it isn't there or is broken."""
    with contextlib.suppress(OSError, ValueError):
        content = json.loads(path.read_text())
        if isinstance(content, dict):
            return content
    return {}


def number(value: Any) -> int:
    """A whole number from a file that somebody may have edited; 0 if it is none."""
    return value if isinstance(value, int) else 0


class Records:
    """The records of one app. `by` is who deploys."""

    def __init__(self, layout: AppLayout, system: System, by: str = "") -> None:
        self.layout = layout
        self.system = system
        self.by = by

    # --- What is ------------------------------------------------------------------------------------------------

    def live(self) -> str:
        """The id that `current` leads to, if that release is there; else ""."""
        return self._target(self.layout.current)

    def previous(self) -> str:
        """The id of the release that was live before."""
        return self._target(self.layout.previous)

    def releases(self) -> list[str]:
        """Ids of all releases on the host, the one recorded last first; those without a record come before them."""
        folder = self.layout.releases
        if not folder.is_dir():
            return []
        ids = [path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")]
        return sorted(ids, key=lambda release: (-self._sequence(release), release))

    def of(self, release: str) -> dict[str, Any]:
        """The last record of a release: {} if it was never proven nor refused."""
        return read_json(self.layout.release(release).result)

    def described(self, release: str) -> dict[str, Any]:
        """What a release is made of; {} if that can't be read."""
        return read_json(self.layout.release(release).description)

    def layout_of(self, release: str) -> ReleaseLayout:
        """The places of a release that is on the host, its workers and timers included."""
        return self.layout.release(release).with_extras(self.described(release))

    def result(self, release: str) -> str:
        """GOOD, BAD, or "" for a release that was never proven nor refused."""
        record = self.of(release)
        left = record.get("leaving_for")
        # The run that rolled back was cut off before it could say so.
        return BAD if left and left == self.live() else str(record.get("result", ""))

    def good(self) -> list[str]:
        """Ids of the good releases, the one recorded last first."""
        return [release for release in self.releases() if self.result(release) == GOOD]

    def enabled(self) -> set[str]:
        """Ids of the releases that start at boot."""
        links = self.layout.wants.glob(self.layout.unit_pattern())
        return {release for path in links if (release := self.layout.release_of(path.name))}

    def with_units(self, loaded: set[str] | None = None) -> set[str]:
        """Ids of the releases of which systemd has a unit in any state, or starts one at boot.

        Jobs aside, and what only goes on with its last streams. `loaded` are systemd's units, where it told already.
        """
        loaded = self.system.units(self.layout.unit_pattern()) if loaded is None else loaded
        names = [name for name in loaded if not self.layout.is_job(name)]
        found = {release for name in names if (release := self.layout.release_of(name))}
        return (found - self.streaming()) | self.enabled()

    def busy(self) -> set[str]:
        """Ids of the releases of which a job or a last stream still runs."""
        jobs = [name for name in self.system.units(self.layout.unit_pattern()) if self.layout.is_job(name)]
        states = self.system.show(jobs, "ActiveState") if jobs else {}
        ended = ("inactive", "failed")
        working = {self.layout.release_of(job) for job, one in states.items() if one.get("ActiveState") not in ended}
        return working | self.streaming()

    def streaming(self) -> set[str]:
        """Ids of the releases that were told to stop and go on with their last streams."""
        services = {self.layout.release(one).service: one for one in self.releases() if self.may_stream(one)}
        states = self.system.show(list(services), "ActiveState") if services else {}
        return {services[unit] for unit, one in states.items() if one.get("ActiveState") == "deactivating"}

    def may_stream(self, release: str) -> bool:
        """Whether a release has streams, for which nobody waits."""
        return bool(self.described(release).get("streams"))

    def history(self) -> list[dict[str, Any]]:
        """All that is remembered, oldest first."""
        entries = []
        for line in self._history_lines():
            with contextlib.suppress(ValueError):
                entries.append(json.loads(line))
        return entries

    # --- What became of a release -------------------------------------------------------------------------------

    def write(self, release: str, action: str, result: str, seconds: float, **more: Any) -> None:
        """Record what became of a release. `action` is what was tried: deploy, rollback."""
        at = datetime.datetime.fromtimestamp(self.system.now(), datetime.UTC).isoformat(timespec="seconds")
        known = [number(self.of(other).get("sequence")) for other in self.releases()]
        sequence = 1 + max(known, default=0)
        entry: dict[str, Any] = {"release": release, "action": action, "result": result, "at": at, "by": self.by}
        entry |= {"seconds": round(seconds, 1), "sequence": sequence, **more}
        self._note(self.layout.release(release), entry)
        entry.pop("steps", None)
        lines = [*self._history_lines(), json.dumps(entry)]
        self.system.put(OwnedFile(self.layout.history, "\n".join(lines[-HISTORY_LINES:]) + "\n", mode=0o600))

    def refuse(self, release: str, refused: Refused, seconds: float, action: str, **more: Any) -> None:
        """Record a release as bad and keep the evidence beside it."""
        layout = self.layout.release(release)
        text = f"{refused.step}: {refused.cause}\n\n{refused.evidence}\n"
        # For root alone: a traceback may hold what a visitor sent.
        self.system.put(OwnedFile(layout.failure, text, mode=0o600))
        self.write(release, action, BAD, seconds, step=refused.step, cause=refused.cause, **more)

    def leaving(self, release: str, other: str) -> None:
        """Note, before the link moves, that a rollback leaves `release` for `other`."""
        self._note(self.layout.release(release), {**self.of(release), "leaving_for": other})

    def settle(self) -> None:
        """Finish the records of a rollback that was cut off: what it left is bad if the link has moved, else not."""
        live = self.live()
        for release in self.releases():
            record = self.of(release)
            other = record.pop("leaving_for", "")
            if not other:
                continue
            if other == live:
                record |= {"result": BAD, "step": "rollback", "cause": f"rolled back to {other}"}
                self.forget_hooks(release)
            self._note(self.layout.release(release), record)

    # --- Hooks --------------------------------------------------------------------------------------------------

    def hooks(self) -> dict[str, list[str]]:
        """{"before": keys, "after": keys} of the hooks that are done, as far as this host knows."""
        live = self.live()
        left = [release for release in self.releases() if live and self.of(release).get("leaving_for") == live]
        withdrawn = {self._hooks_key(release) for release in left}
        return {step: [key for key in keys if key not in withdrawn] for step, keys in self._hooks_on_disk().items()}

    def _hooks_on_disk(self) -> dict[str, list[str]]:
        found = read_json(self.layout.hooks)
        return {step: list(found.get(step) or []) for step in ("before", "after")}

    def _hooks_key(self, release: str) -> str:
        return str((self.described(release).get("hooks") or {}).get("key", ""))

    def remember_hook(self, step: str, key: str) -> None:
        """Note that a hook has been run to its end, here or on another host."""
        done = self.hooks()
        if key and key not in done[step]:
            self._write_hooks({**done, step: [*done[step], key]})

    def forget_hooks(self, release: str) -> None:
        """A release that was withdrawn, and comes back one day, brings its hooks again."""
        key, done = self._hooks_key(release), self._hooks_on_disk()
        if any(key in keys for keys in done.values()):
            self._write_hooks({step: [it for it in keys if it != key] for step, keys in done.items()})

    def _write_hooks(self, done: dict[str, list[str]]) -> None:
        self.system.put(OwnedFile(self.layout.hooks, json.dumps(done, indent=2) + "\n", mode=0o600))

    # --- What nobody needs --------------------------------------------------------------------------------------

    def prunable(self, keep: int | None, needed: str) -> list[Path]:
        """Releases, virtualenvs and units that nobody needs: good releases beyond `keep` (None keeps them all), all but
        a few others, and what was left unfinished. The live release stays, and so do the one before, those of which a
        job runs, and `needed`, which counts as good where good ones are counted.
        """
        order = self.releases()
        counts = {needed} - {""} if keep is not None else set()
        good = [release for release in order if release in counts or self.result(release) == GOOD]
        good = [*(counts - {*good}), *good]
        other = [release for release in order if release not in good]
        kept = {*good[:keep], *other[:KEEP_BAD], needed, self.live(), self.previous()} & {*order, needed}
        # systemd is asked only where something would go.
        return self.all_but(kept) and self.all_but(kept | (self.busy() & {*order}))

    def all_but(self, kept: set[str]) -> list[Path]:
        """Releases, virtualenvs and units but for those of some releases, and what was left unfinished."""
        order = self.releases()
        venvs = {path.resolve() for release in order if release in kept for path in self._virtualenvs_of(release)}
        return [
            *(self.layout.release(release).directory for release in order if release not in kept),
            *(path for path in self.layout.virtualenvs.glob("*") if path.resolve() not in venvs),
            *self.layout.releases.glob(".*"),
            *self._units_of_none(kept),
        ]

    def _virtualenvs_of(self, release: str) -> list[Path]:
        """The virtualenv that a release leads to, and the one that it was made with, should the link be gone."""
        named = str(self.described(release).get("virtualenv", ""))
        return [self.layout.release(release).virtualenv, *([self.layout.virtualenvs / named] if named else [])]

    def _units_of_none(self, kept: set[str]) -> list[Path]:
        found = self.layout.units.glob(self.layout.unit_pattern())
        return sorted(path for path in found if (owner := self.layout.release_of(path.name)) and owner not in kept)

    # --- Small things -------------------------------------------------------------------------------------------

    def _target(self, link: Path) -> str:
        if not link.is_symlink():
            return ""
        found = Path(os.path.realpath(link))
        is_ours = found.parent == Path(os.path.realpath(self.layout.releases)) and found.is_dir()
        return found.name if is_ours else ""

    def _sequence(self, release: str) -> float:
        layout = self.layout.release(release)
        return number(self.of(release).get("sequence")) if layout.result.exists() else float("inf")

    def _note(self, layout: ReleaseLayout, record: dict[str, Any]) -> None:
        self.system.put(OwnedFile(layout.result, json.dumps(record, indent=2) + "\n", mode=0o600))

    def _history_lines(self) -> list[str]:
        path = self.layout.history
        return path.read_text(errors="replace").splitlines() if path.exists() else []


def remove_all(system: System, doomed: list[Path], must_reload: bool = False) -> None:
    """Remove what nobody needs, and let systemd know, of what was enabled or disabled without it too."""
    for path in doomed:
        system.remove(path)
    if must_reload or any(path.suffix in (".service", ".socket", ".target", ".timer") for path in doomed):
        system.reload_units_later()
