"""How a source is written: a folder, a URL of git's, an archive. Decided by the text alone."""

from __future__ import annotations

import enum
import re
import urllib.parse

ARCHIVES = (".tar.gz", ".tgz", ".tar.xz", ".tar.bz2", ".zip")

# git@git.example.com:shop.git
_SCP = re.compile(r"(?P<user>[\w.-]+)@(?P<host>[\w.-]+):(?!//)\S+")
_URL = re.compile(r"(\w[\w+.-]*)://\S+")


class Form(enum.Enum):
    FOLDER = "a folder"
    GIT = "a git repository"
    ARCHIVE = "an archive"
    REMOTE_ARCHIVE = "an archive from elsewhere"


def form_of(source: str) -> Form:
    is_archive = source.lower().endswith(ARCHIVES)
    if source.startswith("https://") and is_archive:
        return Form.REMOTE_ARCHIVE
    if _URL.fullmatch(source) or _SCP.fullmatch(source):
        return Form.GIT
    return Form.ARCHIVE if is_archive else Form.FOLDER


def by_ssh(source: str) -> bool:
    return source.startswith("ssh://") or bool(_SCP.fullmatch(source))


def host_of(source: str) -> str:
    """The host, with its port if one is given; "" for what is on this machine."""
    if found := _SCP.fullmatch(source):
        return found["host"]
    return urllib.parse.urlsplit(source).netloc.rpartition("@")[2].lower() if "://" in source else ""


def fault(source: str) -> str:
    """Why it can't be a source, as the end of "must be …" or "must …"; "" if it can."""
    if "://" not in source:
        return ""
    url = _URL.fullmatch(source)
    if re.search(r"\s", source):
        return "must be a path or a URL without spaces"
    if not url or url[1] not in ("https", "ssh", "file"):
        return "must be a folder, an archive or a URL that begins with https://, ssh:// or file://"
    login = urllib.parse.urlsplit(source).netloc.rpartition("@")[0]
    if ":" in login or (login and url[1] == "https"):
        return "must be a URL without a user or password; put a token into 'web_source_tokens'"
    if "?" in source or "#" in source:
        return "must be a URL without '?' and '#'; a branch, tag or commit is the key 'ref'"
    return ""


def meant(source: str) -> str:
    """The URL that is meant by what was written as a path; "" if that may be one."""
    if found := re.fullmatch(r"(?P<login>[\w.-]+@[\w.-]+)/(?P<path>\S+)", source):
        return f"{found['login']}:{found['path']}"
    return f"https://{source}" if re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)*\.[a-z]{2,}(:\d+)?/\S+", source) else ""


def joined(base: str, url: str) -> str:
    """A submodule's URL, which may be relative to its parent's (git-submodule(1), add)."""
    if not url.startswith(("./", "../")):
        return url
    base = base.rstrip("/")
    while url.startswith(("./", "../")):
        if url.startswith("../"):
            head, slash, _last = base.rpartition("/")
            base = head if slash else base.rpartition(":")[0] + ":"
        url = url.partition("/")[2]
    return f"{base}{url}" if base.endswith(":") else f"{base}/{url}"
