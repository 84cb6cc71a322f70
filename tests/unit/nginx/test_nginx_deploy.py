"""nginx's configuration as one transaction: tested, put in place, loaded, proven; or nothing of it."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from unittest.mock import Mock

import pytest
from ansible_collections.uwsgi_flask.web.plugins.module_utils.layout import PROBE_SOCKET
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx import aim, exchange
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.configuration import Configuration
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.drift import drift
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.places import BASE, DEFAULT_SITE
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.rejected import Rejected
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.service import load_again, settled_state

from fake_nginx import NEED_ROOM, Cut, Nginx


def test_puts_in_place_loads_and_proves(nginx: Nginx) -> None:
    assert not nginx.wanted().is_live()
    made = nginx.deploy()
    assert nginx.wanted().is_live()
    assert f"{made.aim.generation}.invalid" in (nginx.root / BASE).read_text()
    assert not os.path.lexists(nginx.root / DEFAULT_SITE)
    assert nginx.drop_in.read_text() == "[Service]\n"


def test_a_second_run_changes_nothing(nginx: Nginx) -> None:
    nginx.deploy()
    nginx.steps.clear()
    assert nginx.wanted().is_live()
    assert nginx.steps == []


def test_the_sockets_directory_is_there_before_nginx_needs_it_and_for_root_alone(nginx: Nginx) -> None:
    nginx.deploy()
    assert nginx.probe_socket.parent.stat().st_mode & 0o777 == 0o700
    made = nginx.steps.index(f"make {nginx.probe_socket.parent}")
    assert made < nginx.steps.index("systemctl reload-or-restart nginx.service")
    nginx.probe_socket.parent.chmod(0o755)
    assert not nginx.wanted().is_live()
    nginx.deploy()
    assert nginx.probe_socket.parent.stat().st_mode & 0o777 == 0o700


# --- Rejected -----------------------------------------------------------------------------------------------------


def test_a_wrong_one_changes_nothing_on_every_run(nginx: Nginx) -> None:
    before = nginx.content()
    for _again in range(2):
        with pytest.raises(Rejected, match=rf"\[emerg\] unknown directive .* in {nginx.root}/nginx.conf"):
            nginx.deploy(shop="nonsense;")
        assert nginx.content() == before
    assert nginx.steps == []


def test_somebody_elses_broken_file_is_told(nginx: Nginx) -> None:
    (nginx.root / "conf.d/other.conf").write_text("nonsense;")
    with pytest.raises(Rejected, match="nonsense"):
        nginx.deploy()


def test_a_name_that_two_server_blocks_claim_is_wrong_too(nginx: Nginx) -> None:
    """nginx only warns, and serves one of them."""
    (nginx.root / "conf.d/other.conf").write_text("server_name shop.test;")
    with pytest.raises(Rejected, match=r'conflicting server name "shop\.test"'):
        nginx.deploy()


def test_a_link_that_leads_nowhere_is_tested_as_it_is(nginx: Nginx) -> None:
    (nginx.root / "conf.d/other.conf").symlink_to("/nonexistent/file")
    nginx.deploy()
    assert nginx.tested[-1]["conf.d/other.conf"] == b""


def test_one_that_nginx_doesnt_take_is_taken_back(nginx: Nginx) -> None:
    nginx.deploy()
    before = nginx.content()
    nginx.takes_it = False
    with pytest.raises(Rejected, match=r"bind\(\) failed"):
        nginx.deploy(shop="listen 81;")
    assert nginx.content() == before
    assert not nginx.wanted().changes().keys() - {BASE}
    # What it has loaded meanwhile isn't known, so it is told once more, and proves it.
    nginx.takes_it = True
    nginx.deploy()
    assert nginx.wanted().is_live()


def test_the_first_one_that_nginx_doesnt_take_leaves_it_as_the_distribution_has_it(nginx: Nginx) -> None:
    """Also down and disabled, if it was."""
    nginx.active = nginx.enabled = False
    before = nginx.content()
    nginx.refused = b"shop.test"
    with pytest.raises(Rejected):
        nginx.deploy()
    assert nginx.content() == before
    assert (nginx.active, nginx.enabled) == (False, False)


@pytest.mark.parametrize(
    ("state", "is_enabled", "said"),
    [
        ("active", True, "reload-or-restart nginx.service"),
        ("reloading", True, "reload-or-restart nginx.service"),
        ("activating", True, "restart --no-block nginx.service"),
        ("deactivating", True, "restart --no-block nginx.service"),
        ("failed", True, "restart --no-block nginx.service"),
        ("failed", False, "stop nginx.service"),
        ("inactive", True, "stop nginx.service"),
    ],
)
def test_only_one_that_was_down_is_stopped(nginx: Nginx, state: str, is_enabled: bool, said: str) -> None:
    load_again(nginx, {"ActiveState": state, "UnitFileState": "enabled" if is_enabled else "disabled"})
    assert nginx.said[-1] == said


def test_one_that_is_being_restarted_is_waited_for(nginx: Nginx) -> None:
    states = iter(["deactivating", "deactivating", "activating"])
    nginx.__dict__["show"] = lambda: {"ActiveState": next(states)}
    assert settled_state(nginx) == {"ActiveState": "activating"}


def test_nothing_is_changed_where_systemd_says_nothing(nginx: Nginx) -> None:
    before = nginx.content()
    wanted = nginx.wanted()
    nginx.__dict__["show"] = dict
    with pytest.raises(Rejected, match="doesn't tell the state of nginx"):
        wanted.apply()
    assert nginx.content() == before


def test_a_full_disk_leaves_no_half_of_a_file(nginx: Nginx, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    before = nginx.content()
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Rejected, match="No space left"):
        nginx.deploy()
    assert nginx.content() == before


def test_the_reason_comes_without_requests(tmp_path: Path) -> None:
    nginx = Nginx(tmp_path)
    (nginx.logs / "error.log").write_text("2026/11/24 [emerg] of another day\n")
    since = super(Nginx, nginx).log_size()
    with (nginx.logs / "error.log").open("a") as log:
        log.write(
            "2026/11/24 [emerg] 1#1: bind() to 0.0.0.0:81 failed\n"
            "2026/11/24 [emerg] 1#1: bind() to 0.0.0.0:81 failed\n"
            '2026/11/24 [error] 7#7: *1 open() failed, client: 192.0.2.1, request: "GET /?token=secret HTTP/1.1"\n'
            '2026/11/24 [alert] 7#7: *1 oops, client: 192.0.2.1, request: "GET /?token=secret HTTP/1.1"\n'
        )
    assert super(Nginx, nginx).complaints(since) == "2026/11/24 [emerg] 1#1: bind() to 0.0.0.0:81 failed"


# --- Interrupted --------------------------------------------------------------------------------------------------


Change = Callable[[Nginx], Configuration]
CHANGES: dict[str, Change] = {
    "first": lambda nginx: nginx.deploy(),
    "another": lambda nginx: nginx.deploy(shop="listen 81;", wiki=""),
    "one less": lambda nginx: nginx.deploy(absent=["shop"], wiki=""),
    "take off": lambda nginx: nginx.take_off("shop"),
    "tear down": lambda nginx: nginx.tear_down(),
}
by_change = pytest.mark.parametrize("name", CHANGES)


def prepared(folder: Path, name: str) -> Nginx:
    folder.mkdir()
    nginx = Nginx(folder)
    if name != "first":
        nginx.deploy()
    nginx.steps.clear()
    return nginx


@by_change
@pytest.mark.parametrize("trouble", ["full_at", "fail_at"])
def test_trouble_at_any_step_leaves_everything_as_it_was(tmp_path: Path, name: str, trouble: str) -> None:
    """A disk that is full from then on, or a single error."""
    whole = prepared(tmp_path / "whole", name)
    CHANGES[name](whole)
    for number, step in enumerate(whole.steps):
        nginx = prepared(tmp_path / str(number), name)
        before, loaded = nginx.content(), nginx.loaded
        if trouble == "full_at" and not any(it.startswith(NEED_ROOM) for it in whole.steps[number:]):
            break
        setattr(nginx, trouble, number)
        with pytest.raises(Rejected, match=r"No space left|Input/output error"):
            CHANGES[name](nginx)
        assert nginx.content() == before, step
        assert nginx.loaded == loaded, step


@by_change
def test_a_run_that_is_cut_at_any_step_leaves_a_tree_that_boots(tmp_path: Path, name: str) -> None:
    """The power may go too, and nginx reads what is there. The next run finishes."""
    expected = prepared(tmp_path / "whole", name)
    CHANGES[name](expected)
    for number, step in enumerate(expected.steps):
        nginx = prepared(tmp_path / str(number), name)
        nginx.cut_at = number
        with pytest.raises(Cut):
            CHANGES[name](nginx)
        assert nginx.boots(), step
        nginx.cut_at = -1
        CHANGES[name](nginx)
        assert nginx.content() == expected.content(), step


def tree(nginx: Nginx) -> dict[str, str]:
    """What nginx reads, and what it has loaded."""
    on_disk = {path: text for path, text in nginx.content().items() if path.startswith("etc/") and "/." not in path}
    return on_disk | {f"loaded {path}": text.decode() for path, text in nginx.loaded.items()}


@by_change
@pytest.mark.parametrize("then", ["nothing", "boot", "kill"])
@pytest.mark.parametrize("text", ["nonsense;", "listen 8081;"], ids=["by the test", "by nginx"])
def test_a_rejected_run_after_a_cut_leaves_all_of_the_change_or_nothing(
    tmp_path: Path, name: str, then: str, text: str
) -> None:
    """Whatever nginx has read meanwhile. Half of it might not name an app that is served."""
    whole = prepared(tmp_path / "whole", name)
    before = tree(whole)
    CHANGES[name](whole)
    for number, step in enumerate(whole.steps):
        nginx = prepared(tmp_path / str(number), name)
        nginx.refused = b"listen 8081;"
        nginx.cut_at = number
        with pytest.raises(Cut):
            CHANGES[name](nginx)
        nginx.cut_at = -1
        if then != "nothing":
            getattr(nginx, then)()
        with pytest.raises(Rejected):
            nginx.deploy(blog=text)
        nginx.tick()
        if name in ("first", "tear down") and not nginx.active:
            # Debian's own doesn't come back from a kill.
            nginx.systemctl("start")
        assert tree(nginx) in (before, tree(whole)), step


def test_a_cut_as_it_is_undone_forgets_nothing(nginx: Nginx) -> None:
    """nginx may have loaded half of the change, and must be told to load the whole again."""
    nginx.deploy(shop="", wiki="")
    nginx.steps.clear()
    nginx.cut_at = 9
    with pytest.raises(Cut):
        nginx.take_off("shop")
    assert nginx.steps[-1].startswith("exchange ")
    nginx.cut_at = -1
    nginx.boot()
    assert b"shop.test" not in b"".join(nginx.loaded.values())
    nginx.steps.clear()
    nginx.cut_at = 1
    with pytest.raises(Cut):
        nginx.ours()
    assert nginx.steps[-1] == "systemctl daemon-reload"
    nginx.cut_at = -1
    nginx.pid_file.unlink()
    nginx.ours()
    assert b"shop.test" in b"".join(nginx.loaded.values())


def test_somebodys_reload_in_between_proves_nothing(nginx: Nginx) -> None:
    nginx.deploy()
    nginx.refused = b"listen 8081;"
    nginx.steps.clear()
    with pytest.raises(Rejected):
        nginx.deploy(shop="listen 8081;")
    exchanged = [number for number, step in enumerate(nginx.steps) if step.startswith("exchange ")]
    for at in exchanged:
        nginx.steps.clear()
        nginx.reload_at = at
        with pytest.raises(Rejected):
            nginx.deploy(shop="listen 8081;")
        nginx.reload_at = -1
        assert b"listen 8081;" not in b"".join(nginx.loaded.values())


@pytest.mark.parametrize("place", ["conf.d/shop.conf", "conf.d/others.conf"])
def test_what_was_changed_loaded_and_changed_back_is_loaded_anew(nginx: Nginx, place: str) -> None:
    """Then every file is right, and nginx runs something else."""
    nginx.deploy()
    path = nginx.root / place
    text = path.read_bytes() if path.exists() else b""
    path.write_bytes(b"deny all;\n" + text)
    nginx.systemctl("reload-or-restart", "nginx.service")
    assert b"deny all;" in b"".join(nginx.loaded.values())
    path.unlink()
    if text:
        path.write_bytes(text)
    assert drift(nginx.root, nginx) != []
    nginx.deploy()
    assert b"deny all;" not in b"".join(nginx.loaded.values())
    assert nginx.wanted().is_live()
    assert drift(nginx.root, nginx) == []


@pytest.mark.parametrize("name", ["conf.d/shop.conf.bak", "sites-available/shop.2026", "conf.d/.shop.conf~"])
def test_a_copy_that_nginx_doesnt_read_proves_nothing(nginx: Nginx, name: str) -> None:
    nginx.deploy()
    (nginx.root / name).write_bytes((nginx.root / "conf.d/shop.conf").read_bytes())
    nginx.deploy(shop="listen 81;")
    assert nginx.wanted(shop="listen 81;").is_live()


def test_what_is_written_while_nginx_is_waited_for_is_kept(nginx: Nginx, monkeypatch: pytest.MonkeyPatch) -> None:
    nginx.deploy()
    nginx.takes_it = False
    conf = nginx.root / "conf.d/shop.conf"

    def sleep(seconds: float) -> None:
        nginx.time += seconds
        conf.write_text("# by hand\n")

    monkeypatch.setattr(nginx, "sleep", sleep)
    with pytest.raises(Rejected, match="kept as "):
        nginx.deploy(shop="listen 81;")
    assert "server_name shop.test;" in conf.read_text()
    assert (nginx.edited / "conf.d/shop.conf").read_text() == "# by hand\n"


def test_what_is_written_just_before_it_would_be_replaced_stays(nginx: Nginx, monkeypatch: pytest.MonkeyPatch) -> None:
    nginx.deploy()
    conf = nginx.root / "conf.d/shop.conf"
    text = conf.read_text() + "# by hand\n"
    step = nginx.changing

    def changing(what: str) -> None:
        if what == f"exchange {conf}":
            conf.write_text(text)
        step(what)

    monkeypatch.setattr(nginx, "changing", changing)
    with pytest.raises(Rejected, match="was changed by somebody else just now"):
        nginx.deploy(shop="listen 81;")
    assert conf.read_text() == text


def test_a_place_that_is_used_no_longer_is_cleared(nginx: Nginx, monkeypatch: pytest.MonkeyPatch) -> None:
    nginx.deploy()
    former = nginx.drop_in
    monkeypatch.setattr(aim, "FORMER", (str(former),))
    nginx.drop_in = former.with_name("00-web.conf")
    nginx.deploy()
    assert (former.exists(), nginx.drop_in.exists()) == (False, True)
    assert nginx.wanted().is_live()


def test_a_name_of_any_bytes_is_no_fault(nginx: Nginx) -> None:
    Path(os.fsdecode(os.fsencode(nginx.root) + b"/sites-available/m\xfcller")).touch()
    nginx.deploy()
    assert nginx.wanted().is_live()
    assert drift(nginx.root, nginx) == []


def test_a_link_to_a_folder_within_itself_changes_nothing(nginx: Nginx) -> None:
    (nginx.root / "conf.d/conf.d").symlink_to(nginx.root / "conf.d")
    nginx.deploy()
    assert nginx.wanted().is_live()


def test_what_is_let_go_is_let_go_after_a_cut_too(nginx: Nginx, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be a key."""
    nginx.deploy(shop="", wiki="")
    monkeypatch.setattr(exchange, "clear", Mock(side_effect=[None, Cut]))
    with pytest.raises(Cut):
        nginx.take_off("wiki")
    monkeypatch.undo()
    nginx.deploy()
    assert [name for name in nginx.content() if name.endswith(".old")] == []


