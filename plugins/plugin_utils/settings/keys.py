"""Dataclasses whose fields are what a person may set: default, rule, meaning, and whether a running app carries it.

And what is wrong with several of them together.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.rules import Rule


class Fault(NamedTuple):
    """What is wrong with settings that are right by themselves, and which: keys of an app, and variables."""

    line: str
    rests_on: tuple[str, ...]


def standing(faults: Iterable[Fault], refused: frozenset[str]) -> Iterator[str]:
    """The lines of those that rest on no setting that was refused: defaults stand in for these, which nobody wrote."""
    return (fault.line for fault in faults if refused.isdisjoint(fault.rests_on))


def key(rule: Rule, means: str, *, carried: bool = True) -> dict[str, Any]:
    """What is known of a key, for `dataclasses.field(metadata=…)`.

    `means` says it in one line, for messages and for the table of docs/apps.md. A change of a key that a running app
    carries makes a new release.
    """
    return {"rule": rule, "means": means, "carried": carried}


def meanings(keys: type[Any]) -> dict[str, str]:
    """Each key with its meaning, in order."""
    return {field.name: field.metadata["means"] for field in dataclasses.fields(keys)}


def is_required(field: dataclasses.Field[Any]) -> bool:
    """Whether the key has no default."""
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def carried(settings: Any) -> dict[str, Any]:
    """The settings that a running app carries."""
    return {
        field.name: getattr(settings, field.name) for field in dataclasses.fields(settings) if field.metadata["carried"]
    }
