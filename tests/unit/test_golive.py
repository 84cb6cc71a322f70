"""How a release goes live, driven on a machine made of dictionaries: every order of events, every cut."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.uwsgi_golive import RUN_MODE, Answer, GoLive, Instance, Rollback
from ansible.module_utils.web_files import OwnedFile
from ansible.module_utils.web_record import Refused

A, B, C = "aaaaaaaaaaaa", "bbbbbbbbbbbb", "cccccccccccc"


class Cut(BaseException):
    """The run ends here: the power went, the line dropped, somebody pressed Ctrl-C."""


@dataclasses.dataclass
class Machine:
    """systemd, sockets and a clock, in memory. `root` and `run` are real directories."""

    root: Path
    run: Path
    active: set[str] = dataclasses.field(default_factory=set)
    enabled: set[str] = dataclasses.field(default_factory=set)
    failing: dict[str, str] = dataclasses.field(default_factory=dict)
    answers: Callable[[str], Answer] = lambda release: Answer(200, release)
    front: Callable[[str], Answer] = lambda release: Answer(200, release)
    queue: list[int] = dataclasses.field(default_factory=list)
    restarts: int = 0
    calls: list[str] = dataclasses.field(default_factory=list)
    cut_at: int | None = None
    clock: float = 1_700_000_000.0

    def _call(self, words: str) -> None:
        """Every effect comes through here; a test may cut the run at any, and what visitors get is checked at each."""
        self.calls.append(words)
        self.check_visitors()
        if self.cut_at is not None and len(self.calls) > self.cut_at:
            raise Cut(words)

    def check_visitors(self) -> None:
        """`current` never leads to an instance that doesn't run, once one has."""
        link = self.root / "current"
        if link.is_symlink() and "reboot" not in self.calls:
            release = os.readlink(link).rpartition("/")[2]
            assert f"app@{release}.service" in self.active, f"{release} is live and doesn't run"

    def systemctl(self, *words: str) -> tuple[int, str]:
        self._call(" ".join(words))
        verb, units = words[0], words[1:]
        if verb == "start":
            (unit,) = units
            if unit in self.failing:
                return 1, f"Job for {unit} failed."
            if not unit.startswith(("app-check", "app-before", "app-after")):
                self.active.add(unit)
            if unit.endswith(".socket"):
                _listen(self.run / (unit.split("@")[1].removesuffix(".socket") + ".sock"))
        elif verb == "stop":
            for unit in (name for name in units if not name.startswith("--")):
                self.active.discard(unit)
                if unit.endswith(".socket"):
                    (self.run / (unit.split("@")[1].removesuffix(".socket") + ".sock")).unlink(missing_ok=True)
        elif verb == "enable":
            self.enabled |= set(units)
        elif verb == "disable":
            self.enabled -= set(units)
        return 0, ""

    def show(self, unit: str, *properties: str) -> dict[str, str]:
        state = {
            "ActiveState": "active" if unit in self.active else "inactive",
            "UnitFileState": "enabled" if unit in self.enabled else "disabled",
            "NeedDaemonReload": "no",
            "NRestarts": str(self.restarts),
            "MainPID": "1",
        }
        return {name: state[name] for name in properties if name in state}

    def make_temporary_files(self, app: str) -> None:
        self._call("tmpfiles")
        self.run.mkdir(exist_ok=True)
        self.run.chmod(RUN_MODE)
        link = self.run / f"{app}.sock"
        link.unlink(missing_ok=True)
        link.symlink_to(self.root / "current" / "socket")

    def releases_with_units(self, app: str) -> set[str]:
        return {unit.split("@")[1].rpartition(".")[0] for unit in self.active | self.enabled}

    def journal(self, unit: str, since: float) -> str:
        return self.failing.get(unit, "the journal")

    def ask(self, address: str | Path, host: str, path: str, timeout: float) -> Answer:
        self.clock += 0.01
        if isinstance(address, Path):
            release = address.parent.name
            alive = f"app@{release}.service" in self.active
            return self.answers(release) if alive else Answer(0, error="ConnectionRefusedError")
        return self.front(os.readlink(self.root / "current").rpartition("/")[2])

    def listens(self, path: Path) -> bool:
        return path.is_socket() and f"app@{path.name.removesuffix('.sock')}.socket" in self.active

    def waiting(self, path: Path) -> int:
        return self.queue.pop(0) if self.queue else 0

    def now(self) -> float:
        return self.clock

    def sleep(self, seconds: float) -> None:
        self.clock += seconds


