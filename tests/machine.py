"""A machine made of a folder and two sets: systemd, nginx, sockets and a clock, as the releases see them.

Files are real, below `prefix`. A test may end a run before any change (`cut_at`), fill the disk, pull the plug, or let
an app be ill; what visitors get is asked the way that nginx finds it, by following the links.
"""

from __future__ import annotations

import errno
import fnmatch
import os
import pwd
import shutil
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.uwsgi_flask.web.plugins.module_utils import files
from ansible_collections.uwsgi_flask.web.plugins.module_utils.layout import PROBE_SOCKET, AppLayout
from ansible_collections.uwsgi_flask.web.plugins.module_utils.release_layout import WATCH, WORKER, ReleaseLayout
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.system import Answer, System

PORT = 80
# Changes that need room on the disk.
# Seconds that a visitor's stream takes.
STREAM = 60.0
NEED_ROOM = ("write", "link", "make", "place", "copy", "rename", "build")


class Cut(BaseException):
    """The run ends here: the line dropped, somebody pressed Ctrl-C, or the power went."""


class Machine(System):
    """One host. `ill` says by release what is wrong with its app (see `_health`)."""

    def __init__(self, prefix: Path) -> None:
        self.prefix = prefix
        self.active: set[str] = set()
        self.failed: set[str] = set()
        # Services that were told to stop and still serve streams; and releases that visitors have streams of.
        self.ending: set[str] = set()
        self.streaming: set[str] = set()
        self.ill: dict[str, str] = {}
        self.transient: list[int] = []
        self.nginx = True
        self.failing_hooks: set[str] = set()
        self.hooks_run: list[str] = []
        self.queue: list[int] = []
        self.calls: list[str] = []
        self.done: list[str] = []
        self.builds = 0
        self.cut_at: int | None = None
        self.is_full = False
        self.died: dict[str, int] = {}
        # Bytes that each service takes, and that are left.
        self.takes = 0
        self.left = 2**40
        # Releases whose workers have worked, in order.
        self.worked: list[str] = []
        self.seconds = 1_700_000_000.0
        self.wants = prefix / "etc/systemd/system/multi-user.target.wants"
        for folder in ("etc/systemd/system/multi-user.target.wants", "etc/tmpfiles.d", "run", "opt", "var/lib"):
            (prefix / folder).mkdir(parents=True)

    def app(self, name: str) -> AppLayout:
        return AppLayout(name, user=pwd.getpwuid(os.geteuid()).pw_name, group="root", prefix=str(self.prefix))

    # --- What a test does ---------------------------------------------------------------------------------------

    def doing(self, app: str, step: str) -> None:
        self.done.append(f"{app} {step}")

    def changing(self, what: str) -> None:
        if self.cut_at is not None:
            if self.cut_at == 0:
                raise Cut(what)
            self.cut_at -= 1
        if self.is_full and what.startswith(NEED_ROOM):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), what)
        self.calls.append(what)

    def boot(self) -> None:
        """The power went and came back: nothing runs, /run is empty, and what is enabled starts."""
        for state in (self.active, self.failed, self.ending, self.streaming):
            state.clear()
        for left in (self.prefix / "run").iterdir():
            shutil.rmtree(left)
        for configuration in sorted((self.prefix / "etc/tmpfiles.d").glob("*.conf")):
            self._make(configuration)
        for link in sorted(self.wants.iterdir()):
            self._start(link.name)

    def visit(self, name: str) -> Answer:
        """What a visitor of the app gets, right now."""
        return self._through(self.app(name).live_socket)

    def running(self, name: str) -> set[str]:
        """Ids of the releases whose service runs."""
        layout = self.app(name)
        services = [unit for unit in self.active if unit.endswith(".service") and not layout.is_job(unit)]
        return {layout.release_of(unit) for unit in services} - {""}

    def working(self, name: str) -> set[str]:
        """Units of workers and timers that run."""
        layout = self.app(name)
        return {unit for unit in self.active if (it := layout.release_of(unit)) and layout.release(it).is_extra(unit)}

    # --- systemd ------------------------------------------------------------------------------------------------

    def run(
        self, words: Sequence[str], environment: Mapping[str, str] | None = None, timeout: float | None = None
    ) -> tuple[int, str]:
        if words[0] == "systemd-run":
            return self._build(words)
        if words[:2] == ["systemd-analyze", "calendar"]:
            return (1, f"Failed to parse '{words[-1]}'\nmore") if words[-1] == "never" else (0, "")
        if words[:2] == ["systemctl", "stop"]:
            return 0, ""
        return super().run(words, environment, timeout)

    def _build(self, words: Sequence[str]) -> tuple[int, str]:
        """What `systemd-run … pip install` leaves: a small tree in the place that is bound to the virtualenv's."""
        self.builds += 1
        (bound,) = (word.partition("BindPaths=")[2] for word in words if "BindPaths=" in word)
        tree = Path(bound.partition(":")[0])
        shutil.rmtree(tree, ignore_errors=True)
        (tree / "bin").mkdir(parents=True)
        (tree / "bin/python").symlink_to("/usr/bin/python3")
        (tree / "bin/flask").write_text("#!python\n")
        (tree / "bin/flask").chmod(0o755)
        return 0, "Successfully installed flask"

    def systemctl(self, *words: str) -> tuple[int, str]:
        self.changing(f"systemctl {' '.join(words)}")
        verb, units = words[0], [word for word in words[1:] if not word.startswith("--")]
        if "--no-block" in words:
            self.ending |= {unit for unit in self.active & {*units} if self._streams(unit)}
            self.active -= self.ending
            units = [unit for unit in units if unit not in self.ending]
        codes = [getattr(self, f"_{verb.replace('-', '_')}", lambda _unit: 0)(unit) for unit in units]
        return max(codes, default=0), "" if not any(codes) else f"{verb} of {units} failed"

    def _streams(self, unit: str) -> bool:
        return unit.endswith(".service") and unit.partition("@")[2].removesuffix(".service") in self.streaming

    def _streams_end(self, unit: str) -> None:
        self.streaming.discard(unit.partition("@")[2][:12])
        self.ending.discard(unit)

    def _await_streams(self, unit: str) -> None:
        """As systemd does, before it has stopped a service, or starts it again."""
        if self._streams(unit):
            self.seconds += STREAM
            self._streams_end(unit)

    def _kill(self, unit: str) -> int:
        self._streams_end(unit)
        return 0

    def _start(self, unit: str) -> int:
        file = self.prefix / "etc/systemd/system" / unit
        if not file.is_file():
            return 5
        release = unit.partition("@")[2][:12]
        layout = self.app(unit.partition("@")[0]).release(release)
        if unit == layout.target:
            wanted = [*layout.parts, layout.unit(WATCH), *self._extras(layout)]
            return max(self._start(part) for part in wanted) or self._up(unit)
        if unit == layout.unit(WATCH):
            return self._up(unit)
        if layout.is_extra(unit):
            self.worked.append(release)
            return self._up(unit)
        if unit in (layout.unit("before"), layout.unit("after"), layout.unit("check")):
            is_check = unit == layout.unit("check")
            step = unit.removesuffix(".service").rpartition("-")[2]
            is_bad = self.ill.get(release) == "import" if is_check else self._fails(layout.script(step))
            self.hooks_run += [] if is_check or is_bad else [unit]
            self.failed |= {unit} if is_bad else set()
            return int(is_bad)
        if unit == layout.service:
            if unit in self.ending:
                self._await_streams(unit)
            if self.ill.get(release) == "start":
                self.failed.add(unit)
                return 1
            self._start(layout.unit("socket"))
        elif unit not in self.active:
            layout.socket.parent.mkdir(exist_ok=True)
            layout.socket.touch()
            layout.socket.chmod(0o660)
        return self._up(unit)

    def _extras(self, layout: ReleaseLayout) -> list[str]:
        """The workers and timers that the target wants, which are those whose units are there."""
        found = layout.app.units.glob(layout.app.unit_pattern(layout.id))
        return sorted(path.name for path in found if layout.is_extra(path.name))

    def _fails(self, script: Path) -> bool:
        return script.exists() and any(line in script.read_text().splitlines() for line in self.failing_hooks)

    def _up(self, unit: str) -> int:
        self.active.add(unit)
        self.failed.discard(unit)
        return 0

    def _stop(self, unit: str) -> int:
        name, _at, rest = unit.partition("@")
        layout = self.app(name).release(rest[:12])
        for part in [*layout.serving, layout.unit(WATCH), *self._extras(layout)] if unit == layout.target else [unit]:
            # To stop the target is to ask its parts, and to wait for none.
            if part == unit:
                self._await_streams(part)
            self.active.discard(part)
            if part == layout.unit("socket"):
                layout.socket.unlink(missing_ok=True)
        return 0

    def _enable(self, unit: str) -> int:
        link = self.wants / unit
        link.unlink(missing_ok=True)
        link.symlink_to(self.prefix / "etc/systemd/system" / unit)
        return 0

    def _disable(self, unit: str) -> int:
        (self.wants / unit).unlink(missing_ok=True)
        return 0

    def _reset_failed(self, unit: str) -> int:
        self.failed.discard(unit)
        return 0

    def show(self, units: Sequence[str], *properties: str) -> dict[str, dict[str, str]]:
        return {unit: self._state(unit) for unit in units}

    def _state(self, unit: str) -> dict[str, str]:
        release = unit.partition("@")[2][:12]
        comes_back = unit in self.active and f"-{WORKER}" in unit and self.ill.get(release) == "worker"
        states = {"active": self.active, "failed": self.failed, "deactivating": self.ending}
        state = next((name for name, units in states.items() if unit in units), "inactive")
        return {
            "ActiveState": "activating" if comes_back else state,
            "NeedDaemonReload": "no",
            "Result": "exit-code" if unit in self.failed else "success",
            "ExecMainStatus": "1" if unit in self.failed else "0",
            "SocketMode": "0660",
            "SocketGroup": "root",
            "NRestarts": str(self.died.get(release, 0)),
            "MainPID": "1",
            "LoadState": "loaded",
        }

    def states(self, *patterns: str) -> dict[str, str]:
        known = self.active | self.failed | self.ending
        matching = (unit for unit in known if any(fnmatch.fnmatch(unit, pattern) for pattern in patterns))
        return {unit: self._state(unit)["ActiveState"] for unit in matching}

    def make_temporary_files(self, configuration: Path) -> None:
        self.changing(f"tmpfiles {configuration}")
        self._make(configuration)

    def _make(self, configuration: Path) -> None:
        for line in configuration.read_text().splitlines():
            words = line.split()
            if words[:1] == ["d"]:
                Path(words[1]).mkdir(parents=True, exist_ok=True)
                Path(words[1]).chmod(int(words[2], 8))
            elif words[:1] == ["L+"]:
                files.remove(Path(words[1]))
                Path(words[1]).symlink_to(words[-1])

    def sync(self) -> None:
        pass

    def journal(self, unit: str, since: float) -> str:
        return "ImportError: no shop" if "import" in self.ill.values() else "the journal"

    # --- Sockets ------------------------------------------------------------------------------------------------

    def ask(self, address: str | Path, host: str, path: str, timeout: float) -> Answer:
        self.seconds += 0.01
        name = host.removesuffix(".test")
        if address == f"http://127.0.0.1:{PORT}":
            return self.visit(name) if self.nginx else Answer(0, error="ConnectionRefusedError")
        if address == Path(f"{self.prefix}{PROBE_SOCKET}"):
            layout = self.app(name)
            return self._through(layout.candidate_socket) if self.nginx else Answer(0, error="ConnectionRefusedError")
        release = Path(address).parent.name
        is_up = f"{name}@{release}.service" in self.active
        return self._health(release, "probe") if is_up else Answer(0, error="ConnectionRefusedError")

    def _through(self, link: Path) -> Answer:
        """What nginx gets at a socket that it finds through links."""
        path = Path(os.path.realpath(link))
        name, release = path.parent.name, path.name.removesuffix(".sock")
        is_up = path.exists() and {f"{name}@{release}.socket", f"{name}@{release}.service"} <= self.active
        kind = "front" if link.name == "candidate.sock" else "visit"
        return self._health(release, kind) if is_up else Answer(502)

    def _health(self, release: str, kind: str) -> Answer:
        """`ill` may be "sick" (500 to all), or "sick-front" or "sick-visit" (500 to these alone)."""
        status = self.transient.pop() if self.transient and kind != "visit" else 200
        is_sick = self.ill.get(release) in ("sick", f"sick-{kind}")
        return Answer(500 if is_sick else status, release)

    def listens(self, path: Path) -> bool:
        return path.exists() and f"{path.parent.name}@{path.name.removesuffix('.sock')}.socket" in self.active

    def waiting(self, path: Path) -> int:
        return self.queue.pop(0) if self.queue else 0

    # --- The clock ----------------------------------------------------------------------------------------------

    def memory_of(self, process: int) -> int:
        return self.takes

    def memory_left(self) -> int:
        return self.left

    def now(self) -> float:
        return self.seconds

    def clock(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds


def archive_of(folder: Path, texts: Mapping[str, str]) -> tuple[Path, list[list[Any]]]:
    """A packed source, and its files as [path, SHA-256, executable]."""
    folder.mkdir(parents=True, exist_ok=True)
    source = folder / "source"
    shutil.rmtree(source, ignore_errors=True)
    listed = []
    packed = folder / "source.tar.gz"
    with tarfile.open(packed, "w:gz") as tar:
        for path, text in sorted(texts.items()):
            (source / path).parent.mkdir(parents=True, exist_ok=True)
            (source / path).write_text(text)
            tar.add(source / path, arcname=path)
            listed.append([path, files.sha256(source / path), False])
    return packed, listed
