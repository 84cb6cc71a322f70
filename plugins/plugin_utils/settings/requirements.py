"""A requirements file: one that leads nowhere else, pins what it names, and holds no password.

What a URL says after its scheme is never shown, because that may be a password.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

COMPILE = "make one file of all with 'uv pip compile --generate-hashes'"
ELSEWHERE = "leads to packages elsewhere; set PIP_FIND_LINKS in 'web_build_environment' instead"
NO_PASSWORD = "holds a user or password; write ${NAME} instead, and set NAME in 'web_build_environment'"

# Options that lead to another file or folder. pip takes any beginning of the long ones.
TO_FILES = ("--requirement", "--constraint", "--editable")
TO_PACKAGES = ("--find-links",)
SHORT = {"-r": "--requirement", "-c": "--constraint", "-e": "--editable", "-f": "--find-links"}

# A path where pip expects a requirement: ./lib, lib/, lib @ file:///srv/lib, git+file:///srv/lib.
_LOCAL = re.compile(r"([^@#\s]+\s*@\s*)?((\w+\+)?file:|[./]|[^\s:@;]+/[^\s:@]*(\s|$))")
_URL = re.compile(r"(\w+:)//\S*")
_CREDENTIALS = re.compile(r"://([^\s/]*)@")
# pip replaces these by environment variables. `git@` is the user of everybody's SSH URLs.
_NOT_SECRET = re.compile(r"(\$\{[A-Z0-9_]+\}|[\w.-]+(?=:\$\{)|:)+|git")


def faults(path: Path, require_hashes: bool) -> Iterator[str]:
    """What is wrong with the file, as the ends of sentences."""
    # Only looked through for what pip would follow: a remark in some other encoding is no fault.
    for line in _lines(path.read_text(encoding="utf-8-sig", errors="replace")):
        if fault := _fault(line):
            yield f"{_shown(line)} {fault}"
        elif require_hashes and not line.startswith("-") and "--hash=" not in line:
            yield f"{_shown(line.split()[0])} has no hash; {COMPILE}, or set 'require_hashes: false'"
            return


def _lines(content: str) -> Iterator[str]:
    """The logical lines, without remarks."""
    for line in re.sub(r"\\\r?\n", " ", content).splitlines():
        if bare := re.sub(r"(^|\s)#.*", "", line).strip():
            yield bare


def _fault(line: str) -> str:
    options = [_option(word) for word in line.split() if word.startswith("-")]
    if any(option in TO_PACKAGES for option in options):
        return ELSEWHERE
    if any(option in TO_FILES for option in options):
        return f"leads to another file; {COMPILE}"
    if not line.startswith("-") and "--hash=" not in line and _LOCAL.match(line):
        return f"leads to another file; {COMPILE}"
    if any(not _NOT_SECRET.fullmatch(found) for found in _CREDENTIALS.findall(line)):
        return NO_PASSWORD
    return ""


def _option(word: str) -> str:
    """The full name of an option that may be short or abbreviated; "" if it is none of those that matter here."""
    if not word.startswith("--"):
        return SHORT.get(word[:2], "")
    name = word.partition("=")[0]
    return next((full for full in (*TO_FILES, *TO_PACKAGES) if full.startswith(name)), "")


def _shown(line: str) -> str:
    return repr(_URL.sub(r"\1…", line))