def _listen(path: Path) -> None:
    path.unlink(missing_ok=True)
    # A relative name, for the whole path may be longer than a socket's may be.
    here = os.open(".", os.O_RDONLY)
    try:
        os.chdir(path.parent)
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.fchdir(here)
        os.close(here)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    (tmp_path / "app" / "releases").mkdir(parents=True)
    (tmp_path / "app" / "venvs").mkdir()
    (tmp_path / "run").mkdir()
    return Machine(tmp_path / "app", tmp_path / "run")


def prepare(machine: Machine, release: str, venv: str = "v1", **scripts: str) -> Instance:
    """Put a release's directory in place, as the role flask_app does."""
    directory = machine.root / "releases" / release
    directory.mkdir(exist_ok=True)
    (machine.root / "venvs" / venv).mkdir(exist_ok=True)
    if not (directory / "venv").is_symlink():
        (directory / "venv").symlink_to(f"../../venvs/{venv}")
    (directory / "release.json").write_text("{}")
    (directory / "environment").write_text(f'WEB_RELEASE="{release}"\n')
    (directory / "steps").mkdir(exist_ok=True)
    for name, text in scripts.items():
        (directory / "steps" / name).write_text(text)
    return instance_of(machine, release)


def instance_of(machine: Machine, release: str) -> Instance:
    return Instance(
        app="app",
        id=release,
        root=machine.root,
        run=machine.run,
        health_path="/health",
        successes=3,
        deadline=5,
        drain=2,
        keep=3,
        front_address="127.0.0.1:80",
        front_host="app.test",
        leads=True,
    )


def deploy(machine: Machine, release: str, **options: Any) -> GoLive:
    golive = golive_of(machine, prepare(machine, release, **options))
    golive.run()
    return golive


def golive_of(machine: Machine, instance: Instance) -> GoLive:
    return GoLive(instance, [ini_of(machine, instance.id)], system=machine)


def ini_of(machine: Machine, release: str) -> OwnedFile:
    return OwnedFile(machine.root / "releases" / release / "app.ini", f"release {release}\n")


def assert_converged(machine: Machine, release: str) -> None:
    """One instance, live, enabled, recorded; nothing unfinished."""
    units = {f"app@{release}.service", f"app@{release}.socket"}
    assert machine.active == units
    assert machine.enabled == units
    assert os.readlink(machine.root / "current") == f"releases/{release}"
    assert result(machine, release)["result"] == "good"
    assert [path for path in machine.root.rglob("*") if "unfinished" in path.name] == []


def result(machine: Machine, release: str) -> dict[str, Any]:
    return dict(json.loads((machine.root / "releases" / release / "result.json").read_text()))


def steps(golive: GoLive) -> list[str]:
    return [step["step"] for step in golive.steps]


