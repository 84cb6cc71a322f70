"""The questions that prove a release: over its own socket, through nginx as the candidate, and as a visitor."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.uwsgi_flask.web.plugins.module_utils.layout import PROBE_SOCKET
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases import instance
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.refused import Refused
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.system import Answer, System
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.wanted import Wanted

# How long nginx may stay silent, because it may be restarting.
FRONT_SECONDS = 10.0
# Longest time that a single question may take.
ANSWER_SECONDS = 5.0


class Prober:
    """Asks a release whether it is well. Raises Refused with the last answer and the journal if it isn't."""

    def __init__(self, wanted: Wanted, system: System) -> None:
        self.wanted = wanted
        self.layout = wanted.layout
        self.system = system
        self.since = system.now()

    def ask(self, address: str | Path, timeout: float = ANSWER_SECONDS) -> Answer:
        return self.system.ask(address, self.wanted.front.host, self.wanted.gate.path, timeout)

    def is_well(self) -> bool:
        return self.ask(self.layout.http_socket).status == 200

    def visitors_are_served(self) -> bool:
        """Whether a visitor gets 200 from this release."""
        return self._is_ours(self.ask(self.wanted.front.address))

    def prove(self, since: float) -> None:
        """Wait for so many good answers in a row, from an instance that doesn't die in between."""
        self.since = since
        gate = self.wanted.gate
        end = self.system.clock() + gate.deadline
        restarts = instance.restarts(self.system, self.layout)
        good = 0
        answer = Answer(0, error="no answer yet")
        while good < gate.successes:
            remaining = end - self.system.clock()
            if remaining <= 0:
                asked = f"{gate.path} didn't answer 200 {gate.successes} times in a row"
                raise self._refusal("probe", f"{asked} within {gate.deadline:g} s; last answer: {answer}")
            answer = self.ask(self.layout.http_socket, min(ANSWER_SECONDS, remaining))
            # While all is well, once at the end is enough.
            if answer.status != 200 and instance.restarts(self.system, self.layout) != restarts:
                raise self._refusal("probe", f"the instance died while it was probed; last answer: {answer}")
            good = good + 1 if answer.status == 200 else 0
            if good < gate.successes:
                self.system.sleep(instance.PAUSE)
        if instance.restarts(self.system, self.layout) != restarts:
            raise self._refusal("probe", "the instance died after it had answered")

    def prove_through_front(self) -> None:
        """Ask through nginx before any visitor can: the link `candidate` leads to the release."""
        answer = self._wait_for_an_answer(Path(self.layout.app.prefix + PROBE_SOCKET))
        if not self._is_ours(answer):
            where = f"{self.wanted.gate.path} through nginx (Host: {self.wanted.front.host})"
            raise self._refusal("front", f"{where} gave {self._told(answer)}")

    def look(self) -> None:
        """Ask as a visitor does, once the link has moved."""
        answer = self._wait_for_an_answer(self.wanted.front.address)
        if not self._is_ours(answer):
            where = f"{self.wanted.front.address}{self.wanted.gate.path} (Host: {self.wanted.front.host})"
            raise self._refusal("look", f"{where} gave {self._told(answer)}")

    def _wait_for_an_answer(self, address: str | Path) -> Answer:
        """The first answer of any kind. No answer at all comes from an nginx that is restarting."""
        end = self.system.clock() + FRONT_SECONDS
        while True:
            answer = self.ask(address)
            if answer.status or self.system.clock() >= end:
                return answer
            self.system.sleep(instance.PAUSE)

    def _is_ours(self, answer: Answer) -> bool:
        return answer.status == 200 and answer.release == self.layout.id

    def _told(self, answer: Answer) -> str:
        return f"{answer}, from release {answer.release or 'unknown'}, not 200 from {self.layout.id}"

    def _refusal(self, step: str, cause: str) -> Refused:
        return Refused(step, cause, self.system.journal(self.layout.service, self.since))
