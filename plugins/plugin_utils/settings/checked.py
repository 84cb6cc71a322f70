"""What a person wrote, checked as a whole: every app, its source and certificate, against what they must be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.agreement import parse_agreement
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.defaults import DEFAULTS, parse_defaults
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.dependencies.desk import Desk
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.environment import (
    parse_secrets,
)
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.faults import faults
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.parsing import (
    clashes,
    items_of,
    names_of,
    parse_app,
)
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.placement import Inventory
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.request import Request, Settings, path_from
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.role_variables import role_faults
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.words import (
    nearest,
    shown_name,
    without_credentials,
)


def parse(request: Request) -> tuple[Settings, list[str]]:
    """The settings, and everything that is wrong with them, a line for each problem."""
    problems: list[str] = []
    agreement, refused = parse_agreement(request.variables, problems)
    problems += role_faults(request.variables)
    given = request.variables.get("web_apps")
    if given is None or given == []:
        state = "is empty" if "web_apps" in request.variables else "is not set"
        problems.append(f"web_apps: {state}, so there is nothing to deploy; {request.looked_at}")
        given = []
    items = items_of(given, problems)
    names = names_of(items)
    defaults = parse_defaults(request.variables.get(DEFAULTS, {}), problems)
    completed = [defaults.with_own(item) for item in items]
    found = [parse_app(item, number, problems) for number, item in enumerate(completed, start=1)]
    known = [
        (app, wrong)
        for (app, wrong), item in zip(found, items, strict=True)
        if app is not None and not defaults.hide_source_of(item)
    ]
    apps = [app for app, _wrong in known]
    wrong_keys = {app.name: wrong for app, wrong in known}
    problems += clashes(completed, request.inventory)
    environments = {app.name: app.environment for app in apps}
    chosen = _chosen("app", request.app, names, problems) or names
    gone = [app.name for app in apps if not app.is_present()]
    deployed = [name for name in names if name in chosen and name not in gone]
    restarted = _chosen("restart", request.restart, deployed, problems)
    secrets = parse_secrets(request.variables, environments, names, problems)
    refreshed = _chosen("refresh", request.refresh, deployed, problems)
    settings = Settings(
        agreement=agreement,
        refused=refused,
        apps=apps,
        secrets=secrets,
        base=request.base,
        inventory=request.inventory,
        chosen=chosen,
        restarted=restarted,
        read=request.read,
        desk=Desk(
            locks=path_from(request.base, agreement.locks),
            called=agreement.locks,
            memory=request.memory,
            python=agreement.lock_python,
            refreshed=refreshed,
            variables=agreement.build_environment,
            is_check=request.is_check,
        ),
        fills=bool(request.fill),
    )
    problems += faults(settings, wrong_keys)
    return settings, [without_credentials(problem) for problem in problems]


def problems_alone(variables: Mapping[str, Any], inventory: Inventory) -> list[str]:
    """What is wrong with each of these by itself, where others can't be read, on which the rest may depend."""
    problems: list[str] = []
    parse_agreement(variables, problems)
    problems += role_faults(variables)
    defaults = parse_defaults(variables.get(DEFAULTS, {}), problems)
    items = [defaults.with_own(item) for item in items_of(variables.get("web_apps", []), problems)]
    for number, item in enumerate(items, start=1):
        parse_app(item, number, problems)
    problems += clashes(items, inventory)
    return [without_credentials(problem) for problem in problems]


def _chosen(option: str, given: Any, names: Sequence[str], problems: list[str]) -> list[str]:
    """Names of apps as a person lists them on the command line: `shop`, `shop,wiki`, or a list."""
    listed = given.split(",") if isinstance(given, str) else given
    if not isinstance(listed, list) or not all(isinstance(name, str) for name in listed):
        problems.append(f"{option}: must be the name of an app, or several with commas between them (shop,wiki)")
        return []
    chosen = [name.strip() for name in listed if name.strip()]
    problems += [
        f"{option}: {shown_name(name)} is not an app of this run{nearest(name, names, 'apps')}"
        for name in chosen
        if name not in names
    ]
    return chosen
