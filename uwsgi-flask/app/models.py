"""What the app knows of itself, in the shapes in which the views show it."""

import importlib
import platform
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Self

_FLASK_VERSION = version("flask")


@dataclass(frozen=True)
class Worker:
    """The uWSGI process that answers this request."""

    id: int
    uwsgi_version: str
    # Answered since the start by all workers of this uWSGI together.
    total_requests: int

    @classmethod
    def current(cls) -> Self | None:
        """Ask uWSGI; None when something else runs the app, for only uWSGI's own Python has the module `uwsgi`."""
        try:
            uwsgi = importlib.import_module("uwsgi")
        except ModuleNotFoundError:
            return None
        return cls(uwsgi.worker_id(), uwsgi.version.decode(), uwsgi.total_requests())


@dataclass(frozen=True)
class Home:
    """The facts on the home page."""

    app: str
    release: str
    host: str
    python_version: str
    flask_version: str
    worker: Worker | None

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Self:
        """Gather them for the app with these settings."""
        return cls(
            app=settings["WEB_APP"],
            release=settings["WEB_RELEASE"],
            host=socket.gethostname(),
            python_version=platform.python_version(),
            flask_version=_FLASK_VERSION,
            worker=Worker.current(),
        )


@dataclass(frozen=True)
class Info:
    """The answer of `/info`."""

    # Requests answered so far; 0 when not under uWSGI, which keeps the count.
    num: int
    # When the app was loaded, ISO 8601 in UTC.
    date: str
    # The app's name and its release, separated by a comma.
    tags: str

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Self:
        """Gather it for the app with these settings."""
        worker = Worker.current()
        return cls(
            num=worker.total_requests if worker else 0,
            date=settings["STARTED"].isoformat(timespec="seconds"),
            tags=f"{settings['WEB_APP']}, {settings['WEB_RELEASE']}",
        )


@dataclass(frozen=True)
class Health:
    """The answer of `/health`; `worker` is None when not under uWSGI."""

    status: str
    app: str
    release: str
    worker: int | None

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Self:
        """Gather it for the app with these settings."""
        worker = Worker.current()
        return cls("ok", settings["WEB_APP"], settings["WEB_RELEASE"], worker.id if worker else None)
