"""The plan of a host: what the roles get, in plain values."""

from __future__ import annotations

import ast
import dataclasses
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.uwsgi_flask.web.plugins.module_utils.layout import AppLayout
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.refused import cause_in
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils import settings as package
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings import plan as plan_room
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.accounts import own_account
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.app import App
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.source.folder import code_files

from project import renderer
from settings import Workshop, app

PACKAGE = Path(str(package.__file__)).parent
WIKI = app(name="wiki-2", source="shop", server_names=["*.wiki.test", "wiki.test"], request_timeout=44)


def test_it_is_made_of_plain_values(workshop: Workshop) -> None:
    made = workshop.plan(app(), {"name": "old", "state": "absent"}, secrets={"shop": {"A": "xxxx"}})
    assert json.loads(json.dumps(made)) == made


def test_its_parts(workshop: Workshop) -> None:
    made = workshop.plan(app(), WIKI, {"name": "old", "state": "absent", "purge": True})
    assert sorted(made) == [
        *(
            "absent",
            "accounts",
            "acme",
            "apps",
            "build_environment",
            "by",
            "certificates",
            "elsewhere",
            "environments",
            "hooked",
            "packages",
            "secrets",
            "shared",
            "web",
        ),
    ]
    assert made["web"] == {
        "nginx_group": "www-data",
        "nginx_user": "www-data",
        "nginx_sandbox": {},
        "app_root": "/opt",
        "run_root": "/run",
        "http_port": 80,
        "https_port": 443,
        "trusted_proxies": [],
        "proxy_protocol": False,
        "health_clients": [],
    }
    assert [item["app"]["name"] for item in made["apps"]] == ["shop", "wiki-2"]
    assert made["absent"] == [{"name": "old", "purge": True}]
    assert made["environments"] == {"shop": {}, "wiki-2": {}}


def test_an_app_has_all_its_keys_and_places(workshop: Workshop) -> None:
    """A new key reaches the templates without being listed again."""
    given = workshop.item(app(processes=7))["app"]
    keys = {public.name for public in dataclasses.fields(App)} - {*plan_room.APART}
    assert keys <= given.keys()
    assert given["processes"] == 7
    layout = AppLayout("shop", user="web-shop", group="web-shop").describe()
    assert {name: given[name] for name in layout} == layout
    assert given.keys() == keys | layout.keys()


def test_so_has_its_release(workshop: Workshop) -> None:
    release = workshop.item(
        app(
            before_live=["flask db upgrade"],
            after_live=["flask warm-up"],
            health_path="/well",
            health_successes=5,
            start_timeout=33,
            request_timeout=44,
            keep_releases=7,
        ),
        web_http_port=8080,
    )["release"]
    layout = AppLayout("shop").release(release["id"]).describe()
    # In the release they say more than their names.
    assert (layout.pop("workers"), layout.pop("timers")) == ((), ())
    assert {name: release[name] for name in layout} == layout
    assert {name: value for name, value in release.items() if name not in layout} == {
        "workers": {},
        "timers": {},
        "uwsgi_lines": [],
        "sandbox_lines": [],
        "media": {"folders": [], "reader": "www-data"},
        "entry": {"module": "flask_wsgi", "name": "app", "text": "app"},
        "chdir": f"/opt/shop/releases/{release['id']}/code",
        "version": release["version"],
        "serial": 0,
        "python": "3.13",
        "source": str(workshop.source),
        "ref": "",
        "commit": "",
        "files": [list(file) for file in code_files(str(workshop.source))],
        "venv_key": release["venv_key"],
        "locked": (workshop.source / "requirements.txt").read_text(),
        "wheels": [],
        "wheelhouse": "",
        "sent_wheels": None,
        "check": release["check"],
        "harakiri": 49,
        "largest_worker": 0,
        "streams": "",
        "prefix": "",
        "mercy": 44,
        "stop_timeout": 59,
        "gate": {"path": "/well", "successes": 5, "deadline": 33},
        "drain": 44,
        "keep": 7,
        "memory_check": True,
        "hooks": {"key": release["hooks"]["key"], "before": ["flask db upgrade"], "after": ["flask warm-up"]},
    }


def test_agreements_reach_every_place(workshop: Workshop) -> None:
    item = workshop.item(web_app_root="/srv", web_run_root="/run/x")
    assert (item["app"]["root"], item["app"]["run"]) == ("/srv/shop", "/run/x/shop")
    assert item["release"]["directory"] == f"/srv/shop/releases/{item['release']['id']}"


