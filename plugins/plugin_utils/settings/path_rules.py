"""Rules for paths: inside a source, of a URL, on this machine, and on a host."""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.rules import WrongValue, text
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.words import shown

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
