"""The project as Ansible sees it, for tests: its files, its roles, its templates rendered by Ansible's own engine."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.action import ActionBase
from ansible.template import Templar
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.rendering import Renderer
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.app import App

PROJECT = Path(__file__).parents[1]
ROLES = sorted(folder.name for folder in (PROJECT / "roles").iterdir())
PLAYBOOKS = [path for path in sorted(PROJECT.glob("*.yml")) if isinstance(yaml.safe_load(path.read_text()), list)]


@functools.cache
def read(path: str) -> Any:
    """A YAML file of the project; shared, so not to be changed."""
    return yaml.safe_load((PROJECT / path).read_text())


def defaults(role: str) -> dict[str, Any]:
    return dict(read(f"roles/{role}/defaults/main.yml"))


def specs(role: str) -> dict[str, dict[str, Any]]:
    """The argument specs of a role by entry point."""
    return dict(read(f"roles/{role}/meta/argument_specs.yml")["argument_specs"])


def options(role: str) -> dict[str, dict[str, Any]]:
    """The variables that the main entry point takes, each as it is described."""
    return dict(specs(role)["main"]["options"])


def tasks(path: Path) -> Iterator[dict[str, Any]]:
    """Every task of a task file or playbook, those in blocks too."""
    for play_or_task in yaml.safe_load(path.read_text()):
        yield from _tasks(play_or_task)


def _tasks(item: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield item
    for section in ("pre_tasks", "tasks", "post_tasks", "handlers", "block", "rescue", "always"):
        for inner in item.get(section, []):
            yield from _tasks(inner)


@functools.cache
def _loader() -> DataLoader:
    return DataLoader()


@functools.cache
def renderer(role: str, **variables: Any) -> Renderer:
    """What renders the templates of a role in an action plugin, with these variables beside the role's defaults."""
    folder = PROJECT / "roles" / role
    known = {**_loader().load_from_file(str(folder / "defaults/main.yml"), trusted_as_template=True), **variables}
    action = SimpleNamespace(_loader=_loader(), _templar=Templar(loader=_loader(), variables=known))
    return Renderer(cast(ActionBase, action), str(folder / "templates"), known, known)


def keys_of_no_release() -> set[str]:
    """Keys of an app whose change makes no new release, as the pages tell them.

    Left out are those of an app that is absent, and those that say where the code is: what it is counts.
    """
    untold = {"state", "purge", "source", "ref", "source_key", "sha256", "exclude"}
    return {field.name for field in dataclasses.fields(App) if not field.metadata["carried"]} - untold
