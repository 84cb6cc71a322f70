"""How visitors ask for an app, as its own server block says: what nginx serves may differ from what was wanted."""

from __future__ import annotations

import re
from typing import Any

NAMES = re.compile(r"^ *server_name ([^;]+);", re.MULTILINE)
SECURE = re.compile(r"^ *listen (\d+) ssl", re.MULTILINE)
PLAIN = re.compile(r"^ *listen (\d+);", re.MULTILINE)


def front_of(conf: str) -> dict[str, Any] | None:
    """Host name, port and scheme ("http" or "https") from the text of an app's file; None if it has no server block."""
    names = NAMES.search(conf)
    secure = SECURE.search(conf)
    port = secure or PLAIN.search(conf)
    if not names or not port:
        return None
    # Any name fits a wildcard.
    host = names[1].split()[0].replace("*.", "probe.")
    return {"host": host, "port": int(port[1]), "scheme": "https" if secure else "http"}
