"""What a person may set of the roles' own variables, whose defaults are there. What a run passes isn't among them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.rules import (
    Rule,
    WrongValue,
    whole,
    yes_or_no,
)
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.words import shown


def number(low: int, high: int, unit: str = "") -> Rule:
    """A whole number, also as text: `-e` knows nothing else."""
    rule = whole(low, high, unit)
    return lambda value: rule(int(value) if isinstance(value, str) and re.fullmatch("[0-9]{1,9}", value) else value)


LIST_AGE = number(0, 31_536_000, "seconds")
RULES: dict[str, Rule] = {
    # A text would count as true, whatever it says.
    "nginx_ipv6": yes_or_no,
    "nginx_worker_connections": number(64, 1_048_576),
    # Linux keeps a socket's backlog in 16 bits (net.core.somaxconn may be more).
    "nginx_backlog": number(16, 65_535, "connections"),
    "flask_app_package_list_age": LIST_AGE,
    "nginx_package_list_age": LIST_AGE,
    "uwsgi_package_list_age": LIST_AGE,
}


def role_faults(given: Mapping[str, Any]) -> Iterator[str]:
    """A line for each of them that is wrong."""
    for name in sorted(RULES.keys() & given.keys()):
        try:
            RULES[name](given[name])
        except WrongValue as error:
            yield f"{name}: is {shown(given[name])}, but it {error}"
