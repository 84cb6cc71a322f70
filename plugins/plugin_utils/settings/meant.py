"""Names that people take for ours, and what they meant: Ansible takes any variable without a word."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings import agreement
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.defaults import DEFAULTS
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.environment import (
    SECRETS,
    secrets_variables,
)
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.parsing import FIELDS
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.role_variables import RULES
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.rules import STAGING
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.words import shown_name

# What services.yml reads.
SERVICES = ("services_postgresql", "services_redis")
# What `-e` says to a playbook, and to no other place.
ASKED = (
    *("app", "restart", "refresh", "hooks", "release", "keep_environment", "state", "let_pass", "page", "command"),
    *("format", "file", "confirm", "purge", "remove_packages", "remove_users", "undo_after", "wait"),
    *("login", "fingerprint", "public_key", "since", "grep", "lines", "follow"),
)
# What one playbook reads, and any other would do more than is meant without it.
OF_ONE = {"release": "rollback.yml"}
OURS = re.compile(r"(flask_app|nginx|services|uwsgi|web)_")
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
    "web_services_postgres(ql)?|web_postgres(ql)?": "did you mean 'services_postgresql'?",
    "web_services_redis|web_redis": "did you mean 'services_redis'?",
    "services_(mysql|mariadb|mongodb?|rabbitmq|memcached)": f"there are {' and '.join(SERVICES)}",
}
# The same with `-e`.
TRIED_WITH_E = {
    "(apps?|application|web_?app|project)(_?names?)?|name|only": "did you mean 'app'?",
    "hosts?|servers?|limit|targets?": "choose hosts with --limit",
    "check(_mode)?|dry_?run": "rehearse with --check",
    "version|release_id|to_release": "did you mean 'release'?",
    "maintenance": "did you mean 'state'?",
    "yes|sure|force": "did you mean 'confirm'?",
}
# Without its s, or with more than an underscore behind it.
MISSPELT_SECRETS = re.compile(r"web_app_secret(?!s(_|$))")
# Others' roles call variables of theirs so, too.
ANYBODYS = {"apps", "nginx_group", "nginx_user", "app_root", "run_root", "http_port", "https_port", "locks"}
# What holds other variables, rendered where one looks into it.
OF_EVERY_HOST = ("hostvars", "vars")
# The last letters of so short a word may be the only ones that are right.
SHORT = 4


def own_variables() -> list[str]:
    """Names of all variables that the settings are read from."""
    return ["web_apps", DEFAULTS, SECRETS, *agreement.variables()]


def misspelt(variables: Mapping[str, Any], project: str) -> list[str]:
    """Which of a host's variables, unrendered, are misspelt ones of ours, a line for each.

    `project` is the playbook's folder. One that resembles none of ours is taken for somebody else's, as is one that a
    template among the variables reads.
    """
    listed = [name for name in variables if isinstance(name, str)]
    known = _known(project)
    instead = {name: _instead(name) for name in sorted({*listed} - {*known, *secrets_variables(listed)})}
    return [f"{name}: nothing reads this variable; {it}" for name, it in _unread(instead, variables).items()]


def without_prefix(variables: Mapping[str, Any]) -> list[str]:
    """Which of a host's variables would be ours with `web_` before them, a line for each.

    Another role in the same inventory may read one, so that it is told and not refused.
    """
    ours = {f"web_{name}": name for name in sorted(variables, key=str) if name not in ANYBODYS}
    meant = {ours[name]: name for name in own_variables() if name in ours}
    return [
        f"{name}: nothing here reads this variable; did you mean {it!r}?"
        for name, it in _unread(meant, variables).items()
    ]


def _unread(instead: Mapping[str, str], variables: Mapping[str, Any]) -> dict[str, str]:
    """Those to which there is something instead, and which no template reads."""
    instead = {name: remedy for name, remedy in instead.items() if remedy}
    own = _read_by_templates([*instead], [{name: it for name, it in variables.items() if name not in OF_EVERY_HOST}])
    return {name: remedy for name, remedy in instead.items() if name not in own}


def misspelt_with_e(
    given: Iterable[str], project: str, variables: Iterable[Mapping[str, Any]], playbooks: Sequence[str] = ()
) -> Iterator[str]:
    """Which of the variables that `-e` has given miss what was meant, a line for each.

    `variables` are those of hosts, unrendered. What a template among them reads is somebody's own. `playbooks` are the
    project's that are run, if no other is.
    """
    listed = sorted({*given})
    names = [Path(path).name for path in playbooks]
    elsewhere = {name: it for name, it in OF_ONE.items() if names and it not in names}
    known = {*_known(project), *ASKED, *secrets_variables(listed)} - {*elsewhere}
    strange = [name for name in listed if name not in known]
    own = _read_by_templates(strange, variables)
    for name in strange:
        if name == "_raw_params":
            if "command" not in listed:
                yield "-e: needs name=value; put the value in quotes of its own if it has spaces"
        elif name in elsewhere and name not in own:
            yield f"-e {name!r}: {elsewhere[name]} reads this variable, and {', '.join(names)} does more without it"
        elif name not in own and not name.startswith("ansible_") and (remedy := _instead_of(name)):
            yield f"-e {shown_name(name)}: nothing reads this variable; {remedy}"


def _settable() -> list[str]:
    """What a person may set. Roles have more variables, which a run passes to them."""
    return [*own_variables(), *SERVICES, *RULES]


def _known(project: str) -> list[str]:
    homes = Path(project, "roles").glob("*/defaults/main.yml")
    in_roles = (re.findall(r"^(\w+):", home.read_text(encoding="utf-8"), re.MULTILINE) for home in homes)
    return [*_settable(), *(name for names in in_roles for name in names)]


def _instead(name: str) -> str:
    """What there is in place of a variable that isn't ours; "" if it resembles none."""
    if name in ANYBODYS or not OURS.match(name):
        return ""
    if tried := _tried(name, TRIED):
        return tried
    if MISSPELT_SECRETS.match(name):
        words = re.sub("^web_app_secrets?_?", f"{SECRETS}_", name).rstrip("_")
        return f"did you mean {words!r}?"
    # Names begin alike, so only those count that are very near.
    near = difflib.get_close_matches(name, _settable(), n=1, cutoff=0.84)
    return f"did you mean {near[0]!r}?" if near else ""


