"""What of a folder is shipped, what stays at home, and what is said about it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.checked import parse
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.source import folder as folder_room

from settings import Workshop, app

ALWAYS = ["flask_wsgi.py", "requirements.txt", "static/style.css"]


def shipped(workshop: Workshop, **changes: Any) -> list[str]:
    """The files of the good app's release beside those that every source of these tests has."""
    files = [file[0] for file in workshop.item(app(**changes))["release"]["files"]]
    assert set(ALWAYS) <= {*files}
    return [path for path in files if path not in ALWAYS]


def notices(workshop: Workshop, **changes: Any) -> list[str]:
    settings, problems = parse(workshop.request(app(**changes)))
    assert problems == []
    return list(settings.notices())


def fill(workshop: Workshop, *paths: str) -> None:
    for path in paths:
        workshop.write(f"shop/{path}", "x")


def git(folder: Path, *words: str) -> None:
    who = ["-c", "user.name=x", "-c", "user.email=x@x.test"]
    subprocess.run(["git", "-C", folder, *who, *words], check=True, capture_output=True)


# --- .gitignore ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_under_git", [True, False])
def test_what_gitignore_names_stays_at_home(workshop: Workshop, is_under_git: bool) -> None:
    if is_under_git:
        git(workshop.source, "init", "-q")
    fill(
        workshop,
        "a.log",
        "logs/a.txt",
        "pkg/logs/a.txt",
        "pkg/keep.log",
        "pkg/tmp/x",
        "tmp/x",
        "docs/a.md",
        "docs/b.txt",
    )
    workshop.write("shop/.gitignore", "*.log\nlogs/\n/tmp\ndocs/*\n!docs/b.txt\n\n# x\n!\n")
    workshop.write("shop/pkg/.gitignore", "!keep.log\n")
    assert shipped(workshop) == [".gitignore", "docs/b.txt", "pkg/.gitignore", "pkg/keep.log", "pkg/tmp/x"]
    assert notices(workshop) == []


def test_what_git_tracks_is_code_whatever_gitignore_says(workshop: Workshop) -> None:
    workshop.write("shop/.gitignore", "dist/\n")
    fill(workshop, "static/dist/old.js")
    git(workshop.source, "init", "-q")
    git(workshop.source, "add", "-f", "static/dist/old.js")
    fill(workshop, "static/dist/new.js")
    assert shipped(workshop) == [".gitignore", "static/dist/old.js"]


def test_a_folder_in_a_work_tree_has_the_patterns_above_it_too(workshop: Workshop) -> None:
    git(workshop.folder, "init", "-q")
    workshop.write(".gitignore", "*.log\n/shop/tmp\n/tmp\n")
    fill(workshop, "a.log", "tmp/x", "static/tmp/x")
    assert shipped(workshop) == ["static/tmp/x"]
    # One that is ignored as a whole, such as what a build made, is what somebody asked for.
    workshop.write(".gitignore", "shop/\n")
    assert shipped(workshop) == ["a.log", "static/tmp/x", "tmp/x"]


def test_outside_of_git_nothing_above_counts(workshop: Workshop) -> None:
    workshop.write(".gitignore", "*.log\n")
    fill(workshop, "a.log")
    assert shipped(workshop) == ["a.log"]


def test_names_that_are_odd(workshop: Workshop) -> None:
    odd = ["a\nb.txt", "größe.txt", " x", "#x", "!x", "-x", "a\\b", "[a]"]
    fill(workshop, *odd)
    assert shipped(workshop) == sorted(odd)
    workshop.write("shop/.gitignore", "\\#x\n\\!x\ngrö*\n")
    assert shipped(workshop) == sorted([".gitignore", *({*odd} - {"größe.txt", "#x", "!x"})])


