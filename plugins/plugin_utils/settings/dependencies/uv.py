"""uv, which resolves requirements and reads its own locks. Index URLs reach it as environment variables alone."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.dependencies.unsettled import Unsettled
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.words import masked

TIMEOUT = 600
# Characters of what uv says; more than a few lines are a wall.
TOLD = 500

# What pip calls it, what uv calls it, and what uv puts between several.
NAMES = {
    "PIP_INDEX_URL": ("UV_DEFAULT_INDEX", " "),
    "PIP_EXTRA_INDEX_URL": ("UV_INDEX", " "),
    "PIP_FIND_LINKS": ("UV_FIND_LINKS", ","),
    "PIP_TRUSTED_HOST": ("UV_INSECURE_HOST", " "),
}
# The first that is found in what uv says tells the remedy.
REMEDIES = (
    (
        "certificate|UnknownIssuer|TLS|SSL",
        "name the CA's certificates: SSL_CERT_FILE on this machine, PIP_CERT in 'web_build_environment'",
    ),
    (r"\b40[13]\b|[Uu]nauthorized|[Ff]orbidden", "give user and password in PIP_INDEX_URL of 'web_build_environment'"),
    (
        "Git operation failed|[Gg]it executable",
        "this machine must be able to fetch it with git; a branch, tag or commit must be there",
    ),
    (
        "Failed to fetch|error sending request|dns error|[Cc]onnect|timed out|Request failed",
        "let this machine reach an index (PIP_INDEX_URL in 'web_build_environment'), or commit a lock made elsewhere",
    ),
    (
        "[Bb]uild",
        "this machine builds what has no wheel, to learn what it needs; install what that takes, or another version",
    ),
    (r"the requested Python version|Python[><=]", "name the oldest Python of your servers in 'web_lock_python'"),
    (
        "not found in the package registry|not found in the provided",
        "mend its name, or name the index that has it: PIP_INDEX_URL in 'web_build_environment'",
    ),
    ("unsatisfiable|no version of", "loosen what can't be had together"),
    ("[Ee]xtra", "mend 'extras'"),
)
OTHERWISE = "mend what it names"

_NO_EXTRA = re.compile(r"warning: The package `([^`]+)` does not have an extra named `([^`]+)`")
_CREDENTIALS = re.compile(r"(?<=://)[^\s/@]*@")
_PASSWORD = re.compile(r"://[^\s/@:]*:?([^\s/@]+)@")


class Answer(NamedTuple):
    """What uv prints, and which extras it misses, as pairs of a package (`flask==3.1.3`) and a name."""

    text: str
    no_extras: list[tuple[str, str]]


def run(words: Sequence[str], folder: Path, variables: Mapping[str, str], key: str, what: str) -> Answer:
    """What uv answers. Raises Unsettled, with what it said in one line and without any password."""
    options = ["--no-progress", "--color=never", f"--python={sys.executable}", "--no-python-downloads"]
    try:
        done = subprocess.run(
            [_uv(), *words, *options],
            cwd=folder,
            env=_environment(variables),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Unsettled(key, f"uv took over {TIMEOUT} s with {what}; look whether the package index answers") from None
    said = done.stderr.decode(errors="replace")
    if done.returncode != 0:
        said = _told(said, variables)
        remedy = next((remedy for pattern, remedy in REMEDIES if re.search(pattern, said)), OTHERWISE)
        raise Unsettled(key, f"uv can't lock {what}: {said}; {remedy}")
    return Answer(done.stdout.decode(errors="replace"), sorted({*_NO_EXTRA.findall(said)}))


def _uv() -> str:
    """The uv of the environment that Ansible runs in, or else the machine's."""
    try:
        from uv import find_uv_bin

        return str(find_uv_bin())
    except (ImportError, FileNotFoundError):
        found = shutil.which("uv")
    if not found:
        raise Unsettled("requirements", "uv isn't installed beside Ansible, and it makes locks; run 'make setup'")
    return found


def _environment(variables: Mapping[str, str]) -> dict[str, str]:
    """This machine's own environment, with what pip is told on the hosts under uv's names."""
    translated = {
        uvs: between.join(variables[pips].split()) for pips, (uvs, between) in NAMES.items() if pips in variables
    }
    # A path is one on the hosts, and may be one here.
    if os.path.isfile(variables.get("PIP_CERT", "")):
        translated["SSL_CERT_FILE"] = variables["PIP_CERT"]
    if variables.get("PIP_NO_INDEX", "").lower() in ("1", "true", "yes", "on"):
        translated["UV_NO_INDEX"] = "1"
    # Trust what this machine trusts: a network with a certificate of its own is in the system's store, not in uv's.
    return {"UV_SYSTEM_CERTS": "1", "UV_HTTP_RETRIES": "1", **os.environ, **variables, **translated}


def _told(said: str, variables: Mapping[str, str]) -> str:
    """What uv says, in one line: `error: …` and its causes, without passwords."""
    lines = [re.sub(r"^(error|cause|warning): ", "", line) for line in _statements(said)]
    # Causes repeat what they are a cause of.
    return told((line for at, line in enumerate(lines) if not any(line in other for other in lines[:at])), variables)


def told(lines: Iterable[str], variables: Mapping[str, str]) -> str:
    """What a program says, in one line that isn't too long, without passwords."""
    passwords = {found for value in variables.values() for found in _PASSWORD.findall(value)}
    (clear,) = masked([_CREDENTIALS.sub("", ": ".join(lines).replace("`", "'"))], passwords)
    clear = clear.removeprefix("No solution found when resolving dependencies: ").rstrip(".:; ")
    return clear if len(clear) <= TOLD else f"{clear[:TOLD]}…"


def _statements(said: str) -> Iterator[str]:
    """The errors of uv with their causes, each in a line. A hint or warning is none."""
    collected = ""
    for line in said.splitlines():
        begins = re.match(r"(error|warning|hint|  cause): |\S", line)
        if begins:
            if collected.startswith(("error:", "cause:")):
                yield collected
            collected = ""
        collected = f"{collected} {line.strip()}".strip()
    if collected.startswith(("error:", "cause:")):
        yield collected
