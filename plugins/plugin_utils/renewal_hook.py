"""What certbot runs after a renewal: one file for Python, with the parts of this collection that it needs."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

from ansible_collections.uwsgi_flask.web.plugins.module_utils import files

PACKAGE = "ansible_collections/uwsgi_flask/web/plugins/module_utils"
# Of module_utils: folders whole, or single files. They may need nothing of Ansible, which a host hasn't.
PARTS = ("acme", "nginx", "files.py", "flock.py", "layout.py", "names.py", "release_layout.py")
# Not the user's own packages, nor what the environment says.
SHEBANG = b"#!/usr/bin/python3 -I\n"
MAIN = """\
import sys

from ansible_collections.uwsgi_flask.web.plugins.module_utils.acme.renewal import main

sys.exit(main())
"""
# The same bytes whenever and wherever it is made.
MADE = (1980, 1, 1, 0, 0, 0)


def renewal_hook() -> bytes:
    """The whole program."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in (("__main__.py", MAIN), *_packages(), *_parts()):
            archive.writestr(zipfile.ZipInfo(name, MADE), text, zipfile.ZIP_DEFLATED)
    return SHEBANG + packed.getvalue()


def _packages() -> Iterator[tuple[str, str]]:
    """An Ansible that is on the host must not be taken for these packages."""
    names = PACKAGE.split("/")
    yield from (("/".join([*names[:depth], "__init__.py"]), "") for depth in range(1, len(names) + 1))


def _parts() -> Iterator[tuple[str, str]]:
    root = Path(files.__file__).parent
    for part in PARTS:
        for path in sorted((root / part).glob("*.py")) or [root / part]:
            yield f"{PACKAGE}/{path.relative_to(root).as_posix()}", path.read_text(encoding="utf-8")
