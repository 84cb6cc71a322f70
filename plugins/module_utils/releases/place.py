"""A release's directory and units on the host: made whole beside what serves, and never changed once it is live."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import Any

from ansible_collections.uwsgi_flask.web.plugins.module_utils import files
from ansible_collections.uwsgi_flask.web.plugins.module_utils.files import OwnedFile
from ansible_collections.uwsgi_flask.web.plugins.module_utils.layout import AppLayout
from ansible_collections.uwsgi_flask.web.plugins.module_utils.release_layout import ReleaseLayout
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases import (
    calendars,
    instance,
    interpreter,
    registration,
    virtualenv,
)
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.code import Tree, environment_file
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.code import Wanted as CodeFile
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.data import Data
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.records import Records, read_json
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.refused import Refused
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.system import System
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.wanted import Content, Wanted
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.wheels import Wheels

# Everybody may pass, nobody may list: nginx goes through to the static files, each file has a mode of its own.
PASSED = 0o751


@dataclasses.dataclass
class Placing:
    """Puts one release where it belongs. `archive` holds its code, a file or its content, and `packed_wheels` what pip
    installs, where the host lacks them.

    `is_first` is whether this host runs what runs on one host alone.
    """

    wanted: Wanted
    content: Content
    system: System
    archive: Path | bytes | None = None
    is_first: bool = False
    packed_wheels: Path | None = None

    def __post_init__(self) -> None:
        self.layout = self.wanted.layout
        self.app = self.layout.app
        self.records = Records(self.app, self.system)
        self.data = Data(self.app, self.system, self.content.media)
        self.tree = Tree(
            root=self.layout.code,
            wanted=[CodeFile(*file) for file in self.content.code],
            public_folder=self.content.public_folder,
            group=self.app.group,
        )
        self.wheels = Wheels(self.app.wheels, dict(self.content.sent_wheels or []))

    def lacks_code(self) -> bool:
        """Whether the code must be sent."""
        return bool(self.tree.damage())

    def lacking_wheels(self) -> list[str]:
        """Wheels that must be sent, because the virtualenv must be built."""
        return self.wheels.lacking() if self.wheels.wanted and not self._built() else []

    def files(self) -> list[OwnedFile]:
        """What lies beside the code, but for the description."""
        layout, content, group = self.layout, self.content, self.app.group
        scripts = {step: lines for step, lines in content.scripts.items() if lines}
        return [
            OwnedFile(layout.ini, content.ini, 0o640, group),
            OwnedFile(layout.wsgi, content.wsgi, 0o640, group),
            OwnedFile(layout.mend, "#!/bin/sh\n" + content.mend, 0o700),
            OwnedFile(layout.requirements, content.requirements, 0o640, group),
            # systemd reads it as root for the instance; nobody else must.
            OwnedFile(layout.environment, environment_file(content.environment), 0o600),
            *(
                OwnedFile(layout.script(step), "#!/bin/sh\nset -eu\n" + "\n".join(lines) + "\n", 0o750, group)
                for step, lines in scripts.items()
            ),
            *(OwnedFile(layout.unit_file(kind), text) for kind, text in content.units.items()),
        ]

    def is_right(self) -> bool:
        """Whether nothing is left to do."""
        owned = self.files()
        return (
            not self.tree.damage()
            and not self.tree.unguarded()
            and not _unguarded(self.layout, self.app.group)
            and all(file.is_right() for file in owned)
            and self._links_are_right()
            and self._description(owned).is_right()
            and instance.tmpfiles(self.app).is_right()
            and self.data.is_right()
            and self.app.first_host.is_file() is self.is_first
        )

    def run(self) -> bool:
        """Place it. True if anything was changed. Raises Refused, OSError and ValueError; what serves never notices."""
        registered = registration.register(self.system, self.app, self.wanted.front, self.wanted.drain)
        is_live = self.records.live() == self.layout.id
        if self.is_right():
            if not is_live:
                # A run that was cut off may have written units that systemd hasn't read.
                self.system.reload_units_later()
            return registered
        calendars.check(self.system, self.content.about["timers"])
        interpreter.asked_for(self.content.python)
        self.data.share()
        for path, mode in _directories(self.layout).items():
            self.system.make_directory(path, mode, self.app.group)
        self._code(is_live)
        venv = self._virtualenv()
        for link, target in self._links(venv).items():
            if not files.leads_to(link, target):
                self.system.link(link, target)
        owned = self.files()
        for file in owned:
            self._put(file, is_live)
        description = self._description(owned)
        if not description.is_right():
            self.system.put(description)
        self._first_host()
        instance.ensure_sockets_directory(self.system, self.app)
        self.system.reload_units_later()
        return True

    def _first_host(self) -> None:
        """A matter of the host, so no part of the release: it may change while the release is live."""
        if not self.is_first:
            self.system.remove(self.app.first_host)
        elif not self.app.first_host.is_file():
            self.system.put(OwnedFile(self.app.first_host, ""))

    def _code(self, is_live: bool) -> None:
        damage = self.tree.damage()
        if damage:
            if is_live:
                raise _changed_meanwhile(damage[0])
            if self.archive is None:
                raise ValueError("the code is missing, and none was sent")
            # Nobody is served by it; a run that was cut off may have left it running.
            instance.stop(self.system, self.layout)
            self.system.changing(f"place {self.layout.code}")
            self.tree.place(self.archive)
        if self.tree.unguarded():
            self.system.changing(f"guard {self.layout.code}")
            self.tree.guard()

    def _built(self) -> Path | None:
        """The virtualenv, if there is an intact one."""
        linked = self.layout.virtualenv
        if linked.is_symlink() and linked.resolve().parent == self.app.virtualenvs.resolve():
            named = self.app.virtualenvs / linked.resolve().name
            belongs = named.name.partition("-")[0] == self.content.virtualenv_key
            if belongs and (self.records.live() == self.layout.id or virtualenv.is_usable(named)):
                return named
        return virtualenv.find(self.app, self.content.virtualenv_key)

    def _virtualenv(self) -> Path:
        if built := self._built():
            return built
        return virtualenv.build(
            self.system,
            self.app,
            self.content.virtualenv_key,
            interpreter.asked_for(self.content.python),
            self.content.requirements,
            [
                *(self.layout.code / wheel for wheel in self.content.wheels),
                *self.wheels.place(self.system, self.packed_wheels),
            ],
            self.content.build_environment,
            asks_index=self.content.sent_wheels is None,
        )

    def _links(self, venv: Path) -> dict[Path, str]:
        return {
            self.layout.virtualenv: os.path.relpath(venv, self.layout.directory),
            self.layout.public: f"code/{self.content.public_folder}",
            self.layout.socket_link: os.fspath(self.layout.socket),
        }

    def _links_are_right(self) -> bool:
        venv = self.layout.virtualenv
        return venv.is_symlink() and all(
            files.leads_to(link, target)
            for link, target in self._links(self.app.virtualenvs / venv.resolve().name).items()
        )

    def _put(self, file: OwnedFile, is_live: bool) -> None:
        if not file.has_its_text():
            if is_live:
                raise _changed_meanwhile(os.fspath(file.path))
            self.system.put(file)
        elif not file.is_guarded():
            self.system.guard(file.path, file.mode, file.group)

    def _description(self, owned: list[OwnedFile]) -> OwnedFile:
        described = {
            "app": self.app.name,
            "id": self.layout.id,
            "group": self.app.group,
            **self.content.about,
            "virtualenv": self.layout.virtualenv.resolve().name,
            "variables": sorted(self.content.environment),
            "code": {path: [sha256, executable] for path, sha256, executable in self.content.code},
            "public_folder": self.content.public_folder,
            "files": {os.fspath(file.path): file.digest() for file in owned},
        }
        return OwnedFile(self.layout.description, json.dumps(described, indent=2) + "\n", 0o640, self.app.group)


def damage(app: AppLayout, release: str) -> list[str]:
    """How a release differs from what was deployed, a line for each difference; none if it is as it was.

    Modes and owners don't count: they are mended in place.
    """
    layout = app.release(release)
    try:
        return _damage(app, layout, read_json(layout.description))
    except (OSError, LookupError, TypeError, ValueError, AttributeError):
        return [f"{layout.description} is missing or broken"]


def _damage(app: AppLayout, layout: ReleaseLayout, described: dict[str, Any]) -> list[str]:
    lines = [f"{layout.code}/{path} isn't as it was deployed" for path in _tree(layout, described).damage()]
    for name, digest in described["files"].items():
        path = Path(name)
        if path.is_symlink() or not path.is_file():
            lines.append(f"{path} is missing")
        elif files.sha256(path) != digest:
            lines.append(f"{path} was changed")
    venv = app.virtualenvs / described["virtualenv"]
    lines += [f"{venv}/{path} isn't as it was built" for path in virtualenv.damage(venv)]
    if venv.is_dir() and (reason := virtualenv.orphaned(venv)):
        lines.append(f"{venv} can't be used: {reason}")
    return lines


def unguarded(app: AppLayout, release: str) -> list[str]:
    """Paths of a release's code, and of what it lies in, whose mode or owner isn't right."""
    layout = app.release(release)
    described = read_json(layout.description)
    paths = [layout.code / path for path in _tree(layout, described).unguarded()] if "code" in described else []
    paths += [] if Data(app, System()).has_its_mode() else [app.data]
    # One from before apps had groups of their own doesn't say what its folders should have.
    paths += _unguarded(layout, described["group"]) if "group" in described else []
    return [f"{path} has another mode or owner" for path in paths]


def _directories(layout: ReleaseLayout) -> dict[Path, int]:
    """{path: mode} of what a release lies in. An instance that can't pass through them fails at its next start."""
    app = layout.app
    passed = dict.fromkeys([app.root, app.releases, app.virtualenvs, layout.directory], PASSED)
    return {**passed, layout.steps: 0o750}


def _unguarded(layout: ReleaseLayout, group: str) -> list[Path]:
    """Those of them whose mode or owner isn't right, or that are missing."""
    return [path for path, mode in _directories(layout).items() if not files.is_guarded(path, mode, group)]


def _tree(layout: ReleaseLayout, described: dict[str, Any]) -> Tree:
    """The code of a release as its own description has it."""
    code = [CodeFile(path, sha256, executable) for path, (sha256, executable) in described["code"].items()]
    group = described.get("group") or layout.description.group()
    return Tree(layout.code, code, described["public_folder"], group)


def _changed_meanwhile(what: str) -> Refused:
    return Refused("place", f"{what} of the live release was changed by hand while this ran; run it again")
