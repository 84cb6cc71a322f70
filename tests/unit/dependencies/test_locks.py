"""Requirements without hashes: resolved once, kept in the project, the same for every host and run."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.checked import parse

from index import wheel
from locked import Project, pinned
from settings import HASH, app

DEAD = "http://127.0.0.1:9/"


def test_all_that_is_needed_is_locked_with_hashes_in_a_file_of_the_project(project: Project) -> None:
    text = project.text()
    assert pinned(text) == ["base==1.0", "tiny==1.0"]
    assert text.count("--hash=sha256:") == 2
    (name,) = project.names()
    assert re.fullmatch(r"shop-[0-9a-f]{8}\.txt", name)
    lock = (project.locks / name).read_text()
    assert lock.endswith(f"\n\n{text}")
    assert "'shop' installs by requirements.txt" in lock.splitlines()[0]
    assert "-e refresh=shop" in lock.splitlines()[1]


def test_a_lock_is_used_as_it_is_whatever_the_index_has_gained(project: Project) -> None:
    """By the next host, the next run, and the repair of a virtualenv: without the index."""
    first = project.release()
    project.index.add("tiny", "2.0")
    again = project.release(url=DEAD, python="3.13.9")
    repaired = project.release(url=DEAD, host={"apps": {"shop": {"renew": ["the virtualenv was changed"]}}})
    assert again["locked"] == repaired["locked"] == first["locked"]
    assert (again["id"], again["venv_key"]) == (first["id"], first["venv_key"])
    assert repaired["venv_key"] == first["venv_key"]


def test_refresh_locks_anew(project: Project) -> None:
    project.text()
    project.index.add("tiny", "2.0")
    project.index.add("base", "1.1")
    assert pinned(project.text(app(), refresh="shop")) == ["tiny==2.0"]
    # And again in the plan of the same run, and of each of its hosts.
    assert pinned(project.text(run="same", url=DEAD, refresh="shop")) == ["tiny==2.0"]
    assert pinned(project.text(url=DEAD)) == ["tiny==2.0"]
    assert len(project.names()) == 1


def test_other_inputs_have_a_lock_of_their_own_in_which_old_packages_keep_their_versions(project: Project) -> None:
    project.text()
    project.index.add("tiny", "2.0")
    project.index.add("new", "3.0")
    project.needs("tiny\nnew\n")
    assert pinned(project.text()) == ["base==1.0", "new==3.0", "tiny==1.0"]
    assert len(project.names()) == 2
    project.needs("tiny\n")
    assert pinned(project.text(url=DEAD)) == ["base==1.0", "tiny==1.0"]


def test_the_lock_that_was_made_last_is_where_another_begins(project: Project) -> None:
    project.text()
    (first,) = project.locks.iterdir()
    older = first.read_text().replace("Locked 2", "Locked 1").replace("tiny==1.0", "tiny==0.5") + "# long\n"
    (project.locks / "shop-00000000.txt").write_text(older)
    (project.locks / "shop-2-00000000.txt").write_text(first.read_text().replace("Locked 2", "Locked 3"))
    project.index.add("tiny", "0.5")
    project.index.add("tiny", "2.0")
    project.needs("tiny>=0.5\n")
    assert "tiny==1.0" in pinned(project.text())


def test_a_remark_needs_no_other_lock(project: Project) -> None:
    before = project.text()
    project.needs("# all\n\ntiny   # why\n")
    assert project.text(url=DEAD) == before


def test_it_is_told_once_that_a_lock_is_new(project: Project) -> None:
    (told,) = project.notices()
    (name,) = project.names()
    assert told == f"locks/{name} is new (2 packages); commit it"
    # To every host of the run, so that it doesn't matter which one is asked.
    assert project.notices() == [told]
    project.another_run()
    assert project.notices() == []
    project.index.add("base", "1.1")
    project.another_run()
    assert project.notices(refresh="shop") == [f"locks/{name} is renewed (2 packages); commit it"]
    project.another_run()
    assert project.notices(refresh="shop") == []


def test_a_rehearsal_writes_nothing_below_the_project(project: Project) -> None:
    before = sorted(project.workshop.folder.iterdir())
    first = project.text(is_check=True)
    assert pinned(first) == ["base==1.0", "tiny==1.0"]
    assert project.names() == []
    assert {path.name for path in {*project.workshop.folder.iterdir()} - {*before}} <= {"memory", "uv"}
    (told,) = project.notices(is_check=True)
    assert re.fullmatch(r"locks/shop-[0-9a-f]{8}\.txt would be new \(2 packages\); commit it", told)
    # The plan of the same rehearsal is made of the same.
    project.index.add("tiny", "2.0")
    assert project.text(run="same", url=DEAD, is_check=True) == first


def test_a_failure_is_asked_for_once_in_a_run(project: Project) -> None:
    project.needs("tiny>9\n")
    project.problem()
    asked = len(project.index.asked)
    assert asked
    project.workshop.problem(app(), **project.given())
    assert len(project.index.asked) == asked


def test_each_app_has_its_own(project: Project) -> None:
    project.workshop.item(app(), app(name="wiki", source="shop", server_names=["w.test"]), **project.given())
    assert [name[:5] for name in project.names()] == ["shop-", "wiki-"]


def test_the_oldest_python_of_the_servers_counts(project: Project) -> None:
    project.text()
    project.text(web_lock_python="3.13")
    assert len(project.names()) == 2


def test_what_serves_an_app_on_a_python_of_its_own_is_locked_with_the_rest(project: Project) -> None:
    project.text()
    before = project.names()
    project.index.add("pyuwsgi", "2.0.30")
    own = project.release(app(python="3.13"), python="3.13.5")
    assert pinned(own["locked"]) == ["base==1.0", "pyuwsgi==2.0.30", "tiny==1.0"]
    assert own["python"] == "3.13"
    assert project.release(app(python="3.13"), python="3.11.2", url=DEAD)["venv_key"] == own["venv_key"]
    (lock,) = {*project.names()} - {*before}
    assert "for Python 3.13 and newer" in (project.locks / lock).read_text()


def test_a_lock_of_the_apps_own_must_have_what_serves_it(project: Project) -> None:
    project.needs(f"tiny==1.0 {HASH}\n")
    assert project.problem(app(python="3.12")) == (
        "web_apps: 'shop' has 'python': requirements.txt brings its lock, and pyuwsgi isn't in it, which serves an "
        "app on a Python of its own; add 'pyuwsgi>=2.0.28,<2.1' to what the app needs, and lock again"
    )
    project.needs(f"tiny==1.0 {HASH}\npyuwsgi==2.0.30 {HASH}\n")
    own = project.release(app(python="3.13"))
    assert pinned(own["locked"]) == ["tiny==1.0", "pyuwsgi==2.0.30"]
    # Though the host's is a 3.13 too: it may be another one.
    assert own["venv_key"] != project.release(python="3.13.5")["venv_key"]


def test_files_that_are_led_to_are_followed(project: Project) -> None:
    project.index.add("base", "2.0")
    project.workshop.write("shop/reqs/more.txt", "-c ../limits.txt\ntiny\n")
    project.workshop.write("shop/limits.txt", "base<2\n")
    project.needs("-r reqs/more.txt\n")
    assert pinned(project.text()) == ["base==1.0", "tiny==1.0"]
    project.workshop.write("shop/limits.txt", "base>1\n")
    assert pinned(project.text()) == ["base==2.0", "tiny==1.0"]
    assert len(project.names()) == 2


def test_options_that_pip_needs_are_kept(project: Project) -> None:
    project.needs(f"--extra-index-url {project.index.url}\ntiny\n")
    assert project.text(url=DEAD).splitlines()[0] == f"--extra-index-url {project.index.url}"


def test_a_lock_that_was_edited_is_refused(project: Project) -> None:
    project.text()
    (lock,) = project.locks.iterdir()
    lock.write_text("# mine\n\ntiny==1.0\n")
    assert project.problem() == (
        f"web_apps: 'shop' has 'requirements': locks/{lock.name} is no lock: 'tiny==1.0' has neither a hash nor a "
        "commit; restore the file, or make it anew: -e refresh=shop"
    )
    assert pinned(project.text(refresh="shop")) == ["base==1.0", "tiny==1.0"]


def test_what_brings_its_lock_cant_be_refreshed(project: Project) -> None:
    project.needs(f"tiny==1.0 {HASH}\n")
    assert project.text() == f"tiny==1.0 {HASH}\n"
    assert project.problem(refresh="shop") == (
        "web_apps: 'shop' has 'requirements': requirements.txt brings its lock, so there is nothing to refresh; "
        "leave out -e refresh"
    )


# --- A package in place of a source -------------------------------------------------------------------------------

PACKAGE = {"source": ..., "module": "tiny", "package": "tiny"}


def test_a_package_is_locked_and_brings_no_files(project: Project) -> None:
    release = project.release(app(**PACKAGE))
    assert pinned(release["locked"]) == ["base==1.0", "tiny==1.0"]
    assert (release["files"], release["ref"]) == ([], "tiny 1.0")
    assert project.workshop.item(app(**PACKAGE), **project.given())["app"]["static_url"] == "/"
    project.index.add("tiny", "2.0")
    assert project.release(app(**PACKAGE), url=DEAD)["id"] == release["id"]
    assert project.release(app(**{**PACKAGE, "package": "tiny==2.0"}))["ref"] == "tiny 2.0"


def test_a_wheel_is_carried_with_its_hash(project: Project) -> None:
    made = wheel(project.workshop.folder / "dist", "own", "1.0", ["tiny", "more; extra == 'web'"], ["web"])
    project.index.add("more", "1.0")
    given = {**PACKAGE, "module": "own", "package": f"dist/{made.name}[web]"}
    release = project.release(app(**given))
    assert pinned(release["locked"]) == ["base==1.0", "more==1.0", "tiny==1.0"]
    assert "own[web]==1.0 \\\n    --hash=sha256:" in release["locked"]
    assert release["wheels"] == [made.name]
    assert [file[0] for file in release["files"]] == [made.name]
    assert (release["source"], release["ref"]) == (str(made.parent), "own 1.0")
    # Built anew with the same needs: another release by the same lock, without the index.
    wheel(made.parent, "own", "1.0", ["tiny", "more; extra == 'web'"], ["web"]).write_bytes(made.read_bytes() + b"\0")
    again = project.release(app(**given), url=DEAD)
    assert again["version"] != release["version"]
    assert len(project.names()) == 1


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"source": "shop"}, "'source' beside 'package': a package brings its own, and has no source; leave one"),
        ({"requirements": "a.txt"}, "'requirements' beside 'package'"),
        ({"static_folder": "public"}, "'static_folder' beside 'package'"),
        ({"package": "dist/gone-1.0-py3-none-any.whl"}, "'package': there is no file"),
        ({"package": "shop/bad-1.0-py3-none-any.whl"}, "'package': 'bad-1.0-py3-none-any.whl' is no wheel"),
        ({"package": "shop/bad.whl"}, "'package': 'bad.whl' is no wheel"),
        ({"package": "index/base/base-1.0-py3-none-any.whl[x]"}, "has no extra 'x'. Known extras: none"),
        ({"package": "nothing-of-the-kind"}, "'package': uv can't lock 'nothing-of-the-kind'"),
    ],
    ids=str,
)
def test_a_package_that_cant_be(project: Project, changes: dict[str, Any], told: str) -> None:
    for name in ("bad-1.0-py3-none-any.whl", "bad.whl"):
        project.workshop.write(f"shop/{name}", "no zip")
    assert told in project.problem(app(**{**PACKAGE, **changes}))


# --- What uv says -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("needs", "said", "remedy"),
    [
        ("nosuch\n", "because nosuch was not found in the package registry", "mend its name, or name the index"),
        ("tiny==9\n", "because there is no version of tiny==9", "loosen what can't be had together"),
        ("tiny===\n", "Couldn't parse requirement in 'requirements.txt'", "mend what it names"),
        ("tiny[x\n", "requirements.txt", "mend what it names"),
    ],
)
def test_each_cause_is_told_in_one_line_with_its_remedy(project: Project, needs: str, said: str, remedy: str) -> None:
    project.needs(needs)
    told = project.problem()
    assert told.startswith("web_apps: 'shop' has 'requirements': uv can't lock requirements.txt: ")
    assert said.lower() in told.lower()
    assert f"; {remedy}" in told


def test_without_network_it_says_what_would_help(project: Project) -> None:
    told = project.problem(url="http://reader:hunter2@127.0.0.1:9/simple")
    assert "Connection refused" in told
    assert "or commit a lock made elsewhere" in told
    assert "hunter2" not in told
    assert "reader" not in told


def test_a_password_of_an_index_is_in_no_lock(project: Project) -> None:
    url = project.index.url.replace("http://", "http://reader:hunter2@")
    text = project.text(url=url, web_build_environment={"PIP_INDEX_URL": url, "PIP_EXTRA_INDEX_URL": url})
    assert pinned(text) == ["base==1.0", "tiny==1.0"]
    assert all("hunter2" not in path.read_text() for path in project.locks.iterdir())
    assert "://" not in text


def test_what_stands_below_the_uv_of_the_environment_is_said(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("uv.find_uv_bin", lambda: (_ for _ in ()).throw(FileNotFoundError))
    monkeypatch.setattr("shutil.which", lambda _name: None)
    assert project.problem().endswith("uv isn't installed beside Ansible, and it makes locks; run 'make setup'")


def test_locks_may_be_kept_elsewhere(project: Project) -> None:
    (notice,) = project.notices(web_locks="../settings/locks")
    (path,) = (project.workshop.folder.parent / "settings/locks").iterdir()
    assert notice.startswith(f"../settings/locks/{path.name} is new")
    assert not project.locks.exists()


@pytest.mark.parametrize(
    "damaged",
    [
        lambda _text: "",
        lambda text: text[: len(text) // 2],
        lambda text: text.partition("\n\n")[2],
        lambda text: text.replace("base==1.0", "base==0.9"),
        lambda text: re.sub(r"sha256:\w+", "sha256:zz", text),
    ],
    ids=["emptied", "cut off", "without its head", "another version", "other hashes"],
)
def test_a_lock_that_isnt_as_it_was_made(project: Project, damaged: Callable[[str], str]) -> None:
    project.text()
    (path,) = project.locks.iterdir()
    path.write_text(damaged(path.read_text()))
    remedy = "it was cut off or edited; restore the file, or make it anew: -e refresh=shop"
    assert project.problem() == f"web_apps: 'shop' has 'requirements': locks/{path.name} is no lock: {remedy}"
    assert project.notices(refresh="shop") != []


def test_a_new_lock_is_told_though_another_app_is_wrong(project: Project) -> None:
    wiki = app(name="wiki", source="shop", server_names=["wiki.test"], processes=0)
    settings, problems = parse(project.workshop.request(app(), wiki, **project.given()))
    assert len(problems) == 1
    told = [notice.partition(" (")[0] for notice in settings.new_locks()]
    assert told == [f"locks/{name} is new" for name in project.names()]


def test_an_extra_that_a_package_doesnt_have_is_told(project: Project) -> None:
    """uv and pip only warn, and the app would miss what it needs."""
    project.needs("Tiny[Fast, no_such]\n")
    assert project.problem() == (
        "web_apps: 'shop' has 'requirements': tiny==1.0 has no extra 'fast'; mend its name, or leave it out"
    )
    name = app(package="tiny[fast]==1.0", module="tiny")
    assert project.problem(name).startswith("web_apps: 'shop' has 'package': tiny==1.0 has no extra 'fast'; mend")


def test_an_extra_that_another_package_asks_for_in_vain_is_no_fault_of_the_app(project: Project) -> None:
    project.index.add("top", "1.0", ["tiny[fast]"])
    project.needs("top\ntiny\n")
    assert "tiny==1.0" in pinned(project.text())


def test_a_folder_that_cant_be_written_is_told_with_its_key(project: Project) -> None:
    told = project.problem(web_locks="/proc/nothing")
    beginning, _path, ending = re.split(r"(/proc/nothing/shop-\w{8}\.txt)", told)
    assert beginning == "web_apps: 'shop' has 'requirements': "
    assert ending == (
        " can't be written: No such file or directory; let the user who deploys write there, or name another folder in "
        "'web_locks'"
    )
