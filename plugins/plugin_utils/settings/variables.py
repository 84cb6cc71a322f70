"""Ansible's variables of a host: ours, rendered to plain values; misspelt ones; and the files where they may be set."""

from __future__ import annotations

import difflib
import errno
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ansible.errors import AnsibleError, AnsibleTemplateSyntaxError, AnsibleUndefinedVariable
from ansible.module_utils._internal._datatag import AnsibleTagHelper
from ansible.parsing.dataloader import DataLoader
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings import agreement
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.checked import parse
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.defaults import DEFAULTS
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.environment import (
    SECRETS,
    secrets_variables,
)
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.hidden import without_secrets
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.placement import Inventory
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.preview import preview
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.request import BadSettings, Request
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.rules import STAGING

OURS = re.compile(r"(flask_app|nginx|uwsgi|web)_")
# What people try, and what there is instead. Only what nobody would call a variable of their own.
_CERTBOT = "web_(acme|certbot|lets_?encrypt)"
_IN_AN_APP = "is a key of each app in web_apps"
TRIED = {
    f"{_CERTBOT}_(staging|test|use_staging)": f"set web_acme_directory to {STAGING}",
    f"{_CERTBOT}_(e?mail|contact|account|account_email)": "did you mean 'web_acme_email'?",
    f"{_CERTBOT}_(directory|directory_url|server|url|ca)": "did you mean 'web_acme_directory'?",
    f"({_CERTBOT}|web)_dns_plugin": "did you mean 'web_acme_dns_plugin'?",
    f"({_CERTBOT}|web)_dns_credentials": "did you mean 'web_acme_dns_credentials'?",
    f"{_CERTBOT}|web_(tls|ssl|https)": f"'tls' {_IN_AN_APP}",
    "web_(tls|ssl)_cert(ificate)?": f"'tls_certificate' {_IN_AN_APP}",
    "web_(tls|ssl)_(private_)?key": f"'tls_key' {_IN_AN_APP}",
    "web_hsts": f"'hsts' {_IN_AN_APP}",
    "web_(user|group)": f"'user' {_IN_AN_APP}",
}
# Without its s, or with more than an underscore behind it.
MISSPELT_SECRETS = re.compile(r"web_app_secret(?!s(_|$))")
# What a person chooses for one run: -e app=shop -e restart=shop -e refresh=shop; wheelhouse.yml chooses `fill`.
CHOICES = ("app", "restart", "refresh", "fill")
LOCKED = "it is encrypted, and can't be decrypted; give the right --vault-password-file or --ask-vault-pass"
# As Ansible takes them for files of variables.
EXTENSIONS = ("", ".yml", ".yaml", ".json")


def own_variables() -> list[str]:
    """Names of all variables that the settings are read from."""
    return ["web_apps", DEFAULTS, SECRETS, *agreement.variables()]


