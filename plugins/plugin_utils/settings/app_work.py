"""What an app does beside answering requests, and how it is started. Keys of an item of `web_apps`."""

from __future__ import annotations

import dataclasses
from dataclasses import field
from typing import Any

from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings import commands, sandbox, uwsgi_options
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.keys import key
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.rules import yes_or_no


@dataclasses.dataclass(frozen=True, kw_only=True)
class Work:
    """Commands that run for long, or at certain times. A part of App."""

    workers: dict[str, dict[str, Any]] = field(
        default_factory=dict,
        metadata=key(
            commands.workers,
            "[commands that run beside it](workers.md), by name: `mail: celery -A shop worker`, or a dictionary of "
            "`command` and `stop_timeout` (seconds to finish a job; 60)",
        ),
    )
    timers: dict[str, dict[str, Any]] = field(
        default_factory=dict,
        metadata=key(
            commands.timers,
            "[commands that run at certain times](workers.md#timers), by name: dictionaries of `command`, `calendar` "
            "as systemd writes it (`*-*-* 03:00:00`), and `once` (true: on one server only)",
        ),
    )
    preload: bool = field(
        default=True,
        metadata=key(
            yes_or_no,
            "whether the app is imported once and its processes share that; `false` imports it in each, for an app "
            "that [opens connections or starts threads at import](uwsgi-options.md#an-app-that-breaks-after-a-fork)",
        ),
    )
    uwsgi_options: dict[str, list[str]] = field(
        default_factory=dict,
        metadata=key(
            uwsgi_options.options,
            "more [options of uWSGI](uwsgi-options.md) by name, each a value or a list of them: `cheaper: 1`",
        ),
    )
    sandbox: dict[str, list[str]] = field(
        default_factory=dict,
        metadata=key(
            sandbox.of_an_app,
            "[options of its sandbox](sandbox.md) that it needs otherwise, by systemd's names: "
            "`MemoryDenyWriteExecute: false`",
        ),
    )
