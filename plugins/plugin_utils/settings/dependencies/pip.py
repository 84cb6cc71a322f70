"""pip, which downloads wheels for another machine than this one. Index URLs reach it as environment variables alone."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.dependencies.unsettled import Unsettled
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.dependencies.uv import told
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.dependencies.wheelhouse import (
    KEY,
    Pinned,
    Target,
)

TIMEOUT = 1800
# The first that is found in what pip says tells the remedy.
REMEDIES = (
    ("No module named pip", "pip isn't installed beside Ansible, and it downloads wheels; run 'make setup'"),
    (
        "CERTIFICATE_VERIFY_FAILED|SSLError",
        "name the CA's certificates: PIP_CERT in your environment, or in 'web_build_environment' if it is a file here",
    ),
    (
        "Retrying|[Cc]onnection|timed out|40[13] ",
        "let this machine reach an index (PIP_INDEX_URL in 'web_build_environment')",
    ),
    (
        "No matching distribution",
        "no index has a wheel of it for {target}: lock a version that has one, or put your own on an index of yours",
    ),
)
OTHERWISE = "mend what it names"


def download(pins: Sequence[Pinned], target: Target, folder: Path, variables: Mapping[str, str]) -> list[str]:
    """Bring the wheels of these into the folder; their names. Raises Unsettled and OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".unfinished-", dir=folder) as made_in:
        wanted, made = Path(made_in, "wanted.txt"), Path(made_in, "made")
        # Without markers: pip would ask this machine's Python what they come to.
        wanted.write_text("".join(f"{pin.line}\n" for pin in pins), encoding="utf-8")
        made.mkdir()
        words = ["download", "--no-deps", "--require-hashes", "--only-binary=:all:", f"--requirement={wanted}"]
        words += [f"--dest={made}", f"--python-version={target.minor}", "--implementation=cp"]
        words += [f"--abi={abi}" for abi in (target.abi, "abi3", "none")]
        words += [f"--platform={platform}" for platform in target.platforms]
        _run(words, target, variables)
        names = sorted(path.name for path in made.iterdir())
        for name in names:
            (made / name).chmod(0o644)
            (made / name).rename(folder / name)
    return names


def _run(words: Sequence[str], target: Target, variables: Mapping[str, str]) -> None:
    quiet = ["--quiet", "--no-input", "--disable-pip-version-check", "--retries=1", "--no-color"]
    given = {name: value for name, value in variables.items() if name != "PIP_CERT" or os.path.isfile(value)}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pip", *words, *quiet],
            env={**os.environ, **given},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Unsettled(KEY, f"pip took over {TIMEOUT} s; look whether the package index answers") from None
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace")
        remedy = next((remedy for pattern, remedy in REMEDIES if re.search(pattern, said)), OTHERWISE)
        errors = [line.removeprefix("ERROR: ") for line in said.splitlines() if line.startswith("ERROR: ")]
        cause = told((errors or said.splitlines() or [f"it ended with status {done.returncode}"])[-1:], variables)
        raise Unsettled(KEY, f"pip can't download it: {cause}; {remedy.format(target=target)}")
