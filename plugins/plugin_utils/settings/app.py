"""An app as a person describes it: every key of an item of `web_apps` is a field, here or in its three parts."""

from __future__ import annotations

import dataclasses
from dataclasses import field

from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.app_code import Code
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.app_site import Site
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.app_work import Work
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.environment import (
    app_environment,
    variable_names,
)
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.keys import key
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.name_rules import app_account
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.placement import host_names
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.rules import (
    cpu_share,
    maybe,
    memory_size,
    one_of,
    shell_lines,
    whole,
    worker_size,
    yes_or_no,
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class App(Work, Code, Site):
    """One item of `web_apps`. The meanings are Markdown: docs/apps.md is made from them."""

    environment: dict[str, str] = field(
        default_factory=dict,
        metadata=key(
            app_environment, "environment variables of the app; put anything in quotes but text and whole numbers"
        ),
    )
    required_environment: list[str] = field(
        default_factory=list,
        metadata=key(
            variable_names,
            "environment variables without which nothing is deployed; each must be in `environment` or the secrets",
            carried=False,
        ),
    )
    before_live: list[str] = field(
        default_factory=list,
        metadata=key(
            shell_lines,
            "shell lines run once, on one host, before a release goes live: [migrations](deploying.md)",
        ),
    )
    after_live: list[str] = field(
        default_factory=list,
        metadata=key(shell_lines, "shell lines run once, on one host, after it went live"),
    )
    processes: int | str = field(
        # Twice the cores were slower where they were measured. The host counts them, so equal releases have equal ids.
        default="",
        metadata=key(maybe(whole(1, 512)), "uWSGI workers; as many as the host has cores if not given"),
    )
    threads: int = field(
        # On 2 cores 20 requests may wait for a database at once, with 5 times the answers of 4 processes of one thread.
        default=10,
        metadata=key(
            whole(1, 512),
            "threads in each worker: [how many](uwsgi-options.md#processes-and-threads), and what an app must be like; "
            "1 for one that isn't safe with threads",
        ),
    )
    user: str = field(
        default="",
        metadata=key(
            app_account,
            "the user that the app runs as; it is created where there is none. If not given, one of the app's own, "
            "`web-<name>`: [who may do what](how-it-works.md#who-may-do-what)",
        ),
    )
    memory_max: str = field(
        default="",
        metadata=key(
            memory_size, "memory that all its processes may take together: `512M`, `2G`; no limit if not given"
        ),
    )
    reload_on_rss: str = field(
        default="",
        metadata=key(
            worker_size,
            "a worker that takes more than this is renewed after a request, once it is 10 s old: `300M`, `1G`; what it "
            "shares with the others counts too; never if not given",
        ),
    )
    cpu_quota: str = field(
        default="",
        metadata=key(cpu_share, "share of one processor that it may take: `50%`, `150%`; no limit if not given"),
    )
    tasks_max: int = field(
        # Ends what forks without end. A host with many cores has a worker for each, with all its threads.
        default=4096,
        metadata=key(whole(16, 65536), "processes and threads that it may have"),
    )
    listen_queue: int = field(
        default=4096,
        metadata=key(whole(16, 65535, "connections"), "how many connections may wait for a free thread; 16 to 65535"),
    )
    request_timeout: int = field(
        default=30,
        metadata=key(
            whole(1, 3600, "seconds"),
            "seconds after which a visitor who has got no answer gets 504; [more](streams-and-uploads.md#limits)",
        ),
    )
    max_requests: int = field(
        default=100_000,
        metadata=key(whole(100, 10**9), "requests after which a worker is renewed"),
    )
    memory_check: bool = field(
        default=True,
        metadata=key(
            yes_or_no,
            "whether a release is refused that [doesn't fit beside the live one](deploying.md#memory)",
            carried=False,
        ),
    )
    health_successes: int = field(
        default=3,
        metadata=key(whole(1, 100), "good answers in a row that prove a release", carried=False),
    )
    start_timeout: int = field(
        default=60,
        metadata=key(whole(1, 3600, "seconds"), "seconds after which a release that isn't well is refused"),
    )
    hosts: list[str] = field(
        default_factory=list,
        metadata=key(
            host_names,
            "[where it is served](several-servers.md): hosts and groups of the inventory; everywhere if not given",
            carried=False,
        ),
    )
    elsewhere: str = field(
        default="report",
        metadata=key(
            one_of("report", "remove"),
            "what becomes of it on hosts where `hosts` no longer places it: it serves on and is reported, or is "
            "removed without its data once it is live where it belongs",
            carried=False,
        ),
    )
    state: str = field(
        default="present",
        metadata=key(
            one_of("present", "absent"),
            "`absent` removes the app from the hosts: [removing](removing.md)",
            carried=False,
        ),
    )
    purge: bool = field(
        default=False,
        metadata=key(yes_or_no, "with `state: absent`, also delete its data in /var/lib", carried=False),
    )
    keep_releases: int = field(
        default=5,
        metadata=key(
            whole(2, 100),
            "good releases kept on the host, to [roll back](rolling-back.md) to; at least 2",
            carried=False,
        ),
    )

    @property
    def folder(self) -> str:
        return self.source or self.name

    def longest_request(self) -> int:
        """Seconds that a release may take to end what it serves."""
        return max(self.request_timeout, self.stream_timeout) if self.streaming else self.request_timeout

    def is_present(self) -> bool:
        return self.state == "present"
