"""The wheelhouse: filled with what locks name for a host, and what a deploy takes of it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.dependencies.unsettled import Unsettled
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.dependencies.wheelhouse import (
    Target,
    Wheelhouse,
    pinned,
)
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.filling import fill
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.request import BadSettings

from index import wheel
from settings import app

if TYPE_CHECKING:
    from locked import Project

TRIXIE = Target("3.13", "x86_64", "2.41")
BOOKWORM = Target("3.11", "aarch64", "2.36")
HOST = {"python": "3.13", "machine": "x86_64", "glibc": "2.41"}
DEAD = "http://127.0.0.1:9/"
HERE = {"web_wheelhouse": "wheels"}


@pytest.fixture(autouse=True)
def no_other_index(monkeypatch: pytest.MonkeyPatch) -> None:
    """What this machine's pip is told besides has no part in it."""
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    for name in ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)


def filled(project: Project, *apps: Any, url: str = "", host: dict[str, str] = HOST, **given: Any) -> list[str]:
    """What a run says that fills the wheelhouse."""
    project.another_run()
    request = project.workshop.request(*(apps or [app()]), fill=True, **project.given(url), **{**HERE, **given})
    return fill(request, host)


def names(project: Project) -> list[str]:
    return sorted(path.name for path in (project.workshop.folder / "wheels").iterdir())


def refusal(project: Project, *apps: Any, **given: Any) -> str:
    with pytest.raises(BadSettings) as refused:
        filled(project, *apps, **given)
    (problem,) = refused.value.problems
    return str(problem)


# --- Filling ------------------------------------------------------------------------------------------------------


def test_it_gets_what_the_lock_names_and_nothing_twice(project: Project) -> None:
    both = ["base-1.0-py3-none-any.whl", "tiny-1.0-py3-none-any.whl"]
    assert filled(project) == [f"wheels/{name} is new" for name in both]
    assert names(project) == both
    # What the index has gained since is no part of the lock, and it isn't asked.
    project.index.add("tiny", "2.0")
    assert filled(project, url=DEAD) == []


def test_only_what_is_lacking_is_asked_for(project: Project) -> None:
    filled(project)
    (project.workshop.folder / "wheels/base-1.0-py3-none-any.whl").write_bytes(b"cut off")
    project.index.asked.clear()
    assert filled(project) == ["wheels/base-1.0-py3-none-any.whl is new"]
    assert {path.split("/")[1] for path in project.index.asked} == {"base"}


def test_a_check_says_what_would_be_new(project: Project) -> None:
    project.release()
    told = filled(project, url=DEAD, is_check=True)
    assert told == [f"wheels would get {name}==1.0 for Python 3.13 on x86_64" for name in ("base", "tiny")]
    assert not (project.workshop.folder / "wheels").exists()


def test_an_apps_own_wheel_is_asked_of_nobody(project: Project) -> None:
    made = wheel(project.workshop.folder / "dist", "own", "1.0", ["tiny"])
    own = app(source=..., module="own", package=f"dist/{made.name}")
    assert len(filled(project, own)) == 2
    release = project.release(own, url=DEAD, host=HOST, **HERE)
    assert [name for name, _digest in release["sent_wheels"]] == [
        "base-1.0-py3-none-any.whl",
        "tiny-1.0-py3-none-any.whl",
    ]


def test_where_there_is_no_wheel_it_says_what_to_do(project: Project) -> None:
    project.release()
    for path in (project.index.folder / "tiny").iterdir():
        path.unlink()
    (project.index.folder / "tiny/index.html").write_text("")
    assert refusal(project) == (
        "web_apps: 'shop' has 'requirements': pip can't download it: No matching distribution found for tiny==1.0; no "
        "index has a wheel of it for Python 3.13 on x86_64: lock a version that has one, or put your own on an index "
        "of yours"
    )


def test_an_index_that_doesnt_answer_is_told_without_its_password(project: Project) -> None:
    project.release()
    told = refusal(project, url="http://reader:hunter22@127.0.0.1:9/")
    assert told.endswith("; let this machine reach an index (PIP_INDEX_URL in 'web_build_environment')")
    assert "hunter22" not in told


def test_a_folder_must_be_named(project: Project) -> None:
    assert refusal(project, web_wheelhouse=...).startswith("web_wheelhouse: is not set; name the folder")


# --- What a deploy takes ------------------------------------------------------------------------------------------


def test_a_release_carries_the_wheels_by_their_hashes_and_stays_the_same(project: Project) -> None:
    plain = project.release(host=HOST)
    filled(project)
    release = project.release(url=DEAD, host=HOST, **HERE)
    folder = project.workshop.folder / "wheels"
    assert release["wheelhouse"] == str(folder)
    assert release["sent_wheels"] == [
        [name, hashlib.sha256((folder / name).read_bytes()).hexdigest()] for name in names(project)
    ]
    assert (plain["wheelhouse"], plain["sent_wheels"]) == ("", None)
    assert (release["id"], release["venv_key"]) == (plain["id"], plain["venv_key"])


