"""One command in the live release: in a unit like those of its steps, so with the same user, environment and sandbox.

It needs no lease, because it changes nothing that a deploy changes, and a shell that is open for an hour must not hold
back a fix. A deploy meanwhile lets it end, and keeps its release's files as long.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator

from ansible_collections.uwsgi_flask.web.plugins.module_utils.release_layout import CHECK, COMMAND
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.records import Records
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.refused import Impossible
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.system import System

# What a step has for itself.
NOT_TAKEN = ("Type", "ExecStart", "TimeoutStartSec")
# Reads the command from standard input: systemd would write a command line to the journal.
SHELL = ("/bin/sh", "-c", 'eval "$(cat)"')


def run(system: System, records: Records, command: str) -> tuple[str, int, str, str]:
    """Run a shell line; the release that it ran in, its exit code, standard output and standard error.

    Raises Impossible, and OSError.
    """
    live = records.live()
    if not live:
        raise Impossible("no release is live on this host")
    layout = records.layout.release(live)
    step = layout.unit_file(CHECK)
    if not step.is_file():
        raise Impossible(f"{step} is missing: deploy first (site.yml)")
    unit = layout.unit(f"{COMMAND}{secrets.token_hex(4)}")
    words = ["systemd-run", "--quiet", "--wait", "--pipe", "--collect", "--service-type=exec", f"--unit={unit}"]
    words.append(f"--description={records.layout.name}, release {live}: a command by hand")
    words += [f"--property={line}" for line in _properties(step.read_text())]
    return (live, *system.converse([*words, *SHELL], command))


def _properties(text: str) -> Iterator[str]:
    """The lines of a unit's section [Service], but for those that are its own."""
    section = ""
    for line in text.splitlines():
        if line.startswith("["):
            section = line
        elif section == "[Service]" and re.match("[A-Z]", line) and line.partition("=")[0] not in NOT_TAKEN:
            yield line
