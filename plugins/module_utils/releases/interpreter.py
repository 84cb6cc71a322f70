"""The Pythons that a host has: Debian's own, and others that an app may ask for."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.refused import Refused

PYTHON = Path("/usr/bin/python3")
# Where another one is found by its version, and where no app may look: see ProtectHome.
PATH = "/usr/local/bin:/usr/bin"
HIDDEN = ("/home", "/root", "/run/user")


def asked_for(python: str) -> Path:
    """Debian's own Python, or the file of another version that this host has. Raises Refused."""
    if not python:
        return PYTHON
    found = shutil.which(f"python{python}", path=PATH)
    if not found:
        where = " or ".join(f"{folder}/python{python}" for folder in PATH.split(":"))
        raise Refused(
            "virtualenv", f"'python' asks for {python}, and this host has no {where}; install it, or link it there"
        )
    # Python looks for its library around the file itself.
    file = Path(os.path.realpath(found))
    if any(file.is_relative_to(folder) for folder in HIDDEN):
        raise Refused(
            "virtualenv", f"'python' asks for {python}, which leads to {file}, where no app may look; move it to /opt"
        )
    return file


def minor_of(python: Path) -> str:
    """`3.13` of an interpreter, by the name of the file that it leads to; "" where that doesn't tell."""
    found = re.fullmatch(r"python(3\.\d+)", python.resolve().name)
    return found[1] if found else ""
