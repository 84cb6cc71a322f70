"""What uWSGI calls in the units that have ours' settings without being deployed. BENCH_SWITCH is a switch interval."""

from __future__ import annotations

import os
import sys

from flask_wsgi import app as application

__all__ = ["application"]

if "BENCH_SWITCH" in os.environ:
    sys.setswitchinterval(float(os.environ["BENCH_SWITCH"]))
