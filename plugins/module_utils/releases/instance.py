"""The units and sockets of a release: start them, look at them, stop them for good."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from ansible_collections.uwsgi_flask.web.plugins.module_utils import files
from ansible_collections.uwsgi_flask.web.plugins.module_utils.files import OwnedFile
from ansible_collections.uwsgi_flask.web.plugins.module_utils.layout import AppLayout
from ansible_collections.uwsgi_flask.web.plugins.module_utils.release_layout import (
    MEND,
    PARTS,
    STEPS,
    WATCH,
    ReleaseLayout,
)
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.data import MODE as DATA_MODE
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.refused import Refused, cause_in
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.system import System

# The directory of the sockets: nobody lists it, everybody may pass; each socket says who may connect.
RUN_MODE = 0o711
# What a socket's unit says of who may connect.
OF_A_SOCKET = ("SocketMode", "SocketGroup")
# Pause between two looks. Short, because a deploy waits on it; long enough to be no load.
PAUSE = 0.1
# After the flip no new connection reaches the old socket; its queue must be empty this many times in a row.
EMPTY_IN_A_ROW = 3
# Seconds for which an instance that ends is knocked at.
KNOCKING = 2.0
# Seconds for a release to end that may have streams. One that has some goes on with them, and nobody waits for it.
STREAMS_MAY_END = 2.0


class Seen(NamedTuple):
    """What systemd had of some releases at one moment: the properties of each unit that should run, and the names of
    all units of their apps that it had loaded.
    """

    running: dict[str, dict[str, str]]
    loaded: set[str]


def see(system: System, layouts: Sequence[ReleaseLayout]) -> Seen:
    """Ask systemd of many releases in as many calls as of one."""
    running = system.show(
        [unit for layout in layouts for unit in layout.running], "ActiveState", "NeedDaemonReload", *OF_A_SOCKET
    )
    return Seen(running, system.units(*(layout.app.unit_pattern() for layout in layouts)))


def tmpfiles(app: AppLayout) -> OwnedFile:
    """What systemd-tmpfiles makes at each boot. It is the same for all releases."""
    lines = [
        "# Managed by Ansible: changes made here are overwritten.",
        "# The directory of the sockets, made anew at each boot, and in it the names that nginx connects to. They lead",
        "# through the links that a deploy moves: `current` for visitors, `candidate` for a release being proven.",
        f"d {app.run} {RUN_MODE:04o} root root",
        "# The app's own data.",
        f"d {app.data} {DATA_MODE:04o} root {app.group}",
        *(f"L+ {name} - - - - {target}" for name, target in app.socket_names.items()),
    ]
    return OwnedFile(app.tmpfiles, "\n".join(lines) + "\n")


def sockets_directory_is_right(app: AppLayout) -> bool:
    """Whether the names that nginx connects to are there, at boot too."""
    return (
        tmpfiles(app).is_right()
        and app.run.is_dir()
        and stat.S_IMODE(app.run.stat().st_mode) == RUN_MODE
        and all(files.leads_to(name, os.fspath(target)) for name, target in app.socket_names.items())
    )


def ensure_sockets_directory(system: System, app: AppLayout) -> None:
    """Make those names, where they aren't right already. Raises OSError."""
    if sockets_directory_is_right(app):
        return
    file = tmpfiles(app)
    if not file.is_right():
        system.put(file)
    system.make_temporary_files(file.path)


def start(system: System, units: list[str], step: str) -> None:
    """Start units in one call. Raises Refused with the journal if one doesn't come up."""
    since = system.now()
    system.systemctl("reset-failed", *units)
    code, printed = system.systemctl("start", *units)
    if code == 0:
        return
    states = system.show(units, "Result", "ExecMainStatus", "ActiveState", "LoadState")
    failed = next((unit for unit in units if states[unit].get("Result") not in ("success", None)), units[-1])
    evidence = system.journal(failed, since) or printed
    ended = states[failed]
    how = f"{failed} ended with {ended.get('Result')}, status {ended.get('ExecMainStatus')}"
    if ended.get("LoadState") == "masked":
        how = f"{failed} is masked on this host; systemctl unmask {failed}"
    raise Refused(step, cause_in(evidence) or how, evidence)


def start_serving(system: System, layout: ReleaseLayout) -> None:
    """Start what answers requests. Raises Refused.

    systemd would let the last streams of an earlier life end first, which may take minutes: they are cut off.
    """
    if is_ending(system, layout):
        system.systemctl("kill", "--signal=KILL", layout.service)
        system.systemctl("stop", *layout.parts)
    start(system, layout.parts, "start")


def repair(system: System, layout: ReleaseLayout) -> None:
    """Mend what leads to a live release and what it is reached by, and start it if it doesn't run. Raises Refused."""
    app = layout.app
    ensure_sockets_directory(system, app)
    system.reload_units()
    if not files.leads_to(app.current, layout.link_target):
        system.link(app.current, layout.link_target)
    if not files.leads_to(layout.socket_link, os.fspath(layout.socket)):
        system.link(layout.socket_link, os.fspath(layout.socket))
    if not system.listens(layout.socket):
        # It may run behind a socket that was taken from it, and systemd would take that for started. Nobody is
        # served, so nobody loses by a restart.
        system.systemctl("stop", *layout.parts)
    start_serving(system, layout)
    if wrong := unguarded_socket(system, layout):
        system.guard(layout.socket, *wrong)


