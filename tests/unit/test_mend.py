"""What makes anew the links and the socket that lead to a live release: the script itself, run by a shell."""

from __future__ import annotations

import grp
import os
import pwd
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rendered import Rendered, rendered
from settings import HASH, Workshop, app

# Stand for the machine's own; each notes how it was called. The restart makes the socket, as systemd does.
TOOLS = {
    "systemctl": '[ "$2" != is-active ] || exit "$STOPPED"\n[ "$1" != restart ] || python3 -c "$BIND"',
    "systemd-tmpfiles": 'mkdir -p "$RUN"; ln -sfn "$ROOT/current/socket" "$RUN/shop.sock"',
    "chown": "",
}
BIND = (
    "import os, socket; socket.socket(socket.AF_UNIX).bind(os.environ['SOCKET']); os.chmod(os.environ['SOCKET'], 0o660)"
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Rendered:
    workshop = Workshop(tmp_path_factory.mktemp("apps"))
    workshop.write("shop/requirements.txt", f"flask==3.1.3 {HASH}\n")
    (one,) = rendered({"web_apps": [app(source=str(workshop.source))]})
    return one


class Place:
    """A live release below a short folder (a socket's path has at most 107 bytes), and the script that mends it."""

    def __init__(self, folder: Path, made: Rendered) -> None:
        self.folder = folder
        self.release: dict[str, Any] = made.release
        self.directory = self.of(self.release["directory"])
        self.current = self.of(made.app["current"])
        self.run = self.of(made.app["run"])
        self.socket = self.of(self.release["socket"])
        self.live_socket = self.of(made.app["live_socket"])
        text = made.files["mend.sh"]
        self.script = re.sub(r"(?<=[ '>])(/(?:opt|run|etc)/)", rf"{folder}\1", text).replace("sleep 0.2", "")
        self.directory.mkdir(parents=True)
        self.run.mkdir(parents=True)
        (self.directory / "socket").symlink_to(self.socket)
        self.current.symlink_to(f"releases/{self.directory.name}")
        self.live_socket.symlink_to(self.current / "socket")
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.socket))
        self.socket.chmod(0o660)
        (folder / "bin").mkdir()
        for name, body in TOOLS.items():
            tool = folder / "bin" / name
            tool.write_text(f'#!/bin/sh\necho "{name} $*" >> {folder}/calls\n{body}\n')
            tool.chmod(0o755)

    def of(self, path: str) -> Path:
        return Path(f"{self.folder}{path}")

    def mend(self, is_stopped: bool = False) -> str:
        """Run it; all that it called but for the question whether it was stopped."""
        environment = {
            "PATH": f"{self.folder}/bin:{os.environ['PATH']}",
            "RUN": str(self.run),
            "ROOT": str(self.current.parent),
            "SOCKET": str(self.socket),
            "BIND": BIND,
            "STOPPED": str(int(is_stopped)),
        }
        subprocess.run(["/bin/sh"], input=self.script, env=environment, check=True, text=True, timeout=20)
        calls = self.folder / "calls"
        lines = calls.read_text().splitlines() if calls.exists() else []
        calls.unlink(missing_ok=True)
        return "\n".join(line for line in lines if "is-active" not in line)

    def is_whole(self) -> bool:
        return self.live_socket.resolve() == self.socket and self.socket.is_socket()


@pytest.fixture
def place(made: Rendered, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    made_here = Place(Path(tmp_path_factory.mktemp("m")), made)
    # Whoever runs the tests stands for root and nginx: the script compares names.
    status = made_here.socket.stat()
    owner, group = pwd.getpwuid(status.st_uid).pw_name, grp.getgrgid(status.st_gid).gr_name
    made_here.script = made_here.script.replace(" root www-data", f" {owner} {group}")
    yield made_here
    made_here.listener.close()


def test_it_does_nothing_where_all_is_well(place: Place) -> None:
    assert place.mend() == ""


@pytest.mark.parametrize("what", ["live_socket", "current", "run", "socket", "directory/socket"])
def test_what_is_gone_comes_back(place: Place, what: str) -> None:
    name, _slash, inner = what.partition("/")
    path = getattr(place, name) / inner if inner else getattr(place, name)
    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    calls = place.mend()
    assert place.is_whole()
    # The socket's file is gone: then the unit has to make it anew, and only then.
    restarted = f"systemctl restart {place.release['unit_names']['socket']} {place.release['unit_names']['service']}"
    assert (restarted in calls) is (what in ("run", "socket"))
    assert place.mend() == ""


def test_the_mode_comes_back(place: Place) -> None:
    place.socket.chmod(0o600)
    assert "restart" not in place.mend()
    assert place.socket.stat().st_mode & 0o777 == 0o660


def test_one_that_was_stopped_stays_so(place: Place) -> None:
    place.socket.unlink()
    assert place.mend(is_stopped=True) == ""
    assert not place.socket.exists()


def lock(place: Place, held: str) -> None:
    """Let the lock be held by a deploy: what `flock` does then, when it is called for as long as it takes."""
    tool = place.folder / "bin" / "flock"
    tool.write_text(f'#!/bin/sh\necho "flock $*" >> {place.folder}/calls\n[ "$*" = 9 ] || exit 1\n{held}\n')
    tool.chmod(0o755)


def test_which_release_is_live_is_decided_by_a_deploy_however_long_it_takes(place: Place) -> None:
    """Nothing would start the script again: it is told once of what was lost."""
    lock(place, "")
    place.current.unlink()
    assert "flock 9" in place.mend()
    assert place.is_whole()


def test_all_else_comes_back_while_a_deploy_is_at_work(place: Place) -> None:
    """Of another app, say, whose virtualenv takes minutes."""
    lock(place, "exit 1")
    place.live_socket.unlink()
    place.mend()
    assert place.is_whole()


def test_one_that_isnt_live_any_more_leaves_the_live_one_alone(place: Place) -> None:
    other = place.directory.parent / ("f" * 12)
    other.mkdir()
    place.current.unlink()
    place.current.symlink_to(f"releases/{other.name}")
    assert place.mend() == ""
    assert place.current.resolve() == other