@pytest.mark.parametrize("lost", ["", "base-1.0-py3-none-any.whl"])
def test_what_it_lacks_is_told_before_a_host_is_touched(project: Project, lost: str) -> None:
    filled(project)
    path = project.workshop.folder / "wheels" / (lost or "tiny-1.0-py3-none-any.whl")
    path.write_bytes(b"another") if lost else path.unlink()
    lacking = "base==1.0" if lost else "tiny==1.0"
    assert project.problem(**HERE) == (
        f"web_apps: 'shop' has 'requirements': wheels lacks {lacking}; fill it: "
        "ansible-playbook wheelhouse.yml -e app=shop"
    )


def test_of_many_it_names_a_few(tmp_path: Path) -> None:
    text = "".join(f"p{number}==1 --hash=sha256:00\n" for number in range(5))
    with pytest.raises(Unsettled) as refused:
        Wheelhouse(tmp_path / "none", "wheels", "shop").wheels(text, TRIXIE)
    assert refused.value.fault == (
        "wheels lacks p0==1, p1==1, p2==1 and 2 more for Python 3.13 on x86_64; fill it: "
        "ansible-playbook wheelhouse.yml -e app=shop"
    )


@pytest.mark.parametrize(
    ("line", "called"),
    [
        (f"core @ git+https://git.test/core@{'0' * 40}", "core"),
        (f"git+https://git.test/core@{'0' * 40}", "git+https"),
        ("core @ https://files.test/core.whl --hash=sha256:00", "core"),
    ],
)
def test_what_no_wheelhouse_holds_is_refused(line: str, called: str) -> None:
    with pytest.raises(
        Unsettled, match=f"'{called}' comes from a URL or repository, which no wheelhouse holds".replace("+", r"\+")
    ):
        list(pinned(f"{line}\n", TRIXIE))


MARKED = """
--index-url https://index.test/simple
always==1 \\
    --hash=sha256:00 \\
    --hash=sha256:11
    # via nobody
old[x]==1 ; python_full_version < '3.12' --hash=sha256:00
early==1 ; python_full_version < '3.13.4' --hash=sha256:00
late==1 ; python_full_version >= '3.13.4' --hash=sha256:00
windows==1 ; sys_platform == 'win32' --hash=sha256:00
arm==1 ; platform_machine == 'aarch64' and extra != 'x' --hash=sha256:00
"""


@pytest.mark.parametrize(
    ("target", "wanted"),
    [
        (TRIXIE, ["always==1", "early==1", "late==1"]),
        (BOOKWORM, ["always==1", "old==1", "early==1", "arm==1"]),
        (None, ["always==1"]),
    ],
    ids=str,
)
def test_markers_ask_for_the_host_not_for_this_machine(target: Target | None, wanted: list[str]) -> None:
    found = list(pinned(MARKED, target))
    assert [pin.called for pin in found] == wanted
    assert found[0].line == "always==1 --hash=sha256:00 --hash=sha256:11"


@pytest.mark.parametrize(
    ("target", "taken"),
    [
        (TRIXIE, "c-1-cp313-cp313-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"),
        (BOOKWORM, "c-1-cp39-abi3-manylinux2014_aarch64.whl"),
        (Target("3.14", "x86_64", "2.41"), "c-1-py3-none-any.whl"),
        (Target("3.13", "x86_64", "2.12"), "c-1-py3-none-any.whl"),
    ],
    ids=str,
)
def test_a_host_gets_the_best_that_it_can_use(tmp_path: Path, target: Target, taken: str) -> None:
    called = (
        "c-1-py3-none-any.whl",
        "c-1-cp313-cp313-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
        "c-1-cp313-cp313-manylinux_2_99_x86_64.whl",
        "c-1-cp313-cp313-musllinux_1_2_x86_64.whl",
        "c-1-cp313-cp313-win_amd64.whl",
        "c-1-cp39-abi3-manylinux2014_aarch64.whl",
        "no wheel.whl",
    )
    for name in called:
        (tmp_path / name).write_text(name)
    digests = [f"--hash=sha256:{hashlib.sha256(name.encode()).hexdigest()}" for name in called]
    found = Wheelhouse(tmp_path, "wheels", "shop").wheels(f"c==1 {' '.join(digests)}\n", target)
    assert [path.name for path in found] == [taken]


def test_a_file_that_cant_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "c-1-py3-none-any.whl"
    path.symlink_to("nowhere")
    with pytest.raises(Unsettled, match=f"{path} can't be read: No such file"):
        Wheelhouse(tmp_path, "wheels", "shop").wheels("c==1 --hash=sha256:00\n", TRIXIE)
