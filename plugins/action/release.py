"""Controller's half of the module release: renders each release's files, and sends what a host lacks."""

from __future__ import annotations

import base64
import contextlib
import copy
import json
import os
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible_collections.uwsgi_flask.web.plugins.module_utils.flock import FLOCK
from ansible_collections.uwsgi_flask.web.plugins.module_utils.lease import STEP
from ansible_collections.uwsgi_flask.web.plugins.module_utils.release_layout import STEPS
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.alive import telling
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.rendering import Renderer

MODULE = "uwsgi_flask.web.release"
# Bytes of packed code that travel within the call: a file of its own costs as much time as the call does.
IN_THE_CALL = 600_000


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
            archives, packed = self._code(lacking, sources)
            sent = {"archives": archives, "packed": json.dumps(packed)}
            result = self._send({**arguments, **sent}, task_vars)
            code, wheels = result.pop("needs_code", []), result.pop("needs_wheels", {})
            if code or wheels:
                more_archives, more_packed = self._code(code, sources)
                sent = {"archives": archives | more_archives, "packed": json.dumps(packed | more_packed)}
                more = {"wheels": self._wheels(wheels, sources), "all_is_sent": True}
                result = self._send({**arguments, **sent, **more}, task_vars)
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

    def _code(self, names: Iterable[str], sources: dict[str, Any]) -> tuple[dict[str, str], dict[str, str]]:
        """The packed code of these apps: paths on the host of what was sent, and in Base64 what goes into the call."""
        archives, inside, room = dict[str, str](), dict[str, str](), IN_THE_CALL
        for name in names:
            paths = [file[0] for file in sources[name]["files"]]
            # Level 1: the network between is a LAN or better, and the controller's time is a person's.
            with self._packed(name, sources[name]["source"], paths, 1) as archive:
                size = os.path.getsize(archive) if archive else 0
                if archive and size <= room:
                    room -= size
                    inside[name] = base64.b64encode(Path(archive).read_bytes()).decode()
                elif archive:
                    archives[name] = self._sent(archive, f"{name}.code.tar.gz")
        return archives, inside

    def _wheels(self, needed: dict[str, list[str]], sources: dict[str, Any]) -> dict[str, str]:
        """Send the packed wheels of these apps; {app: path on the host}."""
        sent = {}
        for name, paths in needed.items():
            # Level 0: wheels are zip files.
            with self._packed(name, sources[name]["wheelhouse"], paths, 0) as archive:
                if archive:
                    sent[name] = self._sent(archive, f"{name}.wheels.tar.gz")
        return sent

    @contextlib.contextmanager
    def _packed(self, name: str, folder: str, paths: list[str], level: int) -> Iterator[str]:
        """The archive's path; "" if a file couldn't be read."""
        with tempfile.NamedTemporaryFile(prefix="release-", suffix=".tar.gz") as archive:
            try:
                pack(folder, paths, archive.name, level)
            except OSError as error:
                # Without it this app is refused on the host, and the others go on.
                self._display.warning(f"{name}: a file changed while it was read: {error}; run again")
                yield ""
            else:
                yield archive.name

    def _sent(self, archive: str, called: str) -> str:
        if not self._connection._shell.tmpdir:
            self._make_tmp_path()
        remote = str(self._connection._shell.join_path(self._connection._shell.tmpdir, called))
        self._transfer_file(archive, remote)
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
