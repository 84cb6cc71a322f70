"""The code of modules, packed while something else is done.

For each module that a run calls, Ansible collects the files that it imports, once: half a second for the larger ones of
ours, as long as all settings take to be read. Whoever calls a module that is being packed waits for whoever packs it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
from collections.abc import Callable, Sequence
from pathlib import Path

from ansible import constants as C

# Seconds. One that hangs is ended, and the run packs for itself.
AT_MOST = 20


def pack_beside(modules: Sequence[str], pack: Callable[[str], object]) -> None:
    """Leave a process behind for each of these modules that packs it with `pack`. The run may end before them."""
    folder = Path(C.DEFAULT_LOCAL_TMP)
    mark = folder / "packing"
    for module in modules:
        try:
            mark.touch()
            if os.fork():
                continue
        except OSError:
            # The run packs for itself.
            return
        try:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(AT_MOST)
            with contextlib.suppress(Exception):
                pack(module)
            if not mark.exists():
                # The run has removed its folder, and Ansible has made it anew for this.
                shutil.rmtree(folder, ignore_errors=True)
        finally:
            os._exit(0)