# --- Restart or reload --------------------------------------------------------------------------------------------


def loading(nginx: Nginx) -> list[str]:
    return [words for words in nginx.said if "reload-or" in words or "restart" in words]


def test_an_nginx_that_isnt_ours_yet_is_restarted_and_ours_never(nginx: Nginx) -> None:
    """A reload doesn't raise its limit of open files; a restart costs visitors their connections."""
    nginx.deploy()
    assert loading(nginx) == ["reload-or-restart nginx.service", "restart nginx.service"]
    assert nginx.running_limit == 65536
    nginx.said.clear()
    nginx.deploy(wiki="")
    assert loading(nginx) == ["reload-or-restart nginx.service"]


def test_one_that_is_down_is_started(nginx: Nginx) -> None:
    nginx.deploy()
    nginx.systemctl("stop")
    assert not nginx.wanted().is_live()
    nginx.deploy()
    assert nginx.wanted().is_live()


def test_a_socket_that_was_deleted_comes_back_without_a_restart(nginx: Nginx) -> None:
    nginx.deploy()
    nginx.said.clear()
    nginx.probe_socket.unlink()
    assert not nginx.wanted().is_live()
    nginx.deploy()
    assert nginx.wanted().is_live()
    assert nginx.sockets == {PROBE_SOCKET}
    assert nginx.probe_socket.is_socket()
    assert loading(nginx) == ["reload-or-restart nginx.service"] * 2


