"""The code of a release on a host: compared, placed whole, guarded; and the text of its environment file."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import importlib.util
import json
import os
import random
import re
import tarfile
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.code import (
    Tree,
    Wanted,
    changes,
    environment_file,
)
from hypothesis import given
from hypothesis import strategies as st

SOURCE = {"flask_wsgi.py": "app = 1\n", "app/__init__.py": "x = 1\n", "static/a/b.js": "js", "run.sh": "#!/bin/sh\n"}
MODES = {
    ".": 0o751, "flask_wsgi.py": 0o640, "app": 0o750, "app/__init__.py": 0o640, "run.sh": 0o750,
    "static": 0o755, "static/a": 0o755, "static/a/b.js": 0o644, "app/__pycache__": 0o750,
}  # fmt: skip


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
    return Tree(tmp_path / "release" / "code", wanted, "static", "root")


@pytest.fixture(params=[0o000, 0o022, 0o027, 0o077], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    """Each umask that an administrator may have set."""
    before = os.umask(request.param)
    yield
    os.umask(before)


def modes(tree: Tree) -> dict[str, int]:
    return {path: (tree.root / path).stat().st_mode & 0o7777 for path in MODES}


# --- Static files -------------------------------------------------------------------------------------------------

STYLE = "body { color: red }\n" * 200


def made(folder: Path, texts: dict[str, str | bytes], seconds: int = 1_700_000_000) -> Tree:
    """A tree of these files, placed from a source whose files have this time."""
    (folder / "release").mkdir(parents=True)
    wanted = []
    with tarfile.open(folder / "code.tar.gz", "w:gz") as tar:
        for path, text in texts.items():
            (folder / "source" / path).parent.mkdir(parents=True, exist_ok=True)
            content = text if isinstance(text, bytes) else text.encode()
            (folder / "source" / path).write_bytes(content)
            os.utime(folder / "source" / path, (seconds, seconds))
            tar.add(folder / "source" / path, arcname=path)
            wanted.append(Wanted(path, hashlib.sha256(content).hexdigest(), executable=False))
    tree = Tree(folder / "release/code", wanted, "static", "root")
    tree.place(folder / "code.tar.gz")
    return tree


def test_a_text_has_a_smaller_form_beside_it(tmp_path: Path) -> None:
    tree = made(tmp_path, {"static/a/style.css": STYLE, "static/short.css": "a", "other/style.css": STYLE})
    smaller = tree.root / "static/a/style.css.gz"
    assert list(tree.root.rglob("*.gz")) == [smaller]
    assert gzip.decompress(smaller.read_bytes()).decode() == STYLE
    assert len(smaller.read_bytes()) < len(STYLE) / 10
    assert smaller.stat().st_mode & 0o777 == 0o644
    assert tree.damage() == tree.unguarded() == []


@pytest.mark.parametrize("name", ["photo.jpg", "font.woff2", "data.bin"])
def test_what_is_small_already_has_none(tmp_path: Path, name: str) -> None:
    assert list(made(tmp_path, {f"static/{name}": STYLE}).root.rglob("*.gz")) == []


def test_nor_has_what_gets_no_smaller(tmp_path: Path) -> None:
    assert list(made(tmp_path, {"static/noise.css": random.Random(1).randbytes(2000)}).root.rglob("*.gz")) == []


def test_one_that_the_source_brings_stays(tmp_path: Path) -> None:
    brought = gzip.compress(STYLE.encode(), 1)
    tree = made(tmp_path, {"static/style.css": STYLE, "static/style.css.gz": brought})
    assert (tree.root / "static/style.css.gz").read_bytes() == brought
    assert tree.damage() == []


STALE = gzip.compress(STYLE.replace("red", "tan").encode())


@pytest.mark.parametrize(
    "content",
    [STALE, b"", b"no gzip", gzip.compress(STYLE.encode())[:-9], gzip.compress(STYLE.encode() * 2), STALE + b"x"],
    ids=["another", "empty", "no gzip", "cut off", "more", "with rubbish"],
)
def test_a_stale_one_is_damage(tmp_path: Path, content: bytes) -> None:
    tree = made(tmp_path, {"static/style.css": STYLE})
    (tree.root / "static/style.css.gz").write_bytes(content)
    assert tree.damage() == ["static/style.css.gz"]


@pytest.mark.parametrize("path", ["static/other.css.gz", "style.css.gz", "static/style.css.gz.gz", "static/.gz"])
def test_one_of_no_static_file_is_damage(tmp_path: Path, path: str) -> None:
    tree = made(tmp_path, {"static/style.css": STYLE, "style.css": STYLE})
    (tree.root / path).write_bytes(gzip.compress(STYLE.encode()))
    assert path in tree.damage()


def test_a_link_in_its_place_is_damage(tmp_path: Path) -> None:
    tree = made(tmp_path, {"static/style.css": STYLE})
    smaller = tree.root / "static/style.css.gz"
    smaller.rename(tmp_path / "elsewhere.gz")
    smaller.symlink_to(tmp_path / "elsewhere.gz")
    assert tree.damage() == ["static/style.css.gz"]


def test_a_release_from_before_has_none_and_is_intact(tmp_path: Path) -> None:
    tree = made(tmp_path, {"static/style.css": STYLE})
    (tree.root / "static/style.css.gz").unlink()
    assert tree.damage() == []


def test_the_same_content_has_the_same_time_in_each_release(tmp_path: Path) -> None:
    """nginx makes an ETag of a file's time and size."""
    texts: dict[str, str | bytes] = {"static/style.css": STYLE, "flask_wsgi.py": "app = 1\n"}
    first = made(tmp_path / "first", texts)
    second = made(tmp_path / "second", texts, 1_800_000_000)
    third = made(tmp_path / "third", {**texts, "static/style.css": STYLE.replace("red", "tan")})

    def times(path: str) -> list[float]:
        return [(tree.root / path).stat().st_mtime for tree in (first, second, third)]

    for path in ("static/style.css", "static/style.css.gz"):
        one, same, other = times(path)
        assert one == same != other
        assert max(one, other) < 1_300_000_000, "a time to come is no time of a change"
    # Of code, Python notes the time in its byte code.
    assert times("flask_wsgi.py") == [1_700_000_000, 1_800_000_000, 1_700_000_000]


