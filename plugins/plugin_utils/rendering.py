"""Templates rendered in an action plugin: the texts of a whole release travel to the host in one call."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.plugins.loader import lookup_loader


class Renderer:
    """Renders the templates of one folder, as `lookup('template', …)` does, for an action plugin."""

    def __init__(
        self, action: ActionBase, folder: str, task_vars: Mapping[str, Any], names: Iterable[str] = ()
    ) -> None:
        """`names` are the role's variables that its templates read.

        No others are handed over: Ansible copies them all for each template, and a run's are megabytes.
        """
        self._lookup = lookup_loader.get("ansible.builtin.template", loader=action._loader, templar=action._templar)
        self._folder = Path(folder)
        known = [name for name in (*names, "ansible_managed") if name in task_vars]
        self._variables = {
            **{name: action._templar.template(task_vars[name]) for name in known},
            # Where `{% include %}` looks.
            "ansible_search_path": [str(self._folder.parent)],
        }

    def text(self, name: str, **variables: Any) -> str:
        """The text that the template of this name makes with these variables."""
        (text,) = self._lookup.run([str(self._folder / name)], {**self._variables, **variables})
        return str(text)
