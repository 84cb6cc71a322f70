"""How a placed release goes live, and how one that is live is kept so.

One rule stands over all of it: **an instance that serves is stopped only for a successor that is proven, live, enabled
for boot and recorded.** So the order is: prove, enable, move the link, look, record, and only then retire the one
before. Whatever goes wrong on the way leaves what serves as it is.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from ansible_collections.uwsgi_flask.web.plugins.module_utils.files import leads_to
from ansible_collections.uwsgi_flask.web.plugins.module_utils.release_layout import CHECK, WATCH, ReleaseLayout
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases import instance, memory, workers
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.flip import TURN, Flip
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.probe import Prober
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.records import GOOD, Records, remove_all
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.refused import FAULTS, Refused, as_refusal
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.system import System
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.wanted import Wanted


class GoLive:
    """Makes one release the live one, and leaves the host as if nothing else had ever been tried.

    `action` is what is recorded (deploy, rollback), `leaves` the release that a rollback abandons.
    """

    def __init__(self, wanted: Wanted, system: System, by: str = "", action: str = "deploy", leaves: str = "") -> None:
        self.wanted = wanted
        self.layout = wanted.layout
        self.app = wanted.layout.app
        self.system = system
        self.records = Records(self.app, system, by)
        self.prober = Prober(wanted, system)
        self.action = action
        self.flip = Flip(self.records, system, leaves)
        self.has_refused = False
        self.has_room = False
        # What was seen before anything was changed on the host, if somebody looked.
        self.served: bool | None = None
        self.steps: list[dict[str, Any]] = []
        self.began = system.clock()

    # --- What is ------------------------------------------------------------------------------------------------

    def is_serving(self, seen: instance.Seen | None = None) -> bool:
        """Whether the release is live, running, reachable, enabled for boot, alone and recorded."""
        if self.records.live() != self.layout.id or self.records.result(self.layout.id) != GOOD:
            return False
        seen = seen or instance.see(self.system, [self.layout])
        units = [seen.running[unit] for unit in self.layout.running]
        return (
            leads_to(self.app.current, self.layout.link_target)
            and all(unit.get("ActiveState") == "active" and unit.get("NeedDaemonReload") != "yes" for unit in units)
            and self.records.with_units(seen.loaded) == {self.layout.id}
            and self.records.enabled() == {self.layout.id}
            and not self.app.candidate.is_symlink()
            and instance.sockets_directory_is_right(self.app)
            and instance.right_guard(self.layout, seen.running[self.layout.unit("socket")]) is None
            and self.system.listens(self.layout.socket)
            and self.prober.is_well()
            and self.prober.visitors_are_served()
        )

    # --- What is done -------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Import the app as its user, in its sandbox. Raises Refused, with the release recorded as bad."""
        if self.records.live() != self.layout.id and not instance.is_active(self.system, self.layout):
            self._make_room()
            with self._refusing(), self._step(CHECK):
                instance.start(self.system, [self.layout.unit(CHECK)], CHECK)

    def run(self) -> bool:
        """Make it so. True if anything was changed. Raises Refused; what served before then serves as before."""
        self.records.settle()
        if self.is_serving() if self.served is None else self.served:
            return self._prune()
        is_live = self.records.live() == self.layout.id
        if is_live:
            self._keep_live()
        else:
            self._replace(before=self.records.live())
            self._complete()
        self._retire_others()
        if is_live:
            self._complete()
            # Last, because one that doesn't come up is no reason to leave anything else as it is.
            self._start_workers()
        self._prune(must_reload=True)
        return True

    def _replace(self, before: str) -> None:
        """Prove the release beside the live one, then let it take its place."""
        if not (self.has_room or instance.is_active(self.system, self.layout)):
            self._make_room()
        with self._refusing():
            with self._step("start"):
                # The target would bring the workers, which do nothing before the release is proven.
                instance.start_serving(self.system, self.layout)
                memory.has_come(self.system, self.layout)
            self._prove()
            self._start_workers()
            with self._step("enable"):
                self._enable(self.layout)
            # Beside those of the one before: the link says whose job runs, so none is left out, be this cut off or not.
            self._start_timers()
        with TURN, self._refusing(undo=lambda: self._flip_back(before)):
            with self._step("flip"):
                self.flip.to(self.layout.id, before)
            with self._step("look"):
                self.prober.look()
        self._record()

    def _make_room(self) -> None:
        """Look whether it fits beside the live one. Raises Refused; nothing was started then."""
        if (live := self.records.live()) and self.wanted.memory_check:
            with self._step(memory.STEP) as step:
                step.update(memory.make_sure(self.system, self.records.layout_of(live), self.layout))
        self.has_room = True

    def _prove(self) -> None:
        with self._step("probe"):
            self.prober.prove(self.began_at)
        with self._step("front"):
            instance.ensure_sockets_directory(self.system, self.app)
            self.system.link(self.app.candidate, self.layout.link_target)
            self.prober.prove_through_front()

    def _start_workers(self) -> None:
        if self.layout.workers:
            with self._step(workers.STEP):
                proving = sum(step["seconds"] for step in self.steps if step["step"] in ("start", "probe"))
                workers.start(self.system, self.layout, proving)

    def _start_timers(self) -> None:
        if self.layout.timers:
            with self._step(workers.TIMERS):
                instance.start(self.system, self.layout.timer_units, workers.TIMERS)

    def _complete(self) -> None:
        with self._step(workers.TIMERS):
            workers.complete(self.system, self.layout)

    def _keep_live(self) -> None:
        """Mend what is around the live release. It was proven when it went live, so it is stopped here only
        if another healthy one can take over: after a run that was cut off after the flip, the previous one still runs.
        """
        try:
            with self._step("repair"):
                instance.repair(self.system, self.layout)
            self._prove()
            with self._step("look"):
                self.prober.look()
        except FAULTS as fault:
            refused = as_refusal("repair", fault)
            standby = self._standby()
            if standby:
                self._return_to(standby, refused)
            self._remove_candidate()
            raise refused from fault
        with self._step("enable"):
            self._enable(self.layout)
        if self.records.result(self.layout.id) != GOOD:
            self._record()

    # --- Another that may take over -----------------------------------------------------------------------------

    def _flip_back(self, before: str) -> None:
        if self.records.live() == self.layout.id:
            with self._step("flip back"):
                self.flip.back(before)

    def _standby(self) -> str:
        """Another release that is good, runs and answers: it may take over from a live one that doesn't."""
        for release in self.records.good():
            layout = self.app.release(release)
            is_up = instance.is_active(self.system, layout) and self.system.listens(layout.socket)
            if release != self.layout.id and is_up and self.prober.ask(layout.http_socket).status == 200:
                return release
        return ""

    def _return_to(self, release: str, refused: Refused) -> None:
        """Leave a live release that isn't well for one that is, and that was never stopped."""
        try:
            self._enable(self.app.release(release))
            # They may have been stopped, or have been given up meanwhile: visitors don't wait for them.
            workers.bring(self.system, self.records.layout_of(release))
        except Refused:
            raise refused from None
        self._flip_back(release)
        self._withdraw(refused)

    # --- Before and after ---------------------------------------------------------------------------------------

    def _enable(self, layout: ReleaseLayout) -> None:
        """Have it started at boot, durably, and what leads to it watched over."""
        self.system.systemctl("start", layout.unit(WATCH))
        code, printed = self.system.systemctl("enable", "--no-reload", layout.target)
        if code != 0:
            raise Refused("enable", f"systemctl enable {layout.target} failed: {printed}")
        self.system.sync()

    def _record(self) -> None:
        with self._step("record"):
            self.system.remove(self.layout.failure)
            self.records.remember_hook("before", self.wanted.hooks)
            self.records.write(
                self.layout.id,
                self.action,
                GOOD,
                self.seconds(),
                ref=self.wanted.ref,
                commit=self.wanted.commit,
                version=self.wanted.version,
                steps=self.steps,
            )
            self.records.settle()

    def _retire_others(self) -> None:
        self._remove_candidate()
        for release in sorted(self.records.with_units() - {self.layout.id}):
            layout = self.app.release(release)
            with self._step(f"drain {release}"):
                instance.drain(self.system, layout, self.wanted.drain)
            with self._step(f"stop {release}"):
                instance.retire(self.system, layout, self.records.may_stream(release))

    def _prune(self, must_reload: bool = False) -> bool:
        doomed = self.records.prunable(self.wanted.keep, self.layout.id)
        remove_all(self.system, doomed, must_reload)
        return bool(doomed)

    def _remove_candidate(self) -> None:
        self.system.remove(self.app.candidate)

    # --- Refusing -----------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _refusing(self, undo: Callable[[], None] | None = None) -> Iterator[None]:
        """Take a release back that doesn't prove itself, whatever the reason: what serves never noticed."""
        try:
            yield
        except FAULTS as fault:
            refused = as_refusal(self.steps[-1]["step"] if self.steps else "place", fault)
            if undo:
                undo()
            self._withdraw(refused)
            raise refused from fault

    def _withdraw(self, refused: Refused) -> None:
        """Stop a release that nobody gets any more, and say why."""
        with self._step("stop"):
            self._remove_candidate()
            instance.stop(self.system, self.layout, at_once=True)
            self.system.reload_units_later()
        self.refuse(refused)

    def refuse(self, refused: Refused) -> None:
        """Record the release as bad, and make room. A disk that is full must not hide the reason."""
        self.has_refused = True
        memory.has_come(self.system, self.layout)
        if not self.layout.directory.is_dir():
            return
        with self._step("record"):
            try:
                self.records.refuse(self.layout.id, refused, self.seconds(), self.action, ref=self.wanted.ref)
                self.records.settle()
                remove_all(self.system, self.records.prunable(None, self.layout.id))
            except OSError as error:
                refused.evidence += f"\n(the reason could not be kept on the host: {error})"

    def leave_only_live_workers(self) -> None:
        """After a run that failed, and so retired nobody: what one that was cut off has left must not go on working."""
        workers.stop_others(self.system, self.app, self.records.live())

    # --- Small things -------------------------------------------------------------------------------------------

    @property
    def began_at(self) -> float:
        """When this began, in seconds since the epoch: for the journal."""
        return self.system.now() - self.seconds()

    def seconds(self) -> float:
        """How long it has taken so far."""
        return self.system.clock() - self.began

    @contextlib.contextmanager
    def _step(self, name: str) -> Iterator[dict[str, Any]]:
        began = self.system.clock()
        self.system.doing(self.app.name, name)
        self.steps.append(step := dict[str, Any](step=name))
        try:
            yield step
        finally:
            step["seconds"] = round(self.system.clock() - began, 2)
