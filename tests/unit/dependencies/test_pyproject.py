"""A pyproject.toml, with the lock of uv or of Poetry beside it or alone."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from locked import Project, pinned
from settings import HASH, app

DEAD = "http://127.0.0.1:9/"
PYPROJECT = """
[project]
name = "own"
version = "{version}"
requires-python = ">=3.11"
dependencies = ["tiny"{more}]

[project.optional-dependencies]
web = ["server"]

[dependency-groups]
dev = ["checker"]
"""


@pytest.fixture
def own(project: Project) -> Project:
    """A project whose shop has a pyproject.toml alone."""
    (project.workshop.source / "requirements.txt").unlink()
    for name in ("server", "checker", "more"):
        project.index.add(name, "1.0")
    write(project)
    return project


def write(project: Project, more: str = "", version: str = "1.0", text: str = PYPROJECT) -> Path:
    return project.workshop.write("shop/pyproject.toml", text.format(more=more, version=version))


def uv_lock(project: Project) -> None:
    subprocess.run(
        ["uv", "lock", "--quiet", "--no-python-downloads"],
        cwd=project.workshop.source,
        env={**os.environ, "UV_DEFAULT_INDEX": project.index.url},
        check=True,
    )


def test_one_alone_is_locked_without_development_groups(own: Project) -> None:
    assert pinned(own.text()) == ["base==1.0", "tiny==1.0"]
    assert len(own.names()) == 1
    assert pinned(own.text(app(extras=["web"]))) == ["base==1.0", "server==1.0", "tiny==1.0"]
    assert len(own.names()) == 2


def test_what_changes_nothing_that_is_needed_keeps_the_lock(own: Project) -> None:
    before = own.text()
    write(own, version="2.0")
    assert own.text(url=DEAD) == before
    write(own, more=', "more"')
    assert pinned(own.text()) == ["base==1.0", "more==1.0", "tiny==1.0"]


def test_requirements_txt_comes_first_and_requirements_may_name_the_other(own: Project) -> None:
    own.needs(f"more==1.0 {HASH}\n")
    assert pinned(own.text()) == ["more==1.0"]
    assert pinned(own.text(app(requirements="pyproject.toml"))) == ["base==1.0", "tiny==1.0"]


def test_uv_lock_is_taken_as_it_is_without_the_index(own: Project) -> None:
    uv_lock(own)
    own.index.add("tiny", "2.0")
    text = own.text(url=DEAD)
    assert pinned(text) == ["base==1.0", "tiny==1.0"]
    assert text.count("--hash=") == 2
    assert pinned(own.text(app(extras=["web"]), url=DEAD)) == ["base==1.0", "server==1.0", "tiny==1.0"]
    assert not own.locks.exists()
    assert "uv can't lock uv.lock: " in own.problem(app(extras=["wbe"]), url=DEAD)
    assert own.problem(refresh="shop").endswith("so there is nothing to refresh; leave out -e refresh")


def test_a_uv_lock_that_lacks_something_is_refused(own: Project) -> None:
    uv_lock(own)
    write(own, more=', "More_Things[x]>=1"')
    assert own.problem() == (
        "web_apps: 'shop' has 'requirements': uv.lock doesn't have 'more-things', which pyproject.toml needs; "
        "run 'uv lock'"
    )


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ('"tiny>=2"', "it has tiny 1.0, but tiny >=2 is asked for"),
        ('"tiny<1"', "it has tiny 1.0, but tiny <1 is asked for"),
        ("\"Tiny>=2; sys_platform == 'linux'\"", "it has Tiny 1.0, but Tiny >=2 is asked for"),
    ],
)
def test_a_uv_lock_of_other_versions_is_refused(own: Project, more: str, told: str) -> None:
    uv_lock(own)
    write(own, more=f", {more}")
    assert own.problem(url=DEAD) == (
        f"web_apps: 'shop' has 'requirements': uv.lock doesn't fit pyproject.toml: {told}; run 'uv lock' and commit it"
    )


@pytest.mark.parametrize(
    "more",
    [
        '"tiny>=1,<2"',
        # Of some Python only, which may be no server's.
        "\"tiny>=2; python_version < '3.12'\"",
        "\"tiny>=2; sys_platform == 'win32'\"",
    ],
)
def test_a_uv_lock_that_may_fit_is_taken(own: Project, more: str) -> None:
    uv_lock(own)
    write(own, more=f", {more}")
    assert pinned(own.text(url=DEAD)) == ["base==1.0", "tiny==1.0"]


def test_uv_may_be_told_to_override_what_is_asked_for(own: Project) -> None:
    write(own, more=', "tiny>=2"', text=PYPROJECT + '\n[tool.uv]\noverride-dependencies = ["tiny<2"]\n')
    uv_lock(own)
    assert pinned(own.text(url=DEAD)) == ["base==1.0", "tiny==1.0"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[project", "'requirements': pyproject.toml can't be read as TOML: "),
        (
            "[tool.x]\n",
            "'requirements': pyproject.toml has no 'dependencies' in [project], and no uv.lock or poetry.lock",
        ),
        (
            '[project]\nname = "x"\ndynamic = ["dependencies"]\n',
            "'requirements': pyproject.toml leaves 'dependencies' to its build; name a requirements file instead",
        ),
        (
            '[project]\nname = "x"\nversion = "1"\ndependencies = []\nrequires-python = "<3"\n',
            "'requires-python', which excludes Python 3.11 and newer",
        ),
        (
            '[project]\nname = "x"\nversion = "1"\ndependencies = []\nrequires-python = "3"\n',
            "'requires-python', but it isn't like '>=3.11'; mend it",
        ),
        (
            '[project]\nname = "x"\nversion = "1"\ndependencies = ["lib @ file:///srv/lib"]\n',
            "'requirements': ",
        ),
    ],
)
def test_one_that_cant_be(own: Project, text: str, told: str) -> None:
    own.workshop.write("shop/pyproject.toml", text)
    assert told in own.problem()


def test_an_extra_that_isnt_there(own: Project) -> None:
    assert own.problem(app(extras=["wbe"])) == (
        "web_apps: 'shop' has 'extras': pyproject.toml has no extra 'wbe'. Known extras: web"
    )


def test_requires_python_raises_the_oldest_one(own: Project) -> None:
    write(own, text=PYPROJECT.replace(">=3.11", ">=3.12"))
    own.text()
    (lock,) = own.locks.iterdir()
    assert "for Python 3.12 and newer" in lock.read_text()


# --- Poetry -------------------------------------------------------------------------------------------------------

POETRY = """
[tool.poetry]
package-mode = false

