"""Where everything of one release is, and what its units are called: layout.py has the rest."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ansible_collections.uwsgi_flask.web.plugins.module_utils.layout import AppLayout

# Hexadecimal digits of a release's id: 48 bits, so two releases of one app collide about once in 17 million deploys.
ID_DIGITS = 12
ID = re.compile(rf"[0-9a-f]{{{ID_DIGITS}}}")

# A release's link to its socket, called so that one link to the directory leads to both.
SOCKET_LINK = "socket"

# What a release runs once, each as a unit of its own: the import check, and the hooks around going live.
CHECK, BEFORE, AFTER = STEPS = ("check", "before", "after")
# What serves, in the order in which it is started. All of it hangs on the release's target.
PARTS = ("socket", "service")
# What watches over the links and the socket that lead to a live release, and what it starts.
WATCH, MEND = "watch", "mend"
# What a worker's kind begins with: "worker-mail" is that of the worker `mail`.
WORKER = "worker-"
# A timer's, and that of what it starts.
TIMER, JOB = "timer-", "job-"
# What runs once in a release and is let end, whatever becomes of the release meanwhile.
COMMAND = "command-"
JOBS = (JOB, COMMAND)


class Described:
    """Places that are told as plain values, to templates and to what is sent to a host."""

    def describe(self) -> dict[str, Any]:
        fields = dataclasses.fields(self)  # type: ignore[arg-type]
        names = [field.name for field in fields if field.name not in ("app", "prefix")]
        names += [name for name, member in vars(type(self)).items() if isinstance(member, property)]
        values = {name: getattr(self, name) for name in names if name != "socket_names"}
        return {name: str(value) if isinstance(value, Path) else value for name, value in values.items()}


@dataclasses.dataclass(frozen=True)
class ReleaseLayout(Described):
    """The places of one release of an app. `workers` and `timers` are the names of what works beside what serves."""

    app: AppLayout
    id: str
    workers: tuple[str, ...] = ()
    timers: tuple[str, ...] = ()

    def with_extras(self, described: Mapping[str, Any]) -> ReleaseLayout:
        """The same with the workers and timers that a description of the release has."""
        workers, timers = (tuple(described.get(name, ())) for name in ("workers", "timers"))
        return dataclasses.replace(self, workers=workers, timers=timers)

    @property
    def directory(self) -> Path:
        return self.app.releases / self.id

    @property
    def link_target(self) -> str:
        """What `current` and its like hold while they lead to this release."""
        return f"{self.app.releases.name}/{self.id}"

    @property
    def code(self) -> Path:
        return self.directory / "code"

    @property
    def public(self) -> Path:
        """The link to the folder of the code that nginx serves."""
        return self.directory / "public"

    @property
    def virtualenv(self) -> Path:
        """The link to a virtualenv, which releases with the same requirements share."""
        return self.directory / "venv"

    @property
    def requirements(self) -> Path:
        return self.directory / "requirements.txt"

    @property
    def ini(self) -> Path:
        return self.directory / f"{self.app.name}.ini"

    @property
    def wsgi(self) -> Path:
        """Names the app for the app server."""
        return self.directory / "wsgi.py"

    @property
    def environment(self) -> Path:
        return self.directory / "environment"

    @property
    def steps(self) -> Path:
        return self.directory / "steps"

    @property
    def mend(self) -> Path:
        """Makes anew what leads visitors here."""
        return self.directory / "mend.sh"

    @property
    def enabled(self) -> Path:
        """The link that has it started at boot."""
        return self.app.wants / self.target

    @property
    def description(self) -> Path:
        """What the release is made of."""
        return self.directory / "release.json"

    @property
    def result(self) -> Path:
        """What became of it."""
        return self.directory / "result.json"

    @property
    def failure(self) -> Path:
        """What programs said when it was refused."""
        return self.directory / "failure.log"

    @property
    def socket_link(self) -> Path:
        """Leads from the release's directory to its socket, so that one link to the directory moves both."""
        return self.directory / SOCKET_LINK

    @property
    def socket(self) -> Path:
        """What nginx connects to; systemd holds it."""
        return self.app.run / f"{self.id}.sock"

    @property
    def run(self) -> Path:
        return self.app.run / self.id

    @property
    def runtime_directory(self) -> str:
        """The same as systemd wants it, below /run."""
        return f"{self.app.run_root}/{self.app.name}/{self.id}".removeprefix("/run/")

    @property
    def http_socket(self) -> Path:
        """What probes connect to: it speaks HTTP."""
        return self.run / "http.sock"

    @property
    def stats_socket(self) -> Path:
        return self.run / "stats.sock"

    @property
    def target(self) -> str:
        return self.unit("target")

    @property
    def service(self) -> str:
        return self.unit("service")

    def script(self, step: str) -> Path:
        return self.steps / step

    def unit(self, kind: str) -> str:
        """The name of a unit: "target", one of PARTS or STEPS, WATCH, MEND, or a worker's kind, a timer's or a job's."""
        if kind.startswith(TIMER):
            return f"{self.app.name}@{self.id}-{kind}.timer"
        if kind == WATCH:
            return f"{self.app.name}@{self.id}-{kind}.path"
        is_extra = kind in (*STEPS, MEND) or kind.startswith((WORKER, *JOBS))
        return f"{self.app.name}@{self.id}-{kind}.service" if is_extra else f"{self.app.name}@{self.id}.{kind}"

    def is_extra(self, unit: str) -> bool:
        """Whether a unit is one of the release's workers or timers."""
        return unit.startswith(tuple(f"{self.app.name}@{self.id}-{kind}" for kind in (WORKER, TIMER)))

    def workers_by_name(self) -> list[tuple[str, str]]:
        """Each worker with its kind."""
        return [(name, f"{WORKER}{name}") for name in self.workers]

    @property
    def worker_kinds(self) -> list[str]:
        return [kind for _name, kind in self.workers_by_name()]

    def timer(self, name: str) -> dict[str, str]:
        """A timer's kind as `clock`, and as `kind` and `unit` those of what it starts."""
        return {"clock": f"{TIMER}{name}", "kind": f"{JOB}{name}", "unit": self.unit(f"{JOB}{name}")}

    @property
    def timer_kinds(self) -> list[str]:
        return [f"{kind}{name}" for name in self.timers for kind in (TIMER, JOB)]

    @property
    def timer_units(self) -> list[str]:
        return [self.unit(f"{TIMER}{name}") for name in self.timers]

    @property
    def worker_units(self) -> list[str]:
        return [self.unit(kind) for kind in self.worker_kinds]

    @property
    def unit_names(self) -> dict[str, str]:
        """Every unit of the release by its kind."""
        kinds = ("target", *PARTS, WATCH, MEND, *STEPS, *self.worker_kinds, *self.timer_kinds)
        return {kind: self.unit(kind) for kind in kinds}

    @property
    def parts(self) -> list[str]:
        """The units that answer requests."""
        return [self.unit(part) for part in PARTS]

    @property
    def serving(self) -> list[str]:
        """The units without which nobody is served, the target last."""
        return [*self.parts, self.target]

    @property
    def running(self) -> list[str]:
        """The units that run while the release is live."""
        return [*self.serving, self.unit(WATCH), *self.worker_units, *self.timer_units]

    def unit_file(self, kind: str) -> Path:
        return self.app.units / self.unit(kind)
