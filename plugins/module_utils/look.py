"""What a host has, in one call: packages, account, Python, and what is known of each app that is on it. Reads only."""

from __future__ import annotations

import grp
import platform
import pwd
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.uwsgi_flask.web.plugins.module_utils.layout import AppLayout
from ansible_collections.uwsgi_flask.web.plugins.module_utils.listeners import listeners
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases import instance, interpreter
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.place import damage
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.probe import Prober
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.records import Records, number
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.registration import registered
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.system import System
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.wanted import wanted_of


def look(module: AnsibleModule) -> dict[str, Any]:
    """What the controller must know before it settles what is deployed."""
    listed = packages(module)
    return {
        "python": interpreter.minor_of(interpreter.PYTHON),
        "machine": platform.machine(),
        "glibc": platform.libc_ver()[1],
        "packages": installed(listed),
        "provided": provided(listed),
        "users": sorted(user.pw_name for user in pwd.getpwall()),
        "groups": sorted(group.gr_name for group in grp.getgrall()),
        "somaxconn": int(Path("/proc/sys/net/core/somaxconn").read_text()),
        "listeners": listeners(),
        "apps": app_states(list(registered()), System()),
    }


def app_states(there: Sequence[tuple[AppLayout, dict[str, Any]]], system: System) -> dict[str, dict[str, Any]]:
    """By name what decides about the next release of each app. `there` has each with what is noted of it."""
    units = system.states(*(layout.unit_pattern() for layout, _noted in there)) if there else {}
    # Threads for the answers alone, which may be long in coming: looking at files takes longer in several.
    with ThreadPoolExecutor() as pool:
        served = list(pool.map(lambda app: _is_served(app[0], system, app[1], units), there))
    return {
        layout.name: {**_state(layout, system, noted), "served": is_served}
        for (layout, noted), is_served in zip(there, served, strict=True)
    }


def _state(layout: AppLayout, system: System, registration: dict[str, Any]) -> dict[str, Any]:
    """All but what visitors get.

    `renew` says how the live release was changed by hand: what serves is never mended, so a new instance of the same is
    made. `longest_timeout` is that of any release that may answer, after a rollback too. `prefix` is the path that the
    live release is below.
    """
    records = Records(layout, system)
    live = records.live()
    described = {release: records.described(release) for release in records.releases()}
    timeouts = [number(about.get("request_timeout")) for about in described.values()]
    return {
        "live": live,
        "user": layout.user,
        "prefix": described.get(live, {}).get("prefix"),
        "serial": number(described.get(live, {}).get("serial")),
        "renew": damage(layout, live) if live else [],
        "releases": [release for release, about in described.items() if about],
        "longest_timeout": max([number(registration.get("longest_timeout")), *timeouts]),
        "hooks": records.hooks(),
    }


def _is_served(layout: AppLayout, system: System, registration: dict[str, Any], units: dict[str, str]) -> bool:
    """Whether visitors get the live release. `units` are systemd's, with their states."""
    records = Records(layout, system)
    live = records.live()
    try:
        wanted = wanted_of(layout.release(live), records.described(live), registration["front"])
    except (LookupError, TypeError, ValueError):
        return False
    # The question would start one that was stopped, by its socket.
    return instance.is_active(system, wanted.layout, units) and Prober(wanted, system).visitors_are_served()


def packages(module: AnsibleModule) -> str:
    """dpkg's list: a line for each package with its state, its name, and after a tab what it provides."""
    if not shutil.which("dpkg-query"):
        return ""
    _code, printed, _errors = module.run_command(
        ["dpkg-query", "--show", "--showformat=${db:Status-Status} ${Package}\t${Provides}\n"]
    )
    return str(printed)


def installed(listed: str) -> list[str]:
    """Those of dpkg's list that are whole: one that is being configured, or removed but for its settings, isn't."""
    return sorted({name for name, _provides in _whole(listed)})


def provided(listed: str) -> list[str]:
    """What they provide besides, without versions: libmagic1t64 is Debian 13's libmagic1."""
    found = {one.split("(")[0].strip() for _name, provides in _whole(listed) for one in provides.split(",")}
    return sorted(found - {""})


def _whole(listed: str) -> Iterator[tuple[str, str]]:
    for line in listed.splitlines():
        state, _blank, rest = line.partition(" ")
        if state == "installed":
            name, _tab, provides = rest.partition("\t")
            yield name, provides
