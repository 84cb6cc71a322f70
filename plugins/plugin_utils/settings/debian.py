"""Debian's packages that apps need beside Python's: what may be written, what a host lacks, what can't be installed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.rules import WrongValue
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.words import shown

# Debian Policy, 5.6.7. For apt, a hyphen at the end means: remove it.
NAME = re.compile(r"[a-z0-9][a-z0-9+.-]*[a-z0-9+.]", re.ASCII)
# Keys of an app that name packages, and the one that makes it need git.
KEYS = ("packages", "build_packages")
REQUIREMENTS = "requirements"
# A requirement that pip fetches with git, at the beginning of its line.
FETCHED_BY_GIT = re.compile(r"^\s*([^@#\s]+\s*@\s*)?git\+", re.MULTILINE)


def package_names(value: Any) -> list[str]:
    """Names of Debian's packages; there may be none."""
    if not isinstance(value, list):
        raise WrongValue("must be a list of names of Debian packages ([libmagic1, libpq5])")
    for name in value:
        if not isinstance(name, str) or not NAME.fullmatch(name):
            wrong = f"must be a list of names of Debian packages (libmagic1); {shown(name)} isn't one"
            raise WrongValue(f"{wrong}{_why(name)}")
    return [str(name) for name in dict.fromkeys(value)]


def _why(name: Any) -> str:
    if isinstance(name, str) and NAME.fullmatch(name.partition("=")[0]) and "=" in name:
        return "; leave the version out: Debian keeps one, and replaces it with each security fix"
    if isinstance(name, str) and NAME.fullmatch(name.lower()):
        return f"; did you mean {name.lower()!r}?"
    return ""


def lacking_packages(items: Iterable[Mapping[str, Any]], host: Mapping[str, Any]) -> list[dict[str, str]]:
    """The packages that a host lacks: `app`, `key` and `package` of each.

    `items` are the plan's, `host` is what the module `look` tells. One that another provides is there.
    """
    there = {*host.get("packages", []), *host.get("provided", [])}
    return [
        {"app": item["app"]["name"], "key": key, "package": package}
        for item in items
        for key, package in _needed(item)
        if package not in there
    ]


def _needed(item: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    yield from ((key, package) for key in KEYS for package in item["app"][key])
    if FETCHED_BY_GIT.search(item["release"]["locked"]):
        yield REQUIREMENTS, "git"


def not_installed(lacking: Sequence[Mapping[str, str]], tried: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Apps whose packages can't be installed, with the reason: the key, the package, and what apt says.

    `tried` are the results of apt, one for each package, with the package's name in `flask_app_package`.
    """
    said = {str(one["flask_app_package"]): _first_line(one["msg"]) for one in tried if one.get("msg")}
    reasons: dict[str, list[str]] = {}
    for one in lacking:
        if one["package"] in said:
            who = "the requirements need" if one["key"] == REQUIREMENTS else f"'{one['key']}' names"
            reason = f"{who} {one['package']!r}, which can't be installed: {said[one['package']]}"
            reasons.setdefault(one["app"], []).append(reason)
    return {app: "; ".join(found) for app, found in reasons.items()}


def _first_line(text: Any) -> str:
    return (str(text).strip().splitlines() or ["apt doesn't say why"])[0]
