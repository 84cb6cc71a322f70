"""git as a command: never asks, ends in time, and says what is wrong in one line without a secret."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.words import HIDDEN, masked

# Seconds. A connection on which nothing moves is given up long before.
LONGEST = 900
SILENCE = 30

# What a hook or an alias of git leaves in the environment, and what prints headers with passwords in them.
_MISLEADING = re.compile(
    r"GIT_(TRACE\w*|CURL_VERBOSE|DIR|WORK_TREE|INDEX_FILE|OBJECT_DIRECTORY|COMMON_DIR|NAMESPACE|PREFIX|CEILING_DIRECTORIES)"
)
_CREDENTIALS = re.compile(r"(?<=://)[^/\s@']*@")
# The host must be that of the token, or a redirect would carry it elsewhere.
_ASKPASS = """#!/bin/sh
case "$1" in
    *"://$DEPLOY_HOST'"* | *"@$DEPLOY_HOST'"*) ;;
    *) exit 1 ;;
esac
case "$1" in
    Username*) printf '%s\\n' "$DEPLOY_USER" ;;
    *) printf '%s\\n' "$DEPLOY_TOKEN" ;;
esac
"""


class GitFailed(Exception):
    """git's own word for what went wrong, in one line."""


def run(
    words: Sequence[str],
    *,
    folder: str = "",
    extra: Mapping[str, str] | None = None,
    secrets: Iterable[str] = (),
    given: bytes = b"",
    timeout: float = LONGEST,
) -> bytes:
    """What git prints. `extra` is added to its environment, `given` is its input. Raises GitFailed."""
    begin = ["git", *(["-C", folder] if folder else [])]
    try:
        with subprocess.Popen(
            [*begin, *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**environment(), **(extra or {})},
            # Its helpers (ssh, git-remote-https) end with it, and none finds a terminal to ask at.
            start_new_session=True,
        ) as process:
            try:
                out, err = process.communicate(given, timeout=timeout)
            except BaseException:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                raise
    except FileNotFoundError:
        raise GitFailed("there is no git on this machine; install it") from None
    except subprocess.TimeoutExpired:
        raise GitFailed(
            f"git didn't end within {timeout:.0f} s; look whether that server answers this machine"
        ) from None
    if process.returncode:
        raise GitFailed(_cause(err.decode(errors="backslashreplace"), secrets))
    return out


def environment() -> dict[str, str]:
    """This process's own, but for what would mislead git; and told not to ask anybody."""
    own = {name: value for name, value in os.environ.items() if not _MISLEADING.fullmatch(name)}
    return {
        **own,
        "LC_ALL": "C",
        "LANGUAGE": "",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "/bin/false",
        "GIT_HTTP_LOW_SPEED_LIMIT": "1",
        "GIT_HTTP_LOW_SPEED_TIME": str(SILENCE),
        # A commit is what its digest says, whatever somebody put in its place here.
        "GIT_NO_REPLACE_OBJECTS": "1",
    }


def ssh(key: str = "") -> str:
    """The user's own ssh, as git finds it (git(1), GIT_SSH_COMMAND), told not to ask. Which hosts it trusts stays the
    user's business.
    """
    own = os.environ.get("GIT_SSH_COMMAND") or _configured_ssh() or shlex.quote(os.environ.get("GIT_SSH") or "ssh")
    options = f"-o BatchMode=yes -o ConnectTimeout={SILENCE} -o ServerAliveInterval=15"
    identity = f" -i {shlex.quote(key)} -o IdentitiesOnly=yes" if key else ""
    return f"{own} {options}{identity}"


def _configured_ssh() -> str:
    try:
        return run(["config", "--get", "core.sshCommand"], timeout=SILENCE).decode().strip()
    except GitFailed:
        return ""


@contextlib.contextmanager
def credentials(host: str, token: str, key: bytes) -> Iterator[dict[str, str]]:
    """What git needs in its environment to get in at `host`. Files are readable by this user alone, and go at the end.

    `token` may be "user:token"; `key` is a private key.
    """
    with tempfile.TemporaryDirectory(prefix="deploy-") as folder:
        extra: dict[str, str] = {}
        if token:
            user, word = user_and_token(token)
            extra |= {"DEPLOY_HOST": host, "DEPLOY_USER": user, "DEPLOY_TOKEN": word}
            extra |= {"GIT_ASKPASS": _put(folder, "askpass", _ASKPASS.encode(), 0o700)}
            # Or a helper of the user's would answer first, or store it.
            extra |= {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "credential.helper", "GIT_CONFIG_VALUE_0": ""}
        else:
            extra["GIT_SSH_COMMAND"] = ssh(_put(folder, "key", key.rstrip() + b"\n", 0o600) if key else "")
        yield extra


def user_and_token(token: str) -> tuple[str, str]:
    """GitHub, GitLab, Gitea and Forgejo take any user with a personal token."""
    user, colon, word = token.partition(":")
    return (user, word) if colon else ("x-access-token", token)


def _put(folder: str, name: str, content: bytes, mode: int) -> str:
    path = Path(folder, name)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
    return str(path)


TOKEN = "'web_source_tokens'"
# The first that is found in what git says.
REMEDIES = {
    "could not read Username": f"give a token in {TOKEN}",
    "Authentication failed": f"give another token in {TOKEN}",
    "error: 40[13]": f"give a token in {TOKEN} that may read it",
    "redirection": f"give the URL that it leads to, or a token in {TOKEN} if that is a page to log in",
    "' not found|Repository not found|error: 404": f"mend the URL, or give a token in {TOKEN} if it is private",
    "is this a git repository": "give the URL to clone from, not that of a web page",
    "does not appear to be a git repository|does not exist": "mend the path",
    r"Permission denied \(": "give a key that may read it as 'source_key', or load one into your agent",
    "Host key verification failed": "connect to it once by hand, because its host key is checked",
    "[Cc]ould not resolve": "mend the host's name, or let this machine reach a name server",
    "certificate": "name the CA's certificates on this machine in GIT_SSL_CAINFO",
    "[Cc]onnect|timed out|error: 5": "look whether that server answers this machine",
}
# What git says last isn't always what went wrong.
_TELLING = re.compile(
    r"(fatal|error|ERROR|remote): |Permission denied|Host key verification failed|Could not resolve|[Cc]onnection "
)
_EMPTY_WORDS = re.compile(
    r"remote: (Enumerating|Counting|Compressing|Total)|fatal: (Could not read from remote|the remote end hung up)|"
    r"error: unable to read askpass"
)


def _cause(said: str, secrets: Iterable[str]) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    telling = [line for line in lines if _TELLING.match(line) or _TELLING.search(line)]
    telling = [line for line in telling if not _EMPTY_WORDS.match(line)] or telling or lines or ["git failed"]
    told = masked([telling[-1] if not telling[0].startswith("ssh:") else telling[0]], secrets)[0]
    told = _CREDENTIALS.sub(f"{HIDDEN}@", told)
    told = re.sub(r"^(fatal|error|ERROR|remote): ", "", told).rstrip(".:")
    return told + next((f"; {remedy}" for sign, remedy in REMEDIES.items() if re.search(sign, told)), "")
