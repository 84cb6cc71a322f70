"""Wheels that are sent to a host which reaches no index: what it lacks, what it keeps, and what pip is told."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import pytest
from ansible_collections.uwsgi_flask.web.plugins.action.release import pack
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.wheels import Wheels

from machine import Cut, Machine
from world import World


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture
def sent(tmp_path: Path) -> Path:
    """What the controller packs."""
    for name in ("a.whl", "b.whl", "c.whl"):
        (tmp_path / name).write_text(name)
    pack(str(tmp_path), ["a.whl", "b.whl"], str(tmp_path / "ab.tar.gz"), 0)
    return tmp_path / "ab.tar.gz"


def wheels(machine: Machine, *names: str) -> Wheels:
    return Wheels(machine.app("shop").wheels, {name: digest(name) for name in names})


def test_what_is_sent_is_there_for_root_alone(machine: Machine, sent: Path) -> None:
    wanted = wheels(machine, "a.whl", "b.whl")
    machine.app("shop").root.mkdir()
    assert wanted.lacking() == ["a.whl", "b.whl"]
    assert [path.read_text() for path in wanted.place(machine, sent)] == ["a.whl", "b.whl"]
    assert wanted.lacking() == []
    assert wanted.folder.stat().st_mode & 0o7777 == 0o700


def test_only_what_is_new_must_be_sent_and_what_is_old_goes(machine: Machine, sent: Path, tmp_path: Path) -> None:
    machine.app("shop").root.mkdir()
    wheels(machine, "a.whl", "b.whl").place(machine, sent)
    later = wheels(machine, "b.whl", "c.whl")
    assert later.lacking() == ["c.whl"]
    pack(str(tmp_path), ["c.whl"], str(tmp_path / "c.tar.gz"), 0)
    later.place(machine, tmp_path / "c.tar.gz")
    assert sorted(path.name for path in later.folder.iterdir()) == ["b.whl", "c.whl"]
    assert wheels(machine).place(machine, None) == []
    assert not later.folder.exists()


def test_one_that_isnt_what_the_lock_says_is_no_wheel_of_it(machine: Machine, sent: Path) -> None:
    machine.app("shop").root.mkdir()
    wanted = wheels(machine, "a.whl")
    wanted.place(machine, sent)
    for damage in ("cut", "link"):
        path = wanted.folder / "a.whl"
        path.unlink()
        path.write_text("a") if damage == "cut" else path.symlink_to(sent.parent / "a.whl")
        assert wanted.lacking() == ["a.whl"]
        wanted.place(machine, sent)
        assert (path.is_symlink(), path.read_text()) == (False, "a.whl")
    other = dataclasses.replace(wanted, wanted={"a.whl": digest("other")})
    with pytest.raises(ValueError, match=r"the wheelhouse changed while it was read: a\.whl; run again"):
        other.place(machine, sent)
    with pytest.raises(ValueError, match=r"b\.whl; run again"):
        wheels(machine, "b.whl").place(machine, None)


def test_a_run_that_is_cut_off_is_finished_by_the_next(machine: Machine, sent: Path) -> None:
    machine.app("shop").root.mkdir()
    wanted = wheels(machine, "a.whl", "b.whl")
    for cut_at in range(10):
        machine.cut_at = cut_at
        try:
            wanted.place(machine, sent)
        except Cut:
            continue
        break
    assert cut_at > 0
    assert wanted.lacking() == []


def test_they_are_needed_only_where_a_virtualenv_must_be_built(world: World, machine: Machine, sent: Path) -> None:
    item = world.item("one", "shop", world.look("one"))
    item["release"]["sent_wheels"] = [["a.whl", digest("a.whl")]]
    placing = world.deploy_of("one", item).placing
    assert placing.lacking_wheels() == ["a.whl"]
    placing.packed_wheels = sent
    placing.run()
    assert machine.builds == 1
    (machine.app("shop").wheels / "a.whl").unlink()
    assert placing.lacking_wheels() == []