def _instead_of(name: str) -> str:
    """The same for one that is given with `-e`."""
    plain = re.sub(r"\W", "_", name.lower())
    if plain in ASKED:
        return f"did you mean {plain!r}?"
    if tried := _tried(plain, TRIED_WITH_E):
        return tried
    if name in FIELDS:
        return f"{name!r} is a key of an app: write it into the app's item of web_apps"
    if f"web_{name}" in own_variables():
        return f"did you mean 'web_{name}'?"
    near = difflib.get_close_matches(plain, ASKED, n=1, cutoff=0.66 if len(name) <= SHORT else 0.75)
    return f"did you mean {near[0]!r}?" if near else _instead(name)


def _tried(name: str, tried: Mapping[str, str]) -> str:
    return next((remedy for words, remedy in tried.items() if re.fullmatch(words, name)), "")


def _read_by_templates(names: Sequence[str], variables: Iterable[Mapping[str, Any]]) -> set[str]:
    if not names:
        return set()
    any_of_them = re.compile(rf"\b({'|'.join(map(re.escape, names))})\b")
    texts = (text for of_host in variables for text in _templates(of_host))
    return {found for text in texts for found in any_of_them.findall(text)}


def _templates(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        value = [*value.values()]
    if isinstance(value, list | tuple):
        for item in value:
            yield from _templates(item)
    elif isinstance(value, str) and "{" in value:
        yield str(value)
