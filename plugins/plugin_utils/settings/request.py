"""What is asked for, and what it comes to once it has been checked."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.uwsgi_flask.web.plugins.module_utils.layout import AppLayout
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.accounts import own_account
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.agreement import Agreement
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.app import App
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.dependencies.desk import Desk
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.dependencies.package import wheel_of
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.dependencies.settle import Dependencies, settle
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.dependencies.unsettled import Unsettled
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.dependencies.wheelhouse import (
    Target,
    Wheelhouse,
)
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.memory import memory_of_this_run
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.parsing import (
    items_of,
    names_of,
)
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.placement import Inventory
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.source.folder import notices
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.source.origin import Origin


class BadSettings(ValueError):
    """The settings can't be used. `problems` holds one line for each, with the key, the problem and the remedy."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = list(problems)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Request:
    """What is asked for: variables by their full names, and names of apps as `-e app=…`, `-e restart=…` and
    `-e refresh=…` give them.

    A relative path starts from `base`. `inventory` tells whose variables these are. `looked_at` says where web_apps
    could have been set. `read` gives a file's content, decrypted if it is vaulted, and raises OSError. `memory` is the
    folder where this run remembers what it has settled; with `is_check` it changes nothing of the project. `fill` is
    true for a run that fills the wheelhouse, so it may lack something.
    """

    variables: Mapping[str, Any]
    base: str
    inventory: Inventory = dataclasses.field(default_factory=Inventory)
    memory: Path = dataclasses.field(default_factory=memory_of_this_run)
    app: Any = ""
    restart: Any = ""
    refresh: Any = ""
    fill: Any = ""
    is_check: bool = False
    looked_at: str = ""
    read: Callable[[Path], bytes] = Path.read_bytes

    def names(self) -> list[str]:
        """What the apps are called, be the rest right or wrong."""
        return names_of(items_of(self.variables.get("web_apps"), []))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """What a person wrote, checked. `apps` are all; those of this run are `chosen`, a few of them `restarted`.

    `refused` are the variables that have a default in the agreement in place of what was written.
    """

    agreement: Agreement
    refused: frozenset[str]
    apps: list[App]
    secrets: dict[str, dict[str, str]]
    base: str
    inventory: Inventory
    chosen: list[str]
    restarted: list[str]
    read: Callable[[Path], bytes]
    desk: Desk
    fills: bool = False
    # By app, filled once: where the code of those that are present was found.
    origins: dict[str, Origin] = dataclasses.field(default_factory=dict)
    _settled: dict[str, Dependencies] = dataclasses.field(default_factory=dict)

    def path(self, given: str) -> Path:
        """Where a path leads that a person wrote; `~` is their home."""
        return path_from(self.base, given)

    def folder(self, app: App) -> Path:
        """The folder with the app's code, wherever it comes from."""
        return self.origins[app.name].folder

    def source(self, app: App) -> Path:
        """The app's folder, or the wheel that it is; nothing for another package."""
        wheel = wheel_of(app.package)
        if wheel:
            return self.path(wheel.path)
        return Path() if app.package else self.folder(app)

    def dependencies(self, app: App) -> Dependencies:
        """What a release of the app installs, settled once. Raises Unsettled."""
        if app.name not in self._settled:
            self._settled[app.name] = settle(app, self.source(app), self.desk)
        return self._settled[app.name]

    def wheelhouse(self, app: App) -> Wheelhouse | None:
        """Where the wheels are that a release of the app installs; None if the hosts ask an index."""
        called = self.agreement.wheelhouse
        return Wheelhouse(self.path(called), called, app.name) if called else None

    def sent_wheels(self, app: App, installed: Dependencies, target: Target | None) -> list[Path] | None:
        """The wheels that a host is sent; None if it asks an index. Raises Unsettled."""
        wheelhouse = self.wheelhouse(app)
        its = target.on(app.python) if target else None
        return wheelhouse.wheels(installed.text, its, installed.wheels) if wheelhouse else None

    def certificate(self, app: App) -> tuple[bytes, bytes]:
        """A person's own certificate and its key. Raises OSError."""
        return self.content(app.tls_certificate), self.content(app.tls_key)

    def ca_bundle(self) -> bytes:
        """The certificates that certbot trusts. Raises OSError."""
        return self.content(self.agreement.acme_ca_bundle)

    def content(self, given: str) -> bytes:
        """What a file holds. Raises OSError."""
        path = self.path(given)
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, "it is a folder", str(path))
        return self.read(path)

    def present(self) -> list[App]:
        """Those that this host serves."""
        return [app for app in self._wanted() if self.inventory.places(app.hosts)]

    def served_here(self) -> list[App]:
        """Those that this host serves, whether they are of this run or not."""
        return [app for app in self.apps if app.is_present() and self.inventory.places(app.hosts)]

    def elsewhere(self) -> list[App]:
        """Those that other hosts serve alone."""
        return [app for app in self._wanted() if not self.inventory.places(app.hosts)]

    def absent(self) -> list[App]:
        return [app for app in self.apps if app.name in self.chosen and not app.is_present()]

    def _wanted(self) -> list[App]:
        return [app for app in self.apps if app.name in self.chosen and app.is_present()]

    def proven_here(self) -> list[str]:
        """Names for which a CA asks this host; none while it isn't known how."""
        if "web_acme_dns_plugin" in self.refused:
            return []
        by_http = [app for app in self.present() if app.tls == "acme" and not self.agreement.acme_dns_plugin]
        return list(dict.fromkeys(name for app in by_http for name in app.every_name()))

    def new_locks(self) -> Iterator[str]:
        """A line for each lock that this run has made, be the other apps right or wrong."""
        for app in self.present():
            if app.package or app.name in self.origins:
                with contextlib.suppress(Unsettled, OSError):
                    if notice := self.dependencies(app).notice:
                        yield notice

    def notices(self) -> Iterator[str]:
        """What a person should know though nothing is wrong, a line each."""
        for app in self.present():
            if not app.package:
                for notice in notices(app, self.origins[app.name]):
                    yield f"web_apps: '{app.name}' {notice}"
        yield from self.new_locks()

    def layout(self, app: App, known: Mapping[str, Any]) -> AppLayout:
        """Where the app is on a host that has `known` of it. It goes on as the user it has until a person names one."""
        agreed, own = self.agreement, own_account(app.name)
        return AppLayout(app.name, agreed.app_root, agreed.run_root, app.user or known.get("user", own), own)


def path_from(base: str, given: str) -> Path:
    """A path that a person wrote, from a folder on; `~` is their home."""
    return Path(os.path.abspath(os.path.join(base, os.path.expanduser(given))))
