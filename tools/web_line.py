"""The line of ansible-playbook that a command of `./web` is."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
CONFIGURATION = PROJECT / "ansible.cfg"
USUAL = "production"
# Of a command that is there to be read, only what it reads is shown.
QUIET = {"ANSIBLE_DISPLAY_OK_HOSTS": "false", "ANSIBLE_DISPLAY_SKIPPED_HOSTS": "false"}
# What `-e name=value` takes as it is; Ansible splits anything else at its spaces and quotes.
PLAIN = re.compile(r"[\w@%+:,./-]+", re.ASCII)

# What Ansible would take for a template, and how it is told that it is none: it would be run here.
TEMPLATE = re.compile("{[{%#]")
UNSAFE = "!unsafe "

# What a command gives its playbook; what is empty is left out.
Variables = Mapping[str, str | bool | Sequence[str]]


def inventory_of(environment: str) -> Path:
    """The file of an environment, which may be named by its path too."""
    return Path(environment) if environment.endswith((".yml", ".yaml")) else PROJECT / f"inventory/{environment}.yml"


def environments() -> list[str]:
    return sorted(path.stem for path in PROJECT.glob("inventory/*.yml"))


def extra_variable(name: str, value: str | bool | Sequence[str]) -> str:
    """A variable as `-e` takes it: always a text, whatever is in it."""
    text = value if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else ",".join(value)
    if PLAIN.fullmatch(text):
        return f"{name}={text}"
    return f'{{"{name}": {UNSAFE if TEMPLATE.search(text) else ""}{json.dumps(text, ensure_ascii=False)}}}'


def line_for(
    playbook: str, environment: str, variables: Variables, words: Sequence[str], quiet: bool = False
) -> tuple[dict[str, str], list[str]]:
    """What is set for ansible-playbook alone, and its words, for the folder in which it is asked."""
    is_here = Path.cwd() == PROJECT

    def place(path: Path) -> str:
        return str(path.relative_to(PROJECT)) if is_here and path.is_relative_to(PROJECT) else str(path)

    program = PROJECT / ".venv/bin/ansible-playbook"
    known = shutil.which("ansible-playbook")
    is_known = known is not None and Path(known).exists() and program.exists() and program.samefile(known)
    extra = [word for name, value in variables.items() if value for word in ("-e", extra_variable(name, value))]
    inventory = place(inventory_of(environment))
    settings = QUIET if quiet else {}
    if not _finds_configuration(is_here):
        settings = {"ANSIBLE_CONFIG": str(CONFIGURATION), **settings}
    command = "ansible-playbook" if is_known else place(program)
    return dict(settings), [command, "-i", inventory, place(PROJECT / playbook), *extra, *words]


def _finds_configuration(is_here: bool) -> bool:
    """Whether Ansible takes the project's settings by itself: it leaves those in a folder that all may write to."""
    chosen = os.environ.get("ANSIBLE_CONFIG")
    if chosen is not None:
        return Path(chosen).absolute() == CONFIGURATION
    return is_here and not PROJECT.stat().st_mode & stat.S_IWOTH


def as_text(settings: Mapping[str, str], words: Sequence[str]) -> str:
    """The line as a shell takes it."""
    return " ".join([*(f"{name}={shlex.quote(value)}" for name, value in settings.items()), shlex.join(words)])


def examples(*lines: str) -> str:
    return "\b\nExamples:\n" + "\n".join(f"  ./web {line}" for line in lines)
