"""Passwords of package indexes: pip hands index URLs on to programs that it starts, and every user of a host can read a
command line. pip takes passwords from a netrc file too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import unquote

VARIABLES = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS")
WITH_PASSWORD = re.compile(r"(?P<scheme>https?://)(?P<user>[^\s/@:]+):(?P<password>[^\s/@]+)@(?P<host>[^\s/@:?#]+)")


def without_passwords(environment: Mapping[str, str]) -> tuple[dict[str, str], str]:
    """The variables of a build without the passwords of indexes, and the text of a netrc file that holds these.

    A host has one account there, so a second account on the same host stays in its URL. Who has a netrc file already,
    named by NETRC, keeps it, and the variables as they are.
    """
    accounts: dict[str, tuple[str, str]] = {}

    def moved(url: re.Match[str]) -> str:
        account = unquote(url["user"]), unquote(url["password"])
        is_alone = accounts.setdefault(url["host"], account) == account
        return f"{url['scheme']}{url['host']}" if is_alone else url[0]

    if "NETRC" in environment:
        return dict(environment), ""
    cleared = {
        name: WITH_PASSWORD.sub(moved, value) if name in VARIABLES else value for name, value in environment.items()
    }
    lines = [
        f"machine {host} login {_quoted(user)} password {_quoted(password)}\n"
        for host, (user, password) in accounts.items()
    ]
    return cleared, "".join(lines)


def _quoted(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
