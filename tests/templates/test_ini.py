"""uwsgi-flask.ini."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings import uwsgi_options

from rendered import Rendered, rendered
from settings import HASH, Workshop, app

# What the ini was made of that this one grew from. Each is there still, or a comment says why not.
ORIGINAL = [
    "master", "processes", "uwsgi-socket", "chdir", "module", "callable", "pidfile", "daemonize", "check-static",
    "chown-socket", "chmod-socket", "uid", "gid", "vacuum", "die-on-term",
]  # fmt: skip
GONE = {
    "module",
    "callable",
    "uwsgi-socket",
    "pidfile",
    "daemonize",
    "check-static",
    "chown-socket",
    "chmod-socket",
    "uid",
    "gid",
}


def directives(ini: str) -> list[tuple[str, str]]:
    """Key and value of each line as uWSGI reads it: a comment is a line that begins as one, and nothing else is."""
    lines = [line for line in ini.splitlines() if line and not line.startswith(("#", ";"))]
    assert lines.pop(0) == "[uwsgi]"
    pairs = [line.partition(" = ") for line in lines]
    assert all(equals for _key, equals, _value in pairs), lines
    return [(key, value) for key, _equals, value in pairs]


def test_no_comment_stands_behind_a_value(made: Rendered) -> None:
    assert [line for line in made.ini.splitlines() if re.search(r"^[^#;].*\s[#;]", line)] == []


def test_python_is_loaded_before_its_options_are_checked(made: Rendered) -> None:
    assert directives(made.ini)[:2] == [("plugins", "python3"), ("strict", "true")]


def test_an_app_that_starts_another_python_gets_its_own(made: Rendered) -> None:
    """Otherwise `sys.executable` is uWSGI, which multiprocessing would start in place of Python."""
    assert dict(directives(made.ini))["py-executable"] == f"{made.release['virtualenv']}/bin/python"


def test_no_option_is_there_twice(made: Rendered) -> None:
    keys = [key for key, _value in directives(made.ini)]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("key", ORIGINAL)
def test_an_original_option_is_there_or_its_absence_explained(made: Rendered, key: str) -> None:
    comments = "\n".join(line for line in made.ini.splitlines() if line.startswith("#"))
    assert (key in dict(directives(made.ini))) is (key not in GONE)
    assert key not in GONE or f"`{key}`" in comments


def test_true_is_spelt_as_true(made: Rendered) -> None:
    """uWSGI takes any word but false, off and no for true."""
    for key in ("strict", "master", "vacuum", "need-app", "die-on-term", "enable-threads", "single-interpreter"):
        assert dict(directives(made.ini))[key] == "true", key


def test_numbers_are_numbers(made: Rendered) -> None:
    numbers = {
        "threads",
        "worker-reload-mercy",
        "harakiri",
        "max-requests",
        "buffer-size",
        "post-buffering",
    }
    assert all(value.isdigit() for key, value in directives(made.ini) if key in numbers)
    assert numbers <= dict(directives(made.ini)).keys()


def test_it_runs_the_release_and_no_other(made: Rendered) -> None:
    ini, release = dict(directives(made.ini)), made.release
    assert (ini["chdir"], ini["virtualenv"]) == (release["code"], release["virtualenv"])
    assert ini["wsgi-file"] == release["wsgi"]
    named = [line for line in made.files["wsgi"].splitlines()[4:] if line and "gc" not in line]
    assert [line for line in named if not line.startswith("#")] == [
        f"from {made.app['module']} import {release['entry']['name']}",
        f"application = {made.app['callable']}",
    ]
    assert ini["add-header"] == f"X-Release: {release['id']}"
    assert "current" not in "".join(ini.values())


def test_what_was_set_arrives(made: Rendered) -> None:
    ini, app = dict(directives(made.ini)), made.app
    # With none, as many as the host has cores: the same text for every host.
    assert ini["processes"] == {"shop": "%k", "wiki-2": "7"}[app["name"]]
    assert ini["threads"] == str(app["threads"])
    assert ini["max-requests"] == str(app["max_requests"])
    assert ini["worker-reload-mercy"] == str(app["request_timeout"])
    assert ini["harakiri"] == str(made.release["harakiri"])
    assert "route" not in ini


@pytest.mark.parametrize(("given", "written"), [("", None), ("300M", "300"), ("2G", "2048")])
def test_a_worker_that_has_grown_is_renewed(settings: dict[str, Any], given: str, written: str | None) -> None:
    (made,) = rendered({**settings, "web_apps": [{**settings["web_apps"][0], "reload_on_rss": given}]})
    assert dict(directives(made.ini)).get("reload-on-rss") == written


def test_what_the_import_has_made_is_frozen_where_workers_share_it(settings: dict[str, Any]) -> None:
    shared, own = (
        rendered({**settings, "web_apps": [{**settings["web_apps"][0], "preload": preload}]})[0].files["wsgi"]
        for preload in (True, False)
    )
    assert shared.index("import gc\n") < shared.index("application = app\n") < shared.index("gc.freeze()\n")
    assert "gc" not in own


def test_a_stream_may_take_longer(settings: dict[str, Any]) -> None:
    """A route adds to `harakiri` and can't lift it, so every other request gets its limit by a route."""
    (made,) = rendered({**settings, "web_apps": [{**settings["web_apps"][0], "streaming": ["/events", "/a.b"]}]})
    ini = dict(directives(made.ini))
    assert "harakiri" not in ini
    assert ini["worker-reload-mercy"] == str(made.app["stream_timeout"])
    pattern, _blank, action = ini["route"].partition(" ")
    assert action == f"harakiri:{made.release['harakiri']}"
    paths = ("/", "/eventsx", "/axb", "/events", "/events/a", "/a.b")
    assert [path for path in paths if re.match(pattern, path)] == ["/", "/eventsx", "/axb"]
    assert not re.search(r"[$%]", made.ini.replace("\nprocesses = %k\n", ""))


