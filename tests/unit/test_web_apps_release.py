"""What follows from good settings: ids that change when, and only when, something else would run; paths and names."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import web_apps
from settings import CONTRACT, PYTHON, Workshop, app
from web_apps import App, Contract, code_files, public_keys

# --- The id -------------------------------------------------------------------------------------------------------

# Another good value of each key that an instance carries: its release differs.
IN_THE_RELEASE: dict[str, Any] = {
    "name": "shop-2",
    "module": "other",
    "callable": "create_app",
    "requirements": "other.txt",
    "require_hashes": False,
    "static_folder": "public",
    "environment": {"A": "x"},
    "before_live": ["flask db upgrade"],
    "after_live": ["flask warm-up"],
    "processes": 8,
    "threads": 1,
    "listen_queue": 100,
    "request_timeout": 31,
    "max_requests": 200_000,
}
# And of each that it doesn't: the same instance goes on.
NOT_IN_THE_RELEASE: dict[str, Any] = {
    "server_names": ["b.test"],
    "source": "copy",
    "static_url": "/",
    "max_body": "9m",
    "health_path": "/",
    "health_successes": 1,
    "start_timeout": 99,
    "keep_releases": 9,
    "purge": True,
}


@pytest.fixture
def rich(workshop: Workshop) -> Workshop:
    """A source in which all the values above make sense."""
    workshop.write("shop/other.py", "")
    workshop.write("shop/other.txt", "")
    workshop.write("shop/public/a.css", "")
    shutil.copytree(workshop.source, workshop.folder / "copy")
    return workshop


@pytest.mark.parametrize("key", IN_THE_RELEASE)
def test_what_an_instance_carries_makes_a_new_release(rich: Workshop, key: str) -> None:
    changes = {"source": "shop", key: IN_THE_RELEASE[key]}
    assert rich.id(app(**changes)) != rich.id(app(source="shop"))


@pytest.mark.parametrize("key", NOT_IN_THE_RELEASE)
def test_what_it_doesnt_carry_makes_none(rich: Workshop, key: str) -> None:
    assert rich.id(app(**{key: NOT_IN_THE_RELEASE[key]})) == rich.id()


def test_of_every_key_it_is_known_which_it_is() -> None:
    assert IN_THE_RELEASE.keys() | NOT_IN_THE_RELEASE.keys() | {"state"} == public_keys().keys()
    assert not IN_THE_RELEASE.keys() & NOT_IN_THE_RELEASE.keys()


def _edit(path: str) -> Callable[[Workshop], object]:
    return lambda workshop: workshop.write(path, "changed")


SOURCE_CHANGES: dict[str, Callable[[Workshop], object]] = {
    "a byte": lambda workshop: workshop.write("shop/flask_wsgi.py", "app = Nonf\n"),
    "an executable bit": lambda workshop: (workshop.source / "flask_wsgi.py").chmod(0o755),
    "a file more": _edit("shop/static/new.css"),
    "an empty file more": lambda workshop: workshop.write("shop/new.py", ""),
    "a file less": lambda workshop: (workshop.source / "static" / "style.css").unlink(),
    "another name": lambda workshop: (workshop.source / "static").rename(workshop.source / "styles"),
    "the requirements": lambda workshop: workshop.write("shop/requirements.txt", ""),
    "a hidden file": _edit("shop/.flaskenv"),
    "a template": _edit("templates/ini.j2"),
    "a template more": _edit("templates/unit.j2"),
}


@pytest.mark.parametrize("what", SOURCE_CHANGES)
def test_so_does_the_source_and_what_instances_are_made_from(workshop: Workshop, what: str) -> None:
    before = workshop.id()
    SOURCE_CHANGES[what](workshop)
    assert workshop.id() != before


def test_a_file_that_changed_and_has_its_old_time_and_size(workshop: Workshop) -> None:
    """As after `touch -r` or `rsync -t`, within one run."""
    before = workshop.id()
    file = workshop.source / "flask_wsgi.py"
    stamp = os.stat(file)
    # The clock that stamps files ticks every few milliseconds.
    time.sleep(0.05)
    file.write_text("app = Nonf\n")
    os.utime(file, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert workshop.id() != before


@pytest.mark.parametrize(
    "circumstances",
    [
        {"secrets": {"shop": {"A": "xxxx"}}},
        {"secrets": {"shop": {"A": "yyyy"}}},
        {"secrets": {"shop": {"B": "xxxx"}}},
        {"python": "3.13.6"},
        {"python": "3.11.2"},
        *(
            {name: {"app_root": "/srv", "run_root": "/run/x", "http_port": 81}.get(name, "other")}
            for name in Contract.__dataclass_fields__
        ),
    ],
    ids=str,
)
def test_so_do_secrets_python_and_the_contract(workshop: Workshop, circumstances: dict[str, Any]) -> None:
    others = [{}, {"secrets": {"shop": {"A": "zzzz"}}}]
    assert workshop.id(**circumstances) not in [workshop.id(**other) for other in others]


def test_equal_inputs_make_equal_ids(workshop: Workshop) -> None:
    first = workshop.id(app(environment={"A": "1", "B": "2"}))
    workshop.source.rename(workshop.folder / "elsewhere")
    copied = workshop.folder / "elsewhere" / "static" / "copied"
    copied.write_text("")
    (workshop.folder / "elsewhere" / "static" / "style.css").unlink()
    copied.rename(workshop.folder / "elsewhere" / "static" / "style.css")
    again = app(source=str(workshop.folder / "elsewhere"), environment={"B": "2", "A": "1"})
    assert workshop.id(again) == first


def test_an_id_is_twelve_hexadecimal_digits(workshop: Workshop) -> None:
    assert re.fullmatch("[0-9a-f]{12}", workshop.id())


def test_an_environment_is_not_a_secret(workshop: Workshop) -> None:
    """A value that moves between the two has to be hidden, or shown, from then on: a new release."""
    assert workshop.id(app(environment={"A": "xxxx"})) != workshop.id(secrets={"shop": {"A": "xxxx"}})


# --- What is code -------------------------------------------------------------------------------------------------

NOT_CODE = [
    ".git/config",
    ".git",
    ".hg/x",
    ".svn/x",
    "__pycache__/a.txt",
    "pkg/__pycache__/a.pyc",
    "pkg/a.pyc",
    ".venv/x",
    "venv/lib/x.py",
    "node_modules/x/y.js",
    "pkg/node_modules/x.js",
    ".ruff_cache/x",
    ".pytest_cache/x",
    ".tox/x",
    ".nox/x",
]


@pytest.mark.parametrize("path", NOT_CODE)
def test_what_is_no_code_doesnt_count(workshop: Workshop, path: str) -> None:
    before = workshop.id()
    workshop.write(f"shop/{path}", "x")
    assert workshop.id() == before


@pytest.mark.parametrize("path", ["venvs/x", "my.git", "a.pyc.txt", "gitignore", "cache", "_cache/x", "pkg/a.py"])
def test_what_only_resembles_it_does(workshop: Workshop, path: str) -> None:
    workshop.write(f"shop/{path}", "x")
    assert path in [file.path for file in code_files(str(workshop.source))]


def test_files_are_listed_in_one_order_with_their_contents(workshop: Workshop) -> None:
    (workshop.source / "link.py").symlink_to("flask_wsgi.py")
    (workshop.source / "flask_wsgi.py").chmod(0o755)
    files = code_files(str(workshop.source))
    assert [file.path for file in files] == ["flask_wsgi.py", "link.py", "requirements.txt", "static/style.css"]
    assert files[0].sha256 == files[1].sha256 == hashlib.sha256(b"app = None\n").hexdigest()
    assert [file.executable for file in files] == [True, True, False, False]


# --- The virtualenv -----------------------------------------------------------------------------------------------


def test_a_virtualenv_depends_on_requirements_and_python_alone(rich: Workshop) -> None:
    def venv(*apps: Any, **options: Any) -> str:
        return str(rich.plan(*apps, **options)["flask_app"][0]["venv"])

    first = venv()
    assert first.startswith("/opt/shop/venvs/")
    others = [app(**{key: value}) for key, value in IN_THE_RELEASE.items() if "require" not in key and key != "name"]
    assert {venv(other) for other in others} == {first}
    assert venv(python="3.13.9") == venv(secrets={"shop": {"A": "xxxx"}}) == first
    rich.write("shop/flask_wsgi.py", "app = 1\n")
    assert venv() == first
    changed = [venv(python="3.11.2"), venv(app(requirements="other.txt")), venv(app(require_hashes=False))]
    rich.write("shop/requirements.txt", "flask==3.1.2 --hash=sha256:01\n")
    changed.append(venv())
    assert len({first, *changed}) == 5


# --- What the roles get -------------------------------------------------------------------------------------------


def test_paths_and_names(workshop: Workshop) -> None:
    made = workshop.plan(app(environment={"A": 1}), secrets={"shop": {"B": "hidden"}})
    (code,), (instance,), (site,) = made["flask_app"], made["uwsgi"], made["nginx"]
    release = f"/opt/shop/releases/{instance['id']}"
    assert (code["release"], instance["release"]) == (release, release)
    assert (code["id"], code["root"], instance["root"]) == (instance["id"], "/opt/shop", "/opt/shop")
    assert (code["requirements"], code["public_folder"]) == (f"{release}/code/requirements.txt", "static")
    assert code["source"] == str(workshop.source)
    assert code["files"] == [list(file) for file in code_files(str(workshop.source))]
    assert instance["run"] == "/run/shop"
    assert instance["socket"] == f"/run/shop/{instance['id']}.sock"
    assert instance["http_socket"] == f"/run/shop/{instance['id']}/http.sock"
    assert instance["stats_socket"] == f"/run/shop/{instance['id']}/stats.sock"
    assert (instance["live_socket"], site["socket"]) == ("/run/shop/shop.sock", "/run/shop/shop.sock")
    assert site["static_root"] == "/opt/shop/current/code/static"
    assert made["environments"] == {"shop": {"A": "1"}}


def test_the_defaults(workshop: Workshop) -> None:
    (instance,), (site,) = workshop.plan()["uwsgi"], workshop.plan()["nginx"]
    assert (instance["module"], instance["callable"]) == ("flask_wsgi", "app")
    assert (instance["processes"], instance["threads"], instance["backlog"]) == (2, 4, 4096)
    assert instance["health"] == {"path": "/health", "successes": 3, "deadline": 60}
    assert instance["front"] == {"address": "127.0.0.1:80", "host": "shop.test"}
    assert (site["max_body"], site["static_url"], site["app_location"]) == ("1m", "/static/", "/")


def test_a_secret_is_in_one_place_only(workshop: Workshop) -> None:
    made = workshop.plan(secrets={"shop": {"B": "hidden"}})
    assert made.pop("secrets") == {"shop": {"B": "hidden"}}
    assert "hidden" not in str(made)


def test_timeouts_end_a_request_from_the_inside_out(workshop: Workshop) -> None:
    """uWSGI first, then nginx, then systemd: the visitor's answer and the journal tell the same story."""
    made = workshop.plan(app(request_timeout=100))
    request, nginx, stop = (
        made["uwsgi"][0]["request_timeout"],
        made["nginx"][0]["read_timeout"],
        made["uwsgi"][0]["stop_timeout"],
    )
    assert 100 == request < nginx < stop


