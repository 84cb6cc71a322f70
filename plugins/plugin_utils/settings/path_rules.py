"""Rules for paths: inside a source, of a URL, on this machine, and on a host."""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.rules import (
    Rule,
    WrongValue,
    list_of,
    text,
    whole,
)
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.words import nearest, shown, shown_name

# --- Inside the source ------------------------------------------------------------------------------------------------

inner_path = text(
    r"(?!/)(?!.*(^|/)\.\.?(/|$))[\w.+@-]+(/[\w.+@-]+)*",
    "a path inside the source, without '..'",
)


def relative_path(value: Any) -> str:
    """A path inside the source; `./requirements.txt` is the same as without the dot."""
    path: str = inner_path(value.removeprefix("./") if isinstance(value, str) else value)
    return path


def relative_folder(value: Any) -> str:
    """A folder inside the source, which may end in '/'."""
    return relative_path(value.removesuffix("/") if isinstance(value, str) else value)


def start_folder(value: Any) -> str:
    """A folder inside the source, or "" for the source itself, which is "." too."""
    return "" if value in ("", ".", "./") else relative_folder(value)


# --- Of a URL ---------------------------------------------------------------------------------------------------------

url_path = text(r"/[A-Za-z0-9._~/-]*", "a URL path that begins with '/' (/health)")
static_path = text(
    r"/((?!\.\.?/)[A-Za-z0-9._~-]+/)*",
    "a URL path that begins and ends with '/', without '..' (/static/, or / for the site's root)",
)
_BELOW_ROOT = r"(/(?!\.)[A-Za-z0-9._~-]+)+"
_SAID = "a URL path that begins with '/' and doesn't end with it ({}), without '..'"
prefix_path = text(_BELOW_ROOT, _SAID.format("/shop"))
stream_path = text(_BELOW_ROOT, _SAID.format("/events"))
_limited_path = text(rf"/|{_BELOW_ROOT}", _SAID.format("/login, or / for all"))


def request_limits(value: Any) -> dict[str, str]:
    """How many requests an address may make, by path: "20/s" or "10/m"; there may be none."""
    if not isinstance(value, dict):
        raise WrongValue("must be a dictionary of limits by path ({/: 20/s, /login: 10/m})")
    for path, limit in value.items():
        try:
            _limited_path(path)
        except WrongValue as error:
            raise WrongValue(f"{error}; {shown(path)} isn't") from None
        if not isinstance(limit, str) or not re.fullmatch(r"[1-9][0-9]{0,4}/[sm]", limit, re.ASCII):
            raise WrongValue(f"must give {path} a number for each second or minute (20/s, 10/m), not {shown(limit)}")
    return {str(path): str(limit) for path, limit in value.items()}


# Seconds for which an answer is kept where a cache doesn't say.
CACHE_SECONDS = 1
_cached_path = text(rf"/|{_BELOW_ROOT}", _SAID.format("/news, or / for all"))
_CACHE: dict[str, Rule] = {"paths": list_of(_cached_path, "URL paths"), "seconds": whole(1, 3600, "seconds")}


def cache(value: Any) -> dict[str, Any]:
    """{"paths": URL paths, "seconds": how long an answer is kept}, or {} for no cache."""
    if not isinstance(value, dict) or (value and "paths" not in value):
        raise WrongValue("must be a dictionary with 'paths' (paths: [/, /news], seconds: 1)")
    found: dict[str, Any] = {"paths": [], "seconds": CACHE_SECONDS} if value else {}
    for name, given in value.items():
        if name not in _CACHE:
            raise WrongValue(f"has an unknown key {shown_name(name)}{nearest(name, _CACHE, 'keys')}")
        try:
            found[name] = _CACHE[name](given)
        except WrongValue as error:
            raise WrongValue(f"{error} in {name!r}") from None
    return found


_media_path = text(_BELOW_ROOT, _SAID.format("/media"))
_data_folder = text(
    r"(?!\.)[\w.+@-]+(/(?!\.)[\w.+@-]+)*",
    "a folder below the app's data (uploads), without '..' and without leading dots",
)


def media(value: Any) -> dict[str, str]:
    """URL paths, and what nginx serves there: folders below the app's data, which may end in '/'. There may be none."""
    if not isinstance(value, dict):
        raise WrongValue("must be a dictionary of URL paths and folders below the app's data (/media: uploads)")
    found = {}
    for path, folder in value.items():
        try:
            inner = _data_folder(folder.removesuffix("/") if isinstance(folder, str) else folder)
        except WrongValue as error:
            raise WrongValue(
                f"{str(error).replace('must be', 'must give each URL path', 1)}; {shown(folder)} isn't"
            ) from None
        try:
            found[_media_path(path)] = inner
        except WrongValue as error:
            raise WrongValue(f"{str(error).replace('must be', 'must name', 1)}; {shown(path)} isn't") from None
    return found


# --- On this machine, and on a host -----------------------------------------------------------------------------------

# What it holds is sent to the hosts.
file_path = text(r"(?!.*://)[^\0\n]+", "the path of a file, relative to the playbook or absolute")
folder_path = text(r"(?!.*://)[^\0\n]+", "the path of a folder, relative to the playbook or absolute")
below_run = text(r"/run(/(?!\.\.?(/|$))[\w.+@-]+)*", "/run or a path below it, no '/' at its end")
absolute_path = text(r"(/(?!\.\.?(/|$))[\w.+@-]+)+", "an absolute path without '..', no '/' at its end (/opt)")
