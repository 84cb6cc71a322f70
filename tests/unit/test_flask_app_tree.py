"""The code of a release on a host: placed whole, compared, repaired; and what systemd reads of its environment."""

from __future__ import annotations

import grp
import hashlib
import json
import os
import pwd
import tarfile
from pathlib import Path

import pytest
from ansible.module_utils.flask_app_tree import Tree, Wanted, changes, environment_file, owner_of_data

SOURCE = {"flask_wsgi.py": "app = 1\n", "app/__init__.py": "x = 1\n", "static/a/b.js": "js", "run.sh": "#!/bin/sh\n"}
GROUP = grp.getgrgid(os.getegid()).gr_name


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    source = tmp_path / "source"
    for path, text in SOURCE.items():
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        (source / path).write_text(text)
    with tarfile.open(tmp_path / "code.tar.gz", "w:gz") as tar:
        for path in SOURCE:
            tar.add(source / path, arcname=path)
    return tmp_path / "code.tar.gz"


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    (tmp_path / "release").mkdir()
    digests = {path: hashlib.sha256(text.encode()).hexdigest() for path, text in SOURCE.items()}
    wanted = [Wanted(path, digest, path == "run.sh") for path, digest in digests.items()]
    return Tree(tmp_path / "release" / "code", wanted, "static", GROUP)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o7777


def test_a_new_one(tree: Tree, archive: Path) -> None:
    assert tree.faults() == ["."]
    tree.place(archive)
    assert tree.faults() == []
    assert (tree.root / "app" / "__init__.py").read_text() == "x = 1\n"
    assert list((tree.root / "app" / "__pycache__").glob("*.pyc"))
    assert [path.name for path in tree.root.parent.iterdir()] == ["code"]


def test_who_may_read_what(tree: Tree, archive: Path) -> None:
    tree.place(archive)
    modes = {".": 0o751, "flask_wsgi.py": 0o640, "app": 0o750, "run.sh": 0o750, "static/a": 0o755}
    assert {path: mode(tree.root / path) for path in modes} == modes


def test_an_archive_that_isnt_what_was_announced(tree: Tree, archive: Path) -> None:
    wrong = Tree(tree.root, [*tree.wanted, Wanted("more.py", "0" * 64, False)], tree.public_folder, tree.group)
    with pytest.raises(ValueError, match=r"changed while it was read: more\.py"):
        wrong.place(archive)
    assert not tree.root.exists()
    assert list(tree.root.parent.iterdir()) == []


def swap(tree: Tree) -> None:
    (tree.root / "flask_wsgi.py").unlink()
    (tree.root / "flask_wsgi.py").mkdir()


def file_for_folder(tree: Tree) -> None:
    (tree.root / "static/a/b.js").unlink()
    (tree.root / "static/a").rmdir()
    (tree.root / "static/a").write_text("x")


EDITS = {
    "content": lambda tree: (tree.root / "flask_wsgi.py").write_text("by hand"),
    "missing": lambda tree: (tree.root / "static/a/b.js").unlink(),
    "mode": lambda tree: (tree.root / "flask_wsgi.py").chmod(0o666),
    "folder's mode": lambda tree: (tree.root / "app").chmod(0o777),
    "another file": lambda tree: (tree.root / "app/new.py").write_text("x"),
    "another folder": lambda tree: (tree.root / "new/deep").mkdir(parents=True),
    "a link": lambda tree: (tree.root / "static/passwd").symlink_to("/etc/passwd"),
    "a link for a file": lambda tree: [(tree.root / "run.sh").unlink(), (tree.root / "run.sh").symlink_to("/bin/sh")],
    "a folder for a file": swap,
    "a file for a folder": file_for_folder,
}


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_is_found_and_put_back(tree: Tree, archive: Path, name: str) -> None:
    tree.place(archive)
    EDITS[name](tree)
    assert tree.faults() != []
    tree.place(archive)
    assert tree.faults() == []


def test_byte_code_is_pythons_affair(tree: Tree, archive: Path) -> None:
    tree.place(archive)
    (tree.root / "__pycache__").mkdir(exist_ok=True)
    (tree.root / "__pycache__" / "x.pyc").write_text("x")
    assert tree.faults() == []


def test_what_a_cut_left_is_cleared(tree: Tree, archive: Path) -> None:
    (tree.root.parent / ".code-abc" / "code").mkdir(parents=True)
    tree.place(archive)
    assert [path.name for path in tree.root.parent.iterdir()] == ["code"]


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ("plain", 'A="plain"'),
        ("", 'A=""'),
        ("two words # no remark", 'A="two words # no remark"'),
        ('say "no"', r'A="say \"no\""'),
        ("back\\slash", r'A="back\\slash"'),
        ("$HOME `id`", r'A="\$HOME \`id\`"'),
        ("two\nlines", 'A="two\nlines"'),
        ("50 % größer", 'A="50 % größer"'),
        ("{{ jinja }}", 'A="{{ jinja }}"'),
    ],
)
def test_environment(value: str, line: str) -> None:
    assert environment_file({"A": value}) == f"{line}\n"


def test_what_changes_between_two_releases(tmp_path: Path) -> None:
    live = {"same.py": ["a" * 64, False], "gone.py": ["b" * 64, False], "changed.py": ["c" * 64, False]}
    (tmp_path / "release.json").write_text(json.dumps({"code": live}))
    files = [["same.py", "a" * 64, False], ["changed.py", "d" * 64, False], ["new.py", "e" * 64, True]]
    before, after = changes(tmp_path, files)
    assert before == f"changed.py {'c' * 12}\ngone.py {'b' * 12}\n"
    assert after == f"changed.py {'d' * 12}\nnew.py {'e' * 12}\n"
    assert changes(tmp_path / "nothing", files)[0] == ""


def test_a_directory_of_somebody_elses(tmp_path: Path) -> None:
    me = pwd.getpwuid(os.geteuid()).pw_name
    assert owner_of_data(tmp_path / "not there", "www") == ""
    assert owner_of_data(tmp_path, me) == ""
    assert owner_of_data(tmp_path, "www") == me