# --- A new one ----------------------------------------------------------------------------------------------------


def test_a_new_one_is_whole(tree: Tree, archive: Path) -> None:
    assert tree.damage() == ["."]
    tree.place(archive)
    assert tree.damage() == []
    assert (tree.root / "app" / "__init__.py").read_text() == "x = 1\n"
    assert [path.name for path in tree.root.parent.iterdir()] == ["code"]


def test_a_large_archive_is_never_in_memory_as_a_whole(tmp_path: Path) -> None:
    noise = random.Random(1).randbytes(16_000_000)
    tracemalloc.start()
    try:
        made(tmp_path, {"model.bin": noise})
        assert tracemalloc.get_traced_memory()[1] < 8_000_000
    finally:
        tracemalloc.stop()


def test_who_may_read_what(tree: Tree, archive: Path, umask: None) -> None:
    tree.place(archive)
    assert modes(tree) == MODES
    assert tree.unguarded() == []


def test_a_public_folder_deep_inside_can_be_passed_through_to(tree: Tree, archive: Path) -> None:
    deep = dataclasses.replace(tree, public_folder="static/a")
    deep.place(archive)
    assert {path: mode for path, mode in modes(deep).items() if path.startswith("static")} == {
        "static": 0o751,
        "static/a": 0o755,
        "static/a/b.js": 0o644,
    }


def test_the_public_folder_need_not_exist(tree: Tree, archive: Path) -> None:
    without = dataclasses.replace(tree, public_folder="htdocs")
    without.place(archive)
    assert (without.damage(), without.unguarded()) == ([], [])
    assert not (without.root / "htdocs").exists()
    assert (without.root / "static/a/b.js").stat().st_mode & 0o7777 == 0o640


def test_byte_code_is_ready_for_the_place_where_the_code_is(tree: Tree, archive: Path) -> None:
    tree.place(archive)
    compiled = Path(importlib.util.cache_from_source(str(tree.root / "app/__init__.py")))
    assert str(tree.root / "app/__init__.py").encode() in compiled.read_bytes()
    assert ".code-" not in compiled.read_bytes().decode(errors="replace")
    # Python takes it only for a source with this very time.
    assert int.from_bytes(compiled.read_bytes()[8:12], "little") == int((tree.root / "app/__init__.py").stat().st_mtime)


