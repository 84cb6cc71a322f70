"""All apps of one run on one host, side by side: building, starting and proving cost each other no time.

Links still move one by one, and each app goes its own way: one that is refused holds back no other.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases import instance
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.deploy import Deploy, Result
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.place import Placing
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.refused import FAULTS
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.system import System
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.wanted import (
    app_layout,
    content_of,
    wanted_of,
)

# What a module is told of releases.
RELEASE_OPTIONS: dict[str, dict[str, Any]] = {
    "apps": {"type": "list", "elements": "dict", "required": True},
    "archives": {"type": "dict", "default": {}},
    # As one text each: Ansible would blot out every single value of a dictionary wherever else it stands.
    "packed": {"type": "str", "default": "{}", "no_log": True},
    "wheels": {"type": "dict", "default": {}},
    "all_is_sent": {"type": "bool", "default": False},
    "environments": {"type": "str", "default": "{}", "no_log": True},
    "build_environment": {"type": "str", "default": "{}", "no_log": True},
    "secrets": {"type": "dict", "default": {}, "no_log": True},
    "first_hosts": {"type": "dict", "default": {}},
    "host": {"type": "str", "default": ""},
    "by": {"type": "str", "default": ""},
}
# An app that nobody can ask for: its release is refused when it must answer.
NOBODY = {"host": "", "port": 0}
# Apps at a time for each core. A start computes for half of its time and waits for the rest.
FOR_EACH_CORE = 2
# Seconds for which those that are placed wait for the others, so that systemd reads all units at once. A build may take
# half an hour.
WAITS_FOR_OTHERS = 5.0


class Batch:
    """The apps that a module was told of. `given` has RELEASE_OPTIONS.

    `fronts` is by app how visitors ask for it, `held_back` the reasons why some must not go live, and `held_back_at`
    the step at which these are.
    """

    def __init__(
        self,
        given: Mapping[str, Any],
        fronts: Mapping[str, Any],
        held_back: Mapping[str, str] | None = None,
        held_back_at: str = "",
    ) -> None:
        self._given = given
        self._fronts = fronts
        self._held_back = held_back or {}
        self._held_back_at = held_back_at
        # What is small came along with the call.
        self._archives: dict[str, Path | bytes] = {name: Path(path) for name, path in given["archives"].items()}
        self._archives |= {name: base64.b64decode(text) for name, text in json.loads(given["packed"]).items()}
        self._system = System()
        self.deploys = [self._deploy(item) for item in given["apps"]]

    def lacking(self) -> dict[str, Any]:
        """What must be sent first, `needs_code` and `needs_wheels`; {} if nothing must, or if no more can be sent."""
        if self._given["all_is_sent"]:
            return {}
        placed = [deploy.placing for deploy in self.deploys if deploy.app.name not in self._held_back]
        code = [it.app.name for it in placed if it.app.name not in self._archives and it.lacks_code()]
        wheels = {it.app.name: lacking for it in placed if (lacking := it.lacking_wheels())}
        return {"needs_code": code, "needs_wheels": wheels} if code or wheels else {}

    def rehearse(self) -> list[Result]:
        """What a run would do. Changes nothing."""
        return [self._rehearsal(deploy) for deploy in self.deploys]

    def run(self, prepare_only: Sequence[str] = ()) -> list[Result]:
        """What became of each app, in their order. Those of `prepare_only` aren't started."""
        at_a_time = FOR_EACH_CORE * (os.cpu_count() or 1)
        with ThreadPoolExecutor(max_workers=at_a_time) as pool:
            if kept := [deploy for deploy in self.deploys if deploy.is_kept()]:
                # What can't be asked of all at once, each asks in its turn.
                with contextlib.suppress(FAULTS):
                    seen = instance.see(self._system, [deploy.wanted.layout for deploy in kept])
                    list(pool.map(lambda deploy: deploy.look(seen), kept))
            # systemd takes its time to read units anew, and keeps everybody waiting.
            places = {it.app.name: pool.submit(it.place) for it in self.deploys if it.app.name not in self._held_back}
            with self._system.one_reload():
                late = wait(places.values(), WAITS_FOR_OTHERS).not_done
            # All are live or refused by then: that systemd reads nothing is found, and mended, by the next run.
            with contextlib.suppress(OSError), self._system.one_reload():
                # Who is late is waited for last.
                order = sorted(self.deploys, key=lambda it: places.get(it.app.name) in late)
                runs = {it.app.name: pool.submit(self._result, it, prepare_only, places, late) for it in order}
                wait(runs.values())
        return [runs[it.app.name].result() for it in self.deploys]

    def _rehearsal(self, deploy: Deploy) -> Result:
        if deploy.app.name in self._held_back:
            return deploy.rehearse_holding_back(self._held_back[deploy.app.name], self._held_back_at)
        return deploy.rehearse()

    def _result(
        self,
        deploy: Deploy,
        prepare_only: Sequence[str],
        places: Mapping[str, Future[None]],
        late: Collection[Future[None]],
    ) -> Result:
        name = deploy.app.name
        if name in self._held_back:
            return deploy.hold_back(self._held_back[name], self._held_back_at)
        places[name].result()
        return deploy.run(until_live=name not in prepare_only, is_read=places[name] not in late)

    def _deploy(self, item: Mapping[str, Any]) -> Deploy:
        given, name = self._given, item["app"]["name"]
        layout = app_layout(item["app"]).release(item["release"]["id"])
        variables = {
            "environment": json.loads(given["environments"]).get(name, {}),
            "secrets": given["secrets"].get(name, {}),
            "build": json.loads(given["build_environment"]),
        }
        wheels = given["wheels"].get(name)
        placing = Placing(
            wanted=wanted_of(layout, item["release"], self._fronts.get(name) or NOBODY),
            content=content_of(item, item["texts"], variables),
            system=self._system,
            archive=self._archives.get(name),
            is_first=given["host"] != "" and given["first_hosts"].get(name) == given["host"],
            packed_wheels=Path(wheels) if wheels else None,
        )
        return Deploy(placing, given["by"])