# --- Their values ---------------------------------------------------------------------------------------------------


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

    values, problems = {}, []
    for name in dict.fromkeys([*own_variables(), *secrets_variables(task_vars), *CHOICES]):
        if name in task_vars:
            try:
                values[name] = plain(render(task_vars[name]))
            except AnsibleError as error:
                problems.append(f"{name}: can't be read: {_reason(error)}")
    if problems:
        raise BadSettings(problems)
    chosen = {name: values.pop(name, "") for name in CHOICES}
    return Request(
        variables=values,
        base=str(task_vars["playbook_dir"]),
        inventory=Inventory(str(task_vars.get("inventory_hostname", "")), plain(task_vars.get("groups") or {})),
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

    def masked(lines: list[str]) -> list[str]:
        return without_secrets(lines, task_vars, render, names)

    try:
        request = request_of(task_vars, render, loader)
        names = request.names()
        settings, problems = parse(request)
        proven = settings.proven_here()
        told = list(settings.new_locks() if problems else settings.notices())
        # While wheels are missing, nothing is deployed.
        seen = [] if problems or request.fill else list(preview(settings))
    except BadSettings as error:
        problems = error.problems
    problems += misspelt(task_vars, str(task_vars["playbook_dir"]))
    shown = [{**one, "source": masked([one["source"]])[0], "names": masked(one["names"])} for one in seen]
    return Checked(masked(problems), proven, masked(told), shown)


def _reason(error: BaseException) -> str:
    """Why a template fails. Only messages that hold names, or none of what was written, are passed on."""
    if isinstance(error, AnsibleUndefinedVariable | AnsibleTemplateSyntaxError):
        return " ".join(str(error).split())
    if "vault" in type(error).__name__.lower():
        return LOCKED
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


# --- Misspelt ones --------------------------------------------------------------------------------------------------


def misspelt(names: Iterable[str], project: str) -> list[str]:
    """Which of a host's variables are misspelt ones of ours, a line for each: Ansible takes them without a word.

    `project` is the playbook's folder. One that resembles none of ours is taken for somebody else's.
    """
    homes = Path(project, "roles").glob("*/defaults/main.yml")
    known = [
        *own_variables(),
        *(name for home in homes for name in re.findall(r"^(\w+):", home.read_text(encoding="utf-8"), re.MULTILINE)),
    ]
    unknown = sorted({*names} - {*known, *secrets_variables(names)})
    instead = {name: _instead(name, known) for name in unknown if OURS.match(name)}
    return [f"{name}: nothing reads this variable; {remedy}" for name, remedy in instead.items() if remedy]


def _instead(name: str, known: Sequence[str]) -> str:
    """What there is in place of a variable that isn't ours; "" if it resembles none."""
    for tried, remedy in TRIED.items():
        if re.fullmatch(tried, name):
            return remedy
    # Names begin alike, so only those count that are very near.
    if MISSPELT_SECRETS.match(name):
        words = re.sub("^web_app_secrets?_?", f"{SECRETS}_", name).rstrip("_")
        return f"did you mean {words!r}?"
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.84)
    return f"did you mean {near[0]!r}?" if near else ""


# --- Where they may be set ------------------------------------------------------------------------------------------


def looked_at(task_vars: Mapping[str, Any]) -> str:
    """Where the apps of this host can be listed, which files were looked at, and where there was none.

    Hosts in the same groups get the same words.
    """
    groups = ["all", *task_vars.get("group_names", [])]
    sources = [str(source) for source in task_vars.get("ansible_inventory_sources") or []]
    inventories = [source for source in sources if os.path.exists(source)]
    project = str(task_vars["playbook_dir"])
    folders = [source if os.path.isdir(source) else os.path.dirname(source) for source in inventories]
    folders = list(dict.fromkeys([*folders, project]))
    hosts = [f"{folder}/host_vars/{task_vars.get('inventory_hostname')}" for folder in folders]
    places = [f"{folder}/group_vars/{group}" for folder in folders for group in groups]
    files = [source for source in inventories if os.path.isfile(source)]
    files += [path for place in [*places, *hosts] for path in _files(place)]
    missing = [f"{folder}/group_vars/{{{','.join(empty)}}}" for folder in folders if (empty := _empty(folder, groups))]
    best = next((group for group in groups if group not in ("all", "web")), "web")
    return (
        f"list the apps in {project}/group_vars/{best}/web_apps.yml. "
        f"Looked at {', '.join(files) or 'no file'}; there is nothing at {', '.join(missing) or 'no other place'}"
    )


def _empty(folder: str, groups: Iterable[str]) -> list[str]:
    return [group for group in groups if not any(_files(f"{folder}/group_vars/{group}"))]


def _files(place: str) -> Iterator[str]:
    """The files of variables that Ansible finds under a name: a file, or everything in a folder."""
    for extension in EXTENSIONS:
        path = Path(place + extension)
        if path.is_file():
            yield str(path)
        elif path.is_dir() and not extension:
            yield from sorted(str(file) for file in path.rglob("*") if file.is_file() and file.suffix in EXTENSIONS)
