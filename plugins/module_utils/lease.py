"""The lease that lets one run at a time change a host.

The lease is a file with a token and its holder. Whoever changes the host shows the token while it holds the host's
flock, so a run that lost its lease stops, and what a lost connection has left at work is waited for. A lease that isn't
renewed expires, so nothing else has to clean up.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.uwsgi_flask.web.plugins.module_utils.files import OwnedFile
from ansible_collections.uwsgi_flask.web.plugins.module_utils.flock import FLOCK, WAIT_SECONDS, Busy, clock, flock

# Gone after a boot, as the host's flock is: nothing of a run survives one.
PATH = "/run/web-deploy.lease"
# What is being done now, "<app> <step>", for a run that waits. Everybody may read it.
STEP = "/run/web-deploy.step"
# Seconds without a renewal after which another run may take a lease.
TTL = 90
# Taking, renewing and giving back a lease takes milliseconds.
MOMENT_SECONDS = 5.0

LEASE_OPTION: dict[str, Any] = {"lease": {"type": "str", "default": ""}}

Holder = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Lease:
    """A run's right to change the host: its token, who it is, and when it was last renewed, by the host's own clock."""

    token: str
    holder: Holder
    renewed: float
    since: float
    ttl: float = TTL

    def age(self) -> float:
        """Seconds since it was taken."""
        return clock() - self.since

    def left(self) -> float:
        """Seconds until it expires; less than 0 if it has."""
        return self.renewed + self.ttl - clock()

    def has_expired(self) -> bool:
        """A renewal time in the future means that the lease predates a reboot."""
        return not 0 <= self.left() <= self.ttl


class Broken(Exception):
    """The file isn't a lease."""


def read(path: Path) -> Lease | None:
    """The lease that is there. Raises Broken and OSError."""
    try:
        content = json.loads(path.read_text())
        holder = dict(content["holder"])
        numbers = {name: float(content[name]) for name in ("renewed", "since")}
        return Lease(str(content["token"]), holder, **numbers, ttl=float(content.get("ttl", TTL)))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise Broken(f"{path} isn't a lease ({error!r}); if no deploy is running, remove it") from error


def write(path: Path, lease: Lease) -> None:
    OwnedFile(path, json.dumps(dataclasses.asdict(lease)) + "\n", mode=0o600).put()


def claim(path: Path, token: str, holder: Holder, displaces: str = "", ttl: float = TTL) -> tuple[bool, Lease | None]:
    """Take the lease if nobody has it, if it is this token's or `displaces`', or if it has expired.

    Only for whoever holds the host's flock: nobody may be at work. Returns whether it was taken, and the lease that was
    there before. Raises Broken, Busy and OSError.
    """
    with _undisturbed(path):
        found = read(path)
        if found is not None and found.token not in (token, displaces) and not found.has_expired():
            return False, found
        write(path, Lease(token, holder, renewed=clock(), since=clock(), ttl=ttl))
        return True, found


def renew(path: Path, token: str) -> bool:
    """Renew the lease if it is this token's. False if it isn't. Raises Broken, Busy and OSError."""
    with _undisturbed(path):
        found = read(path)
        if found is None or found.token != token:
            return False
        write(path, dataclasses.replace(found, renewed=clock()))
        return True


def give_back(path: Path, token: str) -> None:
    """Remove the lease if it is this token's. Raises Broken, Busy and OSError."""
    with _undisturbed(path):
        found = read(path)
        if found is not None and found.token == token:
            path.with_suffix(Path(STEP).suffix).unlink(missing_ok=True)
            path.unlink()


def _undisturbed(path: Path) -> contextlib.AbstractContextManager[None]:
    """Nobody else changes the lease between a look at it and its change.

    Not the host's flock, because that may be held for minutes, and a lease is renewed and given back meanwhile.
    """
    return flock(path.with_name(f"{path.name}.flock"), MOMENT_SECONDS)


def described(lease: Lease) -> str:
    """Who holds it, since when."""
    holder = lease.holder
    who = f"{holder.get('by', 'somebody')} on {holder.get('controller', 'an unknown machine')}"
    return f"{who} has been deploying to this host since {holder.get('since', '?')} ({lease.age():.0f} s)"


@contextlib.contextmanager
def held(module: AnsibleModule, path: str = PATH, lock: str = FLOCK) -> Iterator[None]:
    """Change the host: alone, and only with its lease. Fails the module otherwise. A rehearsal needs neither."""
    if module.check_mode:
        yield
        return
    lease, token = Path(path), module.params["lease"]
    if not token:
        module.fail_json(
            msg="this task was given no lease; take one first (uwsgi_flask.web.lease, state: held) and pass its token. "
            "Nothing was changed here."
        )
    with contextlib.ExitStack() as stack:
        try:
            # Asked before the wait too, because a run that has lost its lease needn't wait for anybody.
            if not renew(lease, token):
                module.fail_json(msg=lost(lease))
            stack.enter_context(flock(Path(lock), WAIT_SECONDS))
            if not renew(lease, token):
                module.fail_json(msg=lost(lease))
        except Busy as busy:
            module.fail_json(
                msg=f"another deploy is still at work on this host after {WAIT_SECONDS} s: {busy}. Wait for it, or end "
                "it. Nothing more was changed here."
            )
        except Broken as error:
            module.fail_json(msg=f"{error}. Nothing more was changed here.")
        except OSError as error:
            module.fail_json(msg=f"the lease {lease} can't be used: {error}. Nothing more was changed here.")
        yield


def given_back(token: str) -> bool:
    """Give the lease back where a module's work was all that the run does. If it can't be, the run's end does it."""
    try:
        give_back(Path(PATH), token)
    except (OSError, Busy, Broken):
        return False
    return True


def lost(path: Path) -> str:
    """Why a run must not go on."""
    found = read(path)
    now = f": {described(found)}" if found else ", and nobody has it now"
    return f"this run has lost its lease on the host{now}. Nothing more was changed here; run it again."