def test_a_broken_release_ends_and_a_running_one_ends_gracefully(made: Rendered) -> None:
    ini = dict(directives(made.ini))
    assert ini["need-app"] == "true"
    assert ini["hook-master-start"] == "unix_signal:15 gracefully_kill_them_all"


def test_it_listens_only_where_probes_ask(made: Rendered) -> None:
    """The socket for visitors is systemd's; with a second one, and `vacuum`, a run by hand would delete it."""
    listens = {key: value for key, value in directives(made.ini) if "socket" in key or key in ("http", "stats")}
    assert listens == {"http-socket": made.release["http_socket"], "stats": made.release["stats_socket"]}


def test_headers_that_nginx_takes_fit(made: Rendered, base: dict[str, str]) -> None:
    match = re.search(r"large_client_header_buffers (\d+) (\d+)k;", base["nginx.conf"])
    assert match
    count, kilobytes = map(int, match.groups())
    # The address comes twice: as a whole, and as path and query.
    assert (count + 1) * kilobytes * 1024 <= int(dict(directives(made.ini))["buffer-size"]) <= 65535


def test_a_percent_sign_would_be_magic(made: Rendered) -> None:
    assert "%" not in made.ini.replace("\nprocesses = %k\n", "")
    assert "$" not in made.ini


@pytest.mark.parametrize(
    "changes",
    [
        {"server_names": ["b.test"]},
        {"max_body": "9m"},
        {"static_url": "/x/"},
        {"health_path": "/x"},
        {"health_successes": 9},
        {"keep_releases": 9},
    ],
    ids=str,
)
def test_what_makes_no_new_release_changes_no_file_of_it(made: Rendered, changes: dict[str, object]) -> None:
    """A live release is never changed, so one with the same id must have the same ini and units."""
    given = next(app for app in made.settings["web_apps"] if app["name"] == made.app["name"])
    again = rendered({"web_apps": [{**given, **changes}], "web_app_secrets": _of(made)})[0]
    assert again.release["id"] == made.release["id"]
    assert {**again.files, "conf": ""} == {**made.files, "conf": ""}


