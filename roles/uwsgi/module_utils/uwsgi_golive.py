"""How a release goes live: check, start, probe, flip, probe through the front, retire the old, record, prune.

No Ansible in here. What touches the machine is in `System`; the unit tests put another in its place. Every decision
comes from what is on the host (the link `current`, the units, the recorded results), so a run that was cut off
anywhere is finished by the next one.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import http.client
import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# Pause between two questions to an instance. Short, for a deploy waits on it; long enough to be no load.
PAUSE = 0.1
# After the flip no new connection reaches the old socket; its queue must be empty so many times in a row.
EMPTY_IN_A_ROW = 3
# The directory of the sockets: nobody lists it, everybody may pass; who may connect is the sockets' own affair.
RUN_MODE = 0o751
# Lines of the journal that are shown and kept for a release that was refused.
JOURNAL_LINES = 40
# History lines kept on the host: years of deploys, and a file that opens at once.
HISTORY_LINES = 1000
# Refused releases kept for diagnosis, whatever the number of good ones.
KEEP_BAD = 3


class Refused(Exception):
    """A release that didn't prove itself. `evidence` is what the journal and the probes said."""

    def __init__(self, step: str, cause: str, evidence: str = "") -> None:
        super().__init__(cause)
        self.step = step
        self.cause = cause
        self.evidence = evidence


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

    def directory(self, release: str | None = None) -> Path:
        return self.root / "releases" / (release or self.id)

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

    def check_unit(self) -> str:
        return f"{self.app}-check@{self.id}.service"


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
        words = ["journalctl", "--unit", unit, "--since", f"@{int(since)}", "--output", "cat", "--no-pager", "-n", str(JOURNAL_LINES)]
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
    """Makes one release the live one, and leaves the host as if nothing else had ever been tried."""

    def __init__(self, instance: Instance, system: System | None = None) -> None:
        self.instance = instance
        self.system = system or System()
        self.steps: list[dict[str, Any]] = []
        self.began = self.system.now()

    # --- What is ------------------------------------------------------------------------------------------------

    def live(self) -> str | None:
        """The id that `current` leads to, if that release is there."""
        link = self.instance.root / "current"
        if not link.is_symlink():
            return None
        target = Path(os.readlink(link)).name
        return target if self.instance.directory(target).is_dir() else None

    def is_serving(self) -> bool:
        """Whether the wanted release is live, running, listening, enabled for boot, alone, and recorded."""
        instance = self.instance
        units = {unit: self.system.show(unit, "ActiveState", "UnitFileState", "NeedDaemonReload") for unit in self._units()}
        return (
            self.live() == instance.id
            and all(state.get("ActiveState") == "active" for state in units.values())
            and all(state.get("UnitFileState") == "enabled" for state in units.values())
            and all(state.get("NeedDaemonReload") != "yes" for state in units.values())
            and self.system.releases_with_units(instance.app) == {instance.id}
            and instance.socket().is_socket()
            and self._links_are_right()
            and self.result(instance.id) == "good"
            and self._probe_once().status == 200
        )

    def result(self, release: str) -> str:
        """What became of a release: "good", "bad", or "" if it was never proven."""
        with contextlib.suppress(OSError, ValueError):
            return str(json.loads((self.instance.directory(release) / "result.json").read_text())["result"])
        return ""

    # --- What is done -------------------------------------------------------------------------------------------

    def run(self) -> bool:
        """Make it so. True if anything was changed. Raises Refused; the old release then serves as before."""
        if self.is_serving() and not self._prunable():
            return False
        instance = self.instance
        is_proven = self.live() == instance.id and self.result(instance.id) == "good"
        fallback = self._fallback()
        try:
            self._prove()
            if self.live() != instance.id:
                with self._step("flip"):
                    self._flip(instance.id)
            self._prove_through_front()
        except Refused as refused:
            # One that was live and good before this run stays: there is nothing better to put in its place.
            if not is_proven:
                self._give_up(refused, fallback)
            raise
        with self._step("enable"):
            self._must("enable", *self._units())
        self._retire_others()
        if not is_proven:
            self._record("good")
        self._prune()
        return True

    def _prove(self) -> None:
        instance = self.instance
        with self._step("load"):
            self._must("daemon-reload")
            self._link_sockets()
        if self.system.show(instance.service(), "ActiveState").get("ActiveState") != "active":
            with self._step("check"):
                self._start(instance.check_unit(), "check")
        with self._step("start"):
            self._start(instance.socket_unit(), "start")
            self._start(instance.service(), "start")
        with self._step("probe"):
            self._probe()

    def _start(self, unit: str, step: str) -> None:
        since = self.system.now()
        self.system.systemctl("reset-failed", unit)
        code, printed = self.system.systemctl("start", unit)
        if code != 0:
            evidence = self.system.journal(unit, since)
            raise Refused(step, _last_error(evidence) or printed.splitlines()[0], evidence)

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
            state = self.system.show(instance.service(), "ActiveState", "NRestarts")
            if state.get("ActiveState") == "failed" or state.get("NRestarts") != restarts:
                raise self._refusal("probe", f"the instance died while it was probed; last answer: {answer}")
            if remaining <= 0:
                asked = f"{instance.health_path} didn't answer 200 {instance.successes} times in a row"
                raise self._refusal("probe", f"{asked} within {instance.deadline:g} s; last answer: {answer}")
            answer = self._probe_once(min(5.0, remaining))
            good = good + 1 if answer.status == 200 else 0
            if good < instance.successes:
                self.system.sleep(PAUSE)
        if self._restarts() != restarts:
            raise self._refusal("probe", "the instance died after it had answered")

    def _restarts(self) -> str:
        return self.system.show(self.instance.service(), "NRestarts").get("NRestarts", "")

    def _prove_through_front(self) -> None:
        """Ask as a visitor would: the front has to answer 200, and from this release."""
        instance = self.instance
        if not instance.front_address:
            return
        with self._step("probe through the front"):
            end = self.system.now() + 10.0
            while True:
                answer = self.system.ask(instance.front_address, instance.front_host, instance.health_path, 5.0)
                if answer.status == 200 and answer.release == instance.id:
                    return
                if self.system.now() >= end:
                    got = f"{answer} from release {answer.release or 'unknown'}"
                    asked = f"http://{instance.front_address}{instance.health_path} (Host: {instance.front_host})"
                    raise self._refusal("probe through the front", f"{asked} gave {got}, not 200 from {instance.id}")
                self.system.sleep(PAUSE)

    def _flip(self, release: str) -> None:
        """Move socket and static files to a release in one rename, durable before anything else follows."""
        fresh = self.instance.root / ".current-new"
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(f"releases/{release}")
        os.replace(fresh, self.instance.root / "current")
        handle = os.open(self.instance.root, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def _fallback(self) -> str | None:
        """The release to return to: the live one, or, after a run cut off behind its flip, the one that still runs."""
        instance = self.instance
        live = self.live()
        if live != instance.id:
            return live
        others = self.system.releases_with_units(instance.app) - {instance.id}
        good = [release for release in others if self.result(release) == "good"]
        return max(good, key=lambda release: _recorded_at(instance.directory(release)), default=None)

    def _give_up(self, refused: Refused, fallback: str | None) -> None:
        """Put everything back: the old release never noticed, or gets its place again."""
        instance = self.instance
        if self.live() == instance.id:
            with self._step("flip back"):
                if fallback:
                    self._flip(fallback)
                else:
                    (instance.root / "current").unlink()
        with self._step("stop"):
            self._retire(instance.id)
        self._record("bad", refused)

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

    def _record(self, result: str, refused: Refused | None = None) -> None:
        instance = self.instance
        at = datetime.datetime.fromtimestamp(self.system.now(), datetime.timezone.utc).isoformat(timespec="seconds")
        entry: dict[str, Any] = {
            "release": instance.id,
            "result": result,
            "at": at,
            "by": instance.by,
            "seconds": round(self.system.now() - self.began, 1),
        }
        failure = instance.directory() / "failure.log"
        failure.unlink(missing_ok=True)
        if refused:
            entry |= {"step": refused.step, "cause": refused.cause}
            _write(failure, f"{at} {refused.step}: {refused.cause}\n\n{refused.evidence}\n")
        _write(instance.directory() / "result.json", json.dumps({**entry, "steps": self.steps}, indent=2) + "\n")
        history = instance.root / "history.jsonl"
        lines = history.read_text().splitlines() if history.exists() else []
        _write(history, "\n".join([*lines, json.dumps(entry)][-HISTORY_LINES:]) + "\n")

    def _prunable(self) -> list[Path]:
        """Releases and virtualenvs that nobody needs: good ones beyond `keep`, all but a few bad ones, orphans."""
        instance = self.instance
        releases = [path for path in (instance.root / "releases").iterdir() if path.is_dir()]
        by_age = sorted(releases, key=lambda path: _recorded_at(path), reverse=True)
        good = [path for path in by_age if self.result(path.name) == "good"]
        bad = [path for path in by_age if self.result(path.name) != "good"]
        kept = {*good[: instance.keep], *bad[:KEEP_BAD], instance.directory(), instance.directory(self.live())}
        kept_venvs = {(path / "venv").resolve() for path in kept}
        venvs = [path for path in (instance.root / "venvs").glob("*") if path.resolve() not in kept_venvs]
        return [path for path in releases if path not in kept] + venvs

    def _prune(self) -> None:
        for path in self._prunable():
            with self._step(f"remove {path.name}"):
                # Renamed first: a removal that is cut off leaves nothing that looks whole.
                doomed = path.with_name(f".removed-{path.name}")
                path.rename(doomed)
                shutil.rmtree(doomed)

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

    @contextlib.contextmanager
    def _step(self, name: str) -> Iterator[None]:
        began = self.system.now()
        try:
            yield
        finally:
            self.steps.append({"step": name, "seconds": round(self.system.now() - began, 2)})


def _leads_to(link: Path, target: Path) -> bool:
    return link.is_symlink() and os.readlink(link) == os.fspath(target)


def _last_error(journal: str) -> str:
    """The line that names the cause: the last of a Python traceback, as `ImportError: …`."""
    lines = [line.strip() for line in journal.splitlines()]
    for line in reversed(lines):
        word = line.split(":", 1)[0]
        if word.replace(".", "").replace("_", "").isalnum() and word.endswith(("Error", "Exception", "Exit", "Interrupt")):
            return line
    return ""


def _recorded_at(release: Path) -> float:
    """When the release last proved itself or failed to; one without a result counts from its making."""
    for name in ("result.json", "release.json"):
        if (release / name).exists():
            return (release / name).stat().st_mtime
    return release.stat().st_mtime


def _write(path: Path, content: str) -> None:
    """Whole or not at all, readable by root alone: a traceback may hold what a visitor sent."""
    fresh = path.with_name(f".{path.name}-new")
    fresh.write_text(content)
    fresh.chmod(0o600)
    os.replace(fresh, path)
