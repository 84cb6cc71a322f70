"""What a run says when it has ended: what became of each app on each host, what to do next, and whether all is well.

The callback `outcome` gathers what is told here, from what the tasks returned.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.command_line import CommandLine
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.report import BAD_RESULTS
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.tables import size, some_of, table

OUTCOME = ("HOST", "APP", "BEFORE", "NOW", "RESULT", "SECONDS", "ADDRESS")
HOSTS = ("HOST", "RESULT")
FLEXIBLE = ("HOST", "APP", "ADDRESS")
# What is typed after each playbook that changes something, when all went well.
NEXT = {
    "bootstrap.yml": "site.yml",
    "site.yml": "status.yml",
    "rollback.yml": "status.yml",
    "maintenance.yml": "status.yml",
    "teardown.yml": "status.yml",
    "prune.yml": "status.yml",
    "libraries.yml": "status.yml",
    "firewall.yml": "status.yml",
    "services.yml": "site.yml",
    "wheelhouse.yml": "site.yml",
    "settings.yml": "site.yml",
}
WELL, CHANGED, BAD, PLAIN = "well", "changed", "bad", ""

# A text of one line, and its tone: WELL, CHANGED, BAD or PLAIN.
Line = tuple[str, str]


@dataclasses.dataclass
class Outcome:
    """What is known of a run. `apps` has the last result of each app by host and name, as the modules return it;
    `hosts` what became of each host: changed, unchanged, failed or unreachable, {} if none was touched.
    """

    playbook: str
    command: CommandLine
    is_check: bool = False
    began: float = dataclasses.field(default_factory=time.monotonic)
    apps: dict[tuple[str, str], Mapping[str, Any]] = dataclasses.field(default_factory=dict)
    hosts: dict[str, str] = dataclasses.field(default_factory=dict)
    has_failed: bool = False

    def lines(self, width: int = 0) -> Iterator[Line]:
        """All that is said; where the table doesn't fit `width` it is cut."""
        if self.apps:
            yield from self._table(OUTCOME, dict(sorted(self._rows())), width)
            yield from self._causes()
            yield from ((f"Note: {words}", PLAIN) for words in self._tight())
        elif self.hosts:
            yield from self._table(HOSTS, {(host,): (host, it, it) for host, it in self.hosts.items()}, width)
        yield from ((f"Read: {words}", PLAIN) for words in self._evidence())
        yield from ((f"Next: {words}", PLAIN) for words in self._next())
        yield self._verdict()

    def _rows(self) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
        """Cells by what they are sorted by; the last cell is the result, for the tone."""
        for (host, app), one in self.apps.items():
            before, now, seconds = one["before"] or "none", one["now"] or "none", f"{one.get('seconds', 0):.1f}"
            result = one["result"]
            yield (host, app), (host, app, before, now, result, seconds, one.get("address", ""), result)
        for host in self._lost():
            yield (host,), (host, "-", "-", "-", self.hosts[host], "-", "", self.hosts[host])

    def _lost(self) -> list[str]:
        """Hosts that failed before anything was said of an app there."""
        said = {host for host, _app in self.apps}
        return [host for host, it in self.hosts.items() if it in ("failed", "unreachable") and host not in said]

    def _table(
        self, headings: tuple[str, ...], rows: Mapping[tuple[str, ...], tuple[str, ...]], width: int
    ) -> Iterator[Line]:
        first, *others = table(headings, [row[:-1] for row in rows.values()], width, FLEXIBLE)
        yield first, PLAIN
        yield from ((text, _tone(row[-1])) for text, row in zip(others, rows.values(), strict=True))

    def _causes(self) -> Iterator[Line]:
        """Why an app wasn't taken, or what else is to be said of it: once for all hosts where it is the same."""
        hosts: dict[tuple[str, str], list[str]] = {}
        for (host, app), one in self.apps.items():
            cause = one.get("cause", "").partition("\n")[0]
            if cause:
                step = f"at the step '{one['step']}': " if one.get("step") else ""
                hosts.setdefault((app, f"{step}{cause}"), []).append(host)
        yield from ((f"{app} on {some_of(sorted(on))}: {cause}", PLAIN) for (app, cause), on in hosts.items())

    def _tight(self) -> Iterator[str]:
        """Apps that took more than half of what a host had free while two of their instances ran."""
        for (host, app), one in sorted(self.apps.items(), key=lambda item: item[0]):
            for step in one.get("steps", []):
                if 2 * step.get("needs", 0) > step.get("free", 0):
                    needs, free = size(step["needs"]), size(step["free"])
                    yield f"{app} on {host}: a second instance needs about {needs}, and {free} were free"
                    break

    # --- What to type next ------------------------------------------------------------------------------------------

    def _evidence(self) -> Iterator[str]:
        """Where more is said of what was refused: of each app once."""
        told: set[str] = set()
        for (host, app), one in sorted(self.apps.items(), key=lambda item: item[0]):
            if one.get("evidence") and app not in told:
                told.add(app)
                yield f"sudo cat {one['evidence']}    (on {host})"

    def _next(self) -> Iterator[str]:
        refused = sorted({app for (_host, app), one in self.apps.items() if one["result"] in BAD_RESULTS})
        if refused and self.playbook == "site.yml":
            yield f"{self.command.again(app=','.join(refused))}    (when that is mended)"
        elif self.has_failed:
            yield f"{self.command.again(**self._gone_back())}    (when that is mended)"
        elif self.is_check and self._changed():
            yield self.command.again(check=False)
        elif self.playbook == "settings.yml":
            yield f"{self.command.other('site.yml')} --check --diff"
        elif closed := sorted({app for (_host, app), one in self.apps.items() if one["now"] == "closed"}):
            yield f"{self.command.again(state='off', app=closed[0])}    (to open it)"
        else:
            yield self.command.other(NEXT[self.playbook])

    def _gone_back(self) -> dict[str, Any]:
        """What keeps hosts that have gone back from going one release further when the command is repeated."""
        done = {key: str(one["now"]) for key, one in self.apps.items() if one["result"] == "live"}
        if self.playbook != "rollback.yml" or not done:
            return {}
        left = [host for host in self.hosts if not any(host == on for on, _app in done)]
        ((app, release), *others) = {(app, now) for (_host, app), now in done.items()}
        return {"limit": ",".join(left), **({} if others else {"app": app, "release": release})}

    # --- How it ended -----------------------------------------------------------------------------------------------

    def _verdict(self) -> Line:
        seconds = f"{time.monotonic() - self.began:.0f} s"
        if self.has_failed:
            return f"FAILED after {seconds}: {self._fault()}", BAD
        if not self.apps and not self.hosts:
            return ("The settings can be used." if self.playbook == "settings.yml" else "Nothing to do."), WELL
        changed = self._changed()
        told = f"{'; '.join(changed) or 'there was nothing to do'}."
        if self.is_check:
            return f"CHECKED in {seconds}: {told} Nothing was changed.", CHANGED if changed else WELL
        return f"OK in {seconds}: {told}", WELL

    def _changed(self) -> list[str]:
        """What has changed, or would, in words."""
        word = "would change" if self.is_check else "changed"
        results = [str(one["result"]) for one in self.apps.values()] or [*self.hosts.values()]
        count = sum(result != "unchanged" for result in results)
        hosts = {host for (host, _app), one in self.apps.items() if one["result"] != "unchanged"}
        # Such as nginx's configuration.
        others = [host for host, it in self.hosts.items() if self.apps and it == word and host not in hosts]
        return [
            *([f"{count} of {len(results)} {word}"] if count else []),
            *([f"something else {word} on {some_of(others)}"] if others else []),
        ]

    def _fault(self) -> str:
        refused = {key for key, one in self.apps.items() if one["result"] in BAD_RESULTS}
        apps = sorted({app for _host, app in refused})
        told = {host for host, _app in refused}
        # Something else went wrong there.
        failed = [host for host, it in self.hosts.items() if it == "failed" and host not in told]
        lost = [host for host, it in self.hosts.items() if it == "unreachable"]
        words = [
            *([f"{', '.join(apps)} {'was' if len(apps) == 1 else 'were'} not taken"] if apps else []),
            *([f"{some_of(failed)} failed"] if failed else []),
            *([f"{some_of(lost)} can't be reached"] if lost else []),
        ]
        return f"{'; '.join(words) or 'no host was touched'}; the reason is above the recap."


def _tone(result: str) -> str:
    if result in (*BAD_RESULTS, "unreachable"):
        return BAD
    return WELL if result == "unchanged" else CHANGED