def _of(made: Rendered) -> dict[str, Any]:
    """The app's own secrets."""
    name = made.app["name"]
    return {name: made.settings["web_app_secrets"].get(name, {})}


def test_an_app_below_a_path_is_mounted_there(settings: dict[str, Any]) -> None:
    (made,) = rendered({"web_apps": [{**settings["web_apps"][0], "prefix": "/shop"}]})
    ini = dict(directives(made.ini))
    assert (ini["mount"], ini["manage-script-name"]) == (f"/shop={made.release['wsgi']}", "true")
    assert "wsgi-file" not in ini


def test_an_app_in_a_folder_of_its_source_runs_there(settings: dict[str, Any], tmp_path: Path) -> None:
    workshop = Workshop(tmp_path)
    workshop.write("shop/src/flask_wsgi.py", "app = made()\n")
    given = {**settings["web_apps"][0], "source": str(workshop.source), "chdir": "src", "before_live": ["true"]}
    (made,) = rendered({"web_apps": [given]})
    assert dict(directives(made.ini))["chdir"] == f"{made.release['code']}/src"
    for step in ("check", "before", "after"):
        assert f"\nWorkingDirectory={made.release['code']}/src\n" in made.unit(step)


def test_one_with_a_python_of_its_own_is_run_by_pyuwsgi(settings: dict[str, Any], tmp_path: Path) -> None:
    """Debian's uWSGI has a plugin for Debian's Python alone; pyuwsgi has no plugins to load."""
    workshop = Workshop(tmp_path)
    workshop.write("shop/requirements.txt", f"pyuwsgi==2.0.30 {HASH}\n")
    given = {**settings["web_apps"][0], "source": str(workshop.source)}
    (usual,) = rendered({"web_apps": [given]})
    (own,) = rendered({"web_apps": [{**given, "python": "3.12"}]})
    assert directives(usual.ini)[0] == ("plugins", "python3")
    assert [key for key, _value in directives(own.ini)] == [key for key, _value in directives(usual.ini)[1:]]
    assert f"\nExecStart=/usr/bin/uwsgi --ini {usual.release['ini']}\n" in usual.unit("service")
    assert f"\nExecStart={own.release['virtualenv']}/bin/pyuwsgi --ini {own.release['ini']}\n" in own.unit("service")


# --- An app's own options -----------------------------------------------------------------------------------------


def ini_of(workshop: Workshop, **changes: Any) -> list[tuple[str, str]]:
    (made,) = rendered({"web_apps": [app(source=str(workshop.source), **changes)]})
    return directives(made.ini)


def test_without_any_the_ini_ends_with_ours(made: Rendered) -> None:
    assert directives(made.ini)[-1] == ("add-header", f"X-Release: {made.release['id']}")


def test_an_app_that_isnt_preloaded(workshop: Workshop) -> None:
    assert ini_of(workshop, preload=False)[-1] == ("lazy-apps", "true")


def test_its_own_options_stand_at_the_end(workshop: Workshop) -> None:
    given = {"cheaper": 1, "thunder-lock": True, "log-5xx": False, "mule": ["a.py", "b.py"]}
    assert ini_of(workshop, uwsgi_options=given)[-5:] == [
        ("cheaper", "1"),
        ("thunder-lock", "true"),
        ("log-5xx", "false"),
        ("mule", "a.py"),
        ("mule", "b.py"),
    ]


def test_none_of_ours_may_be_set_by_an_app(made: Rendered) -> None:
    ours = {key for key, _value in directives(made.ini)}
    assert "need-app" in ours
    assert ours & {*uwsgi_options.OPTIONS} == set()
