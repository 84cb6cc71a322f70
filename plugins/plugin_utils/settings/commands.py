"""Rules for what an app runs beside its requests: command lines, and the names that units get from them."""

from __future__ import annotations

import re
import shlex
from typing import Any

from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.name_rules import spelt_name
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.rules import (
    WrongValue,
    text,
    whole,
    yes_or_no,
)
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.words import nearest, shown, shown_name

# Seconds that a worker has to finish its job, unless its settings say otherwise.
STOP_TIMEOUT = 60
# A unit's name has at most 255 characters, an app's and a release's in it.
LONGEST_NAME = 40


def command(value: Any) -> str:
    """One command with its arguments, in a line: a shell starts it by `exec`, so that signals reach it."""
    if not isinstance(value, str) or not value.strip():
        raise WrongValue("must be a command line (celery -A shop worker)")
    if re.search(r"[\n\r\0]", value):
        raise WrongValue("must be a command in one line, without a NUL byte")
    try:
        # What the shell would take for more than one command comes as words of its own.
        words = list(shlex.shlex(value, posix=True, punctuation_chars=True))
    except ValueError as error:
        raise WrongValue(f"must be a command line as a shell reads it ({str(error).lower()})") from None
    operators = [word for word in words if word and set(word) <= set(";&|()<>")]
    if operators or "`" in value or "$(" in value:
        raise WrongValue("must be one command, without ';', '&', '|', '<', '>' and '(…)'; put more into a script")
    if not words or re.match(r"[A-Za-z_]\w*=", value.strip()):
        raise WrongValue("must begin with the command; variables belong into 'environment', or after 'env'")
    return value.strip()


def workers(value: Any) -> dict[str, dict[str, Any]]:
    """{name: {"command": line, "stop_timeout": seconds}}; there may be none."""
    if not isinstance(value, dict):
        raise WrongValue("must be a dictionary of command lines by name (mail: celery -A shop worker)")
    return {_named(name): _worker(name, given) for name, given in value.items()}


_written_as_one = text(
    # What systemd.time(7) knows; systemd itself says on the host whether it means something.
    r"[A-Za-z0-9*][A-Za-z0-9*:,./~+-]*( [A-Za-z0-9*:,./~+_-]+){0,3}",
    "a calendar of systemd's (*-*-* 03:00:00, Mon..Fri 08:30, hourly)",
)
_EVERY = "minutely hourly daily weekly monthly quarterly semiannually yearly annually"
_DAYS = "mon tue wed thu fri sat sun"


def calendar(value: Any) -> str:
    """When a timer is due. One without any number begins with a word that systemd knows."""
    when: str = _written_as_one(value)
    first = re.split("[ ,.]", when.lower())[0]
    if not re.search("[0-9*]", when) and first not in _EVERY.split() and first[:3] not in _DAYS.split():
        raise WrongValue("must be a calendar of systemd's (*-*-* 03:00:00, Mon..Fri 08:30, hourly)")
    return when


def timers(value: Any) -> dict[str, dict[str, Any]]:
    """{name: {"command": line, "calendar": when, "once": on one host alone}}; there may be none."""
    if not isinstance(value, dict):
        raise WrongValue("must be a dictionary by name, with 'command' and 'calendar' of each")
    return {_named(name): _timer(name, given) for name, given in value.items()}


def _timer(name: str, given: Any) -> dict[str, Any]:
    keys = {"command": command, "calendar": calendar, "once": yes_or_no}
    if not isinstance(given, dict) or "calendar" not in given:
        raise WrongValue(f"has in {name!r} no 'calendar' (command: flask cleanup, calendar: hourly)")
    completed = {"once": False, **_item(name, given, keys)}
    return {key: _checked(name, key, rule, completed[key]) for key, rule in keys.items()}


def _named(name: Any) -> str:
    try:
        spelt: str = spelt_name(name)
    except WrongValue as error:
        raise WrongValue(f"{error} as names; {shown_name(name)} isn't one") from None
    if len(spelt) > LONGEST_NAME:
        raise WrongValue(f"must have names of at most {LONGEST_NAME} characters; {shown_name(name)} is longer")
    return spelt


def _worker(name: str, given: Any) -> dict[str, Any]:
    keys = {"command": command, "stop_timeout": whole(1, 3600, "seconds")}
    completed = {"stop_timeout": STOP_TIMEOUT, **_item(name, given, keys)}
    return {key: _checked(name, key, rule, completed[key]) for key, rule in keys.items()}


def _item(name: str, given: Any, keys: dict[str, Any]) -> dict[str, Any]:
    """What was given for one name, with a mere text as its command."""
    if not isinstance(given, dict):
        return {"command": given}
    for key in given:
        if key not in keys:
            raise WrongValue(f"has in {name!r} an unknown key {shown_name(key)}{nearest(key, keys, 'keys')}")
    if "command" not in given:
        raise WrongValue(f"has in {name!r} no 'command'")
    return dict(given)


def _checked(name: str, key: str, rule: Any, value: Any) -> Any:
    try:
        return rule(value)
    except WrongValue as error:
        # A command line may hold what others need not see.
        told = "" if key == "command" else f"; {shown(value)} isn't one"
        raise WrongValue(f"{error} in {name!r}, {key!r}{told}") from None
