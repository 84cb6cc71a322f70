"""Virtualenvs: built by a throw-away user in a sandbox, and then copied, as root's.

pip runs whatever an sdist contains, so a build is a stranger's program: it reaches the network, its app's own cache and
the directory that it fills, and nothing else. When its last process has ended, root copies what it made.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path

from ansible_collections.uwsgi_flask.web.plugins.module_utils import files
from ansible_collections.uwsgi_flask.web.plugins.module_utils.files import OwnedFile
from ansible_collections.uwsgi_flask.web.plugins.module_utils.layout import AppLayout
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.code import environment_file
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.index import VARIABLES, without_passwords
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.interpreter import minor_of
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.refused import Refused, cause_in
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.system import System

# Written last: a virtualenv without it is one whose building was cut off.
MANIFEST = ".manifest.json"
# Compiling a large package takes minutes; a build that hangs must end.
BUILD_SECONDS = 1800
STEP = "virtualenv"
PYCACHE = "__pycache__"
# One commit of a git repository. pip knows no hash of such a one, and refuses it beside those that have one.
COMMIT = re.compile(r"\s*([^@#\s]+\s*@\s*)?git\+")

# What a build can't do. Compilers and linkers still work.
SANDBOX = (
    # A user that exists while the unit runs. It implies a private /tmp.
    "DynamicUser=yes",
    "NoNewPrivileges=yes",
    "CapabilityBoundingSet=",
    "ProtectSystem=strict",
    "ProtectHome=yes",
    "PrivateDevices=yes",
    "ProtectProc=invisible",
    "ProtectClock=yes",
    "ProtectHostname=yes",
    "ProtectKernelTunables=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelLogs=yes",
    "ProtectControlGroups=yes",
    "RestrictNamespaces=yes",
    "RestrictSUIDSGID=yes",
    "RestrictRealtime=yes",
    "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6",
    "LockPersonality=yes",
    "SystemCallArchitectures=native",
    "SystemCallFilter=@system-service",
    "SystemCallErrorNumber=EPERM",
    "UMask=0022",
    f"RuntimeMaxSec={BUILD_SECONDS}",
    # Whatever pip leaves running ends with it, even if it ignores polite signals.
    "KillSignal=SIGKILL",
)


def find(app: AppLayout, key: str) -> Path | None:
    """An intact virtualenv with this key: `<key>`, or `<key>-2` and so on where an earlier one was damaged."""
    group = files.gid(app.group)
    named = (path for path in sorted(app.virtualenvs.glob(f"{key}*")) if path.name.partition("-")[0] == key)
    return next((path for path in named if path.stat().st_gid == group and is_usable(path)), None)


def is_usable(venv: Path) -> bool:
    """Whether it is as it was built, and so is what it stands on."""
    return not damage(venv) and not orphaned(venv)


def orphaned(venv: Path) -> str:
    """Why its Python can't run it any more; "" if it can. An upgrade of Debian brings another minor version."""
    python = venv / "bin/python"
    if not python.exists():
        return f"its Python is gone ({os.path.realpath(python)})"
    try:
        built = re.search(r"^version *= *(3\.\d+)", (venv / "pyvenv.cfg").read_text(), re.MULTILINE)
    except OSError:
        return ""
    now = minor_of(python)
    return f"it is for Python {built[1]}, and this host has {now} now" if built and now not in ("", built[1]) else ""


def damage(venv: Path) -> list[str]:
    """Paths in a virtualenv that aren't as they were built, in content, mode or owner; none if all is well.

    Byte code that Python has added doesn't count: whoever runs the virtualenv as root leaves some.
    """
    try:
        manifest: dict[str, list[object]] = json.loads((venv / MANIFEST).read_text())
    except (OSError, ValueError):
        return [MANIFEST]
    found = dict(files.entries(venv))
    wrong = [path for path, noted in manifest.items() if path not in found or _differs(found[path], *noted)]
    added = [path for path in found if path not in manifest and path != MANIFEST and PYCACHE not in path.split("/")]
    return sorted(wrong + added)


