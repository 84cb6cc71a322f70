"""Whether nginx runs already what a run wants: only then a deploy may leave it alone."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx import wanted
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.places import ACME_NOTES, BASE, JOURNAL, MAIN
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.places import site_file as file_of

from fake_nginx import Nginx

FRONT = {"host": "shop.test", "port": 80, "scheme": "http", "proxy_protocol": False}

Ask = Callable[..., dict[str, Any] | None]


@pytest.fixture
def ask(nginx: Nginx, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """What is said of a configuration with `shop`, or with other files."""
    monkeypatch.setattr(wanted, "ROOT", nginx.root)
    monkeypatch.setattr(wanted, "System", lambda: nginx)
    monkeypatch.setattr(nginx, "version", lambda: (1, 26, 3))
    monkeypatch.setattr(nginx, "has_brotli", lambda: False)
    nginx.started_with.write_text("[Service]\n")
    site = "listen 80;\n"
    nginx.deploy(shop=site)

    def ask(told: list[str] | None = None, **files: str) -> dict[str, Any] | None:
        given = {
            "state": "present",
            "files": {**nginx.texts(shop=site), **files},
            "apps": ["shop"],
            "absent": [],
            "certificates": "{}",
            "self_signed": {},
            "acme": {},
            "acme_directory": "",
            "acme_dns_plugin": "",
            "dns_secret": "",
            "renewal_hook": "",
            "connections": 64,
            "user": "www-data",
        }
        return wanted.runs_already(given, (told if told is not None else []).append)

    return ask


def test_what_was_deployed_runs(ask: Ask) -> None:
    assert ask() == {"shop": FRONT}


def test_asking_changes_nothing(nginx: Nginx, ask: Ask) -> None:
    before = nginx.content()
    nginx.steps.clear()
    ask()
    assert (nginx.steps, nginx.content()) == ([], before)


def test_other_files_are_wanted(ask: Ask) -> None:
    assert ask(**{"conf.d/wiki.conf": "server_name wiki.test;\n"}) is None
    assert ask(**{file_of("shop"): "server_name shop.example;\n"}) is None


def append(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"#")


def change_a_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def change_a_byte_unseen(path: Path) -> None:
    """Its times are as they were."""
    status = path.stat()
    change_a_byte(path)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.mark.parametrize(
    "edit",
    [append, change_a_byte, change_a_byte_unseen, Path.unlink, lambda path: path.chmod(0o666)],
    ids=["append", "a byte", "a byte unseen", "remove", "chmod"],
)
@pytest.mark.parametrize("file", [MAIN, BASE, file_of("shop"), "drop-in"])
def test_any_edit_is_found(nginx: Nginx, ask: Ask, file: str, edit: Callable[[Path], None]) -> None:
    edit(nginx.drop_in if file == "drop-in" else nginx.root / file)
    assert ask() is None


def stop(nginx: Nginx) -> None:
    nginx.active = False


def disable(nginx: Nginx) -> None:
    nginx.enabled = False


def let_everybody_probe(nginx: Nginx) -> None:
    nginx.probe_socket.parent.chmod(0o755)


def cut_a_change(nginx: Nginx) -> None:
    (nginx.root / JOURNAL).write_text("{}")


def forget_who_it_is(nginx: Nginx) -> None:
    nginx.pid_file.write_text("1\n")


def let_logs_grow(nginx: Nginx) -> None:
    nginx.rotates = False


def run_something_else(nginx: Nginx) -> None:
    nginx.loaded = {}


def want_a_certificate(nginx: Nginx) -> None:
    (nginx.root / ACME_NOTES).write_text('{"asked": ["shop"], "failed": {}}')


def have_no_certificate(nginx: Nginx) -> None:
    (nginx.root / ACME_NOTES).write_text('{"asked": [], "failed": {"shop": "no such name"}}')


@pytest.mark.parametrize(
    "happens",
    [
        stop,
        disable,
        let_everybody_probe,
        cut_a_change,
        forget_who_it_is,
        let_logs_grow,
        run_something_else,
        want_a_certificate,
        have_no_certificate,
    ],
    ids=lambda happens: happens.__name__,
)
def test_what_a_deploy_would_mend_is_found(nginx: Nginx, ask: Ask, happens: Callable[[Nginx], None]) -> None:
    happens(nginx)
    assert ask() is None


def test_what_can_only_be_told_is_told_where_that_is_all(nginx: Nginx, ask: Ask) -> None:
    nginx.started_with.write_text("[Service]\nProtectHome=no\n")
    told: list[str] = []
    assert ask(told) == {"shop": FRONT}
    assert len(told) == 1
    assert "sandbox" in told[0]
    # The run that mends the rest says it then, once.
    stop(nginx)
    told.clear()
    assert ask(told) is None
    assert told == []
