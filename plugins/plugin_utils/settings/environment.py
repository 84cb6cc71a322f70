"""Environment variables of an app, those in clear and those that must not be shown. No message holds a value."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.rules import WrongValue
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.words import SECRET_LENGTH, nearest, shown_name

# uWSGI takes UWSGI_* for its own options; systemd's notification and sockets would be misled by the rest.
RESERVED_PREFIXES = ("UWSGI_", "LISTEN_")
RESERVED_NAMES = ("NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "WEB_APP", "WEB_RELEASE")


def environment(value: Any) -> dict[str, str]:
    """Names and values of environment variables. Whole numbers become strings; true, false, null and fractions are
    refused, because YAML has dropped the spelling that the app expects: 3.10 arrives here as 3.1."""
    if not isinstance(value, Mapping):
        raise WrongValue("must be a dictionary of NAME: value")
    return {str(name): _content(name, content) for name, content in value.items()}


def _content(name: Any, content: Any) -> str:
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise WrongValue(f"must have names of letters, digits and underscores; {shown_name(name)} isn't one")
    if name in RESERVED_NAMES or name.startswith(RESERVED_PREFIXES):
        raise WrongValue(f"must not set {name!r}: uWSGI, systemd or the deploy itself reads it")
    if isinstance(content, bool) or not isinstance(content, str | int):
        raise WrongValue(f"must hold strings; put the value of {name!r} in quotes")
    if "\0" in str(content):
        raise WrongValue(f"must not contain a NUL byte; the value of {name!r} does")
    return str(content)


def parse_secrets(
    given: Any, environments: Mapping[str, Mapping[str, str]], names: Iterable[str], problems: list[str]
) -> dict[str, dict[str, str]]:
    """The secrets by app, for those that have any; what is wrong is added to `problems`.

    `environments` are the variables in clear by app, `names` those of all apps.
    """
    if not isinstance(given, Mapping):
        problems.append("web_app_secrets: must be a dictionary with an app's name as key")
        return {}
    known = list(names)
    secrets: dict[str, dict[str, str]] = {}
    for name, variables in given.items():
        if name not in known:
            problems.append(f"web_app_secrets: {shown_name(name)} is not an app{nearest(name, known, 'apps')}")
            continue
        try:
            secrets[str(name)] = environment(variables)
        except WrongValue as error:
            problems.append(f"web_app_secrets: '{name}' {error}")
            continue
        faults = _secret_faults(secrets[str(name)], environments.get(str(name), {}))
        problems += [f"web_app_secrets: '{name}' {fault}" for fault in faults]
    return secrets


def _secret_faults(secrets: Mapping[str, str], in_clear: Mapping[str, str]) -> Iterator[str]:
    short = [name for name, value in secrets.items() if 0 < len(value) < SECRET_LENGTH]
    if short:
        yield (
            f"has a value of less than {SECRET_LENGTH} characters in {short[0]!r}: "
            "Ansible would mask it wherever it appears in its output; move it to 'environment'"
        )
    twice = sorted(secrets.keys() & in_clear.keys())
    if twice:
        yield f"sets {twice[0]!r}, and so does its 'environment'; keep one"
