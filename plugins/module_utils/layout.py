"""Where everything of an app is: every path, unit and socket name of an app and of its releases is spelt here alone.

The settings, the templates and the code on the hosts all take them from here, so that no two can disagree. No Ansible
in here, and nothing is read or written.
"""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

# Hexadecimal digits of a release's id: 48 bits, so two releases of one app collide about once in 17 million deploys.
ID_DIGITS = 12
ID = re.compile(rf"[0-9a-f]{{{ID_DIGITS}}}")

# Where nginx listens for probes: in a directory that only root reaches, so no visitor ever gets a release unproven.
PROBE_SOCKET = "/run/web-probe/nginx.sock"
# Where it does for a moment while a lost socket is made anew.
PROBE_SOCKET_AGAIN = f"{PROBE_SOCKET}.again"
# Where certbot puts what a CA asks for, and nginx finds it: outside releases, so it doesn't matter which one is live.
WEBROOT = "/var/lib/web-acme"

# A release's link to its socket, called so that one link to the directory leads to both.
SOCKET_LINK = "socket"

# What a release runs once, each as a unit of its own: the import check, and the hooks around going live.
CHECK, BEFORE, AFTER = STEPS = ("check", "before", "after")
# What serves, in the order in which it is started. All of it hangs on the release's target.
PARTS = ("socket", "service")


@dataclasses.dataclass(frozen=True)
class AppLayout:
    """The places of one app on a host.

    `user` and `group` are those that the app runs as. `prefix` stands in front of every absolute path, in tests alone.
    """

    name: str
    app_root: str = "/opt"
    run_root: str = "/run"
    user: str = "www"
    group: str = "www"
    prefix: str = ""

    @property
    def root(self) -> Path:
        """Releases, virtualenvs and the links that say which release is live."""
        return self._path(f"{self.app_root}/{self.name}")

    @property
    def run(self) -> Path:
        """Sockets; gone after a boot, and made anew by systemd-tmpfiles."""
        return self._path(f"{self.run_root}/{self.name}")

    @property
    def data(self) -> Path:
        """The app's own, the only place where it may write."""
        return self._path(f"/var/lib/{self.name}")

    @property
    def registration(self) -> Path:
        """Says that the app is ours, and what of the host belongs to it: nothing else is ever removed."""
        return self._path(f"/var/lib/web-apps/{self.name}.json")

    @property
    def releases(self) -> Path:
        return self.root / "releases"

    @property
    def virtualenvs(self) -> Path:
        return self.root / "venvs"

    @property
    def current(self) -> Path:
        """The link to the live release."""
        return self.root / "current"

    @property
    def previous(self) -> Path:
        """The link to the release that was live before."""
        return self.root / "previous"

    @property
    def candidate(self) -> Path:
        """The link to the release that is being proven."""
        return self.root / "candidate"

    @property
    def maintenance(self) -> Path:
        """A folder that is there while the app is closed to visitors."""
        return self.root / "maintenance"

    @property
    def history(self) -> Path:
        return self.root / "history.jsonl"

    @property
    def hooks(self) -> Path:
        """Which hooks have been run on this host."""
        return self.root / "hooks.json"

    @property
    def live_socket(self) -> Path:
        """What nginx connects to for visitors: leads to the live release's socket through `current`."""
        return self.run / f"{self.name}.sock"

    @property
    def candidate_socket(self) -> Path:
        """What nginx connects to for probes: leads to the release that is being proven."""
        return self.run / "candidate.sock"

    @property
    def socket_names(self) -> dict[Path, Path]:
        """What the names that nginx connects to lead to, through the links that a deploy moves."""
        return {self.live_socket: self.current / SOCKET_LINK, self.candidate_socket: self.candidate / SOCKET_LINK}

    @property
    def public(self) -> Path:
        """The static files of the live release, as nginx finds them."""
        return self.current / "public"

    @property
    def tmpfiles(self) -> Path:
        return self._path(f"/etc/tmpfiles.d/{self.name}.conf")

    @property
    def units(self) -> Path:
        """The folder of all units; every file `<name>@<id>*` in it is the app's."""
        return self._path("/etc/systemd/system")

    @property
    def wants(self) -> Path:
        """Links to what systemd starts at boot."""
        return self.units / "multi-user.target.wants"

    @property
    def build(self) -> Path:
        """What is being built, by a user that owns nothing else; its parent is made by systemd."""
        return self._path(f"/var/cache/private/web-build/{self.name}")

    @property
    def build_links(self) -> Path:
        """Where systemd shows the same to others, as links."""
        return self._path(f"/var/cache/web-build/{self.name}")

    @property
    def build_unit(self) -> str:
        return f"web-build-{self.name}.service"

    def unit_pattern(self, release: str = "") -> str:
        """A pattern that matches the units of all releases, or of one."""
        return f"{self.name}@{release}*"

    def release_of(self, unit: str) -> str:
        """The id of the release that a unit belongs to; "" if it is no unit of this app."""
        found = re.match(rf"{re.escape(self.name)}@({ID.pattern})[.-]", unit)
        return found.group(1) if found else ""

    def release(self, release: str) -> ReleaseLayout:
        return ReleaseLayout(self, release)

    def describe(self) -> dict[str, Any]:
        """Every place as a plain value, for templates and for what is sent to a host."""
        return _plain(self)

    def _path(self, path: str) -> Path:
        return Path(self.prefix + path)


@dataclasses.dataclass(frozen=True)
class ReleaseLayout:
    """The places of one release of an app."""

    app: AppLayout
    id: str

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
    def environment(self) -> Path:
        return self.directory / "environment"

    @property
    def steps(self) -> Path:
        return self.directory / "steps"

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
        """The name of a unit: "target", one of PARTS, or one of STEPS."""
        return f"{self.app.name}@{self.id}-{kind}.service" if kind in STEPS else f"{self.app.name}@{self.id}.{kind}"

    @property
    def unit_names(self) -> dict[str, str]:
        """Every unit of the release by its kind."""
        return {kind: self.unit(kind) for kind in ("target", *PARTS, *STEPS)}

    @property
    def serving(self) -> list[str]:
        """The units that run while the release serves, the target last."""
        return [*(self.unit(part) for part in PARTS), self.target]

    def unit_file(self, kind: str) -> Path:
        return self.app.units / self.unit(kind)

    def describe(self) -> dict[str, Any]:
        """Every place as a plain value, for templates."""
        return _plain(self)


def _plain(layout: Any) -> dict[str, Any]:
    names = [field.name for field in dataclasses.fields(layout) if field.name not in ("app", "prefix")]
    properties = [name for name, member in vars(type(layout)).items() if isinstance(member, property)]
    values = {name: getattr(layout, name) for name in [*names, *properties] if name != "socket_names"}
    return {name: str(value) if isinstance(value, Path) else value for name, value in values.items()}