def test_without_git_on_this_machine_a_folder_is_read_all_the_same(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    workshop.write("shop/.gitignore", "a.log\n")
    fill(workshop, "a.log")
    monkeypatch.setenv("PATH", "/nowhere")
    assert shipped(workshop) == [".gitignore"]


# --- What the app says --------------------------------------------------------------------------------------------


def test_deployignore_and_exclude_are_patterns_too(workshop: Workshop) -> None:
    fill(workshop, "tests/test_a.py", "docs/a.md", "a.md")
    workshop.write("shop/.deployignore", "tests/\n")
    assert shipped(workshop) == [".deployignore", "a.md", "docs/a.md"]
    assert shipped(workshop, exclude=["docs/", ".deployignore"]) == ["a.md"]
    assert shipped(workshop, exclude=["*.md", "!/a.md"]) == [".deployignore", "a.md"]


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("!static/dist/", "static/dist/app.js"),
        ("!static/dist/app.js", "static/dist/app.js"),
        ("!*.db", "geo.db"),
        ("!/instance/seed.sql", "instance/seed.sql"),
        ("!instance/seed.sql", "instance/seed.sql"),
        ("!instance/*.sql", "instance/seed.sql"),
        ("!instance/", "instance/seed.sql"),
        ("!.env", ".env"),
        ("!static/node_modules/", "static/node_modules/a.js"),
        ("!static/node_modules/a.js", "static/node_modules/a.js"),
    ],
)
@pytest.mark.parametrize("where", [".deployignore", "exclude"])
def test_it_brings_back_what_would_stay(workshop: Workshop, pattern: str, path: str, where: str) -> None:
    workshop.write("shop/.gitignore", "dist/\n*.db\n.env\n")
    fill(workshop, path)
    assert shipped(workshop) == [".gitignore"]
    if where == "exclude":
        assert shipped(workshop, exclude=[pattern]) == sorted([".gitignore", path])
    else:
        workshop.write("shop/.deployignore", f"{pattern}\n")
        assert shipped(workshop) == sorted([".deployignore", ".gitignore", path])


def test_only_that_is_brought_back(workshop: Workshop) -> None:
    fill(workshop, "instance/seed.sql", "instance/shop.sqlite3", "instance/b/seed.sql")
    assert shipped(workshop, exclude=["!instance/seed.sql"]) == ["instance/seed.sql"]


@pytest.mark.parametrize("path", [".git/config", "pkg/__pycache__/a.pyc", "a.pyc", ".svn/x"])
def test_some_never_come_back(workshop: Workshop, path: str) -> None:
    fill(workshop, path)
    assert shipped(workshop, exclude=[f"!{path}", f"!{path.partition('/')[0]}/"]) == []


def test_a_line_that_is_no_pattern(workshop: Workshop) -> None:
    workshop.write("shop/.deployignore", "tests/\n!\n")
    assert workshop.problem(app()) == (
        "web_apps: 'shop' has 'source': .deployignore: '!' is no pattern, as .gitignore has them"
    )


# --- What is never meant ------------------------------------------------------------------------------------------

PRIVATE = [
    ".env",
    ".env.production",
    "pkg/.env",
    "tls/server.pem",
    "server.key",
    "keys/id_rsa",
    "id_ed25519",
    "shop.sqlite3",
    "data/shop.sqlite",
    "shop.db",
    "a.p12",
    "a.pfx",
]


@pytest.mark.parametrize("path", PRIVATE)
def test_secrets_and_data_stay_at_home_and_that_is_said(workshop: Workshop, path: str) -> None:
    before = workshop.id()
    fill(workshop, path)
    assert shipped(workshop) == []
    assert workshop.id() == before
    assert notices(workshop) == [
        f"web_apps: 'shop' keeps '{path}' at home; to ship one, write '!{path}' into .deployignore or 'exclude'"
    ]
    # Who said so himself needs no word of it.
    workshop.write("shop/.gitignore", f"{path}\n")
    assert notices(workshop) == []


def test_so_does_the_instance_folder_as_a_whole(workshop: Workshop) -> None:
    fill(workshop, "instance/shop.sqlite3", "instance/config.py")
    assert shipped(workshop) == []
    assert notices(workshop) == [
        "web_apps: 'shop' keeps 'instance/' at home; to ship one, write '!instance/' into .deployignore or 'exclude'"
    ]


@pytest.mark.parametrize(
    "path", [".env.example", ".env.sample", "id_rsa.pub", "env", "instance", "key", "db.py", "a.key.py"]
)
def test_what_only_resembles_them_is_shipped(workshop: Workshop, path: str) -> None:
    fill(workshop, path)
    assert shipped(workshop) == [path]
    assert notices(workshop) == []


