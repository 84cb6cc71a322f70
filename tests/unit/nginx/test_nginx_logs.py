"""nginx's logs, and how many connections a host has room for."""

from __future__ import annotations

import shutil

import pytest
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.capacity import capacity
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.drift import drift
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.rejected import Rejected
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.system import System

from fake_nginx import Nginx


def logs(nginx: Nginx) -> set[str]:
    return {path.name for path in nginx.logs.iterdir()}


def test_logs_are_never_for_everybody_to_read(nginx: Nginx) -> None:
    """nginx itself makes them so, and logrotate gives them another mode a day later."""
    nginx.deploy(shop="", wiki="")
    assert logs(nginx) == {"error.log", "access.log", "shop.log", "wiki.log"}
    assert {path.stat().st_mode & 0o777 for path in nginx.logs.iterdir()} == {0o640}
    made = max(nginx.steps.index(f"guard {nginx.logs / name}") for name in ("shop.log", "wiki.log"))
    assert made < nginx.steps.index("systemctl reload-or-restart nginx.service")


def test_one_that_everybody_may_read_is_mended_and_keeps_its_lines(nginx: Nginx) -> None:
    nginx.deploy()
    log = nginx.logs / "shop.log"
    log.write_text("a line\n")
    log.chmod(0o644)
    assert not nginx.wanted().is_live()
    nginx.deploy()
    assert (log.stat().st_mode & 0o777, log.read_text()) == (0o640, "a line\n")


def test_one_that_was_linked_elsewhere_is_left_alone(nginx: Nginx) -> None:
    (nginx.logs / "error.log").unlink()
    (nginx.logs / "error.log").symlink_to("/dev/stderr")
    nginx.deploy()
    assert nginx.wanted().is_live()
    assert (nginx.logs / "error.log").is_symlink()


def test_a_rejected_configuration_leaves_no_log(nginx: Nginx) -> None:
    (nginx.logs / "shop.log.1").write_text("older\n")
    nginx.takes_it = False
    with pytest.raises(Rejected):
        nginx.deploy()
    assert logs(nginx) == {"error.log", "access.log", "shop.log.1"}


def test_but_those_that_nginx_writes_though_they_were_missing(nginx: Nginx) -> None:
    """It would make them anew, for everybody to read, or write to what was deleted."""
    nginx.deploy()
    shutil.rmtree(nginx.logs)
    nginx.refused = b"listen 81;"
    with pytest.raises(Rejected):
        nginx.deploy(shop="", wiki="listen 81;")
    assert logs(nginx) == {"error.log", "access.log", "shop.log"}
    assert {path.stat().st_mode & 0o777 for path in nginx.logs.iterdir()} == {0o640}


def test_a_run_of_one_app_mends_the_log_of_another(nginx: Nginx) -> None:
    nginx.deploy(shop="", wiki="")
    (nginx.logs / "wiki.log").unlink()
    nginx.deploy(shop="")
    assert "wiki.log" in logs(nginx)


def test_an_apps_log_goes_with_its_server_block(nginx: Nginx) -> None:
    nginx.deploy(shop="", wiki="")
    for name in ("wiki.log.1", "wiki.log.2.gz", "wiki.logistics.log", "wiki.log.backup"):
        (nginx.logs / name).write_text("")
    nginx.deploy(absent=["wiki"], shop="")
    assert logs(nginx) == {"error.log", "access.log", "shop.log", "wiki.logistics.log", "wiki.log.backup"}
    nginx.take_off("shop")
    assert "shop.log" not in logs(nginx)


def test_one_that_a_cut_run_left_goes_with_the_next(nginx: Nginx) -> None:
    nginx.deploy()
    (nginx.logs / "wiki.log").write_text("")
    ours = nginx.ours()
    ours.logs.append("wiki.log")
    ours.file().put()
    assert not nginx.wanted(absent=["wiki"]).is_live()
    nginx.deploy(absent=["wiki"], shop="")
    assert "wiki.log" not in logs(nginx)
    assert nginx.wanted(absent=["wiki"]).is_live()


def test_one_that_was_there_before_the_app_stays(nginx: Nginx) -> None:
    (nginx.logs / "wiki.log").write_text("theirs\n")
    nginx.deploy(shop="", wiki="")
    nginx.deploy(absent=["wiki"], shop="")
    assert (nginx.logs / "wiki.log").read_text() == "theirs\n"


def test_a_teardown_leaves_nginxs_own_logs(nginx: Nginx) -> None:
    nginx.deploy()
    nginx.tear_down()
    assert logs(nginx) == {"error.log", "access.log"}


def test_they_are_rotated_for_as_long_as_there_is_a_configuration_of_ours(nginx: Nginx) -> None:
    nginx.deploy()
    nginx.rotates = False
    assert not nginx.wanted().is_live()
    assert any("web-logs.timer doesn't run" in line for line in drift(nginx.root, nginx))
    nginx.deploy()
    assert nginx.rotates
    assert nginx.wanted().is_live()
    nginx.tear_down()
    assert not nginx.rotates


# --- Connections --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("hard", "connections"), [(524288, 4096), (65536, 4096), (4096, 2016), (1024, 480)])
def test_connections_are_what_the_unit_will_have_room_for(nginx: Nginx, hard: int, connections: int) -> None:
    """Half of the descriptors. The nginx that runs before the first deploy says nothing about them."""
    nginx.hard_limit = hard
    assert capacity(nginx, 4096).connections == connections


def test_they_stay_the_same_once_it_runs(nginx: Nginx) -> None:
    nginx.hard_limit = 4096
    before = capacity(nginx, 4096).connections
    nginx.deploy()
    assert capacity(nginx, 4096).connections == before
    assert capacity(nginx, 4096).warning() == ""


def test_few_are_worth_a_warning(nginx: Nginx) -> None:
    nginx.hard_limit = 1024
    assert "raise the hard limit of open files" in capacity(nginx, 4096).warning()
    assert capacity(nginx, 400).warning() == ""
    nginx.hard_limit = 4096
    assert capacity(nginx, 4096).warning() == ""


def test_a_running_nginx_with_a_lower_limit_isnt_restarted_but_told(nginx: Nginx) -> None:
    nginx.deploy()
    nginx.running_limit = 1024
    assert capacity(nginx, 4096).connections == 480
    assert "systemctl restart nginx.service" in capacity(nginx, 4096).warning()


def test_a_timer_that_is_stopped_for_good_isnt_left_as_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its file and its service's go first, and systemd calls that a failure."""
    ran: list[tuple[str, ...]] = []

    def run(*words: str) -> tuple[int, str]:
        ran.append(words)
        return 0, ""

    system = System()
    monkeypatch.setattr(system, "_run", run)
    system.let_logs_be_rotated(is_wanted=False)
    assert ran == [("systemctl", "stop", "web-logs.timer"), ("systemctl", "reset-failed", "web-logs.timer")]
