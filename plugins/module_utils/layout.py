"""Where everything of an app is: every path, unit and socket name is spelt here, or for a release in release_layout.py.

The settings, the templates and the code on the hosts all take them from here, so that no two can disagree. No Ansible
in here, and nothing is read or written.
"""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

from ansible_collections.uwsgi_flask.web.plugins.module_utils.release_layout import (
    ID,
    JOBS,
    SOCKET_LINK,
    Described,
    ReleaseLayout,
)

# Where nginx listens for probes: in a directory that only root reaches, so no visitor ever gets a release unproven.
PROBE_SOCKET = "/run/web-probe/nginx.sock"
# Where it does for a moment while a lost socket is made anew.
PROBE_SOCKET_AGAIN = f"{PROBE_SOCKET}.again"
# Where certbot puts what a CA asks for, and nginx finds it: outside releases, so it doesn't matter which one is live.
WEBROOT = "/var/lib/web-acme"
# What logrotate remembers of nginx's logs.
LOGS_STATE = "/var/lib/web-logs"
# Where nginx makes its folders for bodies of requests and answers; without it, it doesn't start.
BODIES = "/var/lib/nginx"
# Where an app's temporary files are, uploads for instance: on the disk, while /tmp may be memory. Each of its units has
# one of its own, by PrivateTmp=.
TEMPORARY = "/var/tmp"


@dataclasses.dataclass(frozen=True)
class AppLayout(Described):
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
    def wheels(self) -> Path:
        """What was sent for the newest virtualenv, where no index is asked: the next one needs most of it."""
        return self.root / "wheels"

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
    def first_host(self) -> Path:
        """Is there on the one host of the fleet that runs what runs on one alone."""
        return self.root / "first-host"

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
    def previous_public(self) -> Path:
        """Those of the release that was live before: a page of it may still be open somewhere."""
        return self.previous / "public"

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

    def is_job(self, unit: str) -> bool:
        """Whether a unit is a job of a release: it is let end, and holds the release's files meanwhile."""
        release = self.release_of(unit)
        kinds = tuple(f"{self.name}@{release}-{kind}" for kind in JOBS)
        return bool(release) and unit.startswith(kinds) and unit.endswith(".service")

    def release(self, release: str) -> ReleaseLayout:
        return ReleaseLayout(self, release)

    def _path(self, path: str) -> Path:
        return Path(self.prefix + path)


@dataclasses.dataclass(frozen=True)
class FirewallLayout:
    """The places of the host's firewall. `prefix` stands in front of every absolute path, in tests alone."""

    prefix: str = ""
    unit: str = "web-firewall.service"
    # Puts the old rules back unless the new ones are confirmed: a transient timer and service of this name.
    undo: str = "web-firewall-undo"

    @property
    def rules(self) -> Path:
        return Path(f"{self.prefix}/etc/web-firewall.nft")

    @property
    def unit_file(self) -> Path:
        return Path(f"{self.prefix}/etc/systemd/system/{self.unit}")

    @property
    def before(self) -> Path:
        """The rules that the timer puts back."""
        return Path(f"{self.prefix}/run/web-firewall/before.nft")

    @property
    def trial(self) -> Path:
        return Path(f"{self.prefix}/run/web-firewall/trial.nft")

    @property
    def nft(self) -> Path:
        return Path(f"{self.prefix}/usr/sbin/nft")
