"""Ansible's variables of a host: ours, rendered to plain values, and everything that is wrong with them."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ansible.errors import AnsibleError, AnsibleTemplateSyntaxError, AnsibleUndefinedVariable
from ansible.module_utils._internal._datatag import AnsibleTagHelper
from ansible.parsing.dataloader import DataLoader
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.checked import parse, problems_alone
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.environment import (
    secrets_variables,
)
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.hidden import Secrets
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.meant import (
    misspelt,
    own_variables,
    without_prefix,
)
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.parsing import items_of, names_of
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.placement import Inventory
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.preview import preview
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.request import BadSettings, Request, Settings
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.role_variables import RULES
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.variable_files import LOCKED, looked_at
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.words import shown_name

# What a person chooses for one run: -e app=shop -e restart=shop -e refresh=shop; wheelhouse.yml chooses `fill`.
CHOICES = ("app", "restart", "refresh", "fill")


def request_of(task_vars: Mapping[str, Any], render: Callable[[Any], Any], loader: DataLoader) -> Request:
    """What these variables of a host ask for. Raises BadSettings with a line for each that can't be rendered.

    `render` is the templar's; its errors are told without what they quote, which may be a secret.
    """

    def read(path: Path) -> bytes:
        try:
            return Path(loader.get_real_file(str(path))).read_bytes()
        except AnsibleError as error:
            if not path.is_file():
                raise FileNotFoundError(errno.ENOENT, "there is no such file", str(path)) from error
            reason = LOCKED if os.access(path, os.R_OK) else os.strerror(errno.EACCES)
            raise OSError(errno.EACCES, reason, str(path)) from error

    values, problems = rendered(task_vars, render, _read(task_vars))
    if problems:
        raise BadSettings(problems)
    chosen = {name: values.pop(name, "") for name in CHOICES}
    return Request(
        variables=values,
        base=str(task_vars["playbook_dir"]),
        inventory=_inventory(task_vars),
        is_check=bool(task_vars.get("ansible_check_mode")),
        looked_at=looked_at(task_vars),
        read=read,
        **chosen,
    )


class Checked(NamedTuple):
    """What became of the settings of a host, without any secret.

    `problems` is everything that is wrong, a line each; `proven_here` are the names for which a CA asks the host,
    `notices` what a person should know though nothing is wrong, and `preview` what would be served, if nothing is.
    """

    problems: list[str]
    proven_here: list[str]
    notices: list[str]
    preview: list[dict[str, Any]]


def check(task_vars: Mapping[str, Any], render: Callable[[Any], Any], loader: DataLoader) -> Checked:
    """The settings of a host, checked."""
    names: list[str] = []
    proven: list[str] = []
    told: list[str] = []
    seen: list[dict[str, Any]] = []

    secrets = Secrets(task_vars, render)

    def masked(lines: list[str]) -> list[str]:
        return secrets.masked(lines, names)

    try:
        request = request_of(task_vars, render, loader)
        names = request.names()
        settings, problems = parse(request)
        proven = settings.proven_here()
        told = list(settings.new_locks() if problems else [*settings.notices(), *without_prefix(task_vars)])
        # While wheels are missing, nothing is deployed.
        seen = [] if problems or request.fill else _previewed(settings, problems)
    except BadSettings:
        return Checked(each_problem(task_vars, render), [], [], [])
    problems += misspelt(task_vars, str(task_vars["playbook_dir"]))
    shown = [{**one, "source": masked([one["source"]])[0], "names": masked(one["names"])} for one in seen]
    return Checked(masked(problems), proven, masked(told), shown)


def _previewed(settings: Settings, problems: list[str]) -> list[dict[str, Any]]:
    """What would be served; none where a source has become unreadable meanwhile, which is one of the problems then."""
    try:
        return list(preview(settings))
    except BadSettings as error:
        problems += error.problems
        return []


def each_problem(task_vars: Mapping[str, Any], render: Callable[[Any], Any]) -> list[str]:
    """What is wrong with each setting of a host by itself: no source is looked into, and what can't be read is one."""
    values, unread = rendered(task_vars, render, _read(task_vars))
    problems = [*unread, *problems_alone(values, _inventory(task_vars))]
    problems += misspelt(task_vars, str(task_vars["playbook_dir"]))
    return Secrets(task_vars, render).masked(problems, names_of(items_of(values.get("web_apps"), [])))


def _inventory(task_vars: Mapping[str, Any]) -> Inventory:
    return Inventory(str(task_vars.get("inventory_hostname", "")), plain(task_vars.get("groups") or {}))


def _read(task_vars: Mapping[str, Any]) -> list[str]:
    return list(dict.fromkeys([*own_variables(), *secrets_variables(task_vars), *RULES, *CHOICES]))


def rendered(
    task_vars: Mapping[str, Any], render: Callable[[Any], Any], names: Sequence[str]
) -> tuple[dict[str, Any], list[str]]:
    """Those of the variables that can be read, of web_apps the items that can, and a line for each of the others."""
    values: dict[str, Any] = {}
    problems: list[str] = []
    for name in names:
        if name not in task_vars:
            continue
        try:
            values[name] = plain(render(task_vars[name]))
        except AnsibleError as error:
            apps = task_vars[name]
            if name == "web_apps" and isinstance(apps, list) and all(isinstance(app, Mapping) for app in apps):
                read = [list(_unread(number, app, render)) for number, app in enumerate(apps, start=1)]
                problems += [f"web_apps: {line}" for lines in read for line in lines]
                values[name] = [plain(render(app)) for app, lines in zip(apps, read, strict=True) if not lines]
            else:
                problems.append(f"{name}: can't be read: {_reason(error)}")
    return values, problems


def _unread(number: int, app: Mapping[Any, Any], render: Callable[[Any], Any]) -> Iterator[str]:
    called = f"item {number}"
    for name, value in app.items():
        try:
            read = render(value)
            called = shown_name(read) if name == "name" and isinstance(read, str) else called
        except AnsibleError as error:
            yield f"{called} has {shown_name(name)}, which can't be read: {_reason(error)}"


def _reason(error: BaseException) -> str:
    """Why a template fails. Only messages that hold names, or none of what was written, are passed on."""
    if isinstance(error, AnsibleUndefinedVariable | AnsibleTemplateSyntaxError):
        return " ".join(str(error).split())
    if "vault" in type(error).__name__.lower():
        return LOCKED
    if isinstance(error, RecursionError):
        return "its template leads back to itself; look at what each {{ … }} of it stands for"
    if error.__cause__ is not None:
        return _reason(error.__cause__)
    return f"its template fails ({type(error).__name__}); look at each {{{{ … }}}} of it"


def plain(value: Any) -> Any:
    """The value in Python's own types."""
    if isinstance(value, Mapping):
        return {plain(name): plain(content) for name, content in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return AnsibleTagHelper.as_native_type(value)