def test_one_that_is_about_to_start_gets_a_start_of_its_own(nginx: Nginx) -> None:
    """A reload would be content with the start that is under way, which has read the broken files."""
    nginx.deploy()
    (nginx.root / "conf.d/shop.conf").write_text("nonsense;")
    nginx.systemctl("restart")
    assert nginx.restarting
    nginx.said.clear()
    nginx.deploy()
    assert loading(nginx)[0] == "restart nginx.service"
    assert nginx.wanted().is_live()


def test_one_that_systemd_didnt_start_is_left_alone(nginx: Nginx) -> None:
    nginx.deploy()
    before = nginx.content()
    nginx.active = False
    with pytest.raises(Rejected, match=r"an nginx runs that nginx\.service didn't start: end it"):
        nginx.deploy(wiki="")
    assert nginx.content() == before


# --- Any edit is seen ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["nginx.conf", BASE, "conf.d/shop.conf", "mime.types", "conf.d/others.conf"])
def test_an_edit_of_any_file_is_seen_and_mended(nginx: Nginx, path: str) -> None:
    nginx.deploy()
    (nginx.root / path).write_text("# by hand")
    assert not nginx.wanted().is_live()
    nginx.deploy()
    assert nginx.wanted().is_live()


@pytest.mark.parametrize("path", [BASE, "conf.d/shop.conf"])
def test_so_is_one_that_nginx_was_reloaded_without(nginx: Nginx, path: str) -> None:
    """Though it is back where it was."""
    nginx.deploy(shop="", wiki="")
    (nginx.root / path).rename(nginx.folder / "away")
    nginx.systemctl("reload-or-restart")
    (nginx.folder / "away").rename(nginx.root / path)
    assert not nginx.wanted(shop="", wiki="").is_live()
    nginx.deploy(wiki="")
    assert b"shop.test" in b"".join(nginx.loaded.values())
    assert nginx.wanted(shop="", wiki="").is_live()