def build(
    system: System,
    app: AppLayout,
    key: str,
    python: Path,
    requirements: str,
    wheels: Sequence[Path],
    environment: Mapping[str, str],
    *,
    asks_index: bool = True,
) -> Path:
    """Build a virtualenv from locked requirements; its path.

    `python` is the interpreter. `wheels` are files that pip finds beside the index, or instead of it unless it
    `asks_index`. Raises Refused with what pip said, OSError, and ValueError.
    """
    system.doing(app.name, STEP)
    names = itertools.chain([key], (f"{key}-{number}" for number in itertools.count(2)))
    final = next(path for name in names if not os.path.lexists(path := app.virtualenvs / name))
    # What a run that was cut off has left at work.
    system.run(["systemctl", "stop", app.build_unit])
    desk = Desk(app.virtualenvs)
    if not asks_index:
        environment = {name: value for name, value in environment.items() if name not in VARIABLES}
    desk.lay(system, requirements, wheels, environment)
    try:
        system.changing(f"build {final}")
        began = system.clock()
        code, printed = system.run(_words(app, desk, final, python, asks_index), timeout=BUILD_SECONDS + 60)
        if code != 0:
            # One that systemd-run no longer waits for is still at work.
            system.run(["systemctl", "stop", app.build_unit])
            took_too_long = system.clock() - began >= BUILD_SECONDS
            cause = f"building it took longer than {BUILD_SECONDS} s" if took_too_long else cause_in(printed)
            raise Refused(STEP, cause or f"building it ended with status {code}", printed)
        _take_over(system, desk, final, app.group)
    finally:
        system.remove(desk.folder)
    return final


class Desk:
    """What a build gets and where it works: a folder that only root reaches, so `tree` in it can be open to a user
    whose number nobody knows beforehand. The sandbox binds `tree` to the virtualenv's place; `copy` becomes root's.

    The tree can't be a directory that systemd makes for the user: where the kernel can do so, systemd maps its owner,
    and nobody may write in it once it is bound to another place.
    """

    def __init__(self, virtualenvs: Path) -> None:
        self.folder = files.unfinished_name(virtualenvs / "build")
        self.tree = self.folder / "tree"
        self.copy = self.folder / "copy"
        self.requirements = self.folder / "requirements.txt"
        self.commits = self.folder / "commits.txt"
        self.wheels = self.folder / "wheels"
        self.environment = self.folder / "environment"
        self.netrc = self.folder / "netrc"

    def lay(self, system: System, requirements: str, wheels: Sequence[Path], environment: Mapping[str, str]) -> None:
        """Make it anew."""
        system.remove(self.folder)
        system.make_directory(self.folder, 0o700, "root")
        system.make_directory(self.tree, 0o777, "root")
        lines = requirements.splitlines(keepends=True)
        commits = [line for line in lines if COMMIT.match(line)]
        system.put(OwnedFile(self.requirements, "".join(line for line in lines if line not in commits), 0o444))
        if commits:
            options = [line for line in lines if line.startswith("-")]
            system.put(OwnedFile(self.commits, "".join([*options, *commits]), 0o444))
        if wheels:
            system.make_directory(self.wheels, 0o755, "root")
        for wheel in wheels:
            system.changing(f"copy {wheel}")
            shutil.copyfile(wheel, self.wheels / wheel.name)
            (self.wheels / wheel.name).chmod(0o444)
        variables, accounts = without_passwords(environment)
        system.put(OwnedFile(self.netrc, accounts, 0o444))
        # systemd reads this one, so that nothing of it stands in a command line or in what systemctl shows.
        system.put(OwnedFile(self.environment, environment_file(variables), 0o600))


