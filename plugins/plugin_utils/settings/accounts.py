"""Who an app runs as: a user and a group of its own, unless it says otherwise."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.uwsgi_flask.web.plugins.module_utils.layout import AppLayout

# No person and no package of Debian has an account that begins so.
PREFIX = "web-"
# useradd(8) takes no more.
LONGEST = 32
DIGITS = 8


def own_account(app: str) -> str:
    """The name of an app's own group, and of its user: `web-shop`. A long name of an app is cut, but stays unique."""
    account = f"{PREFIX}{app}"
    if len(account) <= LONGEST:
        return account
    digest = hashlib.sha256(app.encode()).hexdigest()[:DIGITS]
    return f"{account[: LONGEST - DIGITS - 1]}-{digest}"


def missing_accounts(layouts: Iterable[AppLayout], host: Mapping[str, Any]) -> dict[str, Any]:
    """The groups that a host lacks, and the users, each with its group.

    `host` is what the module `look` tells. An account that is there is taken as it is: it may be a person's.
    """
    listed = list(layouts)
    groups = {layout.group for layout in listed}
    users = {layout.user: layout.group if layout.user == layout.group else layout.user for layout in listed}
    new = {user: group for user, group in sorted(users.items()) if user not in host.get("users", [])}
    return {
        "groups": sorted((groups | {*new.values()}) - {*host.get("groups", [])}),
        "users": [{"name": user, "group": group} for user, group in new.items()],
    }
