"""Records of releases, files that are replaced whole, and the lock."""

from __future__ import annotations

import importlib.util
import json
import os
import pwd
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from ansible.module_utils.web_files import OwnedFile, diff_of, exclusive, put_those_that_differ
from ansible.module_utils.web_record import HISTORY_LINES, Records, Refused, cause_in, message

PROJECT = Path(__file__).parents[2]


def load_plugin(path: str) -> ModuleType:
    """A plugin as Ansible loads it: from its file."""
    spec = importlib.util.spec_from_file_location(path.replace("/", "_"), PROJECT / "plugins" / f"{path}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


lock = load_plugin("modules/web_lock")
action = load_plugin("action/web_lock")


class TestOwnedFile:
    def test_is_put_whole_with_its_mode(self, tmp_path: Path) -> None:
        file = OwnedFile(tmp_path / "new" / "a.conf", "text", 0o600)
        assert not file.is_right()
        file.put()
        assert file.is_right()
        assert (file.path.stat().st_mode & 0o7777, file.path.read_text()) == (0o600, "text")
        assert [path.name for path in file.path.parent.iterdir()] == ["a.conf"]

    @pytest.mark.parametrize("change", ["content", "mode", "link", "missing"])
    def test_every_change_is_seen_and_put_back(self, tmp_path: Path, change: str) -> None:
        file = OwnedFile(tmp_path / "a.conf", "text")
        file.put()
        if change == "content":
            file.path.write_text("other")
        elif change == "mode":
            file.path.chmod(0o666)
        else:
            file.path.unlink()
            if change == "link":
                (tmp_path / "else").write_text("text")
                file.path.symlink_to("else")
        assert not file.is_right()
        assert put_those_that_differ([file]) == [file]
        assert file.is_right()
        assert put_those_that_differ([file]) == []

    def test_a_secret_is_never_open_to_others(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        seen = []
        real = os.fchmod

        def fchmod(handle: int, mode: int) -> None:
            seen.append(os.fstat(handle).st_mode & 0o777)
            real(handle, mode)

        monkeypatch.setattr(os, "fchmod", fchmod)
        OwnedFile(tmp_path / "environment", "secret", 0o644).put()
        assert seen == [0o600]

    def test_diff(self, tmp_path: Path) -> None:
        file = OwnedFile(tmp_path / "a", "new")
        (shown,) = diff_of([file])
        assert (shown["before"], shown["after"]) == ("", "new")


class TestRecords:
    @pytest.fixture
    def records(self, tmp_path: Path) -> Records:
        (tmp_path / "releases" / "a").mkdir(parents=True)
        return Records(tmp_path, by="ann")

    def test_result_and_history(self, records: Records) -> None:
        assert records.result("a") == ""
        records.write("a", "deploy", "good", 1.26, steps=[1])
        assert (records.result("a"), records.of("a")["steps"]) == ("good", [1])
        (line,) = records.history()
        assert (line["release"], line["by"], line["seconds"]) == ("a", "ann", 1.3)
        assert "steps" not in line

    def test_a_refusal_keeps_the_evidence_for_root_alone(self, records: Records) -> None:
        records.refuse("a", Refused("probe", "status 500", "Traceback"), 2)
        log = records.directory("a") / "failure.log"
        assert "probe: status 500" in log.read_text()
        assert "Traceback" in log.read_text()
        assert log.stat().st_mode & 0o777 == 0o600
        assert records.history()[-1]["cause"] == "status 500"

    def test_history_is_bounded_and_survives_a_broken_line(self, records: Records) -> None:
        (records.root / "history.jsonl").write_text("{broken\n" + '{"release": "x"}\n' * HISTORY_LINES)
        records.write("a", "deploy", "good", 0)
        assert len(records.history()) == HISTORY_LINES
        assert records.history()[-1]["release"] == "a"

    def test_releases_come_in_the_order_of_their_records(self, records: Records) -> None:
        (records.root / "releases" / "b").mkdir()
        (records.root / "releases" / ".c.unfinished").mkdir()
        for number, release in enumerate("ba"):
            records.write(release, "deploy", "good", 0)
            os.utime(records.directory(release) / "result.json", (number, number))
        assert records.releases() == ["a", "b"]

    def test_live(self, records: Records) -> None:
        assert records.live() == ""
        (records.root / "current").symlink_to("releases/a")
        assert records.live() == "a"
        (records.root / "current").unlink()
        (records.root / "current").symlink_to("releases/gone")
        assert records.live() == ""


TRACEBACK = "Traceback\n  File x\nModuleNotFoundError: No module named 'x'\nsystemd: Failed."
PIP = "ERROR: No matching distribution found for x"


@pytest.mark.parametrize(
    ("evidence", "cause"),
    [
        (TRACEBACK, "ModuleNotFoundError: No module named 'x'"),
        (f"{PIP}\nnon-zero return code", PIP),
        ("sqlalchemy.exc.OperationalError: no table", "sqlalchemy.exc.OperationalError: no table"),
        ("all is well\nor is it", ""),
        ("", ""),
    ],
)
def test_the_cause(evidence: str, cause: str) -> None:
    assert cause_in(evidence) == cause


def test_the_message_ends_with_the_cause() -> None:
    refused = Refused("check", "ImportError: x", "\n".join(f"line {number}" for number in range(50)))
    lines = message("shop", "abc", refused, "def", Path("/opt/shop")).splitlines()
    assert len(lines) == 10
    assert lines[-2] == "shop: release abc was refused at the step 'check': ImportError: x"
    assert lines[-1].startswith("Release def serves as before.")
    assert lines[-1].endswith("/opt/shop/releases/abc/failure.log")


def test_the_message_doesnt_call_a_live_release_refused() -> None:
    lines = message("shop", "abc", Refused("after", "no mail host"), "abc", Path("/opt/shop")).splitlines()
    assert lines[-2] == "shop: release abc is live and stays so, but failed at the step 'after': no mail host"
    assert lines[-1].startswith("The next run tries again.")
    assert "failure.log" not in lines[-1]


ANN = {"by": "ann", "controller": "here", "pid": 7, "started": "1", "since": "noon"}
BOB = {"by": "bob", "controller": "there", "pid": 8, "started": "2", "since": "one"}


class TestLock:
    def test_one_takes_it_and_the_other_doesnt(self, tmp_path: Path) -> None:
        path = tmp_path / "lock"
        assert lock.take(path, ANN)
        assert not lock.take(path, BOB)
        assert lock.holder_of(path) == ANN
        assert [it.name for it in tmp_path.iterdir()] == ["lock"]

    def test_gone_it_can_be_taken_again(self, tmp_path: Path) -> None:
        path = tmp_path / "lock"
        lock.take(path, ANN)
        lock.remove(path)
        assert lock.holder_of(path) is None
        assert lock.take(path, BOB)
        assert [it.name for it in tmp_path.iterdir()] == ["lock"]

    def test_the_same_run_at_another_moment_is_the_same(self) -> None:
        assert lock.is_same(ANN, {**ANN, "since": "later", "pid": "7"})
        assert not lock.is_same(ANN, {**ANN, "started": "9"})
        assert not lock.is_same(None, ANN)

    def test_age(self, tmp_path: Path) -> None:
        lock.take(tmp_path / "lock", ANN)
        os.utime(tmp_path / "lock", (time.time() - 100, time.time() - 100))
        assert lock.age_of(tmp_path / "lock") in (100, 101)

    def test_a_process_is_known_by_its_start(self) -> None:
        assert action.started(os.getpid()) == action.started(os.getpid()) != ""
        assert action.started(4_000_000) == ""

    def test_a_process_that_has_ended_is_none_though_its_parent_has_not_asked(self) -> None:
        with subprocess.Popen(["true"]) as ended:
            os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)
            assert action.started(ended.pid) == ""

    def test_the_refusal_names_who_since_when_from_where(self) -> None:
        told = action.refusal(ANN, 60, "wait")
        assert told == "ann on here has been deploying to this host since noon (60 s): wait."
        assert json.dumps(ANN)


def test_status_report() -> None:
    status = load_plugin("filter/web_status")
    row: dict[str, Any] = {
        "app": "shop", "live": "abc", "wanted": "def", "ref": "v1", "since": "2026-01-01T00:00:00+00:00", "by": "ann",
        "busy": 1, "idle": 3, "requests": 9, "memory": 3 << 20, "queue": 0, "restarts": 0, "disk": 2048, "drift": ["x"],
        "good": ["abc", "old"], "last": [{"at": "t", "action": "deploy", "release": "abc", "result": "good"}],
    }  # fmt: skip
    hosts = {"web1": {"apps": [row], "unmanaged": ["lost"], "nginx": ["older"]}}
    table = status.report(hosts)
    assert "web1  shop  abc   v1   2026-01-01 00:00:00Z  ann  1 busy, 3 idle  9         3 MiB" in table
    for words in ("the settings here make def", "DRIFT x", "DRIFT older", "lost is unmanaged", "to roll back to: old"):
        assert words in table
    assert json.loads(status.report(hosts, "json"))["apps"][0]["host"] == "web1"


class TestWhatAHostHas:
    """web_host: what is taken as there is not asked for again, so nothing may be taken as there that isn't."""

    host = load_plugin("modules/web_host")

    def test_packages(self) -> None:
        listed = "installed nginx\nconfig-files uwsgi-core\nhalf-configured python3-venv\ninstalled adduser\n"
        assert self.host.installed(listed) == ["adduser", "nginx"]

    def test_users(self) -> None:
        root = {"group": "root", "home": pwd.getpwuid(0).pw_dir, "shell": pwd.getpwuid(0).pw_shell}
        assert self.host.users("root") == {"root": root}
        assert self.host.users("nobody-of-that-name") == {}


def test_one_at_a_time(tmp_path: Path) -> None:
    """A process that still works in a directory is waited for, and one that has died isn't."""
    program = (
        "import fcntl,os,sys,time; fcntl.flock(os.open(sys.argv[1], 0), 2); print('held', flush=True); time.sleep(30)"
    )
    with subprocess.Popen([sys.executable, "-c", program, tmp_path], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        entered = threading.Event()

        def enter() -> None:
            with exclusive(tmp_path):
                entered.set()

        waiting = threading.Thread(target=enter)
        waiting.start()
        assert not entered.wait(0.3)
        other.kill()
        assert entered.wait(5)
        waiting.join()
