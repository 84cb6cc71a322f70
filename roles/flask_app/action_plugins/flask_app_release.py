"""Controller's half of flask_app_release: packs the source and sends it, but only to a host that lacks it."""

from __future__ import annotations

import os
import tarfile
import tempfile
from typing import Any

from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    """First asks the module what is missing; sends the archive and calls it again if the code is."""

    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        source = arguments.pop("source")
        try:
            result = self._module(arguments, task_vars)
            if result.get("failed") or not result.pop("needs_archive", False):
                return result
            with tempfile.NamedTemporaryFile(prefix="flask-app-", suffix=".tar.gz") as archive:
                pack(source, [file[0] for file in arguments["files"]], archive.name)
                remote = self._connection._shell.join_path(self._make_tmp_path(), os.path.basename(archive.name))
                self._transfer_file(archive.name, remote)
            return self._module({**arguments, "archive": remote}, task_vars)
        finally:
            self._remove_tmp_path(self._connection._shell.tmpdir)

    def _module(self, arguments: dict[str, Any], task_vars: dict[str, Any] | None) -> dict[str, Any]:
        return dict(self._execute_module(module_name="flask_app_release", module_args=arguments, task_vars=task_vars))


def pack(source: str, paths: list[str], archive: str) -> None:
    """Write the files at `paths` inside `source` to a gzipped tar. Owners and modes are the module's affair."""
    # Level 1: the network between is a LAN or better, and the controller's time is a person's.
    with tarfile.open(archive, "w:gz", compresslevel=1, dereference=True) as tar:
        for path in paths:
            tar.add(os.path.join(source, path), arcname=path, recursive=False)
