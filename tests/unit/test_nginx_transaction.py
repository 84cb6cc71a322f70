"""nginx's configuration as a transaction: all of it or nothing, and nothing of others is ever lost."""

from __future__ import annotations

import dataclasses
import errno
import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.uwsgi_flask.web.plugins.module_utils import files
from ansible_collections.uwsgi_flask.web.plugins.module_utils.files import OwnedFile
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx import ours
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.configuration import (
    CONNECTIONS,
    Configuration,
    Rejected,
    drift,
    from_disk,
)
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.system import OF_CONFIGURATION, System
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.tree import GENERATION, read_tree

PROOF = f"server_name {GENERATION}.invalid;\n"
DEBIANS = "include /etc/nginx/conf.d/*.conf;\n"


class Nginx(System):
    """nginx without nginx: a tree with the word "broken" in it is wrong, and a reload loads what is on the disk."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.loaded: dict[str, bytes] = {}
        self.ignores_reloads = False
        self.said: list[str] = []
        self.tested: list[dict[str, bytes]] = []
        self.files = 12_000

    def test(self, root: Path) -> tuple[int, str]:
        texts = read_tree(root)
        self.tested.append(texts)
        if any(b"broken" in text for text in texts.values()):
            return 1, f"unknown directive in {root}/nginx.conf"
        is_twice = sum(text.count(b"shop.test") for text in texts.values()) > 1
        return 0, "conflicting server name shop.test, ignored" if is_twice else ""

    def systemctl(self, *words: str) -> tuple[int, str]:
        self.said.append(" ".join(words))
        if words[0] in ("restart", "reload-or-restart") and not self.ignores_reloads:
            self.loaded = read_tree(self.root)
        return 0, ""

    def show(self) -> dict[str, str]:
        return {"ActiveState": "active", "UnitFileState": "enabled", "NeedDaemonReload": "no", "MainPID": "1"}

    def make_temporary_files(self, configuration: Path) -> None:
        self.said.append(f"tmpfiles {configuration.name}")

    def descriptors(self) -> int:
        return self.files

    def descriptors_at_start(self) -> int:
        return self.files

    def answers_to(self, generation: str, address: str) -> bool:
        return any(f"{generation}.invalid".encode() in text for text in self.loaded.values())

    def complaints(self) -> str:
        return "[emerg] could not bind"

    def sleep(self, seconds: float) -> None:
        self.clock = self.now() + seconds

    def now(self) -> float:
        self.clock = getattr(self, "clock", 0.0) + 0.01
        return self.clock


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(ours, "EDITED", tmp_path / "edited")
    monkeypatch.setattr(ours.Ours.__init__, "__defaults__", (tmp_path / "edited",))
    made = tmp_path / "nginx"
    (made / "conf.d").mkdir(parents=True)
    (made / "sites-enabled").mkdir()
    (made / "nginx.conf").write_text(DEBIANS)
    (made / "mime.types").write_text("types {}\n")
    (made / "sites-enabled/default").symlink_to("../sites-available/default")
    return made


@pytest.fixture
def nginx(root: Path) -> Nginx:
    return Nginx(root)


def configuration(nginx: Nginx, shop: str = "server_name shop.test;\n", **options: Any) -> Configuration:
    texts = {"nginx.conf": f"worker_connections {CONNECTIONS};\n{PROOF}", "conf.d/shop.conf": shop}
    given = {"absent": ["sites-enabled/default"], "address": "127.0.0.1:80", **options}
    return Configuration(nginx.root, texts, system=nginx, **given)


def everything(root: Path) -> dict[str, str]:
    return {path: os.readlink(full) if full.is_symlink() else full.read_text()
            for path, full in files.entries(root) if full.is_symlink() or full.is_file()}  # fmt: skip


class TestApply:
    def test_puts_loads_and_proves(self, nginx: Nginx, root: Path) -> None:
        made = configuration(nginx)
        assert not made.is_live()
        made.apply()
        assert configuration(nginx).is_live()
        assert f"{made.generation}.invalid" in (root / "nginx.conf").read_text()
        assert not (root / "sites-enabled/default").exists()

    def test_a_broken_one_changes_nothing(self, nginx: Nginx, root: Path) -> None:
        before = everything(root)
        with pytest.raises(Rejected, match=r"unknown directive in .*/nginx/nginx\.conf"):
            configuration(nginx, "broken\n").apply()
        assert everything(root) == before
        assert nginx.loaded == {}

    def test_so_does_a_name_that_two_blocks_claim(self, nginx: Nginx, root: Path) -> None:
        (root / "conf.d/other.conf").write_text("server_name shop.test;\n")
        with pytest.raises(Rejected, match="conflicting server name"):
            configuration(nginx).apply()

    def test_one_that_nginx_doesnt_take_is_taken_back(self, nginx: Nginx, root: Path) -> None:
        configuration(nginx).apply()
        before = read_tree(root)
        nginx.ignores_reloads = True
        with pytest.raises(Rejected, match="could not bind"):
            configuration(nginx, "server_name wiki.test;\n").apply()
        assert read_tree(root) == before

    @pytest.mark.parametrize("after", range(6))
    def test_a_full_disk_on_the_way(
        self, nginx: Nginx, root: Path, monkeypatch: pytest.MonkeyPatch, after: int
    ) -> None:
        """Nothing of it, wherever it comes."""
        configuration(nginx).apply()
        before = read_tree(root)
        plain, count = OwnedFile.put, 0

        def put(self: OwnedFile) -> None:
            nonlocal count
            count += "nginx-staged" not in os.fspath(self.path)
            if count == after + 1 and "nginx-staged" not in os.fspath(self.path):
                raise OSError(errno.ENOSPC, "No space left on device")
            plain(self)

        monkeypatch.setattr(OwnedFile, "put", put)
        made = configuration(nginx, "server_name wiki.test;\n")
        if after < 3:
            with pytest.raises(Rejected, match="No space left"):
                made.apply()
            assert read_tree(root) == before
        else:
            made.apply()

    def test_is_restarted_only_once(self, nginx: Nginx) -> None:
        """A reload can't raise the number of files that nginx may open; later a restart would drop connections."""
        configuration(nginx).apply()
        assert "restart nginx.service" in nginx.said
        nginx.said.clear()
        configuration(nginx, "server_name wiki.test;\n").apply()
        assert "restart nginx.service" not in nginx.said

    def test_connections_are_what_the_host_has_room_for(self, nginx: Nginx, root: Path) -> None:
        nginx.files = 4096
        configuration(nginx).apply()
        assert "worker_connections 1365;" in (root / "nginx.conf").read_text()
        nginx.files = 65536
        configuration(nginx).apply()
        assert "worker_connections 4096;" in (root / "nginx.conf").read_text()

    def test_what_lies_beside_is_put_too(self, nginx: Nginx, tmp_path: Path) -> None:
        beside = OwnedFile(tmp_path / "tmpfiles.d/web-probe.conf", "d /run/web-probe\n")
        log = OwnedFile(tmp_path / "log/errors/error.log", "", 0o640)
        configuration(nginx, beside=[beside], logs=[log]).apply()
        assert beside.is_right()
        assert log.path.stat().st_mode & 0o777 == 0o640
        assert "tmpfiles web-probe.conf" in nginx.said
        log.path.chmod(0o644)
        log.path.write_text("precious\n")
        assert not configuration(nginx, beside=[beside], logs=[log]).is_live()
        configuration(nginx, beside=[beside], logs=[log]).apply()
        assert (log.path.stat().st_mode & 0o777, log.path.read_text()) == (0o640, "precious\n")

    def test_the_copy_that_is_tested_opens_nothing_of_the_real_one(self, nginx: Nginx) -> None:
        configuration(nginx, "access_log /var/log/nginx/shop.log; listen unix:/run/web-probe/nginx.sock;\n").test()
        text = nginx.tested[-1]["conf.d/shop.conf"]
        assert b"/var/log/nginx" not in text
        assert b"/run/web-probe" not in text


