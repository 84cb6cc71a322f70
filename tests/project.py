"""The project as Ansible sees it, for tests: its files, its roles, its variables, rendered by Ansible's own engine."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import filter_loader, init_plugin_loader
from ansible.template import Templar, trust_as_template

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
    # Read once: this is what ansible-playbook does at its start, with the project's ansible.cfg.
    init_plugin_loader([])
    filter_loader.add_directory(str(PROJECT / "plugins/filter"))
    return DataLoader()


@functools.cache
def _variables(path: Path) -> dict[str, Any]:
    return dict(_loader().load_from_file(str(path), trusted_as_template=True) or {})


def render(role: str, expression: str, settings: Mapping[str, Any], **variables: Any) -> Any:
    """What a task of the role gets for `expression`, such as "{{ uwsgi_ini }}".

    `settings` are what a person wrote (`web_apps`, …); the wiring and the role's own files are the project's.
    """
    folder = PROJECT / "roles" / role
    known = _variables(folder / "defaults/main.yml")
    for path in sorted((PROJECT / "group_vars/all").glob("*.yml")):
        known |= _variables(path)
    if (folder / "vars/main.yml").exists():
        known |= _variables(folder / "vars/main.yml")
    known |= {
        "playbook_dir": str(PROJECT),
        "ansible_search_path": [str(folder)],
        "ansible_facts": {"python_version": "3.13.5"},
        "inventory_hostname": "web1",
        "ansible_play_hosts_all": ["web1", "web2"],
    }
    return Templar(loader=_loader(), variables={**known, **settings, **variables}).template(
        trust_as_template(expression)
    )


def template(role: str, name: str, settings: Mapping[str, Any], **variables: Any) -> str:
    """A template of the role, rendered as the role's own lookups do."""
    return str(render(role, f"{{{{ lookup('ansible.builtin.template', {name!r}) }}}}", settings, **variables))
