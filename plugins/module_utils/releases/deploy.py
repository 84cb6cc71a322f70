"""One app's deploy on one host: it goes its own way to its end, and holds back no other."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Sequence
from typing import Any

from ansible_collections.uwsgi_flask.web.plugins.module_utils.files import OwnedFile, diff_of
from ansible_collections.uwsgi_flask.web.plugins.module_utils.release_layout import AFTER, BEFORE
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases import instance, memory
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.code import changes
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.golive import GoLive
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.instance import Seen
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.place import Placing
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.records import Records
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.refused import (
    FAULTS,
    Impossible,
    Refused,
    as_refusal,
    last_lines,
)
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.rollback import Rollback
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.system import System
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.wanted import wanted_of

Result = dict[str, Any]


@dataclasses.dataclass
class Deploy:
    """One app's release on this host. `run`, after `place`, and `rehearse` return a result, whatever happens:

    `app`, `before` and `now` (ids), `result` ("unchanged", "mended", "live", "prepared", "refused", "failed"),
    `changed`, `seconds`, `steps`, and for a release that wasn't taken `step`, `cause` and `message`.
    """

    placing: Placing
    by: str = ""

    def __post_init__(self) -> None:
        self.wanted = self.placing.wanted
        self.app = self.wanted.layout.app
        self.records = Records(self.app, self.placing.system)
        self.golive = GoLive(self.wanted, self.placing.system, self.by)
        self.before = self.records.live()
        self._is_changed = False
        self._fault: Exception | None = None
        self._took = 0.0

    def is_kept(self) -> bool:
        """Whether the release is the live one already."""
        return self.before == self.wanted.id

    def look(self, seen: Seen) -> None:
        """See whether the live release serves as it should, while nothing is changed on the host: as soon as another
        app has changed a unit, systemd says of all units that they must be read anew.
        """
        with contextlib.suppress(FAULTS):
            self.records.settle()
            self.golive.served = self.golive.is_serving(seen)

    def place(self) -> None:
        """Put the release beside what serves. What goes wrong is told by `run`."""
        began = self.placing.system.clock()
        self.placing.system.doing(self.app.name, "place")
        try:
            self._is_changed = self.placing.run()
        except FAULTS as fault:
            self._fault = fault
        self._took = self.placing.system.clock() - began

    def run(self, until_live: bool = True, is_read: bool = True) -> Result:
        """Prove the release that was placed, up to the hooks or until it is live.

        `is_read` is whether systemd has read its units since.
        """
        try:
            return self._run(until_live, is_read)
        finally:
            memory.done(self.placing.system, self.wanted.layout)

    def _run(self, until_live: bool, is_read: bool) -> Result:
        # Now it is this app's turn.
        self.golive.began = self.placing.system.clock() - self._took
        if self._fault:
            return self._refused(self._fault)
        changed = self._is_changed
        try:
            if not is_read:
                self.placing.system.reload_units()
            self.golive.check()
            if self.golive.served and not self.golive.prober.visitors_are_served():
                # It has ended since: others may have taken minutes.
                self.golive.served = None
            if until_live:
                changed = self.golive.run() or changed
                self.placing.data.share()
        except FAULTS as fault:
            return self._refused(fault)
        done = "unchanged" if not changed else "mended" if self.is_kept() else "live"
        return self._result(done if until_live else "prepared", changed)

    def hold_back(self, reason: str, step: str = BEFORE) -> Result:
        """Refuse a release for what isn't in it: its hooks didn't end well, or it lacks packages of the system."""
        cause, _newline, evidence = reason.partition("\n")
        return self._refused(Refused(step, cause, evidence))

    def rehearse_holding_back(self, reason: str, step: str) -> Result:
        """What a run would do with a release that is held back. Changes nothing."""
        cause = reason.partition("\n")[0]
        message = f"{self.app.name}: would be refused at the step '{step}': {cause}"
        return {**self._result("would be refused", False), "step": step, "cause": cause, "message": message}

    def rehearse(self) -> Result:
        """What a run would do. Changes nothing."""
        would = bool(
            not self.placing.is_right()
            or not self.golive.is_serving()
            or self.records.prunable(self.wanted.keep, self.wanted.id)
        )
        what = "unchanged" if not would else "would be mended" if self.is_kept() else "would go live"
        return {**self._result(what, would), "now": self.wanted.id}

    def diff(self) -> list[dict[str, str]]:
        """What `--diff` shows: the link, the code, and the files beside it compared with the live release's."""
        if self.is_kept():
            return []
        live, new = self.app.release(self.before), self.wanted.layout
        shown = []
        for file in self.placing.files():
            # Compared with its counterpart, in which the id stands in a dozen lines.
            old = OwnedFile(type(file.path)(os.fspath(file.path).replace(new.id, live.id)), "")
            if file.path in (new.ini, new.wsgi, new.mend, *(new.unit_file(kind) for kind in new.unit_names)):
                text = old.current().replace(live.id, new.id) if self.before else ""
                if text != file.text:
                    shown.append(_shown(os.fspath(old.path), os.fspath(file.path), text, file.text))
        before, after = changes(live.description, self.placing.content.code)
        code = [_shown(os.fspath(live.code), os.fspath(new.code), before, after)] if before or after else []
        link = os.fspath(self.app.current)
        was = f"{live.link_target}\n" if self.before else ""
        return [*shown, *code, _shown(link, link, was, f"{new.link_target}\n")]

    def _refused(self, fault: Exception) -> Result:
        refused = as_refusal("place", fault)
        if self.records.live() != self.wanted.id and not self.golive.has_refused:
            self.golive.refuse(refused)
        is_served = self._mend_live()
        # What can't be done any more now, the next run does; others wait for what became of this one.
        with contextlib.suppress(FAULTS):
            self.golive.leave_only_live_workers()
        return refusal(self.golive, self.before, refused, is_served)

    def _mend_live(self) -> bool:
        """Mend what is around the live release, though its successor was refused. Whether visitors are served."""
        live = self.records.live()
        try:
            layout, front = self.app.release(live), dataclasses.asdict(self.wanted.front)
            golive = GoLive(wanted_of(layout, self.records.described(live), front), self.placing.system, self.by)
        except FAULTS:
            return False
        with contextlib.suppress(FAULTS):
            if live != self.wanted.id:
                golive.run()
        try:
            return golive.prober.visitors_are_served()
        except FAULTS:
            return False

    def _result(self, result: str, changed: bool) -> Result:
        # In a rehearsal nothing of it is on the host yet.
        address = self.wanted.front.url(self.placing.content.about)
        return {**outcome(self.golive, self.before, result, changed), "address": address}


