"""The code of modules, packed while something else is done.

For each module that a run calls, Ansible collects the files that it imports, once: half a second for the larger ones of
ours, as long as all settings take to be read. Whoever calls a module that is being packed waits for whoever packs it.
"""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Sequence

from ansible import constants as C
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.run import started

# Seconds. One that hangs is ended, and the run packs for itself.
AT_MOST = 60


def pack_beside(modules: Sequence[str], pack: Callable[[str], object]) -> None:
    """Leave a process behind that packs these modules in their order with `pack`. Nothing depends on it."""
    run = os.getppid()
    began = started(run)
    if not modules or os.fork():
        return
    try:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(AT_MOST)
        for module in modules:
            pack(module)
    finally:
        if started(run) != began:
            # It was refused meanwhile, and has removed this already.
            shutil.rmtree(C.DEFAULT_LOCAL_TMP, ignore_errors=True)
        os._exit(0)