@pytest.mark.parametrize(
    ("server_name", "host"), [("*.shop.test", "probe.shop.test"), ("shop.test", "shop.test"), ("[::1]", "[::1]")]
)
def test_an_app_is_probed_under_a_name_that_leads_to_it(workshop: Workshop, server_name: str, host: str) -> None:
    made = workshop.plan(app(server_names=[server_name, "other.test"]), http_port=8080)
    assert made["uwsgi"][0]["front"] == {"address": "127.0.0.1:8080", "host": host}


def test_static_files_at_the_root_leave_the_rest_to_the_app(workshop: Workshop) -> None:
    (site,) = workshop.plan(app(static_url="/"))["nginx"]
    assert (site["static_at_root"], site["app_location"]) == (True, "@shop")


@pytest.mark.parametrize("line", [[], ["flask db upgrade"]])
def test_hooks(workshop: Workshop, line: list[str]) -> None:
    made = workshop.plan(app(before_live=line))
    assert made["flask_app"][0]["before_live"] == line
    assert made["uwsgi"][0]["has_hooks"] is bool(line)


@pytest.mark.parametrize(("callable_", "ends"), [("app", 0), ("nothing", 1)])
def test_the_import_check_fails_for_what_cant_be_imported(workshop: Workshop, callable_: str, ends: int) -> None:
    check = workshop.plan(app(callable=callable_))["flask_app"][0]["check"].replace("../venv/bin/python", "python3")
    done = subprocess.run(["/bin/sh", "-c", check], cwd=workshop.source, capture_output=True, text=True, check=False)
    assert done.returncode == ends, done.stderr
    assert ("Traceback" in done.stderr) is bool(ends)


