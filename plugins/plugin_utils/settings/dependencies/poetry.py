"""poetry.lock: what the main group of a project needs, with versions, markers and hashes.

Format: https://github.com/python-poetry/poetry, src/poetry/packages/locker.py. Version 2.1 (Poetry 2) tells by
`markers` which of several versions of a package is for which Python.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.dependencies.fit import Asked, misfit
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.dependencies.unsettled import Unsettled
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

LOCK = "poetry.lock"
# A package is needed always, or under any of these conditions.
ALWAYS = ""
# More ways than this to one package, and it is taken always: pip then installs what it might have left out.
WAYS = 64


class Need:
    """A package that is needed: its name, its extras, under which condition, and in which versions."""

    def __init__(self, name: str, extras: Sequence[str], marker: str, versions: str = "*") -> None:
        self.name = canonicalize_name(name)
        self.extras = frozenset(map(canonicalize_name, extras))
        self.marker = marker
        self.versions = versions


def requirements(project: Mapping[str, Any], lock: Mapping[str, Any], extras: Sequence[str]) -> str:
    """The requirements that pip installs. Raises Unsettled."""
    packages: dict[str, list[Mapping[str, Any]]] = {}
    for package in lock.get("package", []):
        packages.setdefault(canonicalize_name(str(package.get("name"))), []).append(package)
    markers: dict[str, set[str]] = {}
    seen: set[tuple[str, frozenset[str], str]] = set()
    ahead = list(_roots(project, extras))
    asked = [Asked(need.name, need.versions, need.marker) for need in ahead]
    if fault := misfit(asked, (package for package in lock.get("package", []) if not _is_from_elsewhere(package))):
        raise Unsettled("requirements", f"{LOCK} doesn't fit pyproject.toml: {fault}; run 'poetry lock' and commit it")
    while ahead:
        need = ahead.pop()
        if need.name not in packages:
            raise Unsettled(
                "requirements", f"{LOCK} doesn't have {need.name!r}, which pyproject.toml needs; run 'poetry lock'"
            )
        known = markers.setdefault(need.name, set())
        marker = ALWAYS if len(known) > WAYS else need.marker
        if (need.name, need.extras, marker) in seen:
            continue
        seen.add((need.name, need.extras, marker))
        known.add(marker)
        for package in packages[need.name]:
            ahead += _needs_of(package, need.extras, marker)
    return "".join(_line(package, packages, markers[name]) for name in sorted(markers) for package in packages[name])


def _roots(project: Mapping[str, Any], extras: Sequence[str]) -> Iterator[Need]:
    """What the project itself needs: by [project], by [tool.poetry], or by both."""
    chosen = {canonicalize_name(extra) for extra in extras}
    standard, own = project.get("project", {}), project.get("tool", {}).get("poetry", {})
    optional = {canonicalize_name(name): needs for name, needs in standard.get("optional-dependencies", {}).items()}
    of_extras = {canonicalize_name(name): needs for name, needs in {**own.get("extras", {})}.items()}
    for extra in sorted(chosen - optional.keys() - of_extras.keys()):
        known = ", ".join(sorted({*optional, *of_extras})) or "none"
        raise Unsettled("extras", f"pyproject.toml has no extra {extra!r}. Known extras: {known}")
    for text in [
        *standard.get("dependencies", []),
        *(one for extra in sorted(chosen & optional.keys()) for one in optional[extra]),
    ]:
        try:
            one = Requirement(text)
        except InvalidRequirement:
            raise Unsettled("requirements", "pyproject.toml has a dependency that can't be read; mend it") from None
        yield Need(one.name, sorted(one.extras), str(one.marker or ALWAYS), str(one.specifier))
    wanted = {canonicalize_name(_name(one)) for extra in chosen & of_extras.keys() for one in of_extras[extra]}
    for name, constraint in own.get("dependencies", {}).items():
        if name.lower() == "python":
            continue
        for given in _constraints(constraint):
            if not given.get("optional") or canonicalize_name(name) in wanted:
                yield Need(name, given.get("extras", []), _marker(given), str(given.get("version", "*")))


def _is_from_elsewhere(package: Mapping[str, Any]) -> bool:
    """Whether a package is no version of an index."""
    return bool(package.get("source", {}).get("type", "legacy") != "legacy")


def _needs_of(package: Mapping[str, Any], extras: frozenset[str], marker: str) -> Iterator[Need]:
    offered: dict[str, Any] = {canonicalize_name(name): needs for name, needs in package.get("extras", {}).items()}
    wanted = {canonicalize_name(_name(one)) for extra in extras for one in offered.get(extra, [])}
    for name, constraint in package.get("dependencies", {}).items():
        for one in _constraints(constraint):
            if one.get("optional") and canonicalize_name(name) not in wanted:
                continue
            own = _without_extra(_marker(one))
            both = " and ".join(f"({part})" if " or " in part else part for part in (marker, own) if part)
            # Round a circle, the same condition comes again and again.
            yield Need(name, one.get("extras", []), marker if own and own in marker else both)


def _line(package: Mapping[str, Any], packages: Mapping[str, Sequence[Any]], markers: set[str]) -> str:
    """One package with its version or place, condition and hashes."""
    name, version = str(package["name"]), str(package["version"])
    source = package.get("source", {})
    told = (
        [] if ALWAYS in markers else [" or ".join(sorted(f"({one})" if len(markers) > 1 else one for one in markers))]
    )
    if len(packages[canonicalize_name(name)]) > 1:
        own = package.get("markers", ALWAYS)
        own = own.get("main", ALWAYS) if isinstance(own, Mapping) else own
        if not own:
            raise Unsettled(
                "requirements",
                f"{LOCK} has several versions of {name!r}, and doesn't say which is for what; run 'poetry lock' with "
                "Poetry 2 or newer",
            )
        told.append(_without_extra(str(own)))
    joined = " and ".join(f"({one})" if len(told) > 1 else one for one in told if one)
    condition = f" ; {joined}" if joined else ""
    kind = source.get("type", "")
    if kind == "git":
        below = f"#subdirectory={source['subdirectory']}" if source.get("subdirectory") else ""
        return f"{name} @ git+{source['url']}@{source['resolved_reference']}{below}{condition}\n"
    if kind in ("directory", "file"):
        raise Unsettled(
            "requirements",
            f"{LOCK} has {name!r} from a {kind} of this machine; name it as a package of an index, or by git",
        )
    hashes = "".join(f" \\\n    --hash={file['hash']}" for file in package.get("files", []))
    if not hashes:
        raise Unsettled("requirements", f"{LOCK} has no hashes of {name!r}; run 'poetry lock' with Poetry 1.3 or newer")
    place = f" @ {source['url']}" if kind == "url" else f"=={version}"
    return f"{name}{place}{condition}{hashes}\n"


def _constraints(constraint: Any) -> Iterator[Mapping[str, Any]]:
    for one in constraint if isinstance(constraint, list) else [constraint]:
        yield one if isinstance(one, Mapping) else {"version": one}


def _marker(constraint: Mapping[str, Any]) -> str:
    parts = [constraint["markers"]] if constraint.get("markers") else []
    if system := constraint.get("platform"):
        parts.append(f"sys_platform == '{system}'")
    if python := constraint.get("python"):
        parts += list(_of_python(str(python)))
    return " and ".join(f"({part})" if " or " in part and len(parts) > 1 else part for part in parts)


def _of_python(constraint: str) -> Iterator[str]:
    """Poetry's `python = ">=3.8,<3.12"` as markers. Raises Unsettled for what it doesn't know."""
    for part in constraint.split(","):
        found = re.fullmatch(r"\s*(<=|>=|<|>|==|!=|\^|~)\s*(\d+(?:\.\d+)*)\s*", part)
        if found is None:
            raise Unsettled("requirements", f"pyproject.toml has python = {constraint!r}; write it as '>=3.8,<3.12'")
        sign, version = found.groups()
        if sign in "^~":
            digits = [int(digit) for digit in version.split(".")]
            upper = [digits[0] + 1] if sign == "^" or len(digits) == 1 else [digits[0], digits[1] + 1]
            yield f"python_version >= '{version}'"
            yield f"python_version < '{'.'.join(map(str, upper))}'"
        else:
            variable = "python_full_version" if version.count(".") > 1 else "python_version"
            yield f"{variable} {sign} '{version}'"


def _without_extra(marker: str) -> str:
    """A condition without the question for which extra it is, which the way that leads here has answered."""
    question = r"""\(?\s*extra\s*==\s*["'][^"']*["']\s*(or\s+extra\s*==\s*["'][^"']*["']\s*)*\)?"""
    cleared = re.sub(rf"(\s+and\s+{question}|{question}\s+and\s+|^\s*{question}\s*$)", "", marker)
    return "" if re.search(r"\bextra\b", cleared) else cleared.strip()


def _name(requirement: str) -> str:
    """The name at the beginning of `uvloop (>=0.15) ; sys_platform != "win32"`."""
    found = re.match(r"[\w.-]+", requirement.strip())
    return found[0] if found else ""
