"""What other people's sites need and nginx's sandbox would keep from them. It is told before nginx is in it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.rejected import Rejected

# The files that nginx includes; what lies elsewhere serves nobody.
INCLUDED = re.compile(r"conf\.d/[^/]+\.conf|sites-enabled/[^/]+")
# What names a place that nginx writes to.
WRITTEN = re.compile(r"^[^#\n]*?\b(\w+_(?:cache|temp)_path|access_log|error_log)\s+\"?(/[^\s\";]+)", re.MULTILINE)
TEMPORARY = re.compile(r"^[^#\n]*?(?:unix:|\s)\"?(/(?:var/)?tmp/[^\s\";]+)", re.MULTILINE)


def refuse_what_is_kept_from(tree: Mapping[str, bytes], drop_in: str) -> None:
    """Raise Rejected where a file in nginx's directory names a place that this drop-in of its unit closes."""
    faults = [
        f"/etc/nginx/{path} has {what}; set {remedy}"
        for path, text in tree.items()
        if INCLUDED.fullmatch(path)
        for what, remedy in _kept(text.decode(errors="replace"), drop_in)
    ]
    if faults:
        closed = "which nginx's sandbox closes; the old configuration serves, and its files are untouched"
        raise Rejected("\n".join([*faults, closed]))


def _kept(text: str, drop_in: str) -> Iterator[tuple[str, str]]:
    """What a file names that is closed, and the setting that opens it."""
    hides = re.findall("^PrivateTmp=(.*)$", drop_in, re.MULTILINE)
    hidden = hides[-1:] == ["yes"]
    if hidden:
        for path in TEMPORARY.findall(text):
            yield path, "web_nginx_sandbox: {PrivateTmp: false}"
    open_ones = re.findall(r"^ReadWritePaths=(.*)$", drop_in, re.MULTILINE)
    folders = [folder.removeprefix("-") for line in open_ones for folder in line.split()]
    for directive, path in WRITTEN.findall(text):
        is_open = any(f"{path}/".startswith(f"{folder}/") for folder in folders)
        if folders and not is_open and not path.startswith(("/dev/", "/tmp/", "/var/tmp/")):
            folder = path if directive.endswith("_path") else path.rpartition("/")[0]
            yield f"{directive} {path}", f"web_nginx_sandbox: {{ReadWritePaths: [{folder}]}}"