class TestOthers:
    def test_what_is_replaced_comes_back(self, nginx: Nginx, root: Path) -> None:
        before = everything(root)
        configuration(nginx).apply()
        configuration(nginx, "server_name wiki.test;\n").apply()
        configuration(nginx).restore()
        assert everything(root) == before

    def test_so_does_a_file_that_had_the_name_of_a_later_app(self, nginx: Nginx, root: Path) -> None:
        """It was saved only when it was there at the first deploy."""
        configuration(nginx).apply()
        (root / "conf.d/wiki.conf").write_text("written by hand\n")
        texts = {**configuration(nginx).texts, "conf.d/wiki.conf": "server_name wiki.test;\n"}
        dataclasses.replace(configuration(nginx), texts=texts).apply()
        assert "wiki.test" in (root / "conf.d/wiki.conf").read_text()
        configuration(nginx).restore()
        assert (root / "conf.d/wiki.conf").read_text() == "written by hand\n"

    def test_edits_of_our_files_are_kept_before_they_are_overwritten(
        self, nginx: Nginx, root: Path, tmp_path: Path
    ) -> None:
        configuration(nginx).apply()
        for words in ("first edit", "second edit"):
            (root / "conf.d/shop.conf").write_text(words)
            configuration(nginx).apply()
        kept = {path.read_text() for path in (tmp_path / "edited/conf.d").iterdir()}
        assert kept == {"first edit", "second edit"}

    def test_restoring_removes_what_nobody_names_any_more(self, nginx: Nginx, root: Path) -> None:
        before = everything(root)
        texts = {**configuration(nginx).texts, "conf.d/wiki.conf": "server_name wiki.test;\n"}
        dataclasses.replace(configuration(nginx), texts=texts).apply()
        configuration(nginx).restore()
        assert everything(root) == before

    def test_restoring_is_tested_before_the_live_tree_is_touched(self, nginx: Nginx, root: Path) -> None:
        configuration(nginx).apply()
        (root / "conf.d/other.conf").write_text("needs our log_format: broken without\n")
        before = read_tree(root)
        with pytest.raises(Rejected):
            configuration(nginx).restore()
        assert read_tree(root) == before

    def test_one_site_is_taken_off_without_the_others_texts(self, nginx: Nginx, root: Path) -> None:
        texts = {**configuration(nginx).texts, "conf.d/wiki.conf": "server_name wiki.test;\n"}
        dataclasses.replace(configuration(nginx), texts=texts).apply()
        from_disk(root, ["conf.d/wiki.conf"], "127.0.0.1:80", nginx).apply()
        assert not (root / "conf.d/wiki.conf").exists()
        assert "shop.test" in (root / "conf.d/shop.conf").read_text()
        assert drift(root, "127.0.0.1:80", nginx) == []

    def test_only_what_is_given_is_put(self, nginx: Nginx, root: Path) -> None:
        """`-e app=shop` leaves the other apps' server blocks alone."""
        texts = {**configuration(nginx).texts, "conf.d/wiki.conf": "server_name wiki.test;\n"}
        dataclasses.replace(configuration(nginx), texts=texts).apply()
        configuration(nginx).apply()
        assert (root / "conf.d/wiki.conf").exists()
        assert drift(root, "127.0.0.1:80", nginx) == []