class TestDeploy:
    def test_first(self, machine: Machine) -> None:
        golive = deploy(machine, A)
        assert_converged(machine, A)
        assert steps(golive) == ["load", "check", "start", "probe", "flip", "front", "enable"]

    def test_second_retires_the_first_after_all_proofs(self, machine: Machine) -> None:
        deploy(machine, A)
        golive = deploy(machine, B)
        assert_converged(machine, B)
        assert steps(golive)[-3:] == ["enable", f"drain {A}", f"stop {A}"]

    def test_nothing_to_do(self, machine: Machine) -> None:
        deploy(machine, A)
        before = list(machine.calls)
        assert golive_of(machine, prepare(machine, A)).run() is False
        assert machine.calls == before

    @pytest.mark.parametrize("gone", ["app@aaaaaaaaaaaa.service", "app@aaaaaaaaaaaa.socket"])
    def test_a_dead_unit_comes_back(self, machine: Machine, gone: str) -> None:
        deploy(machine, A)
        machine.active.discard(gone)
        machine.calls.append("reboot")
        assert golive_of(machine, prepare(machine, A)).run() is True
        assert_converged(machine, A)

    def test_a_socket_that_was_taken_away_comes_back(self, machine: Machine) -> None:
        """systemd takes both units for active, and nobody gets through."""
        deploy(machine, A)
        (machine.run / f"{A}.sock").unlink()
        machine.calls.append("reboot")
        assert golive_of(machine, prepare(machine, A)).run() is True
        assert_converged(machine, A)
        assert (machine.run / f"{A}.sock").is_socket()

    def test_an_edited_file_is_put_back(self, machine: Machine) -> None:
        deploy(machine, A)
        ini = machine.root / "releases" / A / "app.ini"
        ini.write_text("by hand")
        assert golive_of(machine, prepare(machine, A)).run() is True
        assert ini.read_text() == f"release {A}\n"

    def test_strays_are_retired(self, machine: Machine) -> None:
        deploy(machine, A)
        prepare(machine, C)
        machine.systemctl("start", f"app@{C}.service")
        assert golive_of(machine, prepare(machine, A)).run() is True
        assert_converged(machine, A)

    def test_drain_waits_for_an_empty_queue(self, machine: Machine) -> None:
        deploy(machine, A)
        machine.queue = [4, 2, 0, 1, 0, 0, 0, 9]
        deploy(machine, B)
        assert machine.queue == [9]

    def test_drain_gives_up_at_its_limit(self, machine: Machine) -> None:
        deploy(machine, A)
        machine.queue = [1] * 10_000
        deploy(machine, B)
        assert len(machine.queue) > 9_000
        assert_converged(machine, B)


def bad_front(_release: str) -> Answer:
    return Answer(502)


def old_front(_release: str) -> Answer:
    return Answer(200, "000000000000")


REFUSALS: dict[str, tuple[str, dict[str, Any]]] = {
    "import fails": ("check", {"failing": {f"app-check@{B}.service": "Traceback\nImportError: no shop"}}),
    "start fails": ("start", {"failing": {f"app@{B}.service": "GAME OVER"}}),
    "health 500": ("probe", {"answers": lambda release: Answer(500 if release == B else 200, release)}),
    "health hangs": (
        "probe",
        {"answers": lambda release: Answer(0, error="TimeoutError") if release == B else Answer(200)},
    ),
    "front 502": ("front", {"front": bad_front}),
    "front serves another": ("front", {"front": old_front}),
}


