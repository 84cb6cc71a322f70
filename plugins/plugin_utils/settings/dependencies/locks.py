"""The project's folder of locks: what was resolved once is used until its inputs change or somebody asks for it anew.

A lock is called by the app and a digest of its inputs, so that two environments with different ones never fight over a
file, and a change that is taken back finds its old lock again.
"""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import json
import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.dependencies import uv
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.dependencies.desk import Desk
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.dependencies.lines import (
    decoded,
    extras_in,
    fault_in,
    logical_lines,
)
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.dependencies.unsettled import Unsettled
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.memory import once

DIGITS = 8
LOCKED = "locked.txt"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Inputs:
    """What is resolved: `files` by path, of which uv takes `main`, with `options`.

    `essence` is what counts of it, in plain values. `kept` are options that pip needs too, `key` is the setting that
    leads here, and `what` is how people call it.
    """

    files: Mapping[str, bytes]
    main: str
    essence: Any
    key: str
    what: str
    python: str
    options: Sequence[str] = ()
    kept: Sequence[str] = ()

    def digest(self) -> str:
        content = json.dumps([self.essence, self.python, [*self.options], [*self.kept]], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:DIGITS]


@dataclasses.dataclass(frozen=True)
class Lock:
    """The requirements of a lock, without what is said above them, and its notice if it is new."""

    text: str
    notice: str = ""


def lock(app: str, inputs: Inputs, desk: Desk) -> Lock:
    """The lock of these inputs, made if there is none. Raises Unsettled, OSError and Busy."""
    path = desk.locks / f"{app}-{inputs.digest()}.txt"
    is_refreshed = app in desk.refreshed

    def made() -> dict[str, Any]:
        if path.is_file() and not is_refreshed:
            return {"text": path.read_text(encoding="utf-8")}
        try:
            body = _resolved(app, inputs, desk, is_refreshed)
        except Unsettled as error:
            return {"fault": [error.key, error.fault]}
        text = f"{_header(app, inputs, body)}\n{body}"
        before = path.read_text(encoding="utf-8") if path.is_file() else ""
        if body == body_of(before) and not _damage(before):
            return {"text": text}
        if not desk.is_check:
            try:
                _write(path, text)
            except OSError as error:
                remedy = "let the user who deploys write there, or name another folder in 'web_locks'"
                return {"fault": [inputs.key, f"{path} can't be written: {error.strerror}; {remedy}"]}
        count = len({re.split(r"[ =@;\[]", line)[0] for line in logical_lines(body) if not line.startswith("-")})
        packages = f"{count} package{'' if count == 1 else 's'}"
        state = "new" if not before else "renewed"
        would = f"would be {state}" if desk.is_check else f"is {state}"
        return {"text": text, "notice": f"{desk.called}/{path.name} {would} ({packages}); commit it"}

    # A lock that is there is read each time, and costs nothing.
    if path.is_file() and not is_refreshed:
        answer = {"text": path.read_text(encoding="utf-8"), "notice": _notice(desk, path)}
    else:
        answer = once(desk.memory, path.stem, made)
    if "fault" in answer:
        raise Unsettled(*answer["fault"])
    body = body_of(answer["text"])
    if fault := fault_in(body) or _damage(answer["text"]):
        raise Unsettled(
            inputs.key,
            f"{desk.called}/{path.name} is no lock: {fault}; restore the file, or make it anew: -e refresh={app}",
        )
    return Lock(body, answer.get("notice", ""))


def body_of(text: str) -> str:
    """A lock without what is said above it."""
    said, blank, body = text.partition("\n\n")
    return body if blank and said.startswith("#") else text


def _notice(desk: Desk, path: Path) -> str:
    """What was said when this run made the lock, "" if it didn't: every host of the run says the same."""
    made = desk.memory / f"{path.stem}.json"
    return str(json.loads(made.read_text(encoding="utf-8")).get("notice", "")) if made.is_file() else ""


def _header(app: str, inputs: Inputs, body: str) -> str:
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    return (
        f"# What '{app}' installs by {inputs.what}, for Python {inputs.python} and newer. Locked {now}.\n"
        f"# Commit this file. To lock anew: ansible-playbook site.yml -e refresh={app}\n"
        f"# Of what follows: sha256 {_sha256(body)}\n"
    )


def _damage(text: str) -> str:
    """Why a lock isn't as it was made: a server would meet that only when it installs; "" if it is."""
    said, _blank, body = text.partition("\n\n")
    noted = re.search(r"^# Of what follows: sha256 (\w+)$", said, re.MULTILINE)
    return "" if noted and noted[1] == _sha256(body) else "it was cut off or edited"


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _resolved(app: str, inputs: Inputs, desk: Desk, is_refreshed: bool) -> str:
    """What uv makes of the inputs. Raises Unsettled."""
    with tempfile.TemporaryDirectory(prefix="lock-") as folder:
        for path, content in inputs.files.items():
            Path(folder, path).parent.mkdir(parents=True, exist_ok=True)
            Path(folder, path).write_bytes(content)
        # What didn't change keeps its version.
        if not is_refreshed and (seed := _newest(app, desk.locks)):
            Path(folder, LOCKED).write_text(seed, encoding="utf-8")
        words = ["pip", "compile", inputs.main, "--universal", "--generate-hashes", "--no-header", *inputs.options]
        # uv believes for ten minutes what an index said, and may not know what was published since.
        words += [f"--python-version={inputs.python}", f"--output-file={LOCKED}", "--refresh"]
        answer = uv.run(words, Path(folder), desk.variables, inputs.key, inputs.what)
        body = Path(folder, LOCKED).read_text(encoding="utf-8")
    asked = "\n".join(decoded(content) for path, content in inputs.files.items() if not path.endswith(".whl"))
    for package, extra in answer.no_extras:
        # A package of somebody else's may ask for one too, which is no fault of this app.
        if (re.split("[=@ ]", package)[0], extra) in extras_in(asked):
            raise Unsettled(inputs.key, f"{package} has no extra {extra!r}; mend its name, or leave it out")
    body = body.partition("# The following packages were excluded")[0]
    body = "".join(f"{option}\n" for option in inputs.kept) + body.strip() + "\n"
    if fault := fault_in(body):
        raise Unsettled(inputs.key, f"{inputs.what} can't be locked: {fault}")
    return body


def _newest(app: str, locks: Path) -> str:
    """The lock that was made last; "" if there is none."""
    called = re.compile(rf"{re.escape(app)}-[0-9a-f]{{{DIGITS}}}\.txt")
    texts = [path.read_text(encoding="utf-8") for path in locks.glob("*.txt") if called.fullmatch(path.name)]
    return body_of(max(texts, key=_when, default=""))


def _when(text: str) -> str:
    found = re.search(r"Locked (\S+)\.$", text.partition("\n")[0])
    return found[1] if found else ""


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, prefix=".", delete=False) as file:
        file.write(text)
    os.chmod(file.name, 0o644)
    os.rename(file.name, path)
