"""What libraries can't do in the sandbox, and can with the options that docs/sandbox.md names."""

from __future__ import annotations

from pathlib import Path

import pytest

from server import Server

APP = """
import os
import shutil

from flask import Flask

app = Flask(__name__)


@app.get("/health")
def health():
    return "ok"


@app.get("/<name>")
def use(name):
    try:
        USES[name]()
    except Exception as error:
        return type(error).__name__
    return "works"


def callback():
    import cffi
    ffi = cffi.FFI()
    assert ffi.callback("int(int)", lambda number: number + 1)(1) == 2


def memory():
    import psutil
    assert psutil.virtual_memory().total > 0


def itself():
    import psutil
    assert psutil.Process().memory_info().rss > 0


def addresses():
    import psutil
    assert psutil.net_if_addrs()


def nice():
    os.nice(1)


def chown():
    with open(os.environ["STATE_DIRECTORY"] + "/mine", "w"):
        pass
    shutil.chown(os.environ["STATE_DIRECTORY"] + "/mine", group=os.getegid())


USES = {use.__name__: use for use in (callback, memory, itself, addresses, nice, chown)}
"""
WITHOUT = {
    "callback": "MemoryError",
    "memory": "FileNotFoundError",
    "itself": "works",
    "addresses": "OSError",
    "nice": "PermissionError",
    "chown": "PermissionError",
}
OPTIONS = {
    "MemoryDenyWriteExecute": False,
    "ProcSubset": "all",
    "RestrictAddressFamilies": ["AF_UNIX", "AF_INET", "AF_INET6", "AF_NETLINK"],
    "SystemCallFilter": ["@resources", "@chown"],
}


def uses(server: Server) -> dict[str, str]:
    """What becomes of each use."""
    return {name: server.get(f"/{name}", "needy.test")[1] for name in WITHOUT}


@pytest.fixture
def needy(server: Server, tmp_path: Path) -> Server:
    """The server with an app besides that does what few do."""
    (tmp_path / "static").mkdir()
    (tmp_path / "flask_wsgi.py").write_text(APP)
    (tmp_path / "requirements.txt").write_text("flask\ncffi\npsutil\n")
    own = {"name": "needy", "source": str(tmp_path), "server_names": ["needy.test"], "health_path": "/health"}
    server.web = {"web_locks": str(tmp_path / "locks")}
    server.others = [own]
    done = server.run("site.yml", "-eapp=needy")
    assert done.code == 0, done.output[-4000:]
    return server


def test_an_app_says_what_it_needs(needy: Server) -> None:
    assert uses(needy) == WITHOUT
    before = needy.live("needy")
    needy.others[0]["sandbox"] = OPTIONS
    done = needy.run("site.yml", "-eapp=needy")
    assert done.code == 0, done.output[-4000:]
    assert needy.live("needy") != before
    assert uses(needy) == dict.fromkeys(WITHOUT, "works")
    # What is run by hand has the same sandbox.
    ran = needy.run("run.yml", "-eapp=needy", "-ecommand='head -1 /proc/meminfo'")
    assert (ran.code, "MemTotal" in ran.output) == (0, True), ran.output
    removed = needy.run("teardown.yml", "-eapp=needy", "-econfirm=yes", "-epurge=true")
    assert removed.code == 0, removed.output[-4000:]
