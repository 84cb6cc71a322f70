"""What a release of an app is made of that is the same on every host: its code, and what it installs."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings import identity
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.app import App
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.dependencies.package import wheel_of
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.dependencies.settle import Dependencies
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.request import Settings
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.source.folder import CodeFile, code_files
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.source.origin import Origin


@dataclasses.dataclass(frozen=True)
class Content:
    """Where the code was found, its files, what is installed, and the digest of both."""

    origin: Origin
    files: list[CodeFile]
    installed: Dependencies

    @property
    def version(self) -> str:
        return identity.version_of(self.files, self.installed.text)


def content_of(settings: Settings, app: App) -> Content:
    """Raises Unreadable, Unsettled and OSError."""
    origin, files = _code(settings, app)
    return Content(origin, files, settings.dependencies(app))


def _code(settings: Settings, app: App) -> tuple[Origin, list[CodeFile]]:
    """Where the code is, and its files; of a package that is a wheel the wheel, of others nothing."""
    if not app.package:
        origin = settings.origins[app.name]
        return origin, code_files(str(origin.folder), app.exclude, by_gitignore=origin.is_worked_in)
    if wheel_of(app.package) is None:
        return Origin(Path()), []
    wheel = settings.source(app)
    return Origin(wheel.parent), [CodeFile(wheel.name, hashlib.sha256(wheel.read_bytes()).hexdigest(), False)]
