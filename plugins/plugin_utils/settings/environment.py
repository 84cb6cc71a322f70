"""Environment variables of an app, those in clear and those that must not be shown. No message holds a value."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.rules import WrongValue
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.words import (
    LISTED,
    SECRET_LENGTH,
    nearest,
    shown_name,
)

# uWSGI takes UWSGI_* for its own options; systemd's notification and sockets would be misled by the rest.
RESERVED_PREFIXES = ("UWSGI_", "LISTEN_")
RESERVED_NAMES = ("NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "WEB_APP", "WEB_RELEASE")
# What an app's variables must leave alone, or another program would run than the one that is deployed.
FOREIGN = {
    "PATH": "the virtualenv's programs come first as it is; write the full path of any other program",
    "PYTHONHOME": "Python would leave the release's virtualenv",
    "PYTHONPATH": "modules come from the source and its requirements; set 'chdir' for those in a folder of it",
    "PYTHONPLATLIBDIR": "Python would not find its own modules",
    "PYTHONSAFEPATH": "Python would not find the app",
}
FOREIGN_PREFIXES = {"LD_": "it makes programs load other libraries; install them on the host instead"}
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# Linux takes no longer one: MAX_ARG_STRLEN of execve(2), which counts NAME=value and a final NUL.
LONGEST = 128 * 1024 - 1
# Beside SECRETS itself, variables that begin so hold more of them.
SECRETS = "web_app_secrets"
SECRETS_NAME = re.compile(rf"{SECRETS}(_\w+)?", re.ASCII)


def environment(value: Any) -> dict[str, str]:
    """Names and values of environment variables. Whole numbers become strings; true, false, null and fractions are
    refused, because YAML has dropped the spelling that the app expects: 3.10 arrives here as 3.1."""
    if not isinstance(value, Mapping):
        raise WrongValue("must be a dictionary of NAME: value")
    return {str(name): _content(name, content) for name, content in value.items()}


def app_environment(value: Any) -> dict[str, str]:
    """The same for an app, whose program, libraries and modules are the release's."""
    found = environment(value)
    for name in found:
        foreign = [why for begin, why in FOREIGN_PREFIXES.items() if name.startswith(begin)]
        if why := FOREIGN.get(name) or next(iter(foreign), ""):
            raise WrongValue(f"must not set {name!r}: {why}")
    return found


def names_only(value: Any) -> dict[str, str]:
    """What stands for variables that can't be used: they aren't missing."""
    return {str(name): "" for name in value} if isinstance(value, Mapping) else {}


def variable_names(value: Any) -> list[str]:
    """Names of environment variables, none twice; there may be none."""
    if not isinstance(value, list):
        raise WrongValue("must be a list of names of environment variables (- DATABASE_URL)")
    for name in value:
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise WrongValue(f"must list names of letters, digits and underscores; {shown_name(name)} isn't one")
        if value.count(name) > 1:
            raise WrongValue(f"must list each name once; {name!r} appears twice")
    return [str(name) for name in value]


def _content(name: Any, content: Any) -> str:
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise WrongValue(f"must have names of letters, digits and underscores; {shown_name(name)} isn't one")
    if name in RESERVED_NAMES or name.startswith(RESERVED_PREFIXES):
        raise WrongValue(f"must not set {name!r}: uWSGI, systemd or the deploy itself reads it")
    if isinstance(content, bool) or not isinstance(content, str | int):
        raise WrongValue(f"must hold strings; put the value of {name!r} in quotes")
    text = str(content)
    if "\0" in text:
        raise WrongValue(f"must not contain a NUL byte; the value of {name!r} does")
    if any(_is_no_character(ord(one)) for one in text if one > "\ud7ff"):
        raise WrongValue(
            f"must be text, which the value of {name!r} isn't (a surrogate, or U+FFFE); encode it, as base64"
        )
    if len(f"{name}={text}".encode()) >= LONGEST:
        raise WrongValue(f"must hold less than 128 KB in each value; that of {name!r} is longer: put it into a file")
    return text


def _is_no_character(code: int) -> bool:
    """Whether systemd takes a text with this code for broken, and drops the variable (unichar_is_valid)."""
    return 0xD800 <= code <= 0xDFFF or 0xFDD0 <= code <= 0xFDEF or code & 0xFFFE == 0xFFFE


def secrets_variables(names: Iterable[Any]) -> list[str]:
    """Which of these variables hold secrets, in the order in which later ones win."""
    return sorted(str(name) for name in names if isinstance(name, str) and SECRETS_NAME.fullmatch(name))


def parse_secrets(
    variables: Mapping[str, Any],
    environments: Mapping[str, Mapping[str, str]],
    names: Iterable[str],
    problems: list[str],
) -> dict[str, dict[str, str]]:
    """The secrets by app, for those that have any; what is wrong is added to `problems`.

    They stand in all `variables` that are called so, and a later one wins by single secret. `environments` are the
    variables in clear by app, `names` those of all apps.
    """
    known = list(names)
    secrets: dict[str, dict[str, str]] = {}
    for variable in secrets_variables(variables):
        given = variables[variable]
        if not isinstance(given, Mapping):
            problems.append(f"{variable}: must be a dictionary with an app's name as key")
            continue
        for name, content in given.items():
            if name not in known:
                problems.append(f"{variable}: {shown_name(name)} is not an app{nearest(name, known, 'apps')}")
                continue
            try:
                found = app_environment(content)
            except WrongValue as error:
                problems.append(f"{variable}: '{name}' {error}")
                secrets[str(name)] = {**names_only(content), **secrets.get(str(name), {})}
                continue
            faults = _secret_faults(found, environments.get(str(name), {}))
            problems += [f"{variable}: '{name}' {fault}" for fault in faults]
            secrets[str(name)] = {**secrets.get(str(name), {}), **found}
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


def missing_variables(wanted: Iterable[str], *given: Mapping[str, str]) -> Iterator[str]:
    """Variables that an app needs and that none of these has, as the ends of sentences that begin with the app."""
    known = sorted({name for variables in given for name in variables})
    for name in wanted:
        if name not in known:
            yield (
                f"has 'required_environment': {name!r} is set neither in 'environment' nor in {SECRETS}"
                f"{nearest(name, known, 'variables', LISTED)}"
            )
