"""From an app's settings and source to the requirements that its releases install, the same on every host."""

from __future__ import annotations

import dataclasses
import difflib
import re
from pathlib import Path

from ansible_collections.uwsgi_flask.web.plugins.module_utils.flock import Busy
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.app import App
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.dependencies import package, pyproject
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.dependencies.desk import Desk
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.dependencies.lines import (
    closure,
    decoded,
    is_locked,
    kept_options,
    logical_lines,
)
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.dependencies.locks import Inputs, lock
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.dependencies.unsettled import Unsettled

# What is taken where 'requirements' isn't given.
USUAL = ("requirements.txt", pyproject.NAME)

# uWSGI for any Python. Debian's has a plugin for Debian's own alone.
SERVER = "pyuwsgi"
SERVER_WANTED = f"{SERVER}>=2.0.28,<2.1"


@dataclasses.dataclass(frozen=True)
class Dependencies:
    """What pip installs, as a requirements file; files of the release that it finds beside it; what is to be told."""

    text: str
    wheels: tuple[str, ...] = ()
    notice: str = ""


def settle(app: App, source: Path, desk: Desk) -> Dependencies:
    """What a release of the app installs. `source` is its folder, or the wheel that it is. Raises Unsettled."""
    desk = dataclasses.replace(desk, python=app.python or desk.python)
    try:
        if app.package:
            return _of_package(app, source, desk)
        return _of_source(app, source, desk)
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        raise Unsettled("requirements", f"a file can't be read or written: {error.strerror}{where}") from None
    except Busy as error:
        raise Unsettled("requirements", f"{error}; wait for it, or end it") from None


def _of_package(app: App, path: Path, desk: Desk) -> Dependencies:
    wheel = package.wheel_of(app.package)
    if wheel is None:
        locked = lock(app.name, _with_server(app, package.inputs_of_index(app.package, desk.python)), desk)
        return Dependencies(locked.text, (), locked.notice)
    inputs, itself = package.inputs_of_wheel(path, wheel, desk.python)
    locked = lock(app.name, _with_server(app, inputs), desk)
    return Dependencies(itself + locked.text, (path.name,), locked.notice)


def _of_source(app: App, source: Path, desk: Desk) -> Dependencies:
    named = app.requirements or next((name for name in USUAL if (source / name).is_file()), USUAL[0])
    if not (source / named).is_file():
        also = "" if app.requirements else f" and no {pyproject.NAME}"
        near = difflib.get_close_matches(named, [path.name for path in source.iterdir()], n=1, cutoff=0.75)
        hint = f"did you mean {near[0]!r}?" if near else "an empty file is enough if the app needs nothing"
        raise Unsettled("requirements", f"there is no file {named!r}{also} in {str(source)!r}; {hint}")
    made = _of_file(app, source, named, desk)
    if isinstance(made, Inputs):
        locked = lock(app.name, _with_server(app, made), desk)
        return Dependencies(locked.text, (), locked.notice)
    if app.name in desk.refreshed:
        raise Unsettled(
            "requirements", f"{named} brings its lock, so there is nothing to refresh; leave out -e refresh"
        )
    if app.python and not re.search(rf"^{SERVER}\b", made, re.MULTILINE):
        raise Unsettled(
            "python",
            f"{named} brings its lock, and {SERVER} isn't in it, which serves an app on a Python of its own; add "
            f"{SERVER_WANTED!r} to what the app needs, and lock again",
        )
    return Dependencies(made)


def _with_server(app: App, inputs: Inputs) -> Inputs:
    """These inputs, and what serves the app, if it has a Python of its own."""
    if not app.python:
        return inputs
    wanted = {f"{SERVER}.in": f"{SERVER_WANTED}\n".encode()}
    return dataclasses.replace(inputs, files={**inputs.files, **wanted}, options=[*inputs.options, *wanted])


def _of_file(app: App, source: Path, named: str, desk: Desk) -> str | Inputs:
    if Path(named).name == pyproject.NAME:
        return pyproject.settled((source / named).parent, app.extras, desk)
    if app.extras:
        raise Unsettled("extras", f"a requirements file has none; they are for {pyproject.NAME}")
    files = closure(source, named)
    text = decoded(files[named])
    if is_locked(text):
        return text
    texts = {path: decoded(content) for path, content in files.items()}
    return Inputs(
        files=files,
        main=named,
        # A remark that changes needs no new lock.
        essence=[named, {path: list(logical_lines(content)) for path, content in texts.items()}],
        key="requirements",
        what=named,
        python=desk.python,
        kept=[option for path in sorted(texts) for option in kept_options(texts[path])],
    )
