"""What is remembered of certbot: which certificates it was asked for, so that no other is touched, and what failed."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import field
from pathlib import Path

from ansible_collections.uwsgi_flask.web.plugins.module_utils.files import OwnedFile


@dataclasses.dataclass
class Notes:
    """`asked` are apps whose lineage is ours; `failed` says by app why there is no certificate as it should be."""

    path: Path
    asked: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> Notes:
        """Those that are there. What can't be read counts as nothing: then no lineage is ours. Raises OSError."""
        try:
            content = json.loads(path.read_text())
            return cls(path, list(content["asked"]), dict(content["failed"]))
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return cls(path)

    def apps(self) -> list[str]:
        """All of which anything is remembered: what failed may not be ours."""
        return sorted({*self.asked, *self.failed})

    def ask(self, app: str) -> None:
        """Remember that certbot is asked. Before it is, or a lineage would be nobody's after a cut. Raises OSError."""
        self.asked = sorted({*self.asked, app})
        self._keep()

    def note(self, app: str, fault: str) -> None:
        """Remember why it failed, or that it didn't: ""."""
        self.failed.pop(app, None)
        if fault:
            self.failed[app] = fault
        self._keep()

    def forget(self, app: str) -> None:
        self.asked = [name for name in self.asked if name != app]
        self.note(app, "")

    def _keep(self) -> None:
        if not self.asked and not self.failed:
            self.path.unlink(missing_ok=True)
            return
        content = {"asked": self.asked, "failed": self.failed}
        OwnedFile(self.path, json.dumps(content, indent=2, sort_keys=True) + "\n", mode=0o600).put()
