"""The wheelhouse: a folder of wheels on the controller for hosts that reach no package index.

pip fills it with what locks name, and a deploy only reads it. Every wheel is known by its hash, so the folder needs no
list of its own, and whatever else lies in there does no harm.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.dependencies.lines import logical_lines
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.dependencies.unsettled import Unsettled
from packaging.markers import Marker
from packaging.requirements import InvalidRequirement, Requirement
from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

KEY = "requirements"
# Debian 12's glibc is 2.36; wheels for one older than 2.5 are made no more.
OLDEST_GLIBC = 5
# Before wheels were called by their glibc.
OLD_NAMES = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
# Hashes that pip takes.
KINDS = ("sha256", "sha384", "sha512")
LISTED = 3
# As the third number of a version.
NEWEST_FIX = 99


@dataclasses.dataclass(frozen=True)
class Target:
    """What decides which wheels a host takes: its Python ("3.13"), machine ("x86_64") and glibc ("2.41")."""

    python: str
    machine: str
    glibc: str

    def on(self, python: str) -> Target:
        """The same with another Python ("3.12"), if one is given."""
        return dataclasses.replace(self, python=python) if python else self

    def __str__(self) -> str:
        return f"Python {self.minor} on {self.machine}"

    @property
    def minor(self) -> str:
        return ".".join(self.python.split(".")[:2])

    @property
    def abi(self) -> str:
        return f"cp{self.minor.replace('.', '')}"

    def meets(self, marker: Marker) -> bool:
        """Whether a marker holds on the host, or may: which bug-fix version it has isn't known."""
        return any(marker.evaluate(self._environment(f"{self.minor}.{fix}")) for fix in (0, NEWEST_FIX))

    def _environment(self, full: str) -> dict[str, str]:
        """What markers ask for. `full` is the version with its third number."""
        return {
            "implementation_name": "cpython",
            "implementation_version": full,
            "os_name": "posix",
            "platform_machine": self.machine,
            "platform_python_implementation": "CPython",
            "platform_system": "Linux",
            "python_full_version": full,
            "python_version": self.minor,
            "sys_platform": "linux",
            "extra": "",
        }

    @property
    def platforms(self) -> list[str]:
        """The best first. Rules: PEP 600."""
        newest = int(self.glibc.split(".")[1])
        found: list[str] = []
        for minor in range(newest, OLDEST_GLIBC - 1, -1):
            found.append(f"manylinux_2_{minor}_{self.machine}")
            found += [f"{OLD_NAMES[minor]}_{self.machine}"] if minor in OLD_NAMES else []
        return [*found, f"linux_{self.machine}"]

    @functools.cached_property
    def rank(self) -> dict[Tag, int]:
        """The tags of wheels that the host takes; the best has the lowest number."""
        major, minor = (int(part) for part in self.minor.split("."))
        tags = [
            *cpython_tags((major, minor), platforms=self.platforms),
            *compatible_tags((major, minor), self.abi, self.platforms),
        ]
        return {tag: at for at, tag in reversed([*enumerate(tags)])}


@dataclasses.dataclass(frozen=True)
class Pinned:
    """One locked requirement: its name, `flask==3.1.3`, and the hashes that its files may have ("sha256:…")."""

    name: str
    called: str
    hashes: frozenset[str]

    @property
    def line(self) -> str:
        """As a requirements file has it."""
        return " ".join([self.called, *(f"--hash={digest}" for digest in sorted(self.hashes))])

    def is_in(self, path: Path) -> bool:
        """Whether a file is one that the lock means."""
        kinds = {digest.partition(":")[0] for digest in self.hashes} & {*KINDS}
        return any(f"{kind}:{digest_of(path, kind)}" in self.hashes for kind in kinds)


@dataclasses.dataclass(frozen=True)
class Wheelhouse:
    """The folder, as a person calls it, and the app whose wheels are asked for."""

    folder: Path
    called: str
    app: str

    def wheels(self, text: str, target: Target | None, own: Sequence[str] = ()) -> list[Path]:
        """The wheels that a host installs by this lock, but for the app's `own`. Raises Unsettled.

        As long as nobody has asked the host, any wheel will do, and only what every host needs must be there.
        """
        wheels, lacking = self.look(text, target, own)
        if lacking:
            names = ", ".join(pin.called for pin in lacking[:LISTED])
            more = f" and {len(lacking) - LISTED} more" if len(lacking) > LISTED else ""
            host = f" for {target}" if target else ""
            raise Unsettled(
                KEY,
                f"{self.called} lacks {names}{more}{host}; fill it: ansible-playbook wheelhouse.yml -e app={self.app}",
            )
        return wheels

    def look(self, text: str, target: Target | None, own: Sequence[str] = ()) -> tuple[list[Path], list[Pinned]]:
        """The wheels that are there, and what is lacking. Raises Unsettled."""
        owned = {parse_wheel_filename(name)[0] for name in own}
        pins = [pin for pin in pinned(text, target) if pin.name not in owned]
        try:
            found = {pin: self._best(pin, target) for pin in pins}
        except OSError as error:
            raise Unsettled(KEY, f"{error.filename} can't be read: {error.strerror}") from None
        return [path for path in found.values() if path], [pin for pin in pins if not found[pin]]

    def _best(self, pin: Pinned, target: Target | None) -> Path | None:
        ranked = []
        for path, tags in self._files.get(pin.name, []):
            ranks = [0] if target is None else [target.rank[tag] for tag in tags if tag in target.rank]
            if ranks and pin.is_in(path):
                ranked.append((min(ranks), path))
        return min(ranked)[1] if ranked else None

    @functools.cached_property
    def _files(self) -> dict[str, list[tuple[Path, frozenset[Tag]]]]:
        """The wheels by the names of their packages."""
        found: dict[str, list[tuple[Path, frozenset[Tag]]]] = {}
        for path in sorted(self.folder.glob("*.whl")):
            try:
                name, _version, _build, tags = parse_wheel_filename(path.name)
            except InvalidWheelFilename:
                continue
            found.setdefault(name, []).append((path, tags))
        return found


def pinned(text: str, target: Target | None) -> Iterator[Pinned]:
    """What a lock has installed on a host; on every host whatever if `target` isn't known. Raises Unsettled."""
    for line in logical_lines(text):
        if line.startswith("-"):
            continue
        words, *hashes = re.split(r"\s--hash=", line)
        try:
            wanted = Requirement(re.split(r"\s--", words)[0].strip())
        except InvalidRequirement:
            wanted = None
        if wanted is None or wanted.url:
            called = wanted.name if wanted else line.split("://")[0]
            raise Unsettled(
                KEY,
                f"{called!r} comes from a URL or repository, which no wheelhouse holds; put its wheel on an index and "
                "name its version",
            )
        if wanted.marker is None or (target is not None and target.meets(wanted.marker)):
            called = f"{wanted.name}{wanted.specifier}"
            yield Pinned(canonicalize_name(wanted.name), called, frozenset(one.strip() for one in hashes))


def digest_of(path: Path, kind: str = "sha256") -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, kind).hexdigest()
