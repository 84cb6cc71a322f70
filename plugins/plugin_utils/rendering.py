"""Templates rendered in an action plugin: the texts of a whole release travel to the host in one call."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from typing import Any

import jinja2
from ansible.plugins.action import ActionBase
from ansible.plugins.filter.core import comment

# What stands at the head of each file. Not Ansible's variable of this name: files of a release never change, so each
# other text would be taken for damage, and a date in it would be another text each day.
MANAGED = "Ansible managed"


class Renderer:
    """Renders the templates of one folder for an action plugin.

    Jinja does it without Ansible's template engine, which compiles each template anew for each app, and would look for
    templates within the values.
    """

    def __init__(
        self, action: ActionBase, folder: str, task_vars: Mapping[str, Any], names: Iterable[str] = ()
    ) -> None:
        """`names` are the role's variables that its templates read."""
        self._environment = _environment(folder)
        self._variables = {
            **{name: action._templar.template(task_vars[name]) for name in names if name in task_vars},
            "ansible_managed": MANAGED,
        }

    def text(self, name: str, **variables: Any) -> str:
        """The text that the template of this name makes with these variables."""
        text = self._environment.get_template(name).render({**self._variables, **variables})
        return text if text.endswith("\n") else text + "\n"


@functools.cache
def _environment(folder: str) -> jinja2.Environment:
    """What keeps the compiled templates of a folder. Blocks are trimmed as Ansible trims them."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        auto_reload=False,
    )
    environment.filters["comment"] = comment
    return environment
