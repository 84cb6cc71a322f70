"""An app that is a package and has no source: of an index, or a wheel on this machine."""

from __future__ import annotations

import email
import hashlib
import re
import zipfile
from pathlib import Path
from typing import NamedTuple

from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.dependencies.locks import Inputs
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.dependencies.unsettled import Unsettled
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

KEY = "package"
_WHEEL = re.compile(r"(?P<path>.+\.whl)(?P<extras>\[[\w., -]+\])?")


class Wheel(NamedTuple):
    """A wheel as `package` names it: its path, and its extras in brackets or ""."""

    path: str
    extras: str


def wheel_of(package: str) -> Wheel | None:
    """The wheel that is named, None if it is a package of an index."""
    found = _WHEEL.fullmatch(package)
    return Wheel(found["path"], found["extras"] or "") if found and "@" not in package else None


def inputs_of_index(package: str, python: str) -> Inputs:
    """What must be resolved for a package of an index."""
    content = f"{package}\n".encode()
    return Inputs(
        files={"package.txt": content}, main="package.txt", essence=package, key=KEY, what=f"'{package}'", python=python
    )


def inputs_of_wheel(path: Path, wheel: Wheel, python: str) -> tuple[Inputs, str]:
    """What must be resolved for a wheel, and the requirement that stands for the wheel itself.

    Raises Unsettled and OSError.
    """
    if not path.is_file():
        raise Unsettled(
            KEY, f"there is no file {str(path)!r}; give a wheel's path, relative to the playbook or absolute"
        )
    try:
        name, version, *_rest = parse_wheel_filename(path.name)
        content = path.read_bytes()
        needed = _metadata(path)
    except (InvalidWheelFilename, zipfile.BadZipFile, KeyError) as error:
        raise Unsettled(KEY, f"{path.name!r} is no wheel ({error}); build it anew") from None
    known = {canonicalize_name(extra) for extra in needed.get_all("Provides-Extra", [])}
    asked = [extra.strip() for extra in wheel.extras.strip("[]").split(",") if extra.strip()]
    if missing := [extra for extra in asked if canonicalize_name(extra) not in known]:
        raise Unsettled(
            KEY, f"{path.name!r} has no extra {missing[0]!r}. Known extras: {', '.join(sorted(known)) or 'none'}"
        )
    requirement = f"{name}{wheel.extras}=={version} \\\n    --hash=sha256:{hashlib.sha256(content).hexdigest()}\n"
    inputs = Inputs(
        files={path.name: content, "package.txt": f"./{path.name}{wheel.extras}\n".encode()},
        main="package.txt",
        # A wheel that is built anew and needs the same keeps its lock.
        essence=[name, wheel.extras, sorted(needed.get_all("Requires-Dist", [])), needed.get("Requires-Python", "")],
        key=KEY,
        what=path.name,
        python=python,
        options=[f"--no-emit-package={name}"],
    )
    return inputs, requirement


def _metadata(path: Path) -> email.message.Message:
    with zipfile.ZipFile(path) as packed:
        inside = [name for name in packed.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", name)]
        return email.message_from_bytes(packed.read(inside[0] if inside else "METADATA"))


def version_in(package: str, text: str) -> str:
    """`httpbin 0.10.2`: what a release of a package calls itself."""
    if wheel := wheel_of(package):
        itself, version, *_rest = parse_wheel_filename(Path(wheel.path).name)
        return f"{itself} {version}"
    name = re.split(r"[^\w.-]", package)[0]
    for line in text.splitlines():
        found = re.match(r"([\w.-]+)(?:\[[^]]*\])?(?:==| @ )(\S+)", line)
        if found and canonicalize_name(found[1]) == canonicalize_name(name):
            return f"{found[1]} {found[2]}"
    return name