def test_many_are_said_in_one_line(workshop: Workshop) -> None:
    fill(workshop, *(f"{number}.pem" for number in range(7)))
    (line,) = notices(workshop)
    assert "keeps '0.pem', '1.pem', '2.pem', '3.pem', '4.pem' and 2 more at home" in line


def test_a_source_that_is_large_is_said(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, size in (("a.bin", 30), ("b.bin", 25), ("c.bin", 1), ("d.bin", 2)):
        with open(workshop.source / name, "wb") as file:
            file.truncate(size << 20)
    (line,) = notices(workshop)
    assert line == (
        "web_apps: 'shop' has a source of 58 MiB, all of it sent to each host; the largest: "
        "'a.bin' (30 MiB), 'b.bin' (25 MiB), 'd.bin' (2 MiB)"
    )
    assert notices(workshop, exclude=["/a.bin"]) == []
    monkeypatch.setattr(folder_room, "LARGE", 58 << 20)
    assert len(notices(workshop)) == 1


def test_one_of_many_small_files_names_none(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder_room, "LARGE", 2 << 20)
    for number in range(30):
        with open(workshop.source / f"{number}.bin", "wb") as file:
            file.truncate(100 << 10)
    (line,) = notices(workshop)
    assert line == "web_apps: 'shop' has a source of 2 MiB, all of it sent to each host, in 33 files"


# --- Places -------------------------------------------------------------------------------------------------------


def test_home_is_home(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(workshop.folder))
    assert workshop.item(app(source="~/shop"))["release"]["source"] == str(workshop.source)


POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"


def test_a_pointer_of_git_lfs_is_no_file(workshop: Workshop) -> None:
    workshop.write("shop/static/logo.png", POINTER)
    assert workshop.problem(app()) == (
        "web_apps: 'shop' has 'source': 'static/logo.png' is a pointer of git LFS, not the file; "
        "run 'git lfs pull' in a folder, and give that or an archive"
    )
    assert workshop.problems(app(exclude=["*.png"])) == []


def test_what_stays_at_home_may_be_anything(workshop: Workshop) -> None:
    os.mkfifo(workshop.source / "pipe")
    (workshop.source / "link").symlink_to("/etc/passwd")
    assert len(workshop.problems(app())) == 2
    assert workshop.problems(app(exclude=["pipe", "link"])) == []


@pytest.mark.parametrize(
    ("key", "value", "what"),
    [
        ("sha256", "0" * 64, "an archive; its 'source' is a folder"),
        ("source_key", "key", "a git repository by SSH; its 'source' is a folder"),
    ],
)
def test_keys_of_other_kinds_are_refused(workshop: Workshop, key: str, value: str, what: str) -> None:
    assert workshop.problem(app(**{key: value})) == f"web_apps: 'shop' has '{key}', which is for {what}; leave it out"


@pytest.mark.parametrize(
    ("source", "url"),
    [
        ("github.com/x/y", "https://github.com/x/y"),
        ("git.example.com:8443/x/y.git", "https://git.example.com:8443/x/y.git"),
        ("git@git.test/x/y.git", "git@git.test:x/y.git"),
    ],
)
@pytest.mark.parametrize("ref", [{}, {"ref": "main"}])
def test_a_url_without_its_beginning_is_told(workshop: Workshop, source: str, url: str, ref: dict[str, str]) -> None:
    assert workshop.problem(app(source=source, **ref)) == (
        f"web_apps: 'shop' has 'source': there is no folder '{workshop.folder}/{source}'; did you mean '{url}'?"
    )


@pytest.mark.parametrize("source", ["shop.d/x", "../shop.git/x", "v1.0/x", "a/b.com/c"])
def test_a_path_isnt_taken_for_a_url(workshop: Workshop, source: str) -> None:
    assert workshop.problem(app(source=source)).endswith("; give one, relative to the playbook or absolute")


def test_a_bare_repository_is_told_with_its_url(workshop: Workshop) -> None:
    bare = workshop.folder / "shop.git"
    subprocess.run(["git", "init", "--quiet", "--bare", bare], check=True)
    assert workshop.problem(app(source="shop.git")) == (
        f"web_apps: 'shop' has 'source': '{bare}' is a bare git repository, which has no files; write 'file://{bare}'"
    )