class TestRefusal:
    @pytest.mark.parametrize("name", REFUSALS)
    def test_the_old_one_serves_on(self, machine: Machine, name: str) -> None:
        step, faults = REFUSALS[name]
        deploy(machine, A)
        for what, value in faults.items():
            setattr(machine, what, value)
        with pytest.raises(Refused) as refused:
            deploy(machine, B)
        assert refused.value.step == step
        machine.front = lambda release: Answer(200, release)
        assert_converged(machine, A)
        assert result(machine, B)["result"] == "bad"
        assert refused.value.cause in (machine.root / "releases" / B / "failure.log").read_text()

    def test_the_units_are_again_those_of_the_live_release(self, machine: Machine) -> None:
        """Both releases have the same unit files; one that was refused must not leave its settings to the other."""
        unit = machine.root.parent / "app@.service"
        GoLive(prepare(machine, A), [OwnedFile(unit, "TimeoutStopSec=45\n")], system=machine).run()
        machine.failing = {f"app-check@{B}.service": "boom"}
        with pytest.raises(Refused):
            GoLive(prepare(machine, B), [OwnedFile(unit, "TimeoutStopSec=99\n")], system=machine).run()
        assert unit.read_text() == "TimeoutStopSec=45\n"
        assert machine.calls[-1] == "daemon-reload"

    def test_even_if_a_run_was_cut_off_before(self, machine: Machine) -> None:
        """The run that refuses finds its own unit files already there: what they were stands with the live release."""
        unit = machine.root.parent / "app@.service"
        GoLive(prepare(machine, A), [OwnedFile(unit, "TimeoutStopSec=45\n")], system=machine).run()
        machine.failing = {f"app-check@{B}.service": "boom"}
        machine.cut_at = len(machine.calls)
        with pytest.raises(Cut):
            GoLive(prepare(machine, B), [OwnedFile(unit, "TimeoutStopSec=99\n")], system=machine).run()
        assert unit.read_text() == "TimeoutStopSec=99\n"
        machine.cut_at = None
        with pytest.raises(Refused):
            GoLive(prepare(machine, B), [OwnedFile(unit, "TimeoutStopSec=99\n")], system=machine).run()
        assert unit.read_text() == "TimeoutStopSec=45\n"

    def test_the_cause_is_the_tracebacks_last_line(self, machine: Machine) -> None:
        machine.failing = {f"app-check@{A}.service": "Traceback\n  File\nImportError: no shop\nsystemd: Failed"}
        with pytest.raises(Refused, match="ImportError: no shop"):
            deploy(machine, A)

    def test_a_refused_first_release_leaves_nothing_live(self, machine: Machine) -> None:
        machine.front = bad_front
        with pytest.raises(Refused):
            deploy(machine, A)
        assert not (machine.root / "current").is_symlink()
        assert machine.active == machine.enabled == set()

    def test_good_answers_must_be_in_a_row(self, machine: Machine) -> None:
        given = iter([200, 200, 500, 200, 200, 200])
        machine.answers = lambda release: Answer(next(given), release)
        deploy(machine, A)
        assert next(given, None) is None

    def test_an_instance_that_dies_is_refused(self, machine: Machine) -> None:
        def answer(release: str) -> Answer:
            machine.restarts += 1
            return Answer(200, release)

        machine.answers = answer
        with pytest.raises(Refused, match="died"):
            deploy(machine, A)

    def test_so_is_one_that_dies_behind_its_last_answer(self, machine: Machine) -> None:
        given: list[str] = []

        def answer(release: str) -> Answer:
            given.append(release)
            machine.restarts = len(given) // 3
            return Answer(200, release)

        machine.answers = answer
        with pytest.raises(Refused, match="died after it had answered"):
            deploy(machine, A)

    def test_a_bad_one_may_be_tried_again(self, machine: Machine) -> None:
        machine.front = bad_front
        with pytest.raises(Refused):
            deploy(machine, A)
        machine.front = lambda release: Answer(200, release)
        deploy(machine, A)
        assert_converged(machine, A)
        assert not (machine.root / "releases" / A / "failure.log").exists()

    def test_one_that_was_good_stays_when_the_front_is_down(self, machine: Machine) -> None:
        deploy(machine, A)
        machine.front = bad_front
        machine.enabled.clear()
        with pytest.raises(Refused):
            deploy(machine, A)
        assert os.readlink(machine.root / "current") == f"releases/{A}"
        assert f"app@{A}.service" in machine.active


