"""What is asked of the machine itself: the kernel's list of sockets, and the pid file."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.rejected import Rejected
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.system import System

from fake_nginx import Nginx


class Real(System):
    """The machine's own kernel, and sockets and a pid file in a folder."""

    def __init__(self, folder: Path) -> None:
        self.probe_socket, self.probe_socket_again = folder / "s", folder / "s.again"
        self.pid_file = folder / "pid"
        self.main = "0"

    def show(self) -> dict[str, str]:
        return {"MainPID": self.main}


def test_the_kernel_knows_who_listens_though_the_file_is_gone(tmp_path: Path) -> None:
    real = Real(tmp_path)
    assert not real.serves_ours()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.fspath(real.probe_socket))
        assert not real.serves_ours(), "it takes no connections yet"
        listener.listen()
        assert real.serves_ours()
        assert not real.has_lost_its_socket()
        real.probe_socket.unlink()
        assert real.serves_ours()
        assert real.has_lost_its_socket()
    assert not real.has_lost_its_socket()


def test_only_a_socket_that_nobody_listens_on_is_stale(tmp_path: Path) -> None:
    real = Real(tmp_path)
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as dead:
        listener.bind(os.fspath(real.probe_socket))
        listener.listen()
        dead.bind(os.fspath(real.probe_socket_again))
    with socket.socket(socket.AF_UNIX) as listener:
        real.probe_socket.unlink()
        listener.bind(os.fspath(real.probe_socket))
        listener.listen()
        real.remove_stale_sockets()
        assert [path.name for path in tmp_path.iterdir()] == ["s"]


@pytest.mark.parametrize("content", [None, "", "77\n"])
def test_the_pid_file_names_the_running_nginx(tmp_path: Path, content: str | None) -> None:
    real = Real(tmp_path)
    if content is not None:
        real.pid_file.write_text(content)
    assert real.is_named_by_its_pid_file(real.show()), "none runs"
    real.main = "42"
    assert not real.is_named_by_its_pid_file(real.show())
    real.mend_pid_file()
    assert real.pid_file.read_text() == "42\n"
    assert real.is_named_by_its_pid_file(real.show())


@pytest.mark.parametrize("text", ["{", "{}", "[]", '{"marks": 1, "is_ready": true}'])
def test_a_broken_journal_is_told(nginx: Nginx, text: str) -> None:
    nginx.deploy()
    journal = nginx.root / ".distribution/exchange.json"
    journal.write_text(text)
    with pytest.raises(Rejected, match=rf"{journal} .*can't be read.*; remove it"):
        nginx.ours()
