"""An app's data: shared with the app's group, whatever user it runs as, and with nobody else."""

from __future__ import annotations

import json
import os
import pwd
import socket
import stat
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.uwsgi_flask.web.plugins.module_utils.layout import AppLayout
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases import data as module
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.data import DEFAULT, Data
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.place import unguarded
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.records import Records
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.refused import Refused
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.wanted import Media

from machine import Machine
from world import World

FIRST, SECOND = "0" * 12, "1" * 12
ME = pwd.getpwuid(os.geteuid()).pw_name
# Numbers that are nobody's.
APP, FORMER, OTHER, STRANGER, WEB = 61001, 61002, 61003, 61004, 61005

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    made = Machine(tmp_path)
    made.app("shop").registration.parent.mkdir()
    made.app("shop").registration.write_text('{"name": "shop"}')
    return made


def release(layout: AppLayout, name: str, user: str, group: str) -> None:
    """A release as far as it says who it runs as."""
    layout.release(name).directory.mkdir(parents=True)
    layout.release(name).unit_file("service").write_text(f"[Service]\nUser={user}\nGroup={group}\n")


def noted(layout: AppLayout) -> object:
    return json.loads(layout.registration.read_text()).get("data")


# --- The folder ---------------------------------------------------------------------------------------------------


def test_the_folder_is_roots_and_the_groups(machine: Machine) -> None:
    layout = machine.app("shop")
    data = Data(layout, machine)
    assert not data.is_right()
    data.share()
    status = layout.data.stat()
    assert (stat.S_IMODE(status.st_mode), status.st_uid) == (0o2770, os.geteuid())
    assert data.is_right()
    assert noted(layout) == {"group": "root", "users": [], "for": ME}


def test_nothing_is_done_twice(machine: Machine) -> None:
    data = Data(machine.app("shop"), machine)
    data.share()
    machine.calls.clear()
    data.share()
    assert machine.calls == []


@pytest.mark.parametrize("mode", [0o770, 0o2750, 0o2777])
def test_another_mode_is_noticed(machine: Machine, mode: int) -> None:
    data = Data(machine.app("shop"), machine)
    data.share()
    machine.app("shop").data.chmod(mode)
    assert not data.is_right()
    data.share()
    assert data.is_right()


def test_it_may_be_a_link_to_a_larger_disk(machine: Machine, tmp_path: Path) -> None:
    """Only root can have made it."""
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "sub").mkdir(parents=True, mode=0o700)
    machine.app("shop").data.symlink_to(elsewhere)
    data = Data(machine.app("shop"), machine)
    data.share()
    assert data.is_right()
    assert stat.S_IMODE((elsewhere / "sub").stat().st_mode) == stat.S_IMODE(elsewhere.stat().st_mode) == 0o2770


# --- What is in it ------------------------------------------------------------------------------------------------


def as_user(uid: int, gid: int, folder: Path, script: str) -> str:
    """What a program says that runs as somebody else, beginning with a folder that only root can pass to."""
    code = (
        f"import os\nos.chdir({str(folder)!r})\nos.setgroups([])\nos.setgid({gid})\nos.setuid({uid})\nos.umask(0o027)\n"
    )
    done = subprocess.run([sys.executable, "-c", code + script], capture_output=True, text=True, check=False)
    return done.stdout.strip() or done.stderr.strip().rpartition("\n")[2]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Data as an app of the user FORMER, and of that group, has left it."""
    root = tmp_path / "data"
    (root / "sub").mkdir(parents=True)
    (root / "sub/notes.db").write_text("old")
    (root / "run.sh").write_text("#!/bin/sh\n")
    (root / "run.sh").chmod(0o750)
    (root / "link").symlink_to("/etc/passwd")
    os.mkfifo(root / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(root / "socket"))
    for path in root.rglob("*"):
        os.chown(path, FORMER, FORMER, follow_symlinks=False)
    for path in (root, root / "sub"):
        path.chmod(0o750)
    (root / "sub/notes.db").chmod(0o600)
    return root


def share(tree: Path, uids: list[int], *media: str) -> None:
    """As a deploy does; the number WEB is nginx's."""
    for folder in media:
        module._make(tree, folder)
    module._share(tree, APP, uids, module.Visitors(tree, WEB, media))


@needs_root
def test_whoever_has_the_group_writes_what_another_user_has_made(tree: Path) -> None:
    share(tree, [])
    write = "with open('sub/notes.db', 'a') as file: file.write(' new')\nopen('sub/more', 'w')\nprint('done')"
    assert as_user(OTHER, APP, tree, write) == "done"
    assert (tree / "sub/notes.db").read_text() == "old new"
    assert (tree / "sub/notes.db").stat().st_uid == FORMER
    assert stat.S_IMODE((tree / "run.sh").stat().st_mode) == 0o770


