"""What a pyproject.toml says that an app needs: by the lock beside it, uv's or Poetry's, or else resolved."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import tempfile
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.dependencies import poetry, uv
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.dependencies.desk import Desk
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.dependencies.fit import MINORS, Asked, misfit
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.dependencies.lines import fault_in
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.dependencies.locks import Inputs
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.dependencies.unsettled import Unsettled
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.memory import once
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

NAME = "pyproject.toml"
UV_LOCK = "uv.lock"
POETRY_LOCK = "poetry.lock"


def settled(folder: Path, extras: Sequence[str], desk: Desk) -> str | Inputs:
    """The requirements by the lock beside it, or what must be resolved. Raises Unsettled, OSError and Busy."""
    content = (folder / NAME).read_bytes()
    described = read(content, NAME)
    project = _table(described, "project")
    needed = [*_list(project, "dependencies"), *_of_extras(project, extras)]
    if (folder / UV_LOCK).is_file():
        return _by_uv(folder, content, needed, extras, desk)
    if (folder / POETRY_LOCK).is_file():
        locked = read((folder / POETRY_LOCK).read_bytes(), POETRY_LOCK)
        return poetry.requirements(described, locked, extras)
    if "dependencies" in project.get("dynamic", []):
        raise Unsettled("requirements", f"{NAME} leaves 'dependencies' to its build; name a requirements file instead")
    if "dependencies" not in project:
        raise Unsettled(
            "requirements",
            f"{NAME} has no 'dependencies' in [project], and no {UV_LOCK} or {POETRY_LOCK} is beside it; add one of "
            "them ('dependencies = []' for none)",
        )
    if missing := [extra for extra in extras if canonicalize_name(extra) not in _extras(project)]:
        raise Unsettled("extras", _no_extra(missing[0], _extras(project)))
    tool = _table(described, "tool").get("uv", {})
    return Inputs(
        files={NAME: content},
        main=NAME,
        # A new version or author of the project needs no new lock.
        essence=[needed, project.get("requires-python", ""), json.dumps(tool, default=str, sort_keys=True)],
        key="requirements",
        what=NAME,
        python=_oldest(project, desk.python),
        options=[f"--extra={extra}" for extra in extras],
    )


def read(content: bytes, name: str) -> dict[str, Any]:
    """A TOML file. Raises Unsettled."""
    try:
        return tomllib.loads(content.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise Unsettled("requirements", f"{name} can't be read as TOML: {error}; mend it") from None


def _by_uv(folder: Path, content: bytes, needed: Sequence[str], extras: Sequence[str], desk: Desk) -> str:
    """What uv.lock says, by uv itself and without network."""
    lock = (folder / UV_LOCK).read_bytes()
    locked = read(lock, UV_LOCK)
    known = {canonicalize_name(str(package.get("name"))) for package in locked.get("package", [])}
    if missing := [name for name in map(_name, needed) if name not in known]:
        raise Unsettled("requirements", f"{UV_LOCK} doesn't have {missing[0]!r}, which {NAME} needs; run 'uv lock'")
    if fault := misfit(_asked(needed, read(content, NAME)), _of_an_index(locked)):
        raise Unsettled("requirements", f"{UV_LOCK} doesn't fit {NAME}: {fault}; run 'uv lock' and commit it")
    words = ["export", "--frozen", "--no-dev", "--no-emit-project", "--no-header", "--no-annotate", "--offline"]

    def made() -> dict[str, Any]:
        # Apart from the source, because uv looks around in there and above it.
        with tempfile.TemporaryDirectory(prefix="lock-") as made_in:
            Path(made_in, NAME).write_bytes(content)
            Path(made_in, UV_LOCK).write_bytes(lock)
            try:
                options = [f"--extra={extra}" for extra in extras]
                told = uv.run([*words, *options], Path(made_in), desk.variables, "requirements", UV_LOCK)
                return {"text": told.text}
            except Unsettled as error:
                return {"fault": [error.key, error.fault]}

    key = hashlib.sha256(json.dumps([content.hex(), lock.hex(), [*extras]]).encode()).hexdigest()[:16]
    answer = once(desk.memory, f"uv-{key}", made)
    if "fault" in answer:
        raise Unsettled(*answer["fault"])
    if fault := fault_in(answer["text"]):
        raise Unsettled("requirements", f"{UV_LOCK}: {fault}")
    return str(answer["text"])


def _asked(needed: Sequence[str], described: Mapping[str, Any]) -> Iterator[Asked]:
    """What uv.lock must have by the letter; uv may be told to override the rest."""
    overridden = {*map(_name, _list(_table(_table(described, "tool"), "uv"), "override-dependencies"))}
    for text in needed:
        # What can't be read is for uv to refuse.
        with contextlib.suppress(InvalidRequirement):
            one = Requirement(text)
            if canonicalize_name(one.name) not in overridden:
                yield Asked(one.name, str(one.specifier), str(one.marker or ""))


def _of_an_index(locked: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [package for package in locked.get("package", []) if "registry" in package.get("source", {})]


def _oldest(project: Mapping[str, Any], python: str) -> str:
    """The oldest Python to lock for: the servers', or a newer one that the project asks for. Raises Unsettled."""
    asked = project.get("requires-python", "")
    try:
        allowed = SpecifierSet(asked)
    except InvalidSpecifier:
        raise Unsettled("requirements", f"{NAME} has 'requires-python', but it isn't like '>=3.11'; mend it") from None
    first = int(python.partition(".")[2])
    found = [minor for minor in MINORS if minor >= first and allowed.contains(f"3.{minor}.99")]
    if not found:
        raise Unsettled("requirements", f"{NAME} has 'requires-python', which excludes Python {python} and newer")
    return f"3.{found[0]}"


def _of_extras(project: Mapping[str, Any], extras: Sequence[str]) -> list[str]:
    optional = _extras(project)
    return [one for extra in extras for one in optional.get(canonicalize_name(extra), [])]


def _extras(project: Mapping[str, Any]) -> dict[str, list[str]]:
    return {canonicalize_name(name): needs for name, needs in _table(project, "optional-dependencies").items()}


def _no_extra(extra: str, known: Mapping[str, Any]) -> str:
    return f"{NAME} has no extra {extra!r}. Known extras: {', '.join(known) or 'none'}"


def _table(content: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = content.get(name, {})
    return found if isinstance(found, dict) else {}


def _list(content: Mapping[str, Any], name: str) -> list[str]:
    found = content.get(name, [])
    return [str(item) for item in found] if isinstance(found, list) else []


def _name(requirement: str) -> str:
    found = re.match(r"[\w.-]+", requirement.strip())
    return canonicalize_name(found[0]) if found else ""
