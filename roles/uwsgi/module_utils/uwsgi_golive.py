"""How a release goes live: check, start, probe, flip, probe through the front, retire the old, record, prune.

No Ansible in here. What touches the machine is in `System`; the unit tests put another in its place. Every decision
comes from what is on the host (the link `current`, the units, the recorded results), so a run that was cut off
anywhere is finished by the next one.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import http.client
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ansible.module_utils.web_files import OwnedFile, put_those_that_differ
from ansible.module_utils.web_record import BAD, GOOD, Records, Refused, cause_in

# Pause between two questions to an instance. Short, for a deploy waits on it; long enough to be no load.
PAUSE = 0.1
# After the flip no new connection reaches the old socket; its queue must be empty so many times in a row.
EMPTY_IN_A_ROW = 3
# The front finds the new socket with the next request; this is for one that is being restarted just now.
FRONT_SECONDS = 10.0
# The directory of the sockets: nobody lists it, everybody may pass; who may connect is the sockets' own affair.
RUN_MODE = 0o751
# Lines of the journal that are kept for a release that was refused.
JOURNAL_LINES = 40
# Where a release keeps its own copy of what lies outside its directory, each file at the path that it has on the host.
CARRIED = "host"
# The scripts of a release that are units of their own: the import check, and what it may bring to be run once before
# and once after it goes live. No app's name may end in one of these words, or its units would be taken for another's.
CHECK, BEFORE, AFTER = STEPS = ("check", "before", "after")


@dataclasses.dataclass(frozen=True)
class Answer:
    """What a probe got: a status with the release that answered, or `error` and status 0."""

    status: int
    release: str = ""
    body: str = ""
    error: str = ""

    def __str__(self) -> str:
        return self.error or f"status {self.status}, {self.body[:200]!r}"


@dataclasses.dataclass(frozen=True)
class Instance:
    """The release that has to be live, as the role describes it. Times are in seconds."""

    app: str
    id: str
    root: Path
    run: Path
    health_path: str
    successes: int
    deadline: float
    drain: float
    keep: int
    front_address: str = ""
    front_host: str = "localhost"
    by: str = ""
    # What the source calls itself, such as a commit: for the history.
    ref: str = ""
    # Whether this host runs the hooks, which are once for all hosts.
    leads: bool = False

    def directory(self, release: str | None = None) -> Path:
        return self.root / "releases" / (release or self.id)

    def ini(self, release: str | None = None) -> Path:
        return self.directory(release) / f"{self.app}.ini"

    def socket(self, release: str | None = None) -> Path:
        return self.run / f"{release or self.id}.sock"

    def live_socket(self) -> Path:
        """What the front connects to. It leads to `current`, and `current` to the live release's socket."""
        return self.run / f"{self.app}.sock"

    def http_socket(self) -> Path:
        return self.run / self.id / "http.sock"

    def service(self, release: str | None = None) -> str:
        return f"{self.app}@{release or self.id}.service"

    def socket_unit(self, release: str | None = None) -> str:
        return f"{self.app}@{release or self.id}.socket"

    def step_unit(self, step: str) -> str:
        """The unit that runs one of the release's scripts (check, before, after) in the app's sandbox."""
        return f"{self.app}-{step}@{self.id}.service"

    def script(self, step: str) -> Path:
        return self.directory() / "steps" / step


