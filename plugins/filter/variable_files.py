"""The door for playbooks to variable_files.py of settings/."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import VaultSecretsContext
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.variable_files import unreadable


def after_reading(hosts: str, sources: Iterable[str], project: str, groups: Mapping[str, Sequence[str]]) -> str:
    """These hosts, if Ansible can load what is written of those in the group `web`. Raises AnsibleError."""
    loader = DataLoader()
    loader.set_vault_secrets(VaultSecretsContext.current().secrets)
    if faults := list(unreadable(sources, project, groups, loader)):
        raise AnsibleError("\n".join(faults))
    return hosts


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"after_reading": after_reading}