def test_so_is_a_mode(nginx: Nginx) -> None:
    nginx.deploy()
    (nginx.root / "nginx.conf").chmod(0o666)
    assert not nginx.wanted().is_live()


def test_so_is_the_distributions_site_when_it_comes_back(nginx: Nginx) -> None:
    nginx.deploy()
    (nginx.root / DEFAULT_SITE).symlink_to("../sites-available/default")
    assert not nginx.wanted().is_live()
    nginx.deploy()
    assert not os.path.lexists(nginx.root / DEFAULT_SITE)


def test_so_is_an_nginx_that_runs_an_older_configuration(nginx: Nginx) -> None:
    nginx.deploy()
    nginx.loaded = {}
    assert not nginx.wanted().is_live()


def test_so_is_a_unit_that_isnt_enabled(nginx: Nginx) -> None:
    nginx.deploy()
    nginx.enabled = False
    assert not nginx.wanted().is_live()


# --- The copy that is tested --------------------------------------------------------------------------------------


def test_the_copy_touches_nothing_of_the_host(nginx: Nginx) -> None:
    """`nginx -t` makes logs, readable by everybody, a pid file and sockets."""
    (nginx.root / "conf.d/other.conf").write_text(
        f"pid /run/nginx.pid; error_log  /var/log/other/error.log info; include {nginx.root}/snippets/x;"
    )
    before = nginx.content()
    nginx.wanted(shop=f"listen unix:{PROBE_SOCKET};").test()
    assert nginx.content() == before
    tested = b"".join(nginx.tested[-1].values())
    for path in (b"/var/log", b"/run/nginx.pid", PROBE_SOCKET.encode(), os.fsencode(nginx.root)):
        assert path not in re_logs(tested), path