class System:
    """The machine: systemd, sockets, the journal, the clock."""

    def systemctl(self, *words: str) -> tuple[int, str]:
        """Exit code and what was printed."""
        done = subprocess.run(["systemctl", *words], capture_output=True, text=True, check=False)
        return done.returncode, (done.stdout + done.stderr).strip()

    def show(self, unit: str, *properties: str) -> dict[str, str]:
        _code, printed = self.systemctl("show", f"--property={','.join(properties)}", unit)
        return dict(line.split("=", 1) for line in printed.splitlines() if "=" in line)

    def make_temporary_files(self, app: str) -> None:
        """Make what tmpfiles.d says for the app, as at boot."""
        subprocess.run(["systemd-tmpfiles", "--create", f"/etc/tmpfiles.d/{app}.conf"], capture_output=True, check=True)

    def releases_with_units(self, app: str) -> set[str]:
        """Ids of all instances that systemd knows in any state, or starts at boot."""
        _code, loaded = self.systemctl("list-units", "--all", "--plain", "--no-legend", "--full", f"{app}@*")
        _code, enabled = self.systemctl("list-unit-files", "--plain", "--no-legend", "--full", f"{app}@*")
        names = [line.split()[0] for line in (loaded + "\n" + enabled).splitlines() if line.strip()]
        return {name.split("@")[1].rsplit(".", 1)[0] for name in names} - {""}

    def journal(self, unit: str, since: float) -> str:
        """The last lines of a unit since a moment (seconds since the epoch)."""
        subprocess.run(["journalctl", "--sync"], capture_output=True, check=False)
        words = [
            "journalctl",
            "--unit",
            unit,
            "--since",
            f"@{int(since)}",
            "--output",
            "cat",
            "--no-pager",
            "-n",
            str(JOURNAL_LINES),
        ]
        return subprocess.run(words, capture_output=True, text=True, errors="replace", check=False).stdout.strip()

    def ask(self, address: str | Path, host: str, path: str, timeout: float) -> Answer:
        """GET `path` from a Unix socket (a Path) or from "host:port"."""
        connection = http.client.HTTPConnection("localhost", timeout=timeout)
        try:
            if isinstance(address, Path):
                connection.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                connection.sock.settimeout(timeout)
                connection.sock.connect(os.fspath(address))
            else:
                name, _colon, port = address.rpartition(":")
                connection.sock = socket.create_connection((name, int(port)), timeout)
            connection.request("GET", path, headers={"Host": host, "Connection": "close", "User-Agent": "health-probe"})
            answer = connection.getresponse()
            body = answer.read(4096).decode(errors="replace")
            return Answer(answer.status, answer.headers.get("X-Release", ""), body)
        except (OSError, http.client.HTTPException) as error:
            return Answer(0, error=f"{type(error).__name__}: {error}")
        finally:
            connection.close()

    def listens(self, path: Path) -> bool:
        """Whether somebody listens on a Unix socket; a full queue or a slow answer is no reason to say no."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.setblocking(False)
            try:
                connection.connect(os.fspath(path))
            except (ConnectionRefusedError, FileNotFoundError):
                return False
            except BlockingIOError:
                return True
        return True

    def waiting(self, path: Path) -> int:
        """Connections that wait in the queue of a listening Unix socket (Recv-Q of ss); 0 if nothing listens."""
        words = ["ss", "-xlH", "src", os.fspath(path)]
        lines = subprocess.run(words, capture_output=True, text=True, check=False).stdout.splitlines()
        return sum(int(line.split()[2]) for line in lines)

    def now(self) -> float:
        return time.time()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class GoLive:
    """Makes one release the live one, and leaves the host as if nothing else had ever been tried.

    `files` are those that the release's instance is made from: its ini, the app's units and tmpfiles. The latter are
    the same files for all releases of the app, so each release carries its own copy, to be put back with it.
    """

    def __init__(
        self, instance: Instance, files: Sequence[OwnedFile] = (), system: System | None = None, action: str = "deploy"
    ) -> None:
        self.instance = instance
        self.system = system or System()
        self.action = action
        self.records = Records(instance.root, instance.by)
        kept = instance.directory() / CARRIED
        shared = [file for file in files if not file.path.is_relative_to(instance.directory())]
        carried = [dataclasses.replace(file, path=kept / file.path.relative_to("/")) for file in shared]
        # The copies first: a file outside that no release carries could not be put back.
        self.files = [*carried, *files]
        self.steps: list[dict[str, Any]] = []
        self.began = self.system.now()

    # --- What is ------------------------------------------------------------------------------------------------

    def is_serving(self) -> bool:
        """Whether the release is live, running, listening, enabled for boot, alone and recorded, its files right."""
        instance = self.instance
        units = [self.system.show(unit, "ActiveState", "UnitFileState", "NeedDaemonReload") for unit in self._units()]
        return (
            self.records.live() == instance.id
            and all(unit.get("ActiveState") == "active" for unit in units)
            and all(unit.get("UnitFileState") == "enabled" for unit in units)
            and all(unit.get("NeedDaemonReload") != "yes" for unit in units)
            and all(file.is_right() for file in self.files)
            and self.system.releases_with_units(instance.app) == {instance.id}
            and self._links_are_right()
            and self.records.result(instance.id) == GOOD
            and not self._owes(AFTER)
            and self.system.listens(instance.socket())
            and self._probe_once().status == 200
        )

    # --- What is done -------------------------------------------------------------------------------------------

    def prepare(self) -> bool:
        """Run what has to be done once before the release is live anywhere. True if there was something to do."""
        if not self._owes(BEFORE):
            return False
        with self._refusing(fallback=self.records.live()):
            self._load()
            self._check()
            with self._step(BEFORE):
                self._run_script(BEFORE)
        return True

    def run(self) -> bool:
        """Make it so. True if anything was changed. Raises Refused; the old release then serves as before."""
        if self.is_serving() and not self._prunable():
            return False
        instance = self.instance
        is_proven = self.records.live() == instance.id and self.records.result(instance.id) == GOOD
        with self._refusing(fallback=self._fallback(), is_proven=is_proven):
            self._prove()
            if self.records.live() != instance.id:
                with self._step("flip"):
                    self._flip(instance.id)
            self._prove_through_front()
        with self._step("enable"):
            self._must("enable", *self._units())
        self._retire_others()
        if not is_proven:
            self._record_good()
        self._prune()
        if self._owes(AFTER):
            with self._step(AFTER):
                self._run_script(AFTER)
        return True

    def _prove(self) -> None:
        instance = self.instance
        self._load()
        if self.system.show(instance.service(), "ActiveState").get("ActiveState") != "active":
            self._check()
        elif not self.system.listens(instance.socket()):
            # It runs, but behind a socket that was taken from it: nobody is served, so nobody loses by a restart.
            with self._step("stop"):
                self._must("stop", *self._units())
        with self._step("start"):
            self._start(instance.socket_unit(), "start")
            self._start(instance.service(), "start")
        with self._step("probe"):
            self._probe()

    def _load(self) -> None:
        with self._step("load"):
            put_those_that_differ(self.files)
            self._must("daemon-reload")
            self._link_sockets()

    def _check(self) -> None:
        with self._step(CHECK):
            self._start(self.instance.step_unit(CHECK), CHECK)

    def _start(self, unit: str, step: str) -> None:
        since = self.system.now()
        self.system.systemctl("reset-failed", unit)
        code, printed = self.system.systemctl("start", unit)
        if code != 0:
            evidence = self.system.journal(unit, since) or printed
            ended = self.system.show(unit, "Result", "ExecMainStatus")
            exited = f"{unit} ended with {ended.get('Result')}, status {ended.get('ExecMainStatus')}"
            raise Refused(step, cause_in(evidence) or exited, evidence)

    def _owes(self, step: str) -> bool:
        """Whether this host has a script of the release to run that it hasn't run to its end."""
        script = self.instance.script(step)
        return self.instance.leads and script.exists() and not script.with_suffix(".done").exists()

    def _run_script(self, step: str) -> None:
        self._start(self.instance.step_unit(step), step)
        self.instance.script(step).with_suffix(".done").touch()

    def _probe_once(self, timeout: float = 5.0) -> Answer:
        instance = self.instance
        return self.system.ask(instance.http_socket(), instance.front_host, instance.health_path, timeout)

    def _probe(self) -> None:
        """Wait for so many good answers in a row, from an instance that didn't die in between."""
        instance = self.instance
        end = self.system.now() + instance.deadline
        restarts = self._restarts()
        good = 0
        answer = Answer(0, error="no answer yet")
        while good < instance.successes:
            remaining = end - self.system.now()
            if self._restarts() != restarts:
                raise self._refusal("probe", f"the instance died while it was probed; last answer: {answer}")
            if remaining <= 0:
                asked = f"{instance.health_path} didn't answer 200 {instance.successes} times in a row"
                raise self._refusal("probe", f"{asked} within {instance.deadline:g} s; last answer: {answer}")
            answer = self._probe_once(min(5.0, remaining))
            good = good + 1 if answer.status == 200 else 0
            self.system.sleep(PAUSE)
        if self._restarts() != restarts:
            raise self._refusal("probe", "the instance died after it had answered")

    def _restarts(self) -> tuple[str, str]:
        """Differs from one look to the next if the instance has ended in between."""
        state = self.system.show(self.instance.service(), "NRestarts", "MainPID")
        return state.get("NRestarts", ""), state.get("MainPID", "")

    def _prove_through_front(self) -> None:
        """Ask as a visitor would: the front has to answer 200, and from this release."""
        instance = self.instance
        if not instance.front_address:
            return
        with self._step("front"):
            end = self.system.now() + FRONT_SECONDS
            while True:
                answer = self.system.ask(instance.front_address, instance.front_host, instance.health_path, 5.0)
                if answer.status == 200 and answer.release == instance.id:
                    return
                if self.system.now() >= end:
                    got = f"{answer}, from release {answer.release or 'unknown'}"
                    asked = f"http://{instance.front_address}{instance.health_path} (Host: {instance.front_host})"
                    raise self._refusal("front", f"{asked} gave {got}, not 200 from {instance.id}")
                self.system.sleep(PAUSE)

    def _flip(self, release: str) -> None:
        """Move socket and static files to a release in one rename, durable before anything else follows."""
        fresh = self.instance.root / ".current.unfinished"
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(f"releases/{release}")
        os.replace(fresh, self.instance.root / "current")
        handle = os.open(self.instance.root, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    @contextlib.contextmanager
    def _refusing(self, fallback: str, is_proven: bool = False) -> Iterator[None]:
        """Put everything back when a release is refused: the old one never noticed, or gets its place again.

        One that was live and good before (`is_proven`) stays: there is nothing better to put in its place.
        """
        instance = self.instance
        try:
            yield
        except Refused as refused:
            if not is_proven:
                was_flipped = self.records.live() == instance.id
                if was_flipped:
                    with self._step("flip back"):
                        if fallback:
                            self._flip(fallback)
                        else:
                            (instance.root / "current").unlink()
                with self._step("stop"):
                    if not was_flipped:
                        # Only probes wait for an answer; a hung worker would take its whole grace for them.
                        self.system.systemctl("stop", "--no-block", *self._units())
                        self.system.systemctl("kill", "--signal=KILL", instance.service())
                    self._retire(instance.id)
                    self.system.systemctl("reset-failed", *map(instance.step_unit, STEPS))
                if fallback and put_those_that_differ(carried_by(self.records.directory(fallback))):
                    self.system.systemctl("daemon-reload")
                self.records.refuse(
                    instance.id, refused, self.seconds(), self.action, ref=instance.ref, steps=self.steps
                )
                self._prune()
            raise

    def _fallback(self) -> str:
        """The release to return to: the live one, or, after a run cut off behind its flip, the one that still runs."""
        instance = self.instance
        live = str(self.records.live())
        if live != instance.id:
            return live
        others = self.system.releases_with_units(instance.app) - {instance.id}
        good = [release for release in others if self.records.result(release) == GOOD]
        return max(good, key=self.records.at, default="")

    def _retire_others(self) -> None:
        instance = self.instance
        for release in sorted(self.system.releases_with_units(instance.app) - {instance.id}):
            with self._step(f"drain {release}"):
                self._drain(instance.socket(release))
            with self._step(f"stop {release}"):
                self._retire(release)

    def _drain(self, path: Path) -> None:
        """Wait until nobody waits in a queue any more. Requests being served are ended gracefully by the stop."""
        end = self.system.now() + self.instance.drain
        empty = 0
        while empty < EMPTY_IN_A_ROW and self.system.now() < end:
            empty = empty + 1 if self.system.waiting(path) == 0 else 0
            self.system.sleep(PAUSE / 2)

    def _retire(self, release: str) -> None:
        """Stop an instance for good. Its socket goes too, or the next connection would wake it."""
        units = (self.instance.service(release), self.instance.socket_unit(release))
        self.system.systemctl("disable", *units)
        self.system.systemctl("stop", *units)
        self.system.systemctl("reset-failed", *units)

    # --- What is kept -------------------------------------------------------------------------------------------

    def _record_good(self) -> None:
        release = self.instance.id
        (self.instance.directory() / "failure.log").unlink(missing_ok=True)
        written = {os.fspath(file.path): file.digest() for file in self.files}
        environment = self.instance.directory() / "environment"
        if environment.is_file():
            written[os.fspath(environment)] = hashlib.sha256(environment.read_bytes()).hexdigest()
        more = {"ref": self.instance.ref, "steps": self.steps, "files": written}
        self.records.write(release, self.action, GOOD, self.seconds(), **more)

    def _prunable(self) -> list[Path]:
        return list(self.records.prunable(self.instance.keep, self.instance.id))

    def _prune(self) -> None:
        for path in self._prunable():
            with self._step(f"remove {path.name}"):
                self.records.remove(path)

    # --- Small things -------------------------------------------------------------------------------------------

    def _units(self) -> tuple[str, str]:
        return self.instance.socket_unit(), self.instance.service()

    def _links_are_right(self) -> bool:
        instance = self.instance
        return (
            _leads_to(instance.live_socket(), instance.root / "current" / "socket")
            and _leads_to(instance.directory() / "socket", instance.socket())
            and instance.run.stat().st_mode & 0o7777 == RUN_MODE
        )

    def _link_sockets(self) -> None:
        if not self._links_are_right():
            self.system.make_temporary_files(self.instance.app)
            link = self.instance.directory() / "socket"
            link.unlink(missing_ok=True)
            link.symlink_to(self.instance.socket())

    def _must(self, *words: str) -> None:
        code, printed = self.system.systemctl(*words)
        if code != 0:
            raise Refused(words[0], f"systemctl {' '.join(words)} failed: {printed}")

    def _refusal(self, step: str, cause: str) -> Refused:
        return Refused(step, cause, self.system.journal(self.instance.service(), self.began))

    def seconds(self) -> float:
        """How long it has taken so far."""
        return self.system.now() - self.began

    @contextlib.contextmanager
    def _step(self, name: str) -> Iterator[None]:
        began = self.system.now()
        try:
            yield
        finally:
            self.steps.append({"step": name, "seconds": round(self.system.now() - began, 2)})


class Rollback:
    """Chooses an older release and makes it live through the same gate; what it leaves is marked as bad."""

    def __init__(self, instance: Instance, system: System | None = None) -> None:
        """`instance` describes the app; its id says which release is wanted, "" the last good one before the live."""
        self.instance = instance
        self.system = system or System()
        self.records = Records(instance.root, instance.by)

    def target(self) -> str:
        """The id to return to. Raises Refused if there is none, or if the one that was asked for can't be used."""
        live, wanted = self.records.live(), self.instance.id
        releases = self.records.releases()
        good = [release for release in releases if self.records.result(release) == GOOD and release != live]
        known = f"Good ones on this host: {', '.join(good) or 'none'}"
        if not wanted:
            if not good:
                raise Refused("choose", "there is no earlier good release on this host to return to")
            return str(good[0])
        if wanted not in releases:
            raise Refused("choose", f"there is no release {wanted!r} on this host. {known}")
        if wanted == live:
            raise Refused("choose", f"release {wanted} is live already. {known}")
        if wanted not in good:
            cause = self.records.of(wanted).get("cause", "it was never proven")
            raise Refused("choose", f"release {wanted} is marked as bad ({cause}). {known}")
        return wanted

    def run(self, keep_environment: bool = False) -> GoLive:
        """Return to the target; returns what was done. Raises Refused; the live release then serves as before."""
        left = self.records.live()
        if not left:
            raise Refused("choose", "no release is live on this host, so there is none to roll back from")
        release = self.target()
        ref = str(self.records.of(release).get("ref", ""))
        if keep_environment:
            release = self._with_environment_of(release, left)
        instance = dataclasses.replace(self.instance, id=release, ref=ref)
        golive = GoLive(instance, self._files(release), system=self.system, action="rollback")
        # Marked before anything moves: after a run that was cut off, the next rollback must not return to it.
        before = self.records.of(left)
        withdrawn = {"action": "withdraw", "result": BAD, "step": "rollback", "cause": f"rolled back to {release}"}
        self.records.mark(left, {**before, **withdrawn})
        try:
            golive.run()
        except Refused as refused:
            self.records.mark(left, before)
            refused.release = release
            raise
        return golive

    def _files(self, release: str) -> list[OwnedFile]:
        """What the release was made from, as it kept it."""
        return [_as_it_is(self.instance.ini(release)), *carried_by(self.instance.directory(release))]

    def _with_environment_of(self, release: str, other: str) -> str:
        """A new release of the code and settings of one and the environment of another; its id."""
        environment = (self.records.directory(other) / "environment").read_text().replace(other, release)
        if environment == (self.records.directory(release) / "environment").read_text():
            return release
        made = hashlib.sha256(f"{release}\n{environment}".encode()).hexdigest()[: len(release)]
        directory = self.records.directory(made)
        if directory.exists():
            return made
        unfinished = directory.with_name(f".{made}.unfinished")
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(unfinished)
        _copy_owned(self.records.directory(release), unfinished)
        for name in ("result.json", "socket", "steps/before.done", "steps/after.done"):
            (unfinished / name).unlink(missing_ok=True)
        ini = self.instance.ini(release).name
        for name, text in (
            (ini, (unfinished / ini).read_text().replace(release, made)),
            ("release.json", (unfinished / "release.json").read_text().replace(release, made)),
            ("environment", environment.replace(release, made)),
        ):
            path = unfinished / name
            status = path.stat()
            path.write_text(text)
            os.chmod(path, status.st_mode & 0o7777)
        unfinished.rename(directory)
        return made


def carried_by(release: Path) -> list[OwnedFile]:
    """The files outside its directory that a release was made from, from its own copies."""
    kept = release / CARRIED
    return [
        dataclasses.replace(_as_it_is(path), path=Path("/", path.relative_to(kept)))
        for path in sorted(kept.rglob("*"))
        if path.is_file()
    ]


def _as_it_is(path: Path) -> OwnedFile:
    return OwnedFile(path, path.read_text(), path.stat().st_mode & 0o7777, path.group())


def _copy_owned(source: Path, target: Path) -> None:
    """Copy a tree with modes, links and owners."""
    subprocess.run(["cp", "--archive", "--", os.fspath(source), os.fspath(target)], check=True)


def _leads_to(link: Path, target: Path) -> bool:
    return link.is_symlink() and os.readlink(link) == os.fspath(target)