class TestCut:
    """A run may end between any two of its effects; the site serves, and the next run finishes."""

    @pytest.mark.parametrize("at", range(14))
    def test_deploy(self, machine: Machine, at: int) -> None:
        deploy(machine, A)
        machine.cut_at = len(machine.calls) + at
        was_cut = True
        try:
            deploy(machine, B)
            was_cut = False
        except Cut:
            machine.cut_at = None
            machine.check_visitors()
        machine.cut_at = None
        deploy(machine, B)
        assert_converged(machine, B)
        # All cuts but those behind the last effect are real ones; 13 effects is what a deploy takes today.
        assert was_cut == (at < EFFECTS), machine.calls

    @pytest.mark.parametrize("at", range(14))
    def test_the_next_run_may_want_another_release(self, machine: Machine, at: int) -> None:
        deploy(machine, A)
        machine.cut_at = len(machine.calls) + at
        with contextlib.suppress(Cut):
            deploy(machine, B)
        machine.cut_at = None
        deploy(machine, C)
        assert_converged(machine, C)

    @pytest.mark.parametrize("at", range(14))
    def test_rollback(self, machine: Machine, at: int) -> None:
        deploy(machine, A)
        deploy(machine, B)
        deploy(machine, C)
        machine.cut_at = len(machine.calls) + at
        with contextlib.suppress(Cut):
            rollback(machine)
        machine.cut_at = None
        machine.check_visitors()
        if os.readlink(machine.root / "current") == f"releases/{C}":
            rollback(machine)
        golive_of(machine, prepare(machine, B)).run()
        assert_converged(machine, B)
        assert result(machine, C)["result"] == "bad"

    def test_behind_the_flip_a_bad_front_leads_back(self, machine: Machine) -> None:
        deploy(machine, A)

        def cut(_release: str) -> Answer:
            raise Cut

        machine.front = cut
        with pytest.raises(Cut):
            deploy(machine, B)
        assert os.readlink(machine.root / "current") == f"releases/{B}"
        machine.front = bad_front
        with pytest.raises(Refused):
            deploy(machine, B)
        machine.front = lambda release: Answer(200, release)
        assert_converged(machine, A)


# systemctl and tmpfiles calls of a deploy over another: daemon-reload, tmpfiles, three starts with their
# reset-failed, enable, disable, stop, reset-failed.
EFFECTS = 12


class TestHooks:
    def test_once_before_and_once_after(self, machine: Machine) -> None:
        instance = prepare(machine, A, before="migrate", after="tell")
        golive = golive_of(machine, instance)
        assert golive.prepare() is True
        assert golive.prepare() is False
        golive.run()
        assert golive_of(machine, instance).run() is False
        assert machine.calls.count(f"start app-before@{A}.service") == 1
        assert machine.calls.count(f"start app-after@{A}.service") == 1

    def test_only_where_the_host_leads(self, machine: Machine) -> None:
        instance = dataclasses.replace(prepare(machine, A, before="migrate", after="tell"), leads=False)
        assert golive_of(machine, instance).prepare() is False
        golive_of(machine, instance).run()
        assert not [call for call in machine.calls if "before" in call or "after" in call]

    def test_a_failing_one_keeps_the_release_from_serving(self, machine: Machine) -> None:
        deploy(machine, A)
        machine.failing = {f"app-before@{B}.service": "OperationalError: no table"}
        with pytest.raises(Refused, match="no table"):
            golive_of(machine, prepare(machine, B, before="migrate")).prepare()
        assert_converged(machine, A)
        assert result(machine, B)["step"] == "before"


