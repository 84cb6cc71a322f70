"""Which programs listen on which ports."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from ansible_collections.uwsgi_flask.web.plugins.module_utils.listeners import listeners


def test_this_program_is_found_by_its_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        found = listeners()
        assert found[str(server.getsockname()[1])] == Path(f"/proc/{os.getpid()}/comm").read_text().strip()
        # It has a port, and nobody can connect to it.
        assert str(bound.getsockname()[1]) not in found


def test_so_is_one_that_listens_by_ipv6_alone(tmp_path: Path) -> None:
    head = "  sl  local_address remote_address st tx_queue rx_queue tr tm->when retrnsmt uid timeout inode\n"
    row = f"   0: {'0' * 32}:01BB {'0' * 32}:0000 0A 00000000:00000000 00:00000000 00000000 0 0 4711 1\n"
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "tcp6").write_text(head + row)
    handles = tmp_path / "8" / "fd"
    handles.mkdir(parents=True)
    (handles / "3").symlink_to("socket:[4711]")
    (handles.parent / "comm").write_text("caddy\n")
    assert listeners(tmp_path) == {"443": "caddy"}
    (handles / "3").unlink()
    assert listeners(tmp_path) == {"443": ""}
