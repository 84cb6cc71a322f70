"""Prints a text as it is, on the controller: a table keeps its columns, and JSON can be taken by another program."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display


class ActionModule(ActionBase):
    """`uwsgi_flask.web.print: text: …`, and `file: …` to write it there instead."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        text, file = str(self._task.args["text"]), self._task.args.get("file")
        if file:
            path = Path(file).expanduser().absolute()
            try:
                path.write_text(f"{text}\n", encoding="utf-8")
            except OSError as error:
                raise AnsibleActionFail(f"file: {path} can't be written: {error.strerror}; name another") from None
            text = f"Written: {path}"
        Display().display(text)
        return {"changed": False}
