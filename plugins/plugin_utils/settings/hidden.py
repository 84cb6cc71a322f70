"""Which texts among a host's variables must never be told: all that came out of a vault, and the apps' secrets.

A vaulted text may reach a message by any way, through a template or as part of a path, so messages are searched for
them at the end. That costs something, and only where there are messages.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from ansible._internal._datatag._tags import Origin
from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.parsing.vault import EncryptedString
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.agreement import HIDDEN, PREFIX
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.environment import SECRETS
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.request import BadSettings
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.words import masked

VAULT_HEADER = b"$ANSIBLE_VAULT"
# Every value in these is hidden, however the file is kept.
ALL_HIDDEN = tuple(f"{PREFIX}{name}" for name in HIDDEN)
# Other hosts' variables, and what Ansible itself adds.
NOT_OURS = ("hostvars", "groups", "vars", "ansible_facts")

Render = Callable[[Any], Any]


class Secrets:
    """The secrets of a host, looked for once, when something is told. `render` is the templar's."""

    def __init__(self, task_vars: Mapping[str, Any], render: Render) -> None:
        self._task_vars = task_vars
        self._render = render

    def masked(self, lines: list[str], names: Iterable[str] = ()) -> list[str]:
        """The lines, with every secret masked.

        A whole vaulted file may hold web_apps: the `names` of apps stay, or its messages would say nothing.
        """
        return masked(lines, self._texts - {*names}) if lines else []

    @functools.cached_property
    def _texts(self) -> set[str]:
        return {*_secrets(self._task_vars, self._render)}


@contextlib.contextmanager
def refusing(task_vars: Mapping[str, Any], render: Render) -> Iterator[None]:
    """Raises AnsibleActionFail where settings are bad, without any secret of the host."""
    try:
        yield
    except BadSettings as error:
        raise AnsibleActionFail("\n".join(Secrets(task_vars, render).masked(error.problems))) from None


def _secrets(task_vars: Mapping[str, Any], render: Render) -> Iterator[str]:
    for name, value in task_vars.items():
        if name in ALL_HIDDEN or str(name).startswith(SECRETS[:-1]):
            yield from _texts(_rendered(value, render))
        elif name not in NOT_OURS:
            yield from _vaulted(value, render)


def _vaulted(value: Any, render: Render) -> Iterator[str]:
    """Texts that were encrypted by themselves, or stand in a file that is."""
    if isinstance(value, EncryptedString):
        yield from _texts(_rendered(value, render))
    elif isinstance(value, Mapping):
        for content in value.values():
            yield from _vaulted(content, render)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _vaulted(item, render)
    elif isinstance(value, str):
        origin = Origin.get_tag(value)
        if origin and origin.path and _is_vault(str(origin.path)):
            yield str(value)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping | list | tuple):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from _texts(item)
    elif isinstance(value, str):
        yield str(value)


def _rendered(value: Any, render: Render) -> Any:
    try:
        return render(value)
    except AnsibleError:
        # What can't be decrypted can't be told either.
        return ""


@functools.cache
def _is_vault(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            return file.read(len(VAULT_HEADER)) == VAULT_HEADER
    except OSError:
        return False
