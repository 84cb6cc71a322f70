"""What makes two releases the same: digests of all that a release is made of. Equal inputs, equal id, nothing to do."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.uwsgi_flask.web.plugins.module_utils.release_layout import ID_DIGITS
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.agreement import Agreement
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.app import App
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.keys import carried
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.source.folder import CodeFile

Variables = Mapping[str, str]


def version_of(files: Sequence[CodeFile], requirements: str) -> str:
    """The digest of the source and of the locked requirements: the same on every host."""
    return digest(files, requirements)


def release_id(
    version: str,
    app: App,
    secrets: Variables,
    agreement: Agreement,
    templates: Sequence[CodeFile],
    python: str,
    serial: int,
) -> str:
    """The id of a release. Of a host only `python`, the minor version ("3.13"), and `serial` enter it."""
    return digest(version, carried(app), secrets, carried(agreement), templates, python, serial)


def hooks_key(version: str, app: App, secrets: Variables) -> str:
    """What hooks are remembered by: run once for equal keys, in the whole fleet."""
    return digest(version, app.environment, secrets, app.before_live, app.after_live)


def venv_key(requirements: str, python: str) -> str:
    """What a virtualenv depends on. It outlives Debian's point releases of Python; 3.11 to 3.13 needs a new one."""
    return digest(requirements, python)


def minor(python: str) -> str:
    """3.13 of 3.13.5; "" where the host's Python isn't known yet."""
    return ".".join(python.split(".")[:2])


def digest(*content: Any) -> str:
    """The first digits of the SHA-256 of plain values; the order of a dictionary doesn't count."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:ID_DIGITS]