def test_a_host_of_which_nothing_is_known_has_a_plan(workshop: Workshop) -> None:
    """Checking touches no host."""
    assert workshop.item(host={"python": ""})["release"]["python"] == ""
    made = plan_room.plan(workshop.request(app()), {}, str(workshop.templates))
    assert made["apps"][0]["release"]["serial"] == 0


def test_a_secret_is_in_one_place_only(workshop: Workshop) -> None:
    made = workshop.plan(
        app(environment={"A": "of-the-environment"}),
        secrets={"shop": {"B": "of-the-secrets"}},
        web_build_environment={"PIP_INDEX_URL": "of-the-build"},
    )
    assert made.pop("environments") == {"shop": {"A": "of-the-environment"}}
    assert made.pop("secrets") == {"shop": {"B": "of-the-secrets"}}
    assert made.pop("build_environment") == {"PIP_INDEX_URL": "of-the-build"}
    assert "of-the-" not in str(made)


def test_timeouts_end_a_request_from_the_outside_in(workshop: Workshop) -> None:
    """nginx first, which tells the visitor 504, then uWSGI, which ends the worker, then systemd."""
    item = workshop.item(app(request_timeout=100))
    assert item["site"]["read_timeout"] == 100 < item["release"]["harakiri"] < item["release"]["stop_timeout"]


@pytest.mark.parametrize(
    ("given", "mercy"),
    [
        ({"request_timeout": 100, "stream_timeout": 300}, 100),
        ({"request_timeout": 100, "stream_timeout": 300, "streaming": ["/events"]}, 300),
        ({"request_timeout": 100, "stream_timeout": 20, "streaming": ["/events"]}, 100),
    ],
)
def test_a_release_may_end_its_streams(workshop: Workshop, given: dict[str, Any], mercy: int) -> None:
    item = workshop.item(app(**given))
    assert (item["release"]["mercy"], item["release"]["harakiri"]) == (mercy, 105)
    assert item["release"]["stop_timeout"] > mercy
    # Nobody waits for it: this is for the queue alone.
    assert item["release"]["drain"] == item["site"]["read_timeout"] == 100


@pytest.mark.parametrize(
    ("given", "found", "passed"),
    [
        ({"streaming": ["/events"]}, ["/events", "/events/", "/events/a/b"], ["/", "/eventsx", "/a/events", "/event"]),
        ({"streaming": ["/a.b", "/c"]}, ["/a.b", "/c/d"], ["/axb", "/a", "/b"]),
        ({"streaming": ["/events"], "prefix": "/shop"}, ["/shop/events", "/shop/events/a"], ["/events", "/shop"]),
    ],
)
def test_streams_are_found_below_the_prefix(
    workshop: Workshop, given: dict[str, Any], found: list[str], passed: list[str]
) -> None:
    item = workshop.item(app(**given))
    pattern = item["release"]["streams"]
    assert pattern == item["site"]["places"][0][2]
    assert [path for path in (*found, *passed) if re.match(pattern, path)] == found


@pytest.mark.parametrize(("longest", "nginx"), [(0, 30), (20, 30), (90, 90)])
def test_nginx_waits_for_the_slowest_release_that_may_answer(workshop: Workshop, longest: int, nginx: int) -> None:
    """Before the flip and after a rollback another release answers than the one that is deployed."""
    item = workshop.item(host={"apps": {"shop": {"longest_timeout": longest}}})
    assert item["site"]["read_timeout"] == nginx


