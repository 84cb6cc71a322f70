"""Filling the wheelhouse with what one host takes, on the controller."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.app import App
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.checked import parse
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.dependencies.pip import download
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.dependencies.unsettled import Unsettled
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.dependencies.wheelhouse import Target
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.plan import target_of
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.request import BadSettings, Request, Settings

UNSET = (
    "web_wheelhouse: is not set; name the folder that shall hold the wheels, such as 'wheelhouse', where your apps are "
    "listed"
)


def fill(request: Request, host: Mapping[str, Any]) -> list[str]:
    """A line for each wheel that is new; with `is_check` for each that would be. Raises BadSettings.

    `host` is what the module `look` tells.
    """
    settings, problems = parse(request)
    if not settings.agreement.wheelhouse:
        problems.append(UNSET)
    target = target_of(host)
    if problems or target is None:
        raise BadSettings(problems)
    lines: list[str] = []
    for app in settings.present():
        try:
            lines += _filled(settings, app, target.on(app.python), request.is_check)
        except Unsettled as error:
            problems.append(f"web_apps: '{app.name}' has '{error.key}': {error.fault}")
        except OSError as error:
            problems.append(f"web_wheelhouse: {error.filename} can't be written: {error.strerror}")
    if problems:
        raise BadSettings(problems)
    return lines


def _filled(settings: Settings, app: App, target: Target, is_check: bool) -> list[str]:
    wheelhouse, installed = settings.wheelhouse(app), settings.dependencies(app)
    if wheelhouse is None:
        return []
    _there, lacking = wheelhouse.look(installed.text, target, installed.wheels)
    if not lacking:
        return []
    if is_check:
        return [f"{wheelhouse.called} would get {pin.called} for {target}" for pin in lacking]
    names = download(lacking, target, wheelhouse.folder, settings.agreement.build_environment)
    return [f"{wheelhouse.called}/{name} is new" for name in names]
