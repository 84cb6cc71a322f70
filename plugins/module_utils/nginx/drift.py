"""In which ways nginx isn't as it was deployed, found without knowing what was to be deployed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ansible_collections.uwsgi_flask.web.plugins.module_utils.files import OwnedFile
from ansible_collections.uwsgi_flask.web.plugins.module_utils.names import called
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.certificate import read
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.ours import Ours
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.places import JOURNAL, LOGS_TIMER, mode_of, pem_file
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.rejected import Rejected
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.system import System
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.tree import (
    digest_of,
    generation_in,
    plain,
    read_tree,
    times_of,
)

# Told by a deploy too.
AS_BEFORE = (
    "nginx runs in the sandbox that it was started with, not the one that it should have: restart it when it suits"
)


def drift(root: Path, system: System) -> list[str]:
    """One line for each way."""
    try:
        ours = Ours.read(root)
    except Rejected as error:
        return [str(error)]
    texts = read_tree(root)
    generation = generation_in(texts)
    if not generation and not ours.exists():
        return []
    edited = list(_edited(ours))
    lines = [line for _path, line in edited]
    if (root / JOURNAL).exists():
        lines.append("a run was cut off while it changed nginx's configuration; the next one settles it")
    lines += _beside_the_files(system)
    if not generation:
        return lines
    # Only the digest of the whole tree is known, so where a file of ours was changed nothing can be said of others.
    if digest_of(plain(texts, generation), ours.load) != generation and all(it.startswith("/") for it, _line in edited):
        lines.append(f"other files below {root} were changed since the last deploy")
    elif ours.times != times_of(root) and not edited:
        lines.append(f"files below {root} were changed and changed back, and nginx may run what they were meanwhile")
    if not system.proves(ours.proof_names(), system.probe_socket):
        lines.append("nginx runs another configuration than the one that was deployed")
    return lines


def _beside_the_files(system: System) -> Iterator[str]:
    if not system.probe_directory_is_guarded():
        yield f"{system.probe_socket.parent} isn't a directory for root alone (0700)"
    if not system.is_named_by_its_pid_file(system.show()):
        yield f"{system.pid_file} doesn't name the running nginx, so it can't be reloaded"
    if not system.logs_are_rotated():
        yield f"{LOGS_TIMER} doesn't run, so nginx's logs grow without end"
    if not system.runs_as_its_unit_says():
        yield AS_BEFORE


def certificates(root: Path, system: System) -> Iterator[dict[str, Any]]:
    """What each app's certificate says."""
    for path in sorted(root.glob(pem_file("*"))):
        found = read(system, path)
        if found:
            yield {
                "app": called(path.stem),
                "names": found.names,
                "issuer": "itself" if found.is_self_signed else found.issuer,
                "expires": found.expires.isoformat(),
                "days_left": found.days_left(system.today()),
            }


def _edited(ours: Ours) -> Iterator[tuple[str, str]]:
    """Each file of ours that was changed, with what is said of it."""
    for path in ours.files:
        place = ours.root / path
        if not os.path.lexists(place):
            # One that was taken off is remembered no longer, so it was removed by hand.
            yield path, f"{place} is missing"
        elif not ours.wrote(path):
            yield path, f"{place} was changed since the last deploy"
        elif not OwnedFile(place, "", mode_of(path)).is_guarded():
            yield path, f"{place} has another owner or mode than it was deployed with"