def outcome(golive: GoLive, before: str, result: str, changed: bool) -> Result:
    """What became of one app."""
    now = golive.records.live()
    return {
        "app": golive.app.name,
        "release": golive.wanted.id,
        "before": before,
        "now": now,
        "address": golive.wanted.front.url(golive.records.described(now or golive.wanted.id)),
        "result": result,
        "changed": changed,
        "seconds": round(golive.seconds(), 1),
        "steps": golive.steps,
    }


def refusal(golive: GoLive, before: str, refused: Refused, is_served: bool = True) -> Result:
    """The result of a release that wasn't taken, with the message that a person sees: the cause and who serves."""
    release, layout = golive.wanted.id, golive.layout
    now = golive.records.live()
    kept = f"More is on the host in {layout.failure}" if layout.failure.exists() else ""
    if now == release:
        # It was proven before: what failed is a repair of it, or what follows when it is live.
        result, fate = "failed", f"release {release} is live and stays so, but failed"
        journal = f"journalctl -u '{golive.app.unit_pattern(release)}'"
        fates = f"The next run tries again. More is in the host's journal: {journal}"
    else:
        result, fate = "refused", f"release {release} was refused"
        fates = f"Release {now} serves as before." if now else "No release was live before, and none is now."
        if now and not is_served:
            fates = f"Release {now} is live, but visitors don't get it: status.yml says more."
        fates = f"{fates} {kept}".strip()
    lines = [
        *last_lines(refused.evidence),
        f"{golive.app.name}: {fate} at the step '{refused.step}': {refused.cause}",
        fates,
    ]
    more = {"step": refused.step, "cause": refused.cause, "message": "\n".join(lines)}
    more["evidence"] = str(layout.failure) if kept else ""
    return {**outcome(golive, before, result, True), **more}


def roll_back(rollback: Rollback, wanted: str, keep_environment: bool) -> Result:
    """Return an app to an older release. Raises Impossible if there is none that can be used."""
    before = rollback.records.live()
    target = rollback.target(wanted)
    golive = rollback.golive(target)
    try:
        golive = rollback.golive(target, keep_environment)
        golive.run()
    except FAULTS as fault:
        with contextlib.suppress(FAULTS):
            golive.leave_only_live_workers()
        return refusal(golive, before, as_refusal("copy", fault))
    finally:
        memory.done(golive.system, golive.layout)
    return outcome(golive, before, "live", True)


def run_hook(system: System, records: Records, release: str, step: str, key: str) -> str:
    """Run a hook of a release (BEFORE or AFTER), and remember that it ended well. Returns what went wrong, or ""."""
    if step not in (BEFORE, AFTER):
        raise Impossible(f"{step!r} is no hook")
    layout = records.layout.release(release)
    try:
        instance.start(system, [layout.unit(step)], step)
        records.remember_hook(step, key)
    except (Refused, OSError) as fault:
        refused = as_refusal(step, fault)
        return "\n".join([*last_lines(refused.evidence), f"{records.layout.name}: {refused.cause}"])
    return ""


def _shown(old: str, new: str, before: str, after: str) -> dict[str, str]:
    return {"before_header": old, "after_header": new, "before": before, "after": after}


def diff_of_all(deploys: Sequence[Deploy]) -> list[dict[str, str]]:
    """What `--diff` shows of several apps, the files of a live release that aren't right included."""
    shown: list[dict[str, str]] = []
    for deploy in deploys:
        shown += deploy.diff()
        if deploy.is_kept():
            shown += diff_of(file for file in deploy.placing.files() if file.path != deploy.wanted.layout.environment)
    return shown