def is_ending(system: System, layout: ReleaseLayout) -> bool:
    """Whether it was told to stop, and still answers what it was asked before."""
    return system.show([layout.service], "ActiveState")[layout.service].get("ActiveState") == "deactivating"


def is_active(system: System, layout: ReleaseLayout, states: Mapping[str, str] | None = None) -> bool:
    """Whether all that serves is up. `states` are those of systemd's units, where it told already."""
    states = system.states(layout.app.unit_pattern(layout.id)) if states is None else states
    return all(states.get(unit) == "active" for unit in layout.serving)


def unguarded_socket(system: System, layout: ReleaseLayout) -> tuple[int, str] | None:
    """The mode and group that the socket should have, as its unit says; None if it has them, or if it isn't there."""
    socket = layout.unit("socket")
    return right_guard(layout, system.show([socket], *OF_A_SOCKET)[socket])


def right_guard(layout: ReleaseLayout, unit: Mapping[str, str]) -> tuple[int, str] | None:
    """The same of a socket whose unit has these properties: OF_A_SOCKET."""
    if "SocketMode" not in unit:
        # systemd gave no answer.
        return None
    mode, group = int(unit["SocketMode"], 8), unit.get("SocketGroup") or "root"
    try:
        status = layout.socket.lstat()
    except FileNotFoundError:
        return None
    return None if (stat.S_IMODE(status.st_mode), status.st_gid) == (mode, files.gid(group)) else (mode, group)


def restarts(system: System, layout: ReleaseLayout) -> tuple[str, str]:
    """Differs from one look to the next if the instance has ended in between."""
    state = system.show([layout.service], "NRestarts", "MainPID")[layout.service]
    return state.get("NRestarts", ""), state.get("MainPID", "")


def drain(system: System, layout: ReleaseLayout, seconds: float) -> None:
    """Wait until nobody waits in the queue any more. Requests being served are ended gracefully by the stop."""
    end = system.clock() + seconds
    empty = 0
    while system.clock() < end:
        empty = empty + 1 if system.waiting(layout.socket) == 0 else 0
        if empty == EMPTY_IN_A_ROW:
            break
        system.sleep(PAUSE / 2)


def retire(system: System, layout: ReleaseLayout, may_stream: bool) -> None:
    """Stop a release that visitors no longer get. If it streams, systemd lets it go on until its streams end.

    Raises Refused if anything else is still there afterwards.
    """
    if may_stream:
        _disable(system, layout)
        system.systemctl("stop", "--no-block", *layout.serving)
        end = system.clock() + STREAMS_MAY_END
        system.sleep(PAUSE)
        while is_ending(system, layout) and system.clock() < end:
            system.sleep(PAUSE)
    stop(system, layout, spared=layout.serving if may_stream and is_ending(system, layout) else ())


def stop(
    system: System,
    layout: ReleaseLayout,
    at_once: bool = False,
    with_jobs: bool = False,
    spared: Collection[str] = (),
) -> None:
    """Stop all units of a release, and don't start them at boot. Raises Refused if one is still there afterwards.

    All parts are named: stopping the target returns before its parts have drained. The socket goes too, or the next
    connection would wake the release. `at_once` is for one that nobody is served by: a hung worker would take its
    whole grace for a probe. Jobs end by themselves, unless `with_jobs`, and so do the units that are `spared`.
    """
    known = [unit for unit in _stoppable(system, layout) if unit not in spared]
    units = [unit for unit in known if with_jobs or not layout.app.is_job(unit)]
    if not units:
        return
    _disable(system, layout)
    # It would take what follows for an accident.
    system.systemctl("stop", layout.unit(WATCH), layout.unit(MEND))
    if at_once:
        system.systemctl("stop", "--no-block", *units)
        system.systemctl("kill", "--signal=KILL", layout.service)
    elif layout.service in units:
        system.systemctl("stop", "--no-block", *units)
        _await_end(system, layout)
    system.systemctl("stop", *units)
    states = {unit: state for unit, state in system.states(layout.app.unit_pattern(layout.id)).items() if unit in units}
    if failed := [unit for unit, state in states.items() if state == "failed"]:
        system.systemctl("reset-failed", *failed)
    if left := [unit for unit, state in states.items() if state not in ("inactive", "failed")]:
        raise Refused("stop", f"{left[0]} is {states[left[0]]} though it was stopped")


def _disable(system: System, layout: ReleaseLayout) -> None:
    # One reload is enough for all that a deploy enables and disables: it comes last.
    system.systemctl("disable", "--no-reload", layout.target)


def _await_end(system: System, layout: ReleaseLayout) -> None:
    """Let an instance end that was told to. uWSGI's master looks once a second whether its workers have ended, and at
    once when somebody knocks.
    """
    end = system.clock() + KNOCKING
    while is_ending(system, layout) and system.clock() < end:
        system.knock(layout.stats_socket)
        system.sleep(PAUSE / 4)


def _stoppable(system: System, layout: ReleaseLayout) -> list[str]:
    """The units of the release that systemd knows, whatever put them there, the socket before what it would wake."""
    known = system.units(layout.app.unit_pattern(layout.id))
    enabled = layout.app.wants / layout.target
    if enabled.is_symlink():
        known |= {layout.target}
    order = [layout.unit(kind) for kind in (*PARTS, "target", *STEPS)]
    return [*(unit for unit in order if unit in known), *sorted(known - {*order})]