def re_logs(text: bytes) -> bytes:
    """The text without the names that logs have in the copy, which are made from their real paths."""
    return text.replace(b"/logs/_var_log", b"").replace(b"/logs/_run_nginx.pid", b"")


def test_links_of_others_are_tested_by_what_they_lead_to(nginx: Nginx) -> None:
    (nginx.root / "sites-available/blog").write_text("server_name blog.test; access_log /var/log/nginx/blog.log;")
    (nginx.root / "sites-enabled/blog").symlink_to("../sites-available/blog")
    nginx.wanted().test()
    assert b"blog.test" in nginx.tested[-1]["sites-enabled/blog"]
    assert b"/var/log/nginx/blog.log" not in nginx.tested[-1]["sites-enabled/blog"]


def test_a_host_without_nginx_can_be_rehearsed(nginx: Nginx) -> None:
    nginx.installed = False
    nginx.wanted().test()
    assert nginx.tested == []


# --- What --diff shows --------------------------------------------------------------------------------------------


def test_the_diff_shows_what_changes_and_what_goes(nginx: Nginx) -> None:
    nginx.deploy(shop="", wiki="")
    shown = {one["before_header"]: one for one in nginx.wanted(["wiki"], shop="listen 81;").diff()}
    assert set(shown) == {str(nginx.root / path) for path in (BASE, "conf.d/shop.conf", "conf.d/wiki.conf")}
    changed, gone = shown[str(nginx.root / "conf.d/shop.conf")], shown[str(nginx.root / "conf.d/wiki.conf")]
    assert "listen 81;" in changed["after"]
    assert "listen 81;" not in changed["before"]
    assert "wiki.test" in gone["before"]
    assert (gone["after"], gone["after_header"]) == ("", "/dev/null")