def _words(app: AppLayout, desk: Desk, final: Path, python: Path, asks_index: bool) -> list[str]:
    """The command line of a build. The virtualenv's scripts hold its path, so it is built at the path it will have."""
    needed = [desk.requirements, desk.netrc, *(path for path in (desk.commits, desk.wheels) if path.exists())]
    seen = {path: app.root / path.name for path in needed}
    properties = [
        *SANDBOX,
        # Kept from build to build, for this app alone.
        f"CacheDirectory={app.build_links.parent.name}/{app.build_links.name}",
        "CacheDirectoryMode=0700",
        f"Environment=HOME={app.build_links}",
        # Of the app, nothing is seen in there but what is bound.
        f"TemporaryFileSystem={app.root}",
        f"BindPaths={desk.tree}:{final}",
        f"BindReadOnlyPaths={' '.join(f'{outside}:{inside}' for outside, inside in seen.items())}",
        f"Environment=NETRC={seen[desk.netrc]}",
        f"EnvironmentFile={desk.environment}",
    ]
    index = "" if asks_index else " --no-index"
    wheels = f" --find-links {seen[desk.wheels]}" if desk.wheels in seen else ""
    pip = f"{final}/bin/pip install --no-input --disable-pip-version-check{index}{wheels}"
    steps = [f"{python} -m venv --clear {final}"]
    if desk.commits in seen:
        # The lock has all that they need, and pip can't look at both kinds at once.
        steps.append(f"{pip} --no-deps --require-hashes --requirement {seen[desk.requirements]}")
        steps.append(f"{pip} --no-deps --requirement {seen[desk.commits]}")
    else:
        steps.append(f"{pip} --require-hashes --requirement {seen[desk.requirements]}")
    options = [f"--property={one}" for one in properties]
    run = ["systemd-run", "--quiet", "--wait", "--pipe", "--collect", f"--unit={app.build_unit}", *options]
    return [*run, "/bin/sh", "-euc", "\n".join(steps)]


def _take_over(system: System, desk: Desk, final: Path, group: str) -> None:
    """Copy what was built to its place, as root's: no owner, mode or open file of the builder's remains."""
    system.changing(f"copy {desk.tree}")
    files.make_directory(desk.copy, 0o750, group)
    copied = [path for path, source in files.entries(desk.tree) if _copy(Path(source), desk.copy / path, group)]
    os.sync()
    # Times are noted when nothing changes them any more.
    manifest = {path: [_content(desk.copy / path), *_stamp((desk.copy / path).lstat())] for path in copied}
    system.put(OwnedFile(desk.copy / MANIFEST, json.dumps(manifest), 0o640, group))
    system.changing(f"rename {desk.copy}")
    desk.copy.rename(final)
    files.sync(final.parent)


def _copy(source: Path, target: Path, group: str) -> bool:
    """Copy one entry of a tree that nobody changes any more. Raises Refused for what has no place in a virtualenv."""
    status = source.lstat()
    if stat.S_ISLNK(status.st_mode):
        target.symlink_to(os.readlink(source))
    elif stat.S_ISDIR(status.st_mode):
        target.mkdir()
        target.chmod(0o750)
    elif stat.S_ISREG(status.st_mode) and status.st_nlink == 1:
        with open(os.open(source, os.O_RDONLY | os.O_NOFOLLOW), "rb") as old, target.open("xb") as new:
            shutil.copyfileobj(old, new, 1 << 20)
        target.chmod(0o750 if status.st_mode & 0o111 else 0o640)
        # Byte code is good for a source with this very time.
        os.utime(target, ns=(status.st_mtime_ns, status.st_mtime_ns))
    else:
        # A hard link may lead to a file that somebody else keeps secret.
        raise Refused(STEP, f"the build left {source.name!r}, which is a hard link or no plain file")
    os.chown(target, os.geteuid(), files.gid(group), follow_symlinks=False)
    return True


def _content(path: Path) -> str:
    """What makes an entry what it is: a link's target, or the mode and owner of a folder or file and its digest."""
    status = path.lstat()
    if stat.S_ISLNK(status.st_mode):
        return f"link {os.readlink(path)}"
    guard = f"{stat.S_IMODE(status.st_mode):o} {status.st_uid}"
    return f"folder {guard}" if stat.S_ISDIR(status.st_mode) else f"file {guard} {files.sha256(path)}"


def _differs(entry: os.DirEntry[str], content: object, *stamp: object) -> bool:
    """Whether it isn't as it was noted. Reading every file takes long; one whose times and size are as they were has
    not been touched.
    """
    return [*stamp] != _stamp(entry.stat(follow_symlinks=False)) and content != _content(Path(entry))


def _stamp(status: os.stat_result) -> list[int]:
    """What changes when an entry is touched. A folder's times say nothing, because Python leaves byte code in it."""
    if stat.S_ISDIR(status.st_mode):
        return [status.st_mode, status.st_uid]
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns]
