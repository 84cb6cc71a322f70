"""A release that didn't prove itself, and how a person is told."""

from __future__ import annotations

# Lines of evidence in a message; all of them are in failure.log.
SHOWN_LINES = 8
# How a line that names the cause begins, for Python and pip.
CAUSES = ("Error", "Exception", "Exit", "Interrupt", "ERROR", "error")


class Refused(Exception):
    """A release that didn't prove itself: the step, the cause in a line, and what programs said, in their own words."""

    def __init__(self, step: str, cause: str, evidence: str = "") -> None:
        super().__init__(cause)
        self.step = step
        self.cause = cause
        self.evidence = evidence


class Impossible(Exception):
    """What was asked for can't be done, and nothing was changed."""


def cause_in(evidence: str) -> str:
    """The line that names the cause: the last that reads like `ImportError: …` or `ERROR: …`; "" if none does."""
    for line in reversed([line.strip() for line in evidence.splitlines()]):
        word, colon, _rest = line.partition(":")
        if word.replace(".", "").replace("_", "").isalnum() and word.endswith(CAUSES) and (colon or word == line):
            return line
    return ""


def last_lines(evidence: str) -> list[str]:
    """As much of the evidence as a message holds."""
    return [line for line in evidence.splitlines() if line.strip()][-SHOWN_LINES:]


def as_refusal(step: str, fault: Exception) -> Refused:
    """Any fault as a refusal: a full disk keeps a release from going live as surely as a failing import."""
    return fault if isinstance(fault, Refused) else Refused(step, f"{type(fault).__name__}: {fault}")