@needs_root
def test_what_is_made_later_is_shared_whatever_the_umask(tree: Path) -> None:
    share(tree, [])
    assert (
        as_user(OTHER, APP, tree, "os.mkdir('sub/deep')\nopen('sub/deep/x', 'w').write('a')\nprint('made')") == "made"
    )
    assert (
        as_user(APP, APP, tree, "open('sub/deep/x', 'a').write('b')\nos.remove('sub/deep/x')\nprint('gone')") == "gone"
    )


@needs_root
@pytest.mark.parametrize("what", ["os.listdir('.')", "open('sub/notes.db')", "open('sub/new', 'w')"])
def test_nobody_else_gets_in(tree: Path, what: str) -> None:
    share(tree, [])
    assert "PermissionError" in as_user(STRANGER, STRANGER, tree, what)
    assert "PermissionError" in as_user(FORMER, FORMER, tree, what)


@needs_root
def test_a_user_of_another_group_is_let_in_by_name_as_long_as_it_is_needed(tree: Path) -> None:
    share(tree, [FORMER])
    both = "open('sub/notes.db', 'a').close()\nopen('sub/{}', 'w').close()\nprint('done')"
    assert as_user(FORMER, FORMER, tree, both.format("theirs")) == "done"
    assert as_user(APP, APP, tree, both.format("ours") + "\nopen('sub/theirs', 'a')") == "done"
    assert as_user(FORMER, FORMER, tree, "open('sub/ours', 'a')\nprint('done')") == "done"
    assert "PermissionError" in as_user(STRANGER, STRANGER, tree, "os.listdir('.')")
    share(tree, [])
    assert "PermissionError" in as_user(FORMER, FORMER, tree, "os.listdir('.')")


@needs_root
def test_links_pipes_and_sockets_are_left_as_they_are(tree: Path) -> None:
    before = Path("/etc/passwd").stat()
    share(tree, [FORMER])
    assert Path("/etc/passwd").stat() == before
    assert (tree / "pipe").is_fifo()


@needs_root
def test_a_folder_says_what_becomes_of_what_is_made_in_it(tree: Path) -> None:
    share(tree, [FORMER])
    entries = os.getxattr(tree, DEFAULT)[4:]
    tags = [struct.unpack("<HHI", entries[at : at + 8]) for at in range(0, len(entries), 8)]
    nobody = 0xFFFFFFFF
    assert tags == [(1, 7, nobody), (2, 7, FORMER), (4, 7, nobody), (16, 7, nobody), (32, 0, nobody)]


# --- What nginx serves of it ----------------------------------------------------------------------------------------


@needs_root
def test_nginx_reads_the_media_and_what_is_put_there_later(tree: Path) -> None:
    share(tree, [], "sub/media")
    make = (
        "os.mkdir('sub/media/deep')\nopen('sub/media/deep/a', 'w').write('A')\nopen('sub/media/b', 'w').write('B')\n"
        "print('made')"
    )
    assert as_user(OTHER, APP, tree, make) == "made"
    read = "print(open('sub/media/deep/a').read() + open('sub/media/b').read())"
    assert as_user(WEB, WEB, tree, read) == "AB"


@needs_root
@pytest.mark.parametrize(
    "what",
    [
        "open('secret')",
        "open('sub/notes.db')",
        "open('sub/later')",
        "os.listdir('.')",
        "os.listdir('sub')",
        "open('sub/media/new', 'w')",
        "open('sub/media/b', 'a')",
        "os.remove('sub/media/b')",
    ],
)
def test_nginx_reads_nothing_else_and_writes_nothing(tree: Path, what: str) -> None:
    (tree / "secret").write_text("x")
    share(tree, [FORMER], "sub/media")
    made = "[open(path, 'w').close() for path in ('sub/later', 'sub/media/b')]\nprint('made')"
    assert as_user(OTHER, APP, tree, made) == "made"
    assert "PermissionError" in as_user(WEB, WEB, tree, what)


@needs_root
@pytest.mark.parametrize("uids", [[], [FORMER]])
def test_without_media_nginx_is_shut_out_again(tree: Path, uids: list[int]) -> None:
    share(tree, uids, "sub/media")
    (tree / "sub/media/b").write_text("B")
    assert as_user(WEB, WEB, tree, "print(open('sub/media/b').read())") == "B"
    share(tree, uids)
    assert "PermissionError" in as_user(WEB, WEB, tree, "open('sub/media/b')")
    assert "PermissionError" in as_user(WEB, WEB, tree, "os.stat('sub')")


