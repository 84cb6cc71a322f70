"""Options of uWSGI that an app may set: `uwsgi_options`. Those that the release itself rests on aren't among them."""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.rules import WrongValue
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.words import nearest, shown_name

# As `uwsgi --plugin python3 --help` of Debian's 2.0 lists them, but for those that bind sockets, write logs, change
# users, read or serve other files, or run other programs.
_OPTIONS = """
    auto-procname backtrace-depth cache-blocksize cache-expire-freq cache-no-expire cache-report-freed-items
    cache-store cache-store-sync cache-use-last-modified cache2 catch-exceptions cheaper cheaper-algo
    cheaper-algos-list cheaper-initial cheaper-list cheaper-overload cheaper-rss-limit-hard
    cheaper-rss-limit-soft cheaper-step close-on-exec close-on-exec2 collect-header cpu-affinity del-header
    disable-write-exception evil-reload-on-as evil-reload-on-rss farm harakiri-no-arh harakiri-queue-threshold
    honour-range ignore-sigpipe ignore-write-errors import ksm limit-post lock-engine log-4xx log-5xx log-big
    log-date log-drain log-format log-format-strftime log-ioerror log-micros log-sendfile log-slow
    log-x-forwarded-for log-zero logformat logformat-strftime max-vars max-worker-lifetime
    max-worker-lifetime-delta memory-report min-worker-lifetime mule mule-harakiri mule-reload-mercy mules
    offload-thread offload-threads optimize post-buffering-bufsize pp procname procname-append procname-master
    procname-prefix procname-prefix-spaced profiler py-call-osafterfork py-call-uwsgi-fork-hooks py-sharedarea
    py-tracebacker pyimport python-import python-path pythonpath queue queue-blocksize reload-mercy reload-on-as
    reload-on-exception reload-on-exception-repr reload-on-exception-type reload-on-exception-value
    response-header-collect shared-import shared-pyimport shared-python-import sharedarea
    skip-atexit skip-atexit-teardown so-keepalive so-send-timeout socket-timeout spooler spooler-freq
    spooler-frequency spooler-harakiri spooler-import spooler-max-tasks spooler-ordered spooler-processes
    spooler-python-import spooler-quiet tcp-nodelay thread-stack-size threads-stack-size threads-stacksize
    thunder-lock write-errors-exception-only write-errors-tolerance wsgi-accept-buffer wsgi-accept-buffers
    wsgi-disable-file-wrapper wsgi-env-behavior wsgi-env-behaviour
"""
OPTIONS = _OPTIONS.split()
NEAREST_LISTED = 5

# What people reach for, and what to do instead.
SYSTEMD = "systemd does that"
INSTEAD = {
    **dict.fromkeys(("processes", "workers", "p"), "the key 'processes' says it"),
    "reload-on-rss": "the key 'reload_on_rss' says it",
    **dict.fromkeys(("threads", "enable-threads"), "the key 'threads' says it"),
    **dict.fromkeys(("lazy", "lazy-apps"), "the key 'preload: false' says it"),
    **dict.fromkeys(("listen", "l", "backlog"), "the key 'listen_queue' says it"),
    **dict.fromkeys(("harakiri", "worker-reload-mercy"), "the key 'request_timeout' says it"),
    "max-requests": "the key 'max_requests' says it",
    **dict.fromkeys(("module", "wsgi", "wsgi-file", "file", "mount"), "the key 'module' says it"),
    "callable": "the key 'callable' says it",
    "chdir": "the key 'chdir' says it",
    **dict.fromkeys(("env", "envdir"), "the key 'environment' says it"),
    **dict.fromkeys(("cron", "cron2", "unique-cron"), "the key 'timers' says it"),
    **dict.fromkeys(("attach-daemon", "attach-daemon2", "smart-attach-daemon"), "the key 'workers' says it"),
    "add-header": "the key 'headers' says it",
    **dict.fromkeys(("static-map", "check-static", "static-index"), "nginx serves files: 'static_folder'"),
    **dict.fromkeys(("virtualenv", "venv", "home", "pyhome"), "each release has a virtualenv of its own"),
    **dict.fromkeys(("py-executable", "py-sys-executable"), "it is the virtualenv's Python already"),
    **dict.fromkeys(("socket", "uwsgi-socket", "http", "http-socket", "https"), "systemd holds the socket"),
    **dict.fromkeys(("chmod-socket", "chown-socket", "vacuum"), "systemd holds the socket"),
    **dict.fromkeys(("daemonize", "daemonize2", "pidfile", "pidfile2", "uid", "gid", "umask", "chroot"), SYSTEMD),
    **dict.fromkeys(("logto", "logto2", "logger", "req-logger", "disable-logging"), "the journal holds the log"),
    **dict.fromkeys(("touch-reload", "py-auto-reload", "py-autoreload"), "what serves is never changed in place"),
    **dict.fromkeys(
        (
            *("master", "need-app", "strict", "plugin", "plugins", "die-on-term", "single-interpreter", "stats"),
            *("hook-master-start", "buffer-size", "post-buffering", "harakiri-verbose", "manage-script-name"),
        ),
        "every release has it set already",
    ),
}


def options(value: Any) -> dict[str, list[str]]:
    """Each option with its values in uWSGI's spelling; there may be none."""
    if not isinstance(value, dict):
        raise WrongValue("must be a dictionary of uWSGI's options (cheaper: 1)")
    return {_known(name): _values(name, given) for name, given in value.items()}


def _known(name: Any) -> str:
    if name in INSTEAD:
        raise WrongValue(f"must not set {name!r}: {INSTEAD[name]}")
    if name not in OPTIONS:
        near = nearest(name, OPTIONS, "options", NEAREST_LISTED)
        raise WrongValue(f"has {shown_name(name)}, which is no option of uWSGI's that an app may set{near}")
    return str(name)


def _values(name: str, given: Any) -> list[str]:
    return [_value(name, one) for one in (given if isinstance(given, list) else [given])]


def _value(name: str, given: Any) -> str:
    if isinstance(given, bool):
        return "true" if given else "false"
    if isinstance(given, int):
        return str(given)
    # What uWSGI would put something else in place of: %n, $(NAME), @(file).
    if isinstance(given, str) and re.fullmatch(r"(?!.*([$@]\(|%))[!-~]([ -~]*[!-~])?", given):
        return given
    raise WrongValue(
        f"must give {name!r} a number, true, false or a text in ASCII without '%', '$(' and '@(', or a list of these"
    )