def test_an_absent_app_needs_no_more_than_its_name(workshop: Workshop) -> None:
    made = workshop.plan(app(), {"name": "old", "state": "absent", "purge": True})
    places = {"name": "old", "root": "/opt/old", "run": "/run/old", "data": "/var/lib/old", "purge": True}
    assert made["absent"] == [places]
    assert [instance["name"] for instance in made["uwsgi"]] == ["shop"]
    assert [each["name"] for each in made["everything"]] == ["shop", "old"]
    assert made["everything"][0]["purge"] is False


def test_two_apps_share_nothing(workshop: Workshop) -> None:
    made = workshop.plan(app(), app(name="shop-2", source="shop", server_names=["b.test"]))
    for role in ("flask_app", "uwsgi", "nginx"):
        one, two = made[role]
        shared = {"source", "files", "check", "requirements", "public_folder"}
        same = [key for key in one if isinstance(one[key], str) and "/" in one[key] and one[key] == two[key]]
        assert set(same) - shared - {"app_location", "static_url"} == set()
    assert made["uwsgi"][0]["id"] != made["uwsgi"][1]["id"]


# --- What git calls it --------------------------------------------------------------------------------------------


@pytest.fixture
def git(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Puts something in git's place."""

    def put(error: Exception) -> None:
        def run(*_words: object, **_options: object) -> None:
            raise error

        monkeypatch.setattr(subprocess, "run", run)

    return put


@pytest.mark.parametrize("error", [FileNotFoundError("git"), subprocess.TimeoutExpired("git", 10)])
def test_the_source_needs_no_git(workshop: Workshop, git: Callable[..., None], error: Exception) -> None:
    git(error)
    assert workshop.plan()["uwsgi"][0]["ref"] == ""


def test_a_source_in_git_is_called_by_its_tag(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"):
        monkeypatch.setenv(name, "somebody")
    for words in (["init"], ["add", "."], ["commit", "-m", "all"], ["tag", "v1"]):
        subprocess.run(["git", "-C", workshop.source, *words], capture_output=True, check=True)
    before = workshop.id()
    assert workshop.plan()["uwsgi"][0]["ref"] == "v1"
    subprocess.run(["git", "-C", workshop.source, "tag", "-d", "v1"], capture_output=True, check=True)
    web_apps._ref.cache_clear()
    assert workshop.plan()["uwsgi"][0]["ref"] not in ("", "v1")
    assert workshop.id() == before


# --- What it costs ------------------------------------------------------------------------------------------------


def test_a_file_is_read_once(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run asks for the plan more than once; a source of thousands of files must not be read as often."""
    before = workshop.plan()
    monkeypatch.setattr("hashlib.file_digest", lambda file, name: pytest.fail(f"{file.name} was read again"))
    assert workshop.plan() == before


# --- What is known of the keys ------------------------------------------------------------------------------------


def test_every_key_says_what_it_means() -> None:
    assert all(public_keys().values())
    assert list(public_keys()) == [public.name for public in dataclasses.fields(App)]


def test_every_default_obeys_its_own_rule() -> None:
    for public in dataclasses.fields(App):
        if public.default not in (dataclasses.MISSING, ""):
            assert public.metadata["rule"](public.default) == public.default
        elif public.default_factory is not dataclasses.MISSING:
            assert public.metadata["rule"](public.default_factory()) == public.default_factory()


def test_ansible_finds_the_filters(workshop: Workshop) -> None:
    filters = web_apps.FilterModule().filters()
    circumstances = {"base": str(workshop.folder), "recipe": str(workshop.recipe), "python": PYTHON}
    plan = filters["web_plan"]([app()], {}, **circumstances, contract=CONTRACT)
    assert plan == workshop.plan()
    assert filters["web_problems"]([app()], {}, **circumstances, contract=CONTRACT) == []
    assert Path(plan["flask_app"][0]["source"]).is_absolute()