[tool.poetry.dependencies]
python = ">=3.11,<4"
Tiny = "^1.0"
numpy = [{version = "<2.4", python = "<3.12"}, {version = ">=2.4", python = ">=3.12"}]
wind = {version = "*", markers = "sys_platform == 'win32'"}
server = {version = "*", optional = true}
core = {git = "https://git.test/core.git", tag = "v1"}

[tool.poetry.extras]
web = ["server"]

[tool.poetry.group.dev.dependencies]
checker = "*"
"""
LOCK = """
[[package]]
name = "checker"
version = "1.0"
groups = ["dev"]
files = [{file = "checker-1.0.whl", hash = "sha256:0c"}]

[[package]]
name = "tiny"
version = "1.2"
groups = ["main"]
files = [{file = "tiny-1.2.whl", hash = "sha256:01"}, {file = "tiny-1.2.tar.gz", hash = "sha256:02"}]
extras = {fast = ["speedup (>=1)"]}

[package.dependencies]
Base_Lib = ">=1"
wind = {version = "*", markers = "python_version < '3.12'"}
speedup = {version = "*", optional = true}

[[package]]
name = "base-lib"
version = "1.0"
files = [{file = "base.whl", hash = "sha256:03"}]
dependencies = {tiny = "*"}

[[package]]
name = "wind"
version = "3"
files = [{file = "wind.whl", hash = "sha256:04"}]

[[package]]
name = "numpy"
version = "2.3.5"
markers = 'python_version == "3.11"'
files = [{file = "numpy.whl", hash = "sha256:05"}]

[[package]]
name = "numpy"
version = "2.5.5"
markers = 'python_version >= "3.12"'
files = [{file = "numpy.whl", hash = "sha256:06"}]

[[package]]
name = "server"
version = "1.0"
optional = true
markers = 'extra == "web"'
files = [{file = "server.whl", hash = "sha256:07"}]
dependencies = {tiny = {version = "*", extras = ["fast"]}}