@needs_root
def test_one_who_is_let_in_by_name_anyway_keeps_what_he_may(tree: Path) -> None:
    share(tree, [WEB], "sub/media")
    assert as_user(WEB, WEB, tree, "open('sub/media/b', 'w')\nos.listdir('.')\nprint('done')") == "done"


def test_a_folder_of_media_is_made_and_no_link_is_followed(machine: Machine, tmp_path: Path) -> None:
    layout = machine.app("shop")
    data = Data(layout, machine, Media(ME, ("deep/er",)))
    data.share()
    assert (layout.data / "deep/er").is_dir()
    assert data.is_right()
    (layout.data / "deep/er").rmdir()
    assert not data.is_right()
    (layout.data / "deep/er").symlink_to(tmp_path)
    with pytest.raises(Refused, match="deep/er, a folder of 'media', is none"):
        data.share()


def test_what_nginx_reads_is_noted_and_taken_away(machine: Machine) -> None:
    layout = machine.app("shop")
    Data(layout, machine, Media(ME, ("uploads",))).share()
    assert noted(layout) == {"group": "root", "users": [], "for": ME, "media": [ME, "uploads"]}
    assert not Data(layout, machine).is_right()
    Data(layout, machine).share()
    assert noted(layout) == {"group": "root", "users": [], "for": ME}
    assert Data(layout, machine).is_right()


def test_where_nginx_has_no_user_yet_nobody_is_let_in(machine: Machine) -> None:
    layout = machine.app("shop")
    data = Data(layout, machine, Media("nobody-of-that-name", ("uploads",)))
    data.share()
    assert data.is_right()
    assert noted(layout) == {"group": "root", "users": [], "for": ME}


# --- Who needs it -------------------------------------------------------------------------------------------------


def test_a_release_without_the_apps_group_is_let_in_by_its_user(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared: list[list[int]] = []
    monkeypatch.setattr(module, "_share", lambda _root, _gid, uids, _visitors: shared.append(uids))
    layout = machine.app("shop")
    release(layout, FIRST, "daemon", "daemon")
    release(layout, SECOND, ME, "root")
    Data(layout, machine).share()
    assert shared == [[pwd.getpwnam("daemon").pw_uid]]
    assert noted(layout) == {"group": "root", "users": ["daemon"], "for": ME}


def test_when_it_is_gone_nobody_needs_it_any_more(machine: Machine) -> None:
    layout = machine.app("shop")
    release(layout, FIRST, "daemon", "daemon")
    data = Data(layout, machine)
    data.share()
    layout.release(FIRST).directory.rmdir()
    assert not data.is_right()
    data.share()
    assert noted(layout) == {"group": "root", "users": [], "for": ME}


def test_a_user_that_was_removed_is_no_reader(machine: Machine) -> None:
    layout = machine.app("shop")
    release(layout, FIRST, "nobody-of-that-name", "daemon")
    Data(layout, machine).share()
    assert noted(layout) == {"group": "root", "users": [], "for": ME}


def test_while_another_user_serves_it_is_not_noted_as_done(machine: Machine) -> None:
    layout = machine.app("shop")
    release(layout, FIRST, "daemon", "root")
    layout.current.symlink_to(f"releases/{FIRST}")
    data = Data(layout, machine)
    data.share()
    assert noted(layout) is None
    release(layout, SECOND, ME, "root")
    layout.current.unlink()
    layout.current.symlink_to(f"releases/{SECOND}")
    data.share()
    assert data.is_right()


# --- What is seen of it -------------------------------------------------------------------------------------------


def test_a_lost_mode_is_told_of_the_live_release(tmp_path: Path) -> None:
    world = World(tmp_path, hosts=["one"])
    world.site()
    layout = world.hosts["one"].app("shop")
    live = Records(layout, world.hosts["one"]).live()
    assert unguarded(layout, live) == []
    layout.data.chmod(0o755)
    assert unguarded(layout, live) == [f"{layout.data} has another mode or owner"]
    world.site()
    assert unguarded(layout, live) == []


@needs_root
def test_a_release_from_before_apps_had_groups_keeps_the_one_it_was_made_with(tmp_path: Path) -> None:
    """Its release.json doesn't say which, but it belongs to it."""
    world = World(tmp_path, hosts=["one"])
    world.site()
    layout = world.hosts["one"].app("shop")
    made = layout.release(Records(layout, world.hosts["one"]).live())
    described = json.loads(made.description.read_text())
    del described["group"]
    made.description.write_text(json.dumps(described))
    daemon = pwd.getpwnam("daemon").pw_gid
    for path in (made.description, made.code, *made.code.rglob("*")):
        os.chown(path, -1, daemon)
    assert unguarded(layout, made.id) == []
    os.chown(made.code, -1, 0)
    assert unguarded(layout, made.id) != []
