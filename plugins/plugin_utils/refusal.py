"""How a run is refused: each fault in a line, once, with the hosts that have it where not all of them do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ansible.errors import AnsibleAction

# So many hosts a line names.
LISTED = 6


class Refused(AnsibleAction):
    """Fails a task with these lines. Other errors Ansible tells twice, with the place where the task is written."""

    omit_exception_key = True

    def __init__(self, lines: Iterable[str]) -> None:
        # Ends in a newline, because Ansible then prints it as it is.
        told = "".join(f"{line}\n" for line in lines)
        super().__init__(told, result={"msg": told})


def once(problems: Mapping[str, Sequence[str]]) -> list[str]:
    """The problems of all hosts, by host, each once."""
    having: dict[str, list[str]] = {}
    for host, lines in problems.items():
        for line in dict.fromkeys(lines):
            having.setdefault(line, []).append(host)
    return [line if len(hosts) == len(problems) else f"{_named(hosts)}: {line}" for line, hosts in having.items()]


def _named(hosts: Sequence[str]) -> str:
    more = len(hosts) - LISTED
    return ", ".join(hosts[:LISTED]) + (f" and {more} more" if more > 0 else "")
