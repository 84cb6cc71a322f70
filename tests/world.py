"""A fleet of machines and the apps on it, driven by the same functions that `site.yml` and `rollback.yml` call."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ansible_collections.uwsgi_flask.web.plugins.module_utils.look import app_states
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.deploy import Deploy, roll_back, run_hook
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.place import Placing
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.records import Records
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.registration import find, registered
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.rollback import Rollback
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.wanted import content_of, wanted_of
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils import fleet

from machine import PORT, Cut, Machine, archive_of

NO_VARIABLES: dict[str, dict[str, str]] = {"environment": {}, "secrets": {}, "build": {}}


@dataclasses.dataclass
class Settings:
    """What a person wants of an app: a state of its code, its requirements, its hooks, and where it is served.

    Without `hosts` that is everywhere.
    """

    code: int = 0
    requirements: int = 0
    before: str = ""
    after: str = ""
    workers: tuple[str, ...] = ()
    timers: tuple[str, ...] = ()
    python: str = ""
    calendar: str = "hourly"
    keep: int = 3
    streams: str = ""
    memory_check: bool = True
    hosts: Sequence[str] = ()


def digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:12]


class World:
    """Hosts, apps, and a person's settings."""

    def __init__(
        self, folder: Path, hosts: Sequence[str] = ("one", "two"), apps: Sequence[str] = ("shop", "wiki")
    ) -> None:
        self.folder = folder
        self.hosts = {name: Machine(folder / name) for name in hosts}
        self.settings = {name: Settings() for name in apps}
        # By host, the apps that need a package of the system which can't be installed there, with the reason.
        self.lacking: dict[str, dict[str, str]] = {}

    # --- What a run is made of ----------------------------------------------------------------------------------

    def look(self, host: str) -> dict[str, Any]:
        machine = self.hosts[host]
        return app_states(list(registered(prefix=str(machine.prefix))), machine)

    def item(self, host: str, app: str, look: dict[str, Any], restart: bool = False) -> dict[str, Any]:
        """An item of the plan for this host, with its archive."""
        settings, known = self.settings[app], look.get(app, {})
        serial = known.get("serial", 0) + bool(known.get("renew") or restart)
        if known.get("renew") and self.id_of(host, app, serial) == known.get("live"):
            serial += 1
        version = digest(app, settings.code, settings.requirements)
        layout = self.hosts[host].app(app).release(self.id_of(host, app, serial))
        layout = dataclasses.replace(layout, workers=settings.workers, timers=settings.timers)
        key = digest(version, settings.before, settings.after)
        archive, listed = archive_of(
            self.folder / "packed" / app,
            {"flask_wsgi.py": f"app = {settings.code}\n", "requirements.txt": "flask\n", "static/a.css": ""},
        )
        release = {
            **layout.describe(),
            "version": version,
            "serial": serial,
            "python": "3.13",
            "ref": "",
            "commit": "",
            "files": listed,
            "venv_key": digest(settings.requirements),
            "locked": "flask==3.1.3\n",
            "wheels": [],
            "sent_wheels": None,
            "check": "true",
            "stop_timeout": 45,
            "streams": settings.streams,
            "prefix": "",
            "workers": {
                name: {"name": name, "kind": kind, "command": f"work at {name}"}
                for name, kind in layout.workers_by_name()
            },
            "timers": {
                name: {"name": name, **layout.timer(name), "command": f"do {name}", "calendar": settings.calendar}
                for name in settings.timers
            },
            "gate": {"path": "/health", "successes": 2, "deadline": 3.0},
            "media": {"reader": "", "folders": []},
            "drain": 1.0,
            "keep": settings.keep,
            "memory_check": settings.memory_check,
            "hooks": {
                "key": key,
                "before": [settings.before] if settings.before else [],
                "after": [settings.after] if settings.after else [],
            },
        }
        described = {
            **layout.app.describe(),
            "static_folder": "static",
            "python": settings.python,
            "request_timeout": 30,
            "processes": "",
        }
        units = {kind: f"# {kind} of {layout.id}\n" for kind in layout.unit_names}
        return {
            "hosts": self.serving(app),
            "app": described,
            "release": release,
            "front": {"host": f"{app}.test", "port": PORT},
            "texts": {"ini": f"# {layout.id}\n", "wsgi": "", "mend.sh": f"# {layout.id}\n", "units": units},
            "archive": archive,
        }

    def serving(self, app: str) -> list[str]:
        """The hosts that serve an app."""
        return [host for host in self.hosts if not self.settings[app].hosts or host in self.settings[app].hosts]

    def id_of(self, host: str, app: str, serial: int) -> str:
        settings = self.settings[app]
        version = digest(app, settings.code, settings.requirements)
        return digest(version, settings.before, settings.after, settings.workers, settings.timers, serial)

    def deploy_of(self, host: str, item: dict[str, Any]) -> Deploy:
        machine = self.hosts[host]
        layout = machine.app(item["app"]["name"]).release(item["release"]["id"])
        wanted = wanted_of(layout, item["release"], item["front"])
        content = content_of(item, item["texts"], NO_VARIABLES)
        is_first = host == next(iter(self.hosts))
        return Deploy(Placing(wanted, content, machine, item["archive"], is_first), "ann@laptop")

    # --- The playbooks ------------------------------------------------------------------------------------------

    def site(
        self,
        hosts: Sequence[str] = (),
        apps: Sequence[str] = (),
        hooks: str = "",
        restart: Sequence[str] = (),
        silent: Sequence[str] = (),
    ) -> dict[str, dict[str, dict[str, Any]]]:
        """site.yml with `--limit` and `-e app=`; {host: {app: result}}. `silent` hosts can't be asked."""
        playing = list(hosts or self.hosts)
        looks = {host: self.look(host) for host in playing}
        items = {
            host: [
                self.item(host, app, looks[host], app in restart)
                for app in apps or self.settings
                if host in self.serving(app)
            ]
            for host in playing
        }
        others = fleet.outsiders([item for host in playing for item in items[host]], looks, playing)
        asked = [{} if host in silent else {"look": {"apps": self.look(host)}} for host in others]
        known = {**looks, **fleet.memories(others, asked)}
        owing = {host: [] if hooks == "skip" else fleet.owing(items[host], known) for host in playing}
        owing_after = {host: [] if hooks == "skip" else fleet.owing(items[host], known, ["after"]) for host in playing}
        unasked = {host: fleet.unasked(items[host], owing[host], others, asked, hooks) for host in playing}
        before = {
            host: [app for app in fleet.owing(items[host], known, ["before"]) if app not in unasked[host]]
            for host in playing
        }
        placed = {
            host: {"apps": [self._place(host, item, item["app"]["name"] not in owing[host]) for item in items[host]]}
            for host in playing
        }
        ended = {
            host: self.hooks(host, "before", items[host], before[host], placed, fleet.PREPARED) for host in playing
        }
        held = {host: {**fleet.held_back(before[host], placed, ended), **unasked[host]} for host in playing}
        waiting = {
            host: {one["app"] for one in placed[host]["apps"] if one["result"] == "prepared"} & {*owing[host]}
            for host in playing
        }
        finished = {
            host: {"apps": [self._finish(host, it, held[host]) for it in items[host] if it["app"]["name"] in names]}
            for host, names in waiting.items()
        }
        for host in playing:
            self.hooks(host, "after", items[host], owing_after[host], finished, fleet.LIVE)
        return {
            host: {
                one["app"]: one
                for one in [
                    *(it for it in placed[host]["apps"] if it["app"] not in waiting[host]),
                    *finished[host]["apps"],
                ]
            }
            for host in playing
        }

    def hooks(
        self,
        host: str,
        step: str,
        items: Sequence[dict[str, Any]],
        names: Sequence[str],
        results: dict[str, Any],
        states: Sequence[str],
    ) -> dict[str, Any]:
        failed = {}
        for one in fleet.led(items, host, names, results, states):
            machine = self.hosts[host]
            layout, _content = find(one["app"], str(machine.prefix))
            wrong = run_hook(machine, Records(layout, machine), one["release"], step, one["key"])
            if wrong:
                failed[one["app"]] = wrong
        return {"failed_apps": failed}

    def _place(self, host: str, item: dict[str, Any], until_live: bool) -> dict[str, Any]:
        deploy = self.deploy_of(host, item)
        reason = self.lacking.get(host, {}).get(item["app"]["name"])
        return deploy.hold_back(reason, "packages") if reason else self.place_and_run(deploy, until_live)

    def _finish(self, host: str, item: dict[str, Any], held: dict[str, str]) -> dict[str, Any]:
        deploy = self.deploy_of(host, item)
        name = item["app"]["name"]
        return deploy.hold_back(held[name]) if name in held else self.place_and_run(deploy)

    def place_and_run(self, deploy: Deploy, until_live: bool = True) -> dict[str, Any]:
        with deploy.placing.system.one_reload():
            deploy.place()
        with deploy.placing.system.one_reload():
            return deploy.run(until_live)

    def rollback(self, host: str, app: str, release: str = "", keep_environment: bool = False) -> dict[str, Any]:
        """rollback.yml on one host. Raises Impossible."""
        machine = self.hosts[host]
        layout, content = find(app, str(machine.prefix))
        rollback = Rollback(layout, content["front"], machine, "ann@laptop")
        rollback.records.settle()
        return roll_back(rollback, release, keep_environment)

    # --- What is ------------------------------------------------------------------------------------------------

    def live(self, host: str, app: str) -> str:
        machine = self.hosts[host]
        return Records(machine.app(app), machine).live()

    def records(self, host: str, app: str) -> Records:
        return Records(self.hosts[host].app(app), self.hosts[host])

    def visits(self) -> dict[tuple[str, str], int]:
        """What visitors get, by host and app."""
        return {(host, app): machine.visit(app).status for host, machine in self.hosts.items() for app in self.settings}

    def wanted(self, host: str, app: str) -> str:
        """The id that the settings make now."""
        return str(self.item(host, app, self.look(host))["release"]["id"])


# --- A world of one host and one app ----------------------------------------------------------------------------


def site(world: World, **options: Any) -> dict[str, Any]:
    """The result of the one app."""
    return world.site(**options)["one"]["shop"]


def live(world: World) -> str:
    return world.live("one", "shop")


def change(world: World, ill: str = "") -> str:
    """Another state of the code; the id of its release."""
    world.settings["shop"].code += 1
    wanted = world.wanted("one", "shop")
    if ill:
        world.hosts["one"].ill[wanted] = ill
    return wanted


def deploy(world: World) -> str:
    """Another state of the code goes live; the id of its release."""
    release = change(world)
    assert site(world)["result"] == "live"
    return release


@contextlib.contextmanager
def cut(machine: Machine, after: int) -> Any:
    """A run that ends before this machine's next change but `after`; nothing happens if it has fewer."""
    machine.cut_at = after
    try:
        yield
    except Cut:
        pass
    finally:
        machine.cut_at = None
