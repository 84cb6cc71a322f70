#!/usr/bin/python3
"""Takes or gives back the host's deploy lock; see DOCUMENTATION."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.web_files import exclusive

DOCUMENTATION = r"""
module: web_lock
short_description: Take or give back the deploy lock of a host
description:
  - One run at a time changes a host. The lock is a directory that appears whole, with its holder inside, and is gone
    after a reboot. A second run is refused with the holder's name; the lock of a run that has died on this controller
    is taken over, that of another controller only if told so and old enough.
  - A run that ends without giving its lock back, be it by Ctrl-C or C(kill -9), has left a process on its controller
    that does so.
options:
  state: {description: What is wanted., type: str, choices: [held, free], required: true}
  path: {description: The lock., type: path, default: /run/web-deploy.lock}
  holder: {description: Who asks; the action plugin fills it in., type: dict}
  displaces: {description: The holder whose lock may be taken; the action plugin sets it., type: dict}
  take: {description: "Take the lock of another controller's run, if it is old enough.", type: bool, default: false}
  take_age: {description: Seconds after which it is., type: int, default: 900}
"""

RETURN = r"""
held_by: {description: Who holds the lock instead., type: dict, returned: when it is held}
age: {description: For how many seconds., type: int, returned: when it is held}
"""

OPTIONS = {
    "state": {"type": "str", "choices": ["held", "free"], "required": True},
    "path": {"type": "path", "default": "/run/web-deploy.lock"},
    "holder": {"type": "dict"},
    "displaces": {"type": "dict"},
}


def main() -> None:
    module = AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True)
    # One question at a time, for two runs may both find a dead one's lock.
    lock = Path(module.params["path"])
    with exclusive(lock.parent):
        _answer(module, lock)


def _answer(module: AnsibleModule, lock: Path) -> None:
    given = module.params
    found = holder_of(lock)
    if given["state"] == "free":
        if is_same(found, given["holder"]) and not module.check_mode:
            remove(lock)
        module.exit_json(changed=False)
    if is_same(found, given["holder"]) or (found is None and (module.check_mode or take(lock, given["holder"]))):
        module.exit_json(changed=False)
    # Somebody was there first, before this look or since.
    found = found or holder_of(lock) or {}
    if is_same(found, given["displaces"]):
        if not module.check_mode:
            remove(lock)
            if not take(lock, given["holder"]):
                module.exit_json(changed=False, held_by=holder_of(lock) or {}, age=age_of(lock))
        module.exit_json(changed=False)
    module.exit_json(changed=False, held_by=found, age=age_of(lock))


def holder_of(lock: Path) -> dict[str, Any] | None:
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        return dict(json.loads((lock / "holder.json").read_text()))
    return None


def is_same(one: dict[str, Any] | None, other: dict[str, Any] | None) -> bool:
    """Whether two holders are the same run: the same process, started at the same moment, of the same machine."""
    if not one or not other:
        return False
    return all(str(one.get(part)) == str(other.get(part)) for part in ("controller", "pid", "started"))


def age_of(lock: Path) -> int:
    with contextlib.suppress(FileNotFoundError):
        return int(time.time() - lock.stat().st_mtime)
    return 0


def take(lock: Path, holder: dict[str, Any]) -> bool:
    """Make the lock with its holder inside, in one rename. False if somebody has it: a full directory is in the way."""
    made = Path(tempfile.mkdtemp(prefix=f".{lock.name}-", dir=lock.parent))
    try:
        (made / "holder.json").write_text(json.dumps(holder))
        os.rename(made, lock)
    except OSError:
        shutil.rmtree(made)
        return False
    return True


def remove(lock: Path) -> None:
    """Take the lock away in one rename, so that two runs can't both believe that they did."""
    doomed = lock.with_name(f".{lock.name}-gone-{os.getpid()}")
    with contextlib.suppress(FileNotFoundError):
        os.rename(lock, doomed)
        shutil.rmtree(doomed)


if __name__ == "__main__":
    main()
