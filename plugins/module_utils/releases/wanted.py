"""What a release must contain, as the controller describes it, and the part of it that going live uses."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from ansible_collections.uwsgi_flask.web.plugins.module_utils.layout import TEMPORARY, AppLayout
from ansible_collections.uwsgi_flask.web.plugins.module_utils.release_layout import (
    AFTER,
    BEFORE,
    CHECK,
    ReleaseLayout,
)

# Those that a browser adds by itself.
USUAL_PORTS = {"http": 80, "https": 443}


@dataclasses.dataclass(frozen=True)
class Gate:
    """What proves a release: `successes` answers 200 in a row from `path`, within `deadline` seconds."""

    path: str
    successes: int
    deadline: float


@dataclasses.dataclass(frozen=True)
class Front:
    """How a visitor asks for the app: host name, port on this machine, and "http" or "https".

    `proxy_protocol` where a header of that protocol must come first.
    """

    host: str
    port: int
    scheme: str = "http"
    proxy_protocol: bool = False

    @property
    def address(self) -> str:
        """As `System.ask` takes it."""
        return f"{'proxy+' if self.proxy_protocol else ''}{self.scheme}://127.0.0.1:{self.port}"

    def url(self, described: Mapping[str, Any]) -> str:
        """What visitors type to see the release that is `described`; "" where nobody can ask for it."""
        port = "" if self.port == USUAL_PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{self.host}{port}{described.get('prefix') or ''}/" if self.host else ""


@dataclasses.dataclass(frozen=True)
class Wanted:
    """The release that should be live. Times are in seconds.

    `drain` is how long the one before may take to end what it serves, `keep` how many good releases stay, `ref` what
    the source calls itself, `commit` what it is in git, and `hooks` the key of the hooks that have been run for it; ""
    where there is none. `memory_check` is whether it must fit beside the live one.
    """

    layout: ReleaseLayout
    gate: Gate
    front: Front
    drain: float
    keep: int
    version: str = ""
    ref: str = ""
    commit: str = ""
    hooks: str = ""
    memory_check: bool = True

    @property
    def id(self) -> str:
        return self.layout.id


@dataclasses.dataclass(frozen=True)
class Media:
    """Folders of the app's data that nginx serves, and its user, who must be able to read them."""

    reader: str = ""
    folders: tuple[str, ...] = ()


NO_MEDIA = Media()


@dataclasses.dataclass(frozen=True)
class Content:
    """What a release holds.

    `code` lists the files of the source as [path, SHA-256, executable], of which `wheels` are for pip; `requirements`
    is the text that pip installs, from `sent_wheels` ([name, SHA-256]) alone unless that is None; `python` is the
    version that the app asks for, "" for Debian's own; `units` are texts by kind (see ReleaseLayout.unit_names);
    `scripts` are shell lines by step; `about` is more that is written into release.json.
    """

    code: list[list[Any]]
    public_folder: str
    requirements: str
    wheels: list[str]
    sent_wheels: list[list[str]] | None
    virtualenv_key: str
    python: str
    ini: str
    wsgi: str
    mend: str
    units: dict[str, str]
    scripts: dict[str, list[str]]
    environment: dict[str, str]
    build_environment: dict[str, str]
    about: dict[str, Any]
    media: Media = NO_MEDIA


def app_layout(described: Mapping[str, Any], prefix: str = "") -> AppLayout:
    """The layout of an app from whatever describes it: an item of the plan, or its registration on the host."""
    names = ("name", "app_root", "run_root", "user", "group")
    return AppLayout(**{name: described[name] for name in names}, prefix=prefix)


def wanted_of(layout: ReleaseLayout, described: Mapping[str, Any], front: Mapping[str, Any]) -> Wanted:
    """A release from its description, be it the plan's or the release.json that it left on the host."""
    return Wanted(
        layout=layout.with_extras(described),
        gate=Gate(**described["gate"]),
        front=Front(**front),
        drain=float(described["drain"]),
        keep=int(described["keep"]),
        version=described["version"],
        ref=described["ref"],
        commit=described.get("commit", ""),
        hooks=described["hooks"]["key"] if described["hooks"]["before"] else "",
        memory_check=bool(described.get("memory_check", True)),
    )


def content_of(item: Mapping[str, Any], texts: Mapping[str, Any], variables: Mapping[str, Any]) -> Content:
    """What an item of the plan holds. `texts` are its rendered files, `variables` its environment in three parts."""
    app, release = item["app"], item["release"]
    own = {"WEB_APP": app["name"], "WEB_RELEASE": release["id"]}
    # As systemd and Python call them. An app may say something else.
    places = {"STATE_DIRECTORY": app["data"], "TMPDIR": TEMPORARY}
    about = (
        "version",
        "serial",
        "python",
        "ref",
        "commit",
        "gate",
        "drain",
        "keep",
        "memory_check",
        "hooks",
        "stop_timeout",
        "streams",
        "prefix",
        "workers",
        "timers",
    )
    return Content(
        code=release["files"],
        public_folder=app["static_folder"],
        requirements=release["locked"],
        wheels=list(release["wheels"]),
        sent_wheels=release["sent_wheels"],
        virtualenv_key=release["venv_key"],
        python=app["python"],
        ini=texts["ini"],
        wsgi=texts["wsgi"],
        mend=texts["mend.sh"],
        units=texts["units"],
        scripts={
            CHECK: [release["check"]],
            BEFORE: release["hooks"]["before"],
            AFTER: release["hooks"]["after"],
            # In place of the shell, so that systemd speaks to the command itself.
            **{
                one["kind"]: [f"exec {one['command']}"]
                for one in [*release["workers"].values(), *release["timers"].values()]
            },
        },
        environment={**places, **variables["environment"], **variables["secrets"], **own},
        build_environment=dict(variables["build"]),
        about={name: release[name] for name in about}
        | {"request_timeout": app["request_timeout"], "per_core": not app["processes"]},
        media=Media(release["media"]["reader"], tuple(release["media"]["folders"])),
    )