def test_an_archive_that_isnt_what_was_announced_leaves_nothing(tree: Tree, archive: Path) -> None:
    wrong = dataclasses.replace(tree, wanted=[*tree.wanted, Wanted("more.py", "0" * 64, False)])
    with pytest.raises(ValueError, match=r"changed while it was read: more\.py"):
        wrong.place(archive)
    assert list(tree.root.parent.iterdir()) == []


def test_what_a_cut_left_is_cleared(tree: Tree, archive: Path) -> None:
    (tree.root.parent / ".code-abc" / "code").mkdir(parents=True)
    tree.place(archive)
    assert [path.name for path in tree.root.parent.iterdir()] == ["code"]


def test_one_that_is_there_is_moved_away_as_a_whole(tree: Tree, archive: Path) -> None:
    """Never changed in place: whoever still reads the old one reads all of the old one."""
    tree.place(archive)
    old = os.open(tree.root, os.O_RDONLY)
    (tree.root / "flask_wsgi.py").write_text("by hand")
    tree.place(archive)
    assert (tree.damage(), tree.unguarded()) == ([], [])
    assert os.fstat(old).st_ino != tree.root.stat().st_ino
    os.close(old)


def test_a_link_in_its_place_is_moved_away_and_not_followed(tree: Tree, archive: Path, tmp_path: Path) -> None:
    (tmp_path / "else").mkdir()
    tree.root.symlink_to(tmp_path / "else")
    assert tree.damage() == ["."]
    assert tree.unguarded() == []
    tree.place(archive)
    assert tree.damage() == []
    assert list((tmp_path / "else").iterdir()) == []


# --- One that is there --------------------------------------------------------------------------------------------


def a_folder_for_a_file(tree: Tree) -> None:
    (tree.root / "flask_wsgi.py").unlink()
    (tree.root / "flask_wsgi.py").mkdir()


def a_file_for_a_folder(tree: Tree) -> None:
    (tree.root / "static/a/b.js").unlink()
    (tree.root / "static/a").rmdir()
    (tree.root / "static/a").write_text("x")


def a_link_for_a_file(tree: Tree) -> None:
    """With the same content at its end, it is damage nevertheless."""
    (tree.root / "run.sh").rename(tree.root.parent / "run.sh")
    (tree.root / "run.sh").symlink_to(tree.root.parent / "run.sh")


def a_link_for_a_folder(tree: Tree) -> None:
    (tree.root / "static/a").rename(tree.root.parent / "a")
    (tree.root / "static/a").symlink_to(tree.root.parent / "a")


EDITS: dict[str, tuple[Callable[[Tree], object], list[str]]] = {
    "content": (lambda tree: (tree.root / "flask_wsgi.py").write_text("by hand"), ["flask_wsgi.py"]),
    "missing": (lambda tree: (tree.root / "static/a/b.js").unlink(), ["static/a/b.js"]),
    "another file": (lambda tree: (tree.root / "app/new.py").write_text("x"), ["app/new.py"]),
    "another folder": (lambda tree: (tree.root / "new/deep").mkdir(parents=True), ["new", "new/deep"]),
    "a link": (lambda tree: (tree.root / "static/passwd").symlink_to("/etc/passwd"), ["static/passwd"]),
    "a link for a file": (a_link_for_a_file, ["run.sh"]),
    "a link for a folder": (a_link_for_a_folder, ["static/a", "static/a/b.js"]),
    "a folder for a file": (a_folder_for_a_file, ["flask_wsgi.py"]),
    "a file for a folder": (a_file_for_a_folder, ["static/a", "static/a/b.js"]),
}


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_is_found(tree: Tree, archive: Path, name: str) -> None:
    tree.place(archive)
    edit, damaged = EDITS[name]
    edit(tree)
    assert tree.damage() == damaged


GUARDS = {
    "a file anybody may write": ("flask_wsgi.py", 0o666),
    "a folder anybody may write": ("app", 0o777),
    "a static file that nginx can't read": ("static/a/b.js", 0o600),
    "the folder itself": (".", 0o700),
    "suid": ("run.sh", 0o4750),
    "byte code anybody may write": ("app/__pycache__", 0o777),
}


