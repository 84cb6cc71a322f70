"""Random orders of events on two hosts with two apps: whatever happens, what serves goes on serving.

The rules are what a person, an app or the world may do; the invariants are checked after each. The releases' own code
runs, on machines made of folders (tests/machine.py).
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.prune import Pruning
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.refused import Impossible
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from machine import Machine
from orders import random_orders
from world import World, cut

HOSTS, APPS = ("one", "two"), ("shop", "wiki")
STREAMING = "shop"
# What can be wrong with a new release.
ILLS = ("import", "start", "sick", "sick-front", "sick-visit", "worker")
SOME_HOSTS = st.sampled_from([("one",), ("two",), HOSTS])
SOME_APPS = st.sampled_from([("shop",), ("wiki",), APPS])
AN_APP, A_HOST = st.sampled_from(APPS), st.sampled_from(HOSTS)
# More than the changes that a deploy of two apps makes.
MOMENT = st.integers(0, 90)

# What isn't ours and looks as if it were.
OTHERS = {
    "etc/systemd/system/shop.service": "somebody's own\n",
    "etc/systemd/system/shop@other.service": "somebody's own\n",
    "etc/systemd/system/shopping@0123456789ab.service": "somebody's own\n",
    "etc/tmpfiles.d/other.conf": "# somebody's own\n",
    "opt/other/releases/keep": "precious\n",
    "var/lib/shop/precious": "precious\n",
}


class Fleet(RuleBasedStateMachine):
    """Two hosts, two apps, a person, and bad luck."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="model-"))
        self.world = World(self.folder, HOSTS, APPS)
        for machine in self.world.hosts.values():
            for path, text in OTHERS.items():
                (machine.prefix / path).parent.mkdir(parents=True, exist_ok=True)
                (machine.prefix / path).write_text(text)
        self.world.settings[STREAMING].streams = "(/events)(?![^/])"
        self.served = self.world.visits()
        self.count = 0
        # Where somebody saw to it that a boot won't bring the app back.
        self.disabled: set[tuple[str, str]] = set()
        # What lets a hook be run a second time.
        self.was_cut = self.was_withdrawn = self.was_moved = False

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    # --- What a person does -------------------------------------------------------------------------------------

    @initialize()
    def first_deploy(self) -> None:
        results = self.world.site()
        assert {one["result"] for every in results.values() for one in every.values()} == {"live"}, results
        assert set(self.world.visits().values()) == {200}

    @rule(app=AN_APP, requirements=st.booleans())
    def change_the_code(self, app: str, requirements: bool) -> None:
        self.count += 1
        self.world.settings[app].code = self.count
        self.world.settings[app].requirements += requirements

    @rule(app=AN_APP, ill=st.sampled_from(ILLS))
    def break_the_code(self, app: str, ill: str) -> None:
        """The next release of the app is ill, on every host."""
        self.count += 1
        self.world.settings[app].code = self.count
        self.world.settings[app].before = ""
        if ill == "worker":
            self.world.settings[app].workers = ("mail",)
        self._let_be_ill(app, ill)

    @rule(app=AN_APP, is_bad=st.booleans())
    def add_a_hook(self, app: str, is_bad: bool) -> None:
        self.count += 1
        self.world.settings[app].before = f"migrate {self.count}"
        self.world.settings[app].after = f"tell {self.count}" if self.count % 2 else ""
        if is_bad:
            for machine in self.world.hosts.values():
                machine.failing_hooks.add(self.world.settings[app].before)

    @rule(app=AN_APP, hosts=st.sampled_from([(), ("one",), ("two",)]))
    def place(self, app: str, hosts: tuple[str, ...]) -> None:
        """From now on the app is served on these hosts alone. Where it is already, it serves on."""
        self.was_moved = True
        self.world.settings[app].hosts = hosts

    @rule(app=AN_APP, names=st.sampled_from([(), ("mail",), ("mail", "report")]), has_timer=st.booleans())
    def change_what_works(self, app: str, names: tuple[str, ...], has_timer: bool) -> None:
        self.world.settings[app].workers = names
        self.world.settings[app].timers = ("clean",) if has_timer else ()

    @rule(host=A_HOST, app=AN_APP, name=st.integers(0, 9))
    def a_job_begins(self, host: str, app: str, name: int) -> None:
        live = self.world.live(host, app)
        if live:
            machine = self.world.hosts[host]
            machine.active.add(machine.app(app).release(live).unit(f"command-{name}"))

    @rule(host=A_HOST)
    def jobs_end(self, host: str) -> None:
        machine = self.world.hosts[host]
        machine.active -= {unit for app in APPS for unit in machine.active if machine.app(app).is_job(unit)}

    @rule(host=A_HOST)
    def streams_begin(self, host: str) -> None:
        """In the one app that has any."""
        live = self.world.live(host, STREAMING)
        if live:
            self.world.hosts[host].streaming.add(live)

    @rule(host=A_HOST)
    def streams_end(self, host: str) -> None:
        machine = self.world.hosts[host]
        machine.streaming.clear()
        machine.ending.clear()

    def _let_be_ill(self, app: str, ill: str) -> None:
        for host, machine in self.world.hosts.items():
            machine.ill[self.world.wanted(host, app)] = ill

    @rule(hosts=SOME_HOSTS, apps=SOME_APPS)
    def deploy(self, hosts: tuple[str, ...], apps: tuple[str, ...]) -> None:
        """An undisturbed run: each app that is well goes live, and the next run changes nothing."""
        for host, results in self.world.site(hosts, apps).items():
            for app, result in results.items():
                self._assert_only_the_live_work(host, app)
                if self._is_well(host, app):
                    assert result["result"] in ("live", "mended", "unchanged", "failed", "refused"), result
                    if result["result"] in ("live", "mended", "unchanged"):
                        self._assert_converged(host, app)
        for host, results in self.world.site(hosts, apps).items():
            for app, result in results.items():
                if self._is_well(host, app) and self._nobodys_hook_fails(app):
                    assert (result["result"], result["changed"]) == ("unchanged", False), (host, result)
                    self._assert_converged(host, app)

    @rule(hosts=SOME_HOSTS, apps=SOME_APPS, host=A_HOST, moment=MOMENT)
    def deploy_cut_off(self, hosts: tuple[str, ...], apps: tuple[str, ...], host: str, moment: int) -> None:
        self.was_cut = True
        self._let_there_be_something_to_do()
        with cut(self.world.hosts[host], moment):
            self.world.site(hosts, apps)

    @rule(hosts=SOME_HOSTS, host=A_HOST, moment=MOMENT)
    def deploy_and_the_power_goes(self, hosts: tuple[str, ...], host: str, moment: int) -> None:
        self.was_cut = True
        self._let_there_be_something_to_do()
        with cut(self.world.hosts[host], moment):
            self.world.site(hosts)
        self._boot(host)

    @rule(hosts=SOME_HOSTS, host=A_HOST, moment=MOMENT)
    def deploy_on_a_full_disk(self, hosts: tuple[str, ...], host: str, moment: int) -> None:
        self.was_cut = True
        self._let_there_be_something_to_do()
        with _full_from(self.world.hosts[host], moment):
            self.world.site(hosts)

    @rule(hosts=SOME_HOSTS, apps=SOME_APPS, host=A_HOST, skip=st.integers(0, 6))
    def deploy_with_a_transient_500(self, hosts: tuple[str, ...], apps: tuple[str, ...], host: str, skip: int) -> None:
        machine = self.world.hosts[host]
        machine.transient = [500] + [200] * skip
        self._assert_no_strangers_work(self.world.site(hosts, apps))
        machine.transient = []

    @rule(hosts=SOME_HOSTS, apps=SOME_APPS, host=A_HOST)
    def deploy_where_a_second_instance_does_not_fit(
        self, hosts: tuple[str, ...], apps: tuple[str, ...], host: str
    ) -> None:
        machine = self.world.hosts[host]
        machine.takes, machine.left = 2, 1
        self._assert_no_strangers_work(self.world.site(hosts, apps))
        machine.takes = 0

    @rule(hosts=SOME_HOSTS, app=AN_APP)
    def restart(self, hosts: tuple[str, ...], app: str) -> None:
        self._assert_no_strangers_work(self.world.site(hosts, restart=[app]))

    @rule(hosts=SOME_HOSTS)
    def nobody_can_be_asked(self, hosts: tuple[str, ...]) -> None:
        self._assert_no_strangers_work(self.world.site(hosts, silent=HOSTS))

    @rule(host=A_HOST, app=AN_APP, keep_environment=st.booleans())
    def roll_back(self, host: str, app: str, keep_environment: bool) -> None:
        self.was_withdrawn = True
        left = self.world.live(host, app)
        with contextlib.suppress(Impossible):
            result = self.world.rollback(host, app, keep_environment=keep_environment)
            self._assert_only_the_live_work(host, app)
            if result["result"] == "live":
                assert self.world.live(host, app) != left
                assert self.world.records(host, app).result(left) in ("bad", "")

    @rule(host=A_HOST, app=AN_APP, moment=st.integers(0, 40), power=st.booleans())
    def roll_back_cut_off(self, host: str, app: str, moment: int, power: bool) -> None:
        self.was_withdrawn = True
        with cut(self.world.hosts[host], moment), contextlib.suppress(Impossible):
            self.world.rollback(host, app)
        if power:
            self._boot(host)

    @rule(host=A_HOST, app=AN_APP)
    def prune(self, host: str, app: str) -> None:
        machine, live = self.world.hosts[host], self.world.live(host, app)
        with contextlib.suppress(Impossible):
            pruning = Pruning(machine.app(app), machine)
            pruning.run()
            assert {*self.world.records(host, app).releases()} == {live, *pruning.busy()}
            assert machine.running(app) == {live}
            assert pruning.what() == []

    @rule(host=A_HOST, app=AN_APP, moment=st.integers(0, 20), power=st.booleans())
    def prune_cut_off(self, host: str, app: str, moment: int, power: bool) -> None:
        machine = self.world.hosts[host]
        with cut(machine, moment), contextlib.suppress(Impossible):
            Pruning(machine.app(app), machine).run()
        if power:
            self._boot(host)

    # --- What the world does ------------------------------------------------------------------------------------

    @rule(host=A_HOST)
    def boot(self, host: str) -> None:
        self._boot(host)

    @rule(host=A_HOST, app=AN_APP, what=st.sampled_from(["code", "mode", "venv", "ini", "wsgi", "unit", "environment"]))
    def edit_by_hand(self, host: str, app: str, what: str) -> None:
        """Something of the live release is changed, that the running instance doesn't notice."""
        live = self.world.live(host, app)
        if live:
            layout = self.world.hosts[host].app(app).release(live)
            paths = {
                "code": layout.code / "flask_wsgi.py",
                "mode": layout.code / "flask_wsgi.py",
                "venv": layout.virtualenv.resolve() / "bin/flask",
                "ini": layout.ini,
                "wsgi": layout.wsgi,
                "unit": layout.unit_file("service"),
                "environment": layout.environment,
            }
            if what == "mode":
                paths[what].chmod(0o666)
            elif paths[what].exists():
                paths[what].write_text("by hand\n")

    @rule(host=A_HOST, app=AN_APP, what=st.sampled_from(["live link", "socket", "disable", "stop", "worker"]))
    def sabotage(self, host: str, app: str, what: str) -> None:
        """Somebody takes the site down, or sees to it that the next boot does; the next run brings it back."""
        machine = self.world.hosts[host]
        live = self.world.live(host, app)
        if live:
            layout = machine.app(app).release(live)
            if what == "live link":
                layout.app.live_socket.unlink(missing_ok=True)
            elif what == "socket":
                layout.socket.unlink(missing_ok=True)
            elif what == "disable":
                machine._disable(layout.target)
                self.disabled.add((host, app))
            elif what == "worker":
                for unit in machine.working(app):
                    machine._stop(unit)
            else:
                machine._stop(layout.service)
            self.served = self.world.visits()

    # --- What must hold -----------------------------------------------------------------------------------------

    @invariant()
    def what_served_still_serves(self) -> None:
        now = self.world.visits()
        worse = {place: now[place] for place, status in self.served.items() if status == 200 and now[place] != 200}
        assert worse == {}
        self.served = now

    @invariant()
    def no_run_leaves_another_waiting_for_memory(self) -> None:
        for machine in self.world.hosts.values():
            assert (machine.beside, machine.coming) == (set(), {})

    @invariant()
    def a_bad_release_never_serves(self) -> None:
        for host, app in self.served:
            machine = self.world.hosts[host]
            release = machine.visit(app).release
            assert machine.ill.get(release, "") in ("", "sick-front"), (host, app)
            if release:
                hooks = self.world.records(host, app).described(release)["hooks"]["before"]
                assert not machine.failing_hooks & {*hooks}, (host, app)

    @invariant()
    def a_job_has_its_release(self) -> None:
        for machine in self.world.hosts.values():
            for app in APPS:
                layout = machine.app(app)
                jobs = {layout.release_of(unit) for unit in machine.active if layout.is_job(unit)}
                assert all(layout.release(release).directory.is_dir() for release in jobs)

    @invariant()
    def a_stream_has_its_release(self) -> None:
        for machine in self.world.hosts.values():
            layout = machine.app(STREAMING)
            ending = {layout.release_of(unit) for unit in machine.ending}
            assert all(layout.release(release).directory.is_dir() for release in ending)

    @invariant()
    def a_release_that_was_never_proven_never_works(self) -> None:
        for machine in self.world.hosts.values():
            unproven = {release for release, ill in machine.ill.items() if ill in ("import", "start", "sick")}
            assert not unproven & {*machine.worked}

    @invariant()
    def a_boot_would_bring_back_what_is_live(self) -> None:
        for host, app in {*self.served} - self.disabled:
            records = self.world.records(host, app)
            assert not records.live() or records.live() in records.enabled(), (host, app)

    @invariant()
    def what_is_not_ours_is_not_touched(self) -> None:
        for machine in self.world.hosts.values():
            for path, text in OTHERS.items():
                assert (machine.prefix / path).read_text() == text

    @invariant()
    def a_hook_that_ended_well_is_not_run_again(self) -> None:
        """Not on any host, unless the release was withdrawn or the app moved meanwhile, or the run was cut off."""
        for app in APPS:
            run = [unit for machine in self.world.hosts.values() for unit in machine.hooks_run if unit.startswith(app)]
            again = {unit for unit in run if run.count(unit) > 1}
            assert not again or self.was_cut or self.was_withdrawn or self.was_moved, again

    # --- Small things -------------------------------------------------------------------------------------------

    def _boot(self, host: str) -> None:
        self.world.hosts[host].boot()
        for place in self.disabled & {(host, app) for app in APPS}:
            self.served[place] = 0

    def _let_there_be_something_to_do(self) -> None:
        """Most moments of a run that changes nothing are after its end."""
        for app in APPS:
            self.count += 1
            self.world.settings[app].code = self.count

    def _is_well(self, host: str, app: str) -> bool:
        machine = self.world.hosts[host]
        is_ill = self.world.wanted(host, app) in machine.ill
        return not is_ill and self.world.settings[app].before not in machine.failing_hooks

    def _assert_no_strangers_work(self, results: dict[str, dict[str, Any]]) -> None:
        for host, every in results.items():
            for app in every:
                self._assert_only_the_live_work(host, app)

    def _assert_only_the_live_work(self, host: str, app: str) -> None:
        """After a run that came to its end, well or not, what works beside is the live release's."""
        machine = self.world.hosts[host]
        working = {machine.app(app).release_of(unit) for unit in machine.working(app)}
        assert working <= {self.world.live(host, app)}, (host, app, working)

    def _nobodys_hook_fails(self, app: str) -> bool:
        return all(self._is_well(host, app) for host in HOSTS)

    def _assert_converged(self, host: str, app: str) -> None:
        self.disabled.discard((host, app))
        wanted, records = self.world.wanted(host, app), self.world.records(host, app)
        assert (records.live(), records.result(wanted)) == (wanted, "good")
        assert self.world.hosts[host].running(app) == {wanted}
        layout = records.layout_of(wanted)
        assert layout.workers == self.world.settings[app].workers
        assert self.world.hosts[host].working(app) == {*layout.worker_units, *layout.timer_units}
        assert records.enabled() == {wanted}
        assert self.world.hosts[host].visit(app).release == wanted
        unfinished = [path for path in records.layout.root.rglob("*") if "unfinished" in path.name]
        assert unfinished == []


@contextlib.contextmanager
def _full_from(machine: Machine, changes: int) -> Iterator[None]:
    """The disk is full after so many changes, and has room again afterwards."""
    plain = machine.changing

    def changing(what: str) -> None:
        nonlocal changes
        changes -= 1
        machine.is_full = changes < 0
        plain(what)

    machine.__dict__["changing"] = changing
    try:
        yield
    finally:
        del machine.__dict__["changing"]
        machine.is_full = False


TestFleet: Any = Fleet.TestCase
TestFleet.settings = random_orders(60)
