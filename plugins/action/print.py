"""Prints a text as it is, on the controller: a table keeps its columns, and JSON can be taken by another program."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display


class ActionModule(ActionBase):
    """`uwsgi_flask.web.print: text: …`"""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        Display().display(str(self._task.args["text"]))
        return {"changed": False}
