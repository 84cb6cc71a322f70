"""Whether a lock has the versions that its pyproject.toml asks for.

`uv lock --check` and `poetry check --lock` also refuse a lock that was made for other words with the same result, and
the first asks an index then. Here only what no server should install is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from packaging.markers import InvalidMarker, Marker, UndefinedEnvironmentName
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

# Minor versions of Python 3 that a server may have; those of Debian 12 and 13 are among them.
MINORS = range(11, 30)
SERVER = {"os_name": "posix", "sys_platform": "linux", "platform_system": "Linux", "extra": ""}


class Asked(NamedTuple):
    """What a pyproject.toml asks for: a name, versions as PEP 440 or Poetry writes them, and a condition or ""."""

    name: str
    versions: str
    marker: str = ""


def misfit(asked: Iterable[Asked], locked: Iterable[Mapping[str, Any]]) -> str:
    """What a lock has that nobody asked for: "it has flask 2.3.3, but flask >=3 is asked for"; "" if all may be well.

    `locked` are packages of the lock, those left out that have no version of an index.
    """
    found: dict[str, list[str]] = {}
    for package in locked:
        found.setdefault(canonicalize_name(str(package["name"])), []).append(str(package.get("version", "")))
    for one in asked:
        has = found.get(canonicalize_name(one.name), [])
        if has and _is_certain(one.marker) and not any(_allows(one.versions, version) for version in has):
            return f"it has {one.name} {' and '.join(has)}, but {one.name} {one.versions} is asked for"
    return ""


def _is_certain(marker: str) -> bool:
    """Whether a condition holds on every server, whatever its Python."""
    try:
        return not marker or all(Marker(marker).evaluate(_server(minor)) for minor in MINORS)
    except (InvalidMarker, UndefinedEnvironmentName):
        return False


def _server(minor: int) -> dict[str, str]:
    return {**SERVER, "python_version": f"3.{minor}", "python_full_version": f"3.{minor}.9"}


def _allows(versions: str, version: str) -> bool:
    """Whether a version may be installed. What can't be read is allowed."""
    try:
        return any(
            SpecifierSet(_standard(one)).contains(version, prereleases=True) for one in re.split(r"\|+", versions)
        )
    except (InvalidSpecifier, InvalidVersion):
        return True


def _standard(versions: str) -> str:
    """Poetry's ways to write versions (https://python-poetry.org/docs/dependency-specification/) as PEP 440's."""
    return ",".join(_one(part.strip()) for part in versions.split(","))


def _one(part: str) -> str:
    if part in ("", "*"):
        return ""
    if re.match(r"[\dv]", part):
        return f"=={part}"
    if part[0] == "^" or (part[0] == "~" and part[1:2] != "="):
        release = Version(part[1:].strip()).release
        # A caret keeps the first number that isn't 0, a tilde the second one, and both what is written if that is less.
        kept = next((at for at, number in enumerate(release) if number), len(release) - 1) if part[0] == "^" else 1
        kept = min(kept, len(release) - 1)
        upper = [*release[:kept], release[kept] + 1]
        return f">={part[1:].strip()},<{'.'.join(map(str, upper))}.dev0"
    return part