class TestPrune:
    def test_keeps_the_good_ones_and_their_virtualenvs(self, machine: Machine) -> None:
        for number in range(6):
            machine.clock += 1
            deploy(machine, f"{number:012x}", venv=f"v{number // 2}")
            stamp = machine.root / "releases" / f"{number:012x}" / "result.json"
            os.utime(stamp, (number, number))
        deploy(machine, "00000000000a", venv="v9")
        left = {path.name for path in (machine.root / "releases").iterdir()}
        assert left == {"00000000000a", f"{5:012x}", f"{4:012x}"}
        assert {path.name for path in (machine.root / "venvs").iterdir()} == {"v9", "v2"}

    def test_bad_ones_dont_count_and_are_bounded(self, machine: Machine) -> None:
        deploy(machine, A)
        deploy(machine, B)
        for number in range(8):
            release = f"{number:012x}"
            machine.failing = {f"app-check@{release}.service": "boom"}
            with pytest.raises(Refused):
                deploy(machine, release)
            stamp = machine.root / "releases" / release / "result.json"
            os.utime(stamp, (number, number))
        assert len(list((machine.root / "releases").iterdir())) == 2 + 3
        machine.failing = {}
        deploy(machine, C)
        left = {path.name for path in (machine.root / "releases").iterdir()}
        assert {A, B, C} <= left
        assert len(left) == 3 + 3


def rollback(machine: Machine, release: str = "", **options: Any) -> GoLive:
    return Rollback(instance_of(machine, release), system=machine).run(**options)


class TestRollback:
    @pytest.fixture(autouse=True)
    def three(self, machine: Machine) -> None:
        for number, release in enumerate((A, B, C)):
            deploy(machine, release)
            os.utime(machine.root / "releases" / release / "result.json", (number, number))

    def test_goes_to_the_one_before_and_then_further(self, machine: Machine) -> None:
        rollback(machine)
        assert_converged(machine, B)
        assert result(machine, C)["result"] == "bad"
        rollback(machine)
        assert_converged(machine, A)
        with pytest.raises(Refused, match="no earlier good release"):
            rollback(machine)

    def test_the_units_come_back_too(self, machine: Machine) -> None:
        """How long the queue is and how long a stop may take are settings like those in the ini."""
        unit = machine.root.parent / "app@.socket"
        for release, text in (("d" * 12, "Backlog=16\n"), ("e" * 12, "Backlog=99\n")):
            GoLive(prepare(machine, release), [ini_of(machine, release), OwnedFile(unit, text)], system=machine).run()
        rollback(machine)
        assert_converged(machine, "d" * 12)
        assert unit.read_text() == "Backlog=16\n"

    def test_is_recorded_with_the_older_ones_ref(self, machine: Machine) -> None:
        older = machine.root / "releases" / B / "result.json"
        older.write_text(json.dumps({**result(machine, B), "ref": "v1"}))
        os.utime(older, (1, 1))
        Rollback(dataclasses.replace(instance_of(machine, ""), ref="v2"), system=machine).run()
        assert result(machine, B)["ref"] == "v1"

    def test_to_a_chosen_one(self, machine: Machine) -> None:
        rollback(machine, A)
        assert_converged(machine, A)

    def test_refuses_what_cant_be_used(self, machine: Machine) -> None:
        with pytest.raises(Refused, match="no release 'ffffffffffff'"):
            rollback(machine, "f" * 12)
        with pytest.raises(Refused, match="live already"):
            rollback(machine, C)
        rollback(machine)
        with pytest.raises(Refused, match="marked as bad"):
            rollback(machine, C)
        assert_converged(machine, B)

    def test_a_target_that_fails_leaves_all_as_it_was(self, machine: Machine) -> None:
        machine.failing = {f"app@{B}.service": "GAME OVER"}
        with pytest.raises(Refused):
            rollback(machine)
        assert_converged(machine, C)
        assert result(machine, B)["result"] == "bad"

    def test_todays_environment_with_the_old_code(self, machine: Machine) -> None:
        environment = machine.root / "releases" / C / "environment"
        environment.write_text(f'PASSWORD="new"\nWEB_RELEASE="{C}"\n')
        made = rollback(machine, keep_environment=True).instance.id
        assert made not in (A, B, C)
        assert_converged(machine, made)
        directory = machine.root / "releases" / made
        assert (directory / "environment").read_text() == f'PASSWORD="new"\nWEB_RELEASE="{made}"\n'
        assert (directory / "app.ini").read_text() == f"release {made}\n"
