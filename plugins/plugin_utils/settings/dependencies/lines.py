"""Requirements files: what they say line by line, which other files they lead to, and what they must not say.

What a URL says after its scheme is never shown, because that may be a password.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.dependencies.unsettled import Unsettled
from packaging.utils import canonicalize_name

ELSEWHERE = "leads to packages elsewhere; set PIP_FIND_LINKS in 'web_build_environment' instead"
NO_PASSWORD = "holds a user or password; write ${NAME} instead, and set NAME in 'web_build_environment'"
ITSELF = "is the source itself, which is found without being installed; leave the line out"
A_FOLDER = (
    "leads to a folder or file on this machine; name it as a package of an index, or as git+https://…, or move its "
    "code into the source"
)
INSIDE = "leads out of the source; move the file into it"
MISSING = "leads to a file that isn't there; mend the line"

# Options that lead to another file or folder. pip takes any beginning of the long ones.
TO_FILES = ("--requirement", "--constraint")
TO_CODE = ("--editable",)
TO_PACKAGES = ("--find-links",)
SHORT = {"-r": "--requirement", "-c": "--constraint", "-e": "--editable", "-f": "--find-links"}
# What pip must be told on a host too.
KEPT = re.compile(r"(-i|--(index-url|extra-index-url|no-binary|only-binary|trusted-host|prefer-binary))\b")

# A path where pip expects a requirement: ./lib, lib/, lib @ file:///srv/lib, git+file:///srv/lib.
_LOCAL = re.compile(r"([\w.\[\],-]+\s*@\s*)?((\w+\+)?file:|[./]|[^\s:@;]+/[^\s:@]*(\s|$))")
_AT_A_COMMIT = re.compile(r"([^@#\s]+\s*@\s*)?git\+\w+://\S+@[0-9a-f]{40}(#\S*)?(\s*;.*)?")
_URL = re.compile(r"(\w+:)//\S*")
_HASH = re.compile("--hash=(sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128})", re.IGNORECASE)
_CREDENTIALS = re.compile(r"://([^\s/]*)@")
# pip replaces these by environment variables. `git@` is the user of everybody's SSH URLs.
_NOT_SECRET = re.compile(r"(\$\{[A-Z0-9_]+\}|[\w.-]+(?=:\$\{)|:)+|git")


def decoded(content: bytes) -> str:
    """The text of a requirements file. A remark in some other encoding is no fault."""
    return content.decode("utf-8-sig", errors="replace")


def logical_lines(text: str) -> Iterator[str]:
    """The lines as pip takes them, without remarks."""
    for line in re.sub(r"\\\r?\n", " ", text).splitlines():
        if bare := re.sub(r"(^|\s)#.*", "", line).strip():
            yield bare


def closure(source: Path, main: str) -> dict[str, bytes]:
    """A requirements file and those that it leads to, by their paths inside `source`. Raises Unsettled and OSError."""
    found: dict[str, bytes] = {}
    ahead = [main]
    while ahead:
        path = ahead.pop()
        if path in found:
            continue
        found[path] = (source / path).read_bytes()
        for line in logical_lines(decoded(found[path])):
            if fault := _fault(line):
                raise Unsettled("requirements", f"{shown_line(line)} {fault}")
            if cut := next(
                (word for word in line.split() if word.startswith("--hash=") and not _HASH.fullmatch(word)), ""
            ):
                named = shown_line(line.split()[0])
                raise Unsettled("requirements", f"{named} has {cut!r}, which is no whole hash; copy it anew")
            ahead += [_inside(source, path, line, target) for target in _targets(line)]
    return found


def is_locked(text: str) -> bool:
    """Whether every requirement has a hash, or is one commit of a repository, and no line leads to another file."""
    return not any(_targets(line) or not is_pinned(line) for line in logical_lines(text))


def is_pinned(line: str) -> bool:
    """Whether a requirement can only ever be this one. Options can."""
    return line.startswith("-") or "--hash=" in line or is_commit(line)


def is_commit(line: str) -> bool:
    """Whether a requirement is one commit of a git repository; pip knows no hash of such a one."""
    return bool(_AT_A_COMMIT.fullmatch(line))


def fault_in(text: str) -> str:
    """What is wrong with a text that should be locked; "" if nothing is."""
    for line in logical_lines(text):
        if fault := _fault(line):
            return f"{shown_line(line)} {fault}"
        if _targets(line) or not is_pinned(line):
            return f"{shown_line(line.split()[0])} has neither a hash nor a commit"
    return ""


def extras_in(text: str) -> set[tuple[str, str]]:
    """The extras that a text of requirements names, each with its package, as indexes spell them."""
    found = re.findall(r"([\w.-]+) *\[([^][]*)\]", text)
    return {
        (canonicalize_name(name), canonicalize_name(one.strip())) for name, all_ in found for one in all_.split(",")
    }


def kept_options(text: str) -> list[str]:
    """The options that pip must be told on a host as well."""
    return [line for line in logical_lines(text) if KEPT.match(line)]


def shown_line(line: str) -> str:
    return repr(_URL.sub(r"\1…", line))


def _fault(line: str) -> str:
    options = [_option(word) for word in line.split() if word.startswith("-")]
    bare = line.split()[0] if not options else line.split()[-1].rpartition("=")[2].removeprefix("-e")
    if any(option in TO_PACKAGES for option in options):
        return ELSEWHERE
    is_code = any(option in TO_CODE for option in options)
    if is_code or (not line.startswith("-") and _LOCAL.match(line)):
        return ITSELF if re.fullmatch(r"\.?/?(\[.*\])?", bare) else A_FOLDER
    if any(not _NOT_SECRET.fullmatch(found) for found in _CREDENTIALS.findall(line)):
        return NO_PASSWORD
    return ""


def _targets(line: str) -> list[str]:
    """The files that a line leads to, as it writes them."""
    words, found = line.split(), []
    for at, word in enumerate(words):
        if word.startswith("-") and _option(word) in TO_FILES:
            written = word.partition("=")[2] if word.startswith("--") else word[2:].removeprefix("=")
            found.append(written or " ".join(words[at + 1 : at + 2]))
    return found


def _inside(source: Path, path: str, line: str, target: str) -> str:
    """The path inside the source of what a line leads to. Raises Unsettled."""
    full = (source / path).parent / target
    if "://" in target or not full.resolve().is_relative_to(source.resolve()):
        raise Unsettled("requirements", f"{shown_line(line)} in {path!r} {INSIDE}")
    if not target or not full.is_file():
        raise Unsettled("requirements", f"{shown_line(line)} in {path!r} {MISSING}")
    return full.resolve().relative_to(source.resolve()).as_posix()


def _option(word: str) -> str:
    """The full name of an option that may be short or abbreviated; "" if it is none of those that matter here."""
    if not word.startswith("--"):
        return SHORT.get(word[:2], "")
    name = word.partition("=")[0]
    return next((full for full in (*TO_FILES, *TO_CODE, *TO_PACKAGES) if full.startswith(name)), "")