# How an app is named, its module, and the line with which the host refuses it; "" if it is taken.
CHECKED: list[tuple[str, str, str]] = [
    ("app", "def app(environ, start_response): ...", ""),
    ("app", "def app(*everything): ...", ""),
    ("app", "class Holder:\n    def __call__(self, environ, start_response): ...\napp = Holder()", ""),
    ("web.app", "class web:\n    def app(environ, start_response): ...", ""),
    ("make('é', debug=False)", "def make(kind, *, debug): return lambda environ, answer: (kind, debug)", ""),
    ("app", "globals()['app'] = print", ""),
    ("app", "from flask import Flask\napp = Flask(__name__)", ""),
    ("app", "import nowhere\napp = nowhere.app", "ModuleNotFoundError: No module named 'nowhere'"),
    ("app", "import sys\nsys.modules", "ImportError: cannot import name 'app' from 'flask_wsgi'"),
    ("app", "globals()['app'] = None", "CallableError: app is of the type NoneType, which answers no requests"),
    (
        "app",
        "make = lambda: 1\napp = make",
        "CallableError: app is a function, not an app; write app() if it returns one",
    ),
    (
        "web.make",
        "class web:\n    def make(debug=True, kind=''): ...",
        "CallableError: web.make is a function, not an app; write web.make() if it returns one",
    ),
    (
        "web.app",
        "class web:\n    async def app(scope, receive, send): ...",
        "CallableError: web.app is an async function, and uWSGI speaks WSGI; name a Flask object",
    ),
    ("make(1)", "make = lambda: 1", "TypeError: <lambda>() takes 0 positional arguments but 1 was given"),
    ("make()", "make = lambda: None", "CallableError: make() is of the type NoneType, which answers no requests"),
    ("web.app", "class web: ...", "AttributeError: type object 'web' has no attribute 'app'"),
]


@pytest.mark.parametrize(("callable_", "code", "cause"), CHECKED)
def test_the_host_looks_whether_it_is_an_app(workshop: Workshop, callable_: str, code: str, cause: str) -> None:
    workshop.write("shop/flask_wsgi.py", f"{code}\n")
    item = workshop.item(app(callable=callable_))
    release, wsgi = item["release"], workshop.write("wsgi.py", wsgi_file(item))
    check = release["check"].replace(f"{release['virtualenv']}/bin/python", sys.executable)
    assert check != release["check"]
    script = check.replace(release["wsgi"], str(wsgi))
    done = subprocess.run(["/bin/sh", "-c", script], cwd=workshop.source, capture_output=True, text=True, check=False)
    assert done.returncode == bool(cause), done.stderr
    assert cause_in(done.stderr).startswith(cause)
    assert bool(cause_in(done.stderr)) is bool(cause)


def wsgi_file(item: dict[str, Any]) -> str:
    return renderer("uwsgi").text("wsgi.py.j2", release=item["release"], app=item["app"])


def test_what_the_app_server_runs_is_python_whatever_the_arguments(workshop: Workshop) -> None:
    workshop.write("shop/flask_wsgi.py", "app = made()\n")
    given = """create("it's", 'a "b"', '{{ 1 }} %i $HOME # \\n é', [1, (None,)], {'a': -1.5}, debug=not_shown)"""
    given = given.replace("not_shown", "False")
    text = wsgi_file(workshop.item(app(callable=f"app.{given}", preload=False)))
    tree = ast.parse(text)
    call = tree.body[-1].value  # type: ignore[attr-defined]
    values = [ast.literal_eval(argument) for argument in call.args]
    assert values == ["it's", 'a "b"', "{{ 1 }} %i $HOME # \n é", [1, (None,)], {"a": -1.5}]
    assert ast.unparse(tree.body[0]) == "from flask_wsgi import app"


def test_an_app_runs_in_its_folder(workshop: Workshop) -> None:
    workshop.write("shop/src/flask_wsgi.py", "app = made()\n")
    release = workshop.item(app(chdir="src"))["release"]
    assert release["chdir"] == f"{release['code']}/src"


def test_a_prefix_stands_before_all_that_visitors_ask_for(workshop: Workshop) -> None:
    item = workshop.item(app(prefix="/shop", health_path="/well"))
    assert item["release"]["gate"]["path"] == "/shop/well"
    assert item["site"]["places"] == [["/shop/", "/shop/static/", "", "/shop", []]]


def test_two_apps_share_nothing(workshop: Workshop) -> None:
    """But the code that they are made from here, and folders of the system."""
    one, two = workshop.plan(app(), WIKI)["apps"]
    system = {"app_root", "run_root", "units", "wants", "health_path", "static_url"}
    for part, shared in (("app", system), ("release", {"source"})):
        paths = [name for name, value in one[part].items() if str(value).startswith("/")]
        assert len(paths) > 10
        assert {name for name in paths if one[part][name] == two[part][name]} <= shared
    assert one["release"]["id"] != two["release"]["id"]


def test_it_says_who_deploys(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "laptop")
    assert workshop.plan()["by"].endswith("@laptop")

    def nobody(number: int) -> None:
        raise KeyError(number)

    monkeypatch.setattr("pwd.getpwuid", nobody)
    monkeypatch.setattr("os.getuid", lambda: 4242)
    assert workshop.plan()["by"] == "4242@laptop"


