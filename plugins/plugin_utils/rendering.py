"""Templates rendered in an action plugin: the texts of a whole release travel to the host in one call."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.plugins.loader import lookup_loader


class Renderer:
    """Renders the templates of one folder, as `lookup('template', …)` does, for an action plugin."""

    def __init__(self, action: ActionBase, folder: str, task_vars: Mapping[str, Any]) -> None:
        self._lookup = lookup_loader.get("ansible.builtin.template", loader=action._loader, templar=action._templar)
        self._folder = Path(folder)
        # Where `{% include %}` looks.
        self._task_vars = {**task_vars, "ansible_search_path": [str(self._folder.parent)]}

    def text(self, name: str, **variables: Any) -> str:
        """The text that the template of this name makes with these variables."""
        (text,) = self._lookup.run([str(self._folder / name)], {**self._task_vars, **variables})
        return str(text)
