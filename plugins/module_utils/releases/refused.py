"""A release that didn't prove itself, and how a person is told."""

from __future__ import annotations

import itertools
import traceback

from ansible_collections.uwsgi_flask.web.plugins.module_utils.logs.line import clean

# Lines of evidence in a message; all of them are in failure.log.
SHOWN_LINES = 8
# How a line that names the cause begins, for Python and pip.
CAUSES = ("Error", "Exception", "Exit", "Interrupt", "ERROR", "error")
# What helps, where the programs' own words don't say so.
REMEDIES = {
    "the app may write only to the folder that STATE_DIRECTORY names": (
        "Read-only file system",
        "attempt to write a readonly database",
        "unable to open database file",
    ),
    "name what the build needs in 'build_packages', such as gcc and python3-dev": (
        "ERROR: Failed to build",
        "ERROR: Could not build wheels",
        "error: metadata-generation-failed",
    ),
}

# What goes wrong with one app, whatever it is, is nothing that the others suffer from.
FAULTS = Exception


class Refused(Exception):
    """A release that didn't prove itself: the step, the cause in a line, and what programs said, in their own words."""

    def __init__(self, step: str, cause: str, evidence: str = "") -> None:
        super().__init__(cause)
        self.step = step
        # Programs say it, and a terminal shows it.
        self.cause = "\n".join(clean(cause))
        self.evidence = evidence


class Impossible(Exception):
    """What was asked for can't be done, and nothing was changed."""


def cause_in(evidence: str) -> str:
    """The line that names the cause: the last that reads like `ImportError: …` or `ERROR: …`; "" if none does.

    Where nothing follows the colon, the next line does. What helps is added, if it is known.
    """
    lines = [line.strip() for line in evidence.splitlines()]
    for number in reversed(range(len(lines))):
        word, colon, rest = lines[number].partition(":")
        if word.replace(".", "").replace("_", "").isalnum() and word.endswith(CAUSES):
            cause = " ".join(lines[number : number + 2]) if colon and not rest else lines[number]
            known = (remedy for remedy, said in REMEDIES.items() if any(text in cause for text in said))
            return "; ".join([cause, *itertools.islice(known, 1)])
    return ""


def last_lines(evidence: str) -> list[str]:
    """As much of the evidence as a message holds."""
    return [line for line in clean(evidence) if line.strip()][-SHOWN_LINES:]


def as_refusal(step: str, fault: Exception) -> Refused:
    """Any fault as a refusal: a full disk keeps a release from going live as surely as a failing import."""
    if isinstance(fault, Refused):
        return fault
    # What the system says needs no more words; anything else is a fault of ours.
    evidence = "" if isinstance(fault, OSError) else "".join(traceback.format_exception(fault))
    return Refused(step, f"{type(fault).__name__}: {fault}", evidence)
