"""Controller's half of the module release: renders each release's files, and sends what a host lacks."""

from __future__ import annotations

import contextlib
import copy
import json
import os
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible_collections.uwsgi_flask.web.plugins.module_utils.flock import FLOCK
from ansible_collections.uwsgi_flask.web.plugins.module_utils.lease import STEP
from ansible_collections.uwsgi_flask.web.plugins.module_utils.release_layout import STEPS
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.alive import telling
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.rendering import Renderer

MODULE = "uwsgi_flask.web.release"


class ActionModule(ActionBase):
    """Sends what the host is known to lack along with the first call, and calls again for what it finds missing."""

    module = MODULE
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        return self._deploy(dict(self._task.args), task_vars)

    def _deploy(self, arguments: dict[str, Any], task_vars: dict[str, Any] | None) -> dict[str, Any]:
        """What the module says of these arguments, once it has all that it lacks."""
        renderer = Renderer(self, arguments.pop("templates"), task_vars or {})
        web, known = arguments.pop("web"), arguments.pop("known", {})
        apps = [{**item, "texts": texts(renderer, item, web)} for item in arguments.pop("apps")]
        sources = {item["app"]["name"]: item["release"] for item in apps}
        arguments |= {
            "apps": [_without_source(item) for item in apps],
            "environments": json.dumps(arguments.pop("environments", {})),
            "build_environment": json.dumps(arguments.pop("build_environment", {})),
        }
        lacking = [
            name
            for name, release in sources.items()
            if release["id"] not in known.get(name, {}).get("releases", [])
            and name not in arguments.get("held_back", {})
            and not self._task.check_mode
        ]
        try:
            archives = self._archives(lacking, sources)
            result = self._send({**arguments, "archives": archives}, task_vars)
            code, wheels = result.pop("needs_code", []), result.pop("needs_wheels", {})
            if code or wheels:
                archives |= self._archives(code, sources)
                more = {"wheels": self._wheels(wheels, sources), "all_is_sent": True}
                result = self._send({**arguments, "archives": archives, **more}, task_vars)
            return result
        finally:
            self._remove_tmp_path(self._connection._shell.tmpdir)

    def _send(self, arguments: dict[str, Any], task_vars: dict[str, Any] | None) -> dict[str, Any]:
        host = (task_vars or {}).get("inventory_hostname", "")
        with telling(self._display.display, lambda: self._doing(host)):
            return dict(self._execute_module(module_name=self.module, module_args=arguments, task_vars=task_vars))

    def _doing(self, host: str) -> str:
        """What the module is at, by its own word; the module itself can't be asked before it has ended."""
        with contextlib.suppress(AnsibleError, OSError):
            # A copy, because a connection keeps what it is at in itself, and the module's call is under way.
            line = copy.copy(self._connection)
            _code, printed, _errors = line.exec_command(f"cat {STEP}", sudoable=False)
            app, _blank, step = printed.decode().strip().partition(" ")
            return f"the step '{step}' of {app} ({host})" if step else ""
        return ""

    def _archives(self, names: Iterable[str], sources: dict[str, Any]) -> dict[str, str]:
        """Send the packed code of these apps; {app: path on the host}."""
        code = {name: [file[0] for file in sources[name]["files"]] for name in names}
        # Level 1: the network between is a LAN or better, and the controller's time is a person's.
        return self._all_sent({name: (sources[name]["source"], paths) for name, paths in code.items()}, "code", 1)

    def _wheels(self, needed: dict[str, list[str]], sources: dict[str, Any]) -> dict[str, str]:
        """Send the packed wheels of these apps; {app: path on the host}."""
        # Level 0: wheels are zip files.
        return self._all_sent({name: (sources[name]["wheelhouse"], it) for name, it in needed.items()}, "wheels", 0)

    def _all_sent(self, contents: dict[str, tuple[str, list[str]]], kind: str, level: int) -> dict[str, str]:
        sent = {}
        for name, (folder, paths) in contents.items():
            try:
                sent[name] = self._sent(folder, paths, f"{name}.{kind}.tar.gz", level)
            except OSError as error:
                # Without it this app is refused on the host, and the others go on.
                self._display.warning(f"{name}: a file changed while it was read: {error}; run again")
        return sent

    def _sent(self, folder: str, paths: list[str], called: str, level: int) -> str:
        if not self._connection._shell.tmpdir:
            self._make_tmp_path()
        remote = str(self._connection._shell.join_path(self._connection._shell.tmpdir, called))
        with tempfile.NamedTemporaryFile(prefix="release-", suffix=".tar.gz") as archive:
            pack(folder, paths, archive.name, level)
            self._transfer_file(archive.name, remote)
        return remote


def texts(renderer: Renderer, item: dict[str, Any], web: dict[str, Any]) -> dict[str, Any]:
    """Every file of a release that the app server brings: {"ini": text, "wsgi": text, "mend.sh": text, "units": …}."""
    variables = {"app": item["app"], "release": item["release"], "web": web}
    return {
        "ini": renderer.text("uwsgi-flask.ini.j2", **variables),
        "wsgi": renderer.text("wsgi.py.j2", **variables),
        "mend.sh": renderer.text("mend.sh.j2", lock=FLOCK, **variables),
        "units": dict(_units(renderer, variables)),
    }


def _units(renderer: Renderer, variables: dict[str, Any]) -> Iterator[tuple[str, str]]:
    release = variables["release"]
    workers = {worker["kind"]: worker for worker in release["workers"].values()}
    timers = {timer["kind"]: timer for timer in release["timers"].values()}
    clocks = {timer["clock"]: timer for timer in release["timers"].values()}
    for kind in release["unit_names"]:
        if kind in workers:
            yield kind, renderer.text("worker.j2", worker=workers[kind], **variables)
        elif kind in timers:
            yield kind, renderer.text("job.j2", timer=timers[kind], **variables)
        elif kind in clocks:
            yield kind, renderer.text("timer.j2", timer=clocks[kind], **variables)
        else:
            template = "step.j2" if kind in STEPS else f"{kind}.j2"
            yield kind, renderer.text(template, step=kind, **variables)


def _without_source(item: dict[str, Any]) -> dict[str, Any]:
    """What the host needs to know: nothing of this machine's folders."""
    folders = ("source", "wheelhouse")
    return {**item, "release": {name: value for name, value in item["release"].items() if name not in folders}}


def pack(source: str, paths: list[str], archive: str, level: int = 1) -> None:
    """Write the files at `paths` inside `source` to a tar, gzipped at this level. The module sets owners and modes."""
    with tarfile.open(archive, "w:gz", compresslevel=level, dereference=True) as tar:
        for path in paths:
            tar.add(os.path.join(source, path), arcname=path, recursive=False)
