"""Sources in git: real repositories, fetched by the real git."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.source import command
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.source.git import Repository

from repositories import FILES, Upstream
from settings import Workshop, app


@pytest.fixture
def upstream(tmp_path: Path) -> Upstream:
    return Upstream(tmp_path / "upstream" / "shop")


def new_run(workshop: Workshop) -> None:
    """What follows belongs to another run."""
    shutil.rmtree(workshop.folder / "memory", ignore_errors=True)


def release(workshop: Workshop, **changes: Any) -> Any:
    return workshop.item(app(**changes))["release"]


def named(workshop: Workshop, **changes: Any) -> tuple[str, str]:
    """What the source is called and which commit it is."""
    made = release(workshop, **changes)
    return made["ref"], made["commit"]


def without_git(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "run", lambda words, **_more: pytest.fail(f"git {' '.join(words)} was run"))


# --- Which commit -------------------------------------------------------------------------------------------------


def test_what_head_leads_to_is_deployed(workshop: Workshop, upstream: Upstream) -> None:
    commit = upstream.git("rev-parse", "HEAD")
    made = release(workshop, source=upstream.url)
    assert [file[0] for file in made["files"]] == sorted(FILES)
    assert (made["ref"], made["commit"]) == ("HEAD", commit)
    assert Path(made["source"], "flask_wsgi.py").read_text() == "def app(environ, start_response): ...\n"
    assert stat_of(Path(made["source"])) == 0o700


def stat_of(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_refs_of_every_kind(workshop: Workshop, upstream: Upstream) -> None:
    first = upstream.git("rev-parse", "HEAD")
    upstream.git("tag", "v1")
    upstream.git("tag", "-a", "v1-told", "-m", "x")
    upstream.git("tag", "-a", "v1-twice", "-m", "x", "v1-told")
    second = upstream.commit({"flask_wsgi.py": "app = made(2)\n"})
    upstream.git("branch", "feature/größe", first)
    third = upstream.commit({"flask_wsgi.py": "app = made(3)\n"})
    for ref in ("v1", "v1-told", "v1-twice", "refs/tags/v1-told", "feature/größe", first, first[:9]):
        assert named(workshop, source=upstream.url, ref=ref) == (ref, first), ref
    # One that no name leads to, and that was never fetched.
    assert named(workshop, source=upstream.url, ref=second) == (second, second)
    for ref in ("main", "refs/heads/main"):
        assert named(workshop, source=upstream.url, ref=ref) == (ref, third)


def test_a_short_commit_from_before_what_was_fetched(workshop: Workshop, upstream: Upstream) -> None:
    first = upstream.git("rev-parse", "HEAD")
    second = upstream.commit({"flask_wsgi.py": "app = made(2)\n"})
    upstream.commit({"flask_wsgi.py": "app = made(3)\n"})
    named(workshop, source=upstream.url, ref="main")
    for commit in (first, second):
        assert named(workshop, source=upstream.url, ref=commit[:8]) == (commit[:8], commit)


def test_a_branch_and_a_tag_of_one_name_are_told_apart(workshop: Workshop, upstream: Upstream) -> None:
    first = upstream.git("rev-parse", "HEAD")
    upstream.git("tag", "x")
    second = upstream.commit({"a.py": ""})
    upstream.git("branch", "x")
    upstream.git("branch", "same")
    upstream.git("tag", "-a", "same", "-m", "x")
    told = "'x' is both a branch and a tag; write 'refs/heads/x' or 'refs/tags/x'"
    for source in (upstream.url, str(upstream.folder)):
        assert workshop.problem(app(source=source, ref="x")) == f"web_apps: 'shop' has 'source': {source}: {told}"
        assert named(workshop, source=source, ref="same")[1] == second
        assert named(workshop, source=source, ref="refs/heads/x")[1] == second
        assert named(workshop, source=source, ref="refs/tags/x")[1] == first


@pytest.mark.parametrize("by_url", [True, False])
@pytest.mark.parametrize("ref", ["mian", "v9", "0" * 40, "abcdef0", "refs/heads/mian"])
def test_a_ref_that_isnt_there(workshop: Workshop, upstream: Upstream, ref: str, by_url: bool) -> None:
    upstream.git("branch", "dev")
    source = upstream.url if by_url else str(upstream.folder)
    told = workshop.problem(app(source=source, ref=ref))
    if ref == "0" * 40 and by_url:
        why = f"the commit {ref} isn't there; it may have been replaced by a forced push"
    else:
        near = "; did you mean 'main'?" if ref == "mian" else "."
        why = f"there is no branch, tag or commit '{ref}'{near} Known names: dev, main"
    assert told == f"web_apps: 'shop' has 'source': {source}: {why}"


def test_a_branch_is_settled_once_for_a_run(
    workshop: Workshop, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    new_run(workshop)
    first = named(workshop, source=upstream.url, ref="main")[1]
    second = upstream.commit({"flask_wsgi.py": "app = made(2)\n"})
    # The plan of another host, a moment later.
    with monkeypatch.context() as offline:
        without_git(offline)
        assert named(workshop, source=upstream.url, ref="main")[1] == first
    new_run(workshop)
    assert named(workshop, source=upstream.url, ref="main")[1] == second


def test_so_is_what_went_wrong(workshop: Workshop, upstream: Upstream) -> None:
    new_run(workshop)
    told = workshop.problem(app(source=upstream.url, ref="dev"))
    upstream.git("branch", "dev")
    assert workshop.problem(app(source=upstream.url, ref="dev")) == told
    new_run(workshop)
    assert workshop.problems(app(source=upstream.url, ref="dev")) == []


def test_a_commit_needs_the_network_once(
    workshop: Workshop, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = upstream.git("rev-parse", "HEAD")
    before = release(workshop, source=upstream.url, ref=commit)
    new_run(workshop)
    upstream.folder.rename(upstream.folder.with_name("gone"))
    without_git(monkeypatch)
    assert release(workshop, source=upstream.url, ref=commit) == before


@pytest.mark.parametrize("ref", ["main", "v1", ""])
def test_what_was_moved_by_force_is_followed(workshop: Workshop, upstream: Upstream, ref: str) -> None:
    upstream.git("tag", "v1")
    named(workshop, source=upstream.url, ref=ref)
    new_run(workshop)
    other = upstream.commit({"flask_wsgi.py": "app = made('other')\n"}, amend=True)
    upstream.git("tag", "--force", "v1")
    made = release(workshop, source=upstream.url, ref=ref)
    assert made["commit"] == other
    assert Path(made["source"], "flask_wsgi.py").read_text() == "app = made('other')\n"


def test_the_same_bytes_are_the_same_release_from_wherever(workshop: Workshop, upstream: Upstream) -> None:
    for path, content in FILES.items():
        workshop.write(f"shop/{path}", content)
    upstream.git("tag", "v1")
    upstream.commit({})
    upstream.git("tag", "v2")
    made = [release(workshop, source=upstream.url, ref=ref) for ref in ("v1", "v2")]
    assert made[0]["id"] == made[1]["id"] == workshop.id()
    assert made[0]["commit"] != made[1]["commit"]


# --- Its files ----------------------------------------------------------------------------------------------------


def test_files_are_those_of_gits_objects(workshop: Workshop, upstream: Upstream) -> None:
    """No filter, no ends of lines, no hook, and what git tracks is code though .gitignore names it."""
    odd = {".gitattributes": "*.txt text eol=crlf ident\nsecret.txt export-ignore\n", ".gitignore": "dist/\n"}
    files = {"a.txt": "$Id$\n", "secret.txt": "x", "dist/app.js": "x", "größe\n.txt": "x", "empty": ""}
    upstream.commit({**odd, **files})
    (upstream.folder / "run.sh").write_text("#!/bin/sh\n")
    (upstream.folder / "run.sh").chmod(0o755)
    (upstream.folder / "link.py").symlink_to("flask_wsgi.py")
    (upstream.folder / "big.bin").write_bytes(os.urandom(3 << 20))
    commit = upstream.commit({})
    made = release(workshop, source=upstream.url, ref=commit)
    assert {file[0] for file in made["files"]} == {*FILES, *odd, *files, "run.sh", "link.py", "big.bin"}
    for path in (*odd, *files, "big.bin"):
        assert Path(made["source"], path).read_bytes() == (upstream.folder / path).read_bytes(), path
    assert {file[0] for file in made["files"] if file[2]} == {"run.sh"}


def test_what_stays_at_home_does_so_here_too(workshop: Workshop, upstream: Upstream) -> None:
    upstream.commit({".env": "x", ".deployignore": "tests/\n", "tests/a.py": "", "docs/a.md": ""})
    made = release(workshop, source=upstream.url, exclude=["docs/"])
    assert [file[0] for file in made["files"]] == sorted([*FILES, ".deployignore"])


def test_what_a_release_cant_hold_is_named(workshop: Workshop, upstream: Upstream) -> None:
    upstream.commit({"static/logo.png": f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 9\n"})
    (upstream.folder / "out").symlink_to("/etc/passwd")
    (upstream.folder / "folder").symlink_to("static")
    upstream.commit({})
    told = workshop.problems(app(source=upstream.url))
    assert [line.partition("'source': ")[2].partition(";")[0] for line in sorted(told)] == [
        "'folder' is a link to a folder",
        "'out' is a link out of the source",
        "'static/logo.png' is a pointer of git LFS, not the file",
    ]


def test_nothing_is_written_outside(workshop: Workshop, upstream: Upstream) -> None:
    """A tree that no git would make: a link, and a file by way of it."""
    blob = upstream.git("hash-object", "-w", "flask_wsgi.py")
    link = (
        subprocess.run(
            ["git", "-C", upstream.folder, "hash-object", "-w", "--stdin"],
            input=b"/tmp",
            capture_output=True,
            check=True,
        )
        .stdout.decode()
        .strip()
    )
    for name, listed in {
        "..": f"100644 blob {blob}\t..\n",
        ".git": f"100644 blob {blob}\t.GIT\n",
        "both": f"120000 blob {link}\ta\n040000 tree {upstream.git('rev-parse', 'HEAD^{tree}')}\ta\n",
    }.items():
        made = subprocess.run(
            ["git", "-C", upstream.folder, "mktree"], input=listed.encode(), capture_output=True, check=False
        )
        if made.returncode:
            continue
        commit = upstream.git("commit-tree", made.stdout.decode().strip(), "-m", "x")
        upstream.git("branch", f"bad-{name.strip('.')}x", commit)
    bad = [ref for ref in upstream.git("branch", "--format=%(refname:short)").split() if ref.startswith("bad-")]
    assert bad
    for ref in bad:
        assert workshop.problem(app(source=upstream.url, ref=ref)).startswith("web_apps: 'shop' has 'source': ")
    assert not list((workshop.folder / "cache").rglob("*/a/flask_wsgi.py"))
    assert not Path("/tmp/flask_wsgi.py").exists()


def test_a_tree_is_there_whole_or_not_at_all(
    workshop: Workshop, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = upstream.git("rev-parse", "HEAD")

    def cut(_repository: Repository, _items: object, folder: Path) -> None:
        (folder / "half.py").write_text("")
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(Repository, "write", cut)
        with pytest.raises(KeyboardInterrupt):
            release(workshop, source=upstream.url, ref=commit)
    assert not list((workshop.folder / "cache").rglob("half.py"))
    assert [file[0] for file in release(workshop, source=upstream.url, ref=commit)["files"]] == sorted(FILES)


# --- A folder's own repository ------------------------------------------------------------------------------------


def test_a_ref_of_a_folder_is_not_what_stands_there(workshop: Workshop, upstream: Upstream) -> None:
    first = upstream.git("rev-parse", "HEAD")
    upstream.git("tag", "v1")
    upstream.commit({"flask_wsgi.py": "app = made(2)\n"})
    (upstream.folder / "flask_wsgi.py").write_text("app = made('not committed')\n")
    (upstream.folder / "new.py").write_text("")
    made = release(workshop, source=str(upstream.folder), ref="v1")
    assert (made["ref"], made["commit"]) == ("v1", first)
    assert Path(made["source"], "flask_wsgi.py").read_text() == "def app(environ, start_response): ...\n"
    assert release(workshop, source=str(upstream.folder))["commit"] == ""
    # Its own repository stays as it is.
    assert upstream.git("for-each-ref", "--format=%(refname)").split() == ["refs/heads/main", "refs/tags/v1"]


def test_a_folder_within_a_repository(workshop: Workshop, tmp_path: Path) -> None:
    upstream = Upstream(tmp_path / "mono", {f"apps/shop/{path}": content for path, content in FILES.items()})
    made = release(workshop, source=str(upstream.folder / "apps/shop"), ref="main")
    assert [file[0] for file in made["files"]] == sorted(FILES)


def test_a_ref_needs_git(workshop: Workshop) -> None:
    told = workshop.problem(app(ref="main"))
    assert told.startswith("web_apps: 'shop' has 'ref', but its 'source' can't be read by git: not a git repository")
    assert told.endswith("; leave 'ref' out, or give a repository as 'source'")
    there = workshop.problem(app(source="elsewhere", ref="main"))
    assert there == (
        f"web_apps: 'shop' has 'source': there is no folder '{workshop.folder}/elsewhere'; "
        "give one, relative to the playbook or absolute"
    )


def test_a_branch_by_its_name_in_a_clone(workshop: Workshop, upstream: Upstream) -> None:
    assert workshop.problem(app(source=upstream.url, ref="origin/main")) == (
        f"web_apps: 'shop' has 'source': {upstream.url}: there is no branch, tag or commit 'origin/main'; "
        "there it is called 'main'"
    )


# --- Submodules ---------------------------------------------------------------------------------------------------


@pytest.fixture
def nested(upstream: Upstream, tmp_path: Path) -> Upstream:
    """The app has a submodule beside it, which has one in turn."""
    Upstream(tmp_path / "upstream/deep", {"deep.py": "deep\n"})
    lib = Upstream(tmp_path / "upstream/lib", {"lib.py": "lib\n"})
    lib.git("submodule", "--quiet", "add", "../deep", "vendor/deep")
    lib.commit({})
    upstream.git("submodule", "--quiet", "add", "--name", "a lib.x", lib.url, "lib")
    upstream.git("config", "--file", ".gitmodules", "submodule.a lib.x.url", "../lib")
    upstream.commit({})
    return upstream


@pytest.mark.parametrize("by_url", [True, False])
def test_submodules_come_along(workshop: Workshop, nested: Upstream, by_url: bool) -> None:
    source = nested.url if by_url else str(nested.folder)
    made = release(workshop, source=source, ref="main")
    beside = {"lib/lib.py", "lib/vendor/deep/deep.py", "lib/.gitmodules", ".gitmodules"}
    assert {file[0] for file in made["files"]} == {*FILES, *beside}
    assert Path(made["source"], "lib/vendor/deep/deep.py").read_text() == "deep\n"


def test_a_submodule_that_isnt_there(workshop: Workshop, nested: Upstream) -> None:
    (nested.folder.parent / "deep").rename(nested.folder.parent / "gone")
    told = workshop.problem(app(source=nested.url))
    gone = f"file://{nested.folder.parent}/deep"
    assert told.startswith(
        f"web_apps: 'shop' has 'source': {nested.url}: its submodule 'lib' (file://{nested.folder.parent}/lib): "
        f"its submodule 'vendor/deep' ({gone}): "
    )
    nested.git("rm", "--quiet", "--cached", ".gitmodules")
    nested.git("commit", "--quiet", "-m", "x")
    assert "'lib' is a submodule, but .gitmodules has no URL of it" in workshop.problem(
        app(source=nested.url, ref="main")
    )


# --- What goes wrong ----------------------------------------------------------------------------------------------


def test_an_empty_repository(workshop: Workshop, tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet", tmp_path / "empty"], check=True)
    url = f"file://{tmp_path}/empty"
    for ref in ({}, {"ref": "main"}):
        assert workshop.problem(app(source=url, **ref)) == (
            f"web_apps: 'shop' has 'source': {url}: it has no branch and no tag; push a commit first, or mend "
            "the URL if it is that of a web page"
        )


def test_a_head_that_leads_nowhere(workshop: Workshop, upstream: Upstream) -> None:
    upstream.git("symbolic-ref", "HEAD", "refs/heads/none")
    told = workshop.problem(app(source=upstream.url))
    assert told.endswith("the repository's HEAD leads to no branch; name one as 'ref'")
    assert workshop.problems(app(source=upstream.url, ref="main")) == []


def test_no_repository(workshop: Workshop) -> None:
    told = workshop.problem(app(source="file:///nowhere/shop.git"))
    assert told == (
        "web_apps: 'shop' has 'source': file:///nowhere/shop.git: "
        "'/nowhere/shop.git' does not appear to be a git repository; mend the path"
    )


def test_no_network(workshop: Workshop) -> None:
    told = workshop.problem(app(source="https://git.invalid/shop.git"))
    assert told == (
        "web_apps: 'shop' has 'source': https://git.invalid/shop.git: "
        "unable to access 'https://git.invalid/shop.git/': Could not resolve host: git.invalid; mend the host's "
        "name, or let this machine reach a name server"
    )
    told = workshop.problem(app(source="git@git.invalid:shop.git"))
    assert told.startswith("web_apps: 'shop' has 'source': git@git.invalid:shop.git: ssh: Could not resolve hostname")


def test_no_git(workshop: Workshop, upstream: Upstream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    told = workshop.problem(app(source=upstream.url))
    assert told == (f"web_apps: 'shop' has 'source': {upstream.url}: there is no git on this machine; install it")


def test_one_that_never_answers(workshop: Workshop, upstream: Upstream, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its helpers end with it."""
    fake = workshop.write("bin/ssh", "#!/bin/sh\necho $$ > $0.pid\nsleep 60\n")
    fake.chmod(0o755)
    monkeypatch.setenv("GIT_SSH_COMMAND", str(fake))
    real = command.run
    monkeypatch.setattr(command, "run", lambda words, **more: real(words, **{**more, "timeout": 1}))
    began = time.monotonic()
    told = workshop.problem(app(source="git@git.test:shop.git"))
    assert time.monotonic() - began < 40
    assert told == (
        "web_apps: 'shop' has 'source': git@git.test:shop.git: git didn't end within 1 s; look whether that server "
        "answers this machine"
    )
    helper = Path("/proc", Path(f"{fake}.pid").read_text().strip(), "stat")
    # It is killed, and a busy machine may take a moment to see to that.
    end = time.monotonic() + 10
    while helper.exists() and " Z " not in helper.read_text():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_what_a_hook_left_in_the_environment_misleads_nobody(
    workshop: Workshop, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY"):
        monkeypatch.setenv(name, "/nowhere")
    assert release(workshop, source=upstream.url)["commit"]
    assert release(workshop, source=str(upstream.folder), ref="main")["commit"]