# --- The package --------------------------------------------------------------------------------------------------

MODULES = sorted(path.stem for path in PACKAGE.glob("*.py"))


@pytest.mark.parametrize("name", MODULES)
def test_no_file_is_long(name: str) -> None:
    assert len((PACKAGE / f"{name}.py").read_text().splitlines()) < 300


def _imported(name: str) -> set[str]:
    text = (PACKAGE / f"{name}.py").read_text()
    return {other for other in MODULES if f"settings.{other} import" in text or f"settings import {other}\n" in text}


def test_imports_have_no_cycle() -> None:
    left = {name: _imported(name) for name in MODULES if name != "__init__"}
    assert left["plan"] >= {"app", "identity"}
    while ready := [name for name, needs in left.items() if not needs & left.keys()]:
        for name in ready:
            del left[name]
    assert left == {}


# --- Who an app runs as ---------------------------------------------------------------------------------------------


def accounts(item: Any) -> tuple[str, str]:
    return item["app"]["user"], item["app"]["group"]


def test_an_app_runs_as_a_user_of_its_own(workshop: Workshop) -> None:
    assert accounts(workshop.item()) == ("web-shop", "web-shop")


def test_or_as_the_one_that_is_named_but_with_its_own_group(workshop: Workshop) -> None:
    assert accounts(workshop.item(app(user="www"))) == ("www", "web-shop")


def test_one_that_is_there_goes_on_as_the_user_it_has_until_one_is_named(workshop: Workshop) -> None:
    there = {"apps": {"shop": {"user": "www"}}}
    assert accounts(workshop.item(host=there)) == ("www", "web-shop")
    assert accounts(workshop.item(app(user="web-shop"), host=there)) == ("web-shop", "web-shop")


def test_who_it_is_on_one_host_is_no_part_of_its_identity(workshop: Workshop) -> None:
    assert workshop.id(host={"apps": {"shop": {"user": "www"}}}) == workshop.id()


def test_accounts_have_names_that_useradd_takes() -> None:
    names = {own_account(f"{'a' * length}{end}") for length in (1, 26, 27, 28, 45) for end in "bc"}
    assert len(names) == 10
    assert {len(name) <= 32 and name.startswith("web-") for name in names} == {True}


def test_what_a_host_lacks_is_made(workshop: Workshop) -> None:
    wiki = app(name="wiki", source="shop", server_names=["wiki.test"], user="www")
    made = workshop.plan(app(), wiki)["accounts"]
    assert made["groups"] == ["web-shop", "web-wiki", "www"]
    assert made["users"] == [{"name": "web-shop", "group": "web-shop"}, {"name": "www", "group": "www"}]
    there = {"groups": ["web-shop", "web-wiki"], "users": ["web-shop", "www"]}
    assert workshop.plan(app(), wiki, host=there)["accounts"] == {"groups": [], "users": []}


def test_nginx_own_user_is_refused(workshop: Workshop) -> None:
    assert workshop.problem(app(user="www-data")) == (
        "web_apps: 'shop' has 'user': 'www-data' is nginx's own; name another, or leave it out"
    )


def live_below(prefix: str | None) -> dict[str, Any]:
    return {"apps": {"shop": {"live": "0" * 12, "prefix": prefix}}}


@pytest.mark.parametrize(
    ("given", "live", "roots"),
    [
        ({}, "", ["/"]),
        ({"prefix": "/shop"}, "/shop", ["/shop/"]),
        ({"prefix": "/shop"}, "", ["/shop/", "/"]),
        ({"prefix": "/shop"}, "/old", ["/shop/", "/old/"]),
        ({}, "/old", ["/", "/old/"]),
        # A release of before this was written down.
        ({"prefix": "/shop"}, None, ["/shop/"]),
    ],
)
def test_the_live_release_stays_where_it_is(
    workshop: Workshop, given: dict[str, Any], live: str | None, roots: list[str]
) -> None:
    """The next one may be refused."""
    site = workshop.item(app(**given), host=live_below(live))["site"]
    for one in (site, site["waiting"]):
        assert [root for root, *_rest in one["places"]] == roots
        assert one["is_below"] is ("/" not in roots)


def test_it_makes_room_for_another_app(workshop: Workshop) -> None:
    root = app(name="root", source="shop")
    item, _root = workshop.plan(app(prefix="/shop"), root, host=live_below(""))["apps"]
    assert [place[0] for place in item["site"]["places"]] == ["/shop/"]