[[package]]
name = "speedup"
version = "1.0"
optional = true
files = [{file = "speedup.whl", hash = "sha256:08"}]

[[package]]
name = "core"
version = "1.0"
source = {type = "git", url = "https://git.test/core.git", reference = "v1", resolved_reference = "COMMIT"}

[metadata]
lock-version = "2.1"
""".replace("COMMIT", "c" * 40)


@pytest.fixture
def poems(project: Project) -> Project:
    (project.workshop.source / "requirements.txt").unlink()
    project.workshop.write("shop/pyproject.toml", POETRY)
    project.workshop.write("shop/poetry.lock", LOCK)
    return project


def lines(text: str) -> list[str]:
    return [line.removesuffix(" \\") for line in text.splitlines() if not line.startswith(" ")]


def test_poetry_lock_is_taken_for_the_main_group_with_markers_and_hashes(poems: Project) -> None:
    text = poems.text(url=DEAD)
    assert "tiny==1.2 \\\n    --hash=sha256:01 \\\n    --hash=sha256:02\n" in text
    assert lines(text) == [
        "base-lib==1.0",
        f"core @ git+https://git.test/core.git@{'c' * 40}",
        "numpy==2.3.5 ; ((python_version < '3.12') or (python_version >= '3.12')) and (python_version == \"3.11\")",
        "numpy==2.5.5 ; ((python_version < '3.12') or (python_version >= '3.12')) and (python_version >= \"3.12\")",
        "tiny==1.2",
        "wind==3 ; (python_version < '3.12') or (sys_platform == 'win32')",
    ]
    for line in lines(text):
        Requirement(line)
    assert not poems.locks.exists()


def test_an_extra_of_poetry_brings_what_it_needs_with_its_extras(poems: Project) -> None:
    plain, with_web = poems.text(url=DEAD), poems.text(app(extras=["web"]), url=DEAD)
    assert {*lines(with_web)} - {*lines(plain)} == {"server==1.0", "speedup==1.0"}
    assert poems.problem(app(extras=["wbe"])) == (
        "web_apps: 'shop' has 'extras': pyproject.toml has no extra 'wbe'. Known extras: web"
    )


@pytest.mark.parametrize(
    ("asked", "fits"),
    [
        *(
            ("^1.0", True),
            ("^1", True),
            ("^1.3", False),
            ("^2", False),
            ("^0.1", False),
            ("~1.2", True),
            ("~1.1", False),
        ),
        *(("~1", True), ("1.*", True), ("1.2", True), ("1.1", False), (">=1,<2", True), ("^0.9 || ^1.1", True)),
        *((">1.2", False), ("~=1.1", True), ("!=1.2", False), ("whatever", True)),
    ],
)
def test_a_poetry_lock_of_other_versions_is_refused(poems: Project, asked: str, fits: bool) -> None:
    poems.workshop.write("shop/pyproject.toml", POETRY.replace("^1.0", asked))
    if fits:
        assert "tiny==1.2" in lines(poems.text(url=DEAD))
    else:
        assert poems.problem() == (
            "web_apps: 'shop' has 'requirements': poetry.lock doesn't fit pyproject.toml: it has tiny 1.2, but "
            f"tiny {asked} is asked for; run 'poetry lock' and commit it"
        )


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            'name = "wind"',
            'name = "wynd"',
            "poetry.lock doesn't have 'wind', which pyproject.toml needs; run 'poetry lock'",
        ),
        (
            "markers = 'python_version >= \"3.12\"'",
            "",
            "poetry.lock has several versions of 'numpy', and doesn't say which",
        ),
        ('[{file = "wind.whl", hash = "sha256:04"}]', "[]", "poetry.lock has no hashes of 'wind'; run 'poetry lock'"),
        ('type = "git"', 'type = "directory"', "poetry.lock has 'core' from a directory of this machine; name it"),
        ("[metadata]", "[metadata", "poetry.lock can't be read as TOML"),
    ],
)
def test_a_poetry_lock_that_cant_be(poems: Project, old: str, new: str, told: str) -> None:
    assert old in LOCK
    poems.workshop.write("shop/poetry.lock", LOCK.replace(old, new))
    assert f"'shop' has 'requirements': {told}" in poems.problem()