class TestDrift:
    def test_none(self, nginx: Nginx, root: Path) -> None:
        configuration(nginx).apply()
        assert drift(root, "127.0.0.1:80", nginx) == []

    def test_a_file_of_anybody(self, nginx: Nginx, root: Path) -> None:
        configuration(nginx).apply()
        (root / "mime.types").write_text("types { }\n")
        assert "were changed since" in drift(root, "127.0.0.1:80", nginx)[0]

    def test_another_configuration_runs(self, nginx: Nginx, root: Path) -> None:
        configuration(nginx).apply()
        nginx.loaded = {}
        assert "runs another configuration" in drift(root, "127.0.0.1:80", nginx)[0]

    def test_nothing_of_ours(self, nginx: Nginx, root: Path) -> None:
        assert "no configuration of ours" in drift(root, "127.0.0.1:80", nginx)[0]


def test_no_request_of_the_log_is_shown() -> None:
    lines = [
        "2026/11/24 12:00:00 [emerg] 1#1: bind() to 0.0.0.0:80 failed",
        '2026/11/24 12:00:00 [error] 7#7: *1 upstream timed out, request: "GET /info?token=secret HTTP/1.1"',
        '2026/11/24 12:00:00 [crit] 7#7: *1 connect() failed, request: "GET /?token=secret HTTP/1.1"',
    ]
    assert [bool(OF_CONFIGURATION.search(line)) for line in lines] == [True, False, False]