@pytest.mark.parametrize("name", GUARDS)
def test_a_wrong_mode_is_no_damage_and_is_mended_in_place(tree: Tree, archive: Path, name: str) -> None:
    tree.place(archive)
    path, mode = GUARDS[name]
    (tree.root / path).chmod(mode)
    file = (tree.root / path).stat().st_ino
    assert tree.damage() == []
    assert tree.unguarded() == [path]
    tree.guard()
    assert tree.unguarded() == []
    assert modes(tree) == MODES
    assert (tree.root / path).stat().st_ino == file


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_wrong_owner_is_mended_in_place(tree: Tree, archive: Path) -> None:
    tree.place(archive)
    os.chown(tree.root / "flask_wsgi.py", 12345, 12345)
    assert (tree.damage(), tree.unguarded()) == ([], ["flask_wsgi.py"])
    tree.guard()
    assert tree.unguarded() == []


def test_where_nothing_is_nothing_is_unguarded(tree: Tree) -> None:
    assert tree.unguarded() == []


def test_byte_code_is_no_damage(tree: Tree, archive: Path) -> None:
    tree.place(archive)
    (tree.root / "__pycache__").mkdir(exist_ok=True)
    (tree.root / "__pycache__" / "x.pyc").write_text("x")
    assert tree.damage() == []


# --- Texts --------------------------------------------------------------------------------------------------------


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


def test_the_order_of_an_environment_doesnt_count() -> None:
    assert environment_file({"B": "2", "A": "1"}) == environment_file({"A": "1", "B": "2"}) == 'A="1"\nB="2"\n'


def test_what_changes_between_two_releases(tmp_path: Path) -> None:
    live = {"same.py": ["a" * 64, False], "gone.py": ["b" * 64, False], "changed.py": ["c" * 64, False]}
    (tmp_path / "release.json").write_text(json.dumps({"code": live}))
    files = [["same.py", "a" * 64, False], ["changed.py", "d" * 64, False], ["new.py", "e" * 64, True]]
    before, after = changes(tmp_path / "release.json", files)
    assert before == f"changed.py {'c' * 12}\ngone.py {'b' * 12}\n"
    assert after == f"changed.py {'d' * 12}\nnew.py {'e' * 12}\n"


@pytest.mark.parametrize("text", [None, "broken", "{}"])
def test_where_no_release_is_described_everything_is_new(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "release.json").write_text(text)
    assert changes(tmp_path / "release.json", [["new.py", "e" * 64, True]]) == ("", f"new.py {'e' * 12}\n")


# --- An environment file, read as systemd reads it ------------------------------------------------------------------


QUOTED = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"\n', re.DOTALL)


def read_by_systemd(text: str) -> dict[str, str]:
    """The variables in an EnvironmentFile of values in double quotes, by parse_env_file_internal of systemd.

    There a backslash stands for itself, but before these four, and before a newline, with which it vanishes.
    """
    variables, end = {}, 0
    while end < len(text):
        found = QUOTED.match(text, end)
        assert found, text[end:]
        name, value = found.groups()
        variables[name] = re.sub(r"\\(.)", lambda it: _escaped(it[1]), value, flags=re.DOTALL)
        end = found.end()
    return variables


def _escaped(one: str) -> str:
    return one if one in '"\\`$' else "" if one == "\n" else f"\\{one}"


@pytest.mark.parametrize(
    ("text", "variables"),
    [
        ('A="a\nb"\nC="d"\n', {"A": "a\nb", "C": "d"}),
        ('A="\\a\\$\\""\n', {"A": '\\a$"'}),
        ('A="a\\\nb"\n', {"A": "ab"}),
    ],
)
def test_the_reader_reads(text: str, variables: dict[str, str]) -> None:
    assert read_by_systemd(text) == variables


@given(
    st.dictionaries(
        st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True),
        st.text(st.characters(codec="utf-8", exclude_characters="\0"))
        | st.text(alphabet="\\\"'`$%#;= \t\r\n{}!ab\x85\ufeff", max_size=12),
    )
)
def test_every_value_arrives_as_it_is(variables: dict[str, str]) -> None:
    assert read_by_systemd(environment_file(variables)) == variables
