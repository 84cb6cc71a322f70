"""The plan of a host: what the roles get, in plain values."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.uwsgi_flask.web.plugins.module_utils.layout import AppLayout
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils import settings as package
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings import plan as plan_room
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.app import App
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.source import code_files

from settings import Workshop, app

PACKAGE = Path(str(package.__file__)).parent
WIKI = app(name="wiki-2", source="shop", server_names=["*.wiki.test", "wiki.test"], request_timeout=44)


def test_it_is_made_of_plain_values(workshop: Workshop) -> None:
    made = workshop.plan(app(), {"name": "old", "state": "absent"}, secrets={"shop": {"A": "xxxx"}})
    assert json.loads(json.dumps(made)) == made


def test_its_parts(workshop: Workshop) -> None:
    made = workshop.plan(app(), WIKI, {"name": "old", "state": "absent", "purge": True})
    assert sorted(made) == [
        *("absent", "acme", "apps", "build_environment", "by", "certificates", "environments", "secrets", "web"),
    ]
    assert made["web"] == {
        "user": "www",
        "group": "www",
        "nginx_group": "www-data",
        "nginx_user": "www-data",
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
    keys = {public.name for public in dataclasses.fields(App)} - {"environment", "source"}
    assert keys <= given.keys()
    assert given["processes"] == 7
    layout = AppLayout("shop").describe()
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
    assert {name: release[name] for name in layout} == layout
    assert {name: value for name, value in release.items() if name not in layout} == {
        "version": release["version"],
        "serial": 0,
        "python": "3.13",
        "source": str(workshop.source),
        "ref": "",
        "files": [list(file) for file in code_files(str(workshop.source))],
        "venv_key": release["venv_key"],
        "locked": (workshop.source / "requirements.txt").read_text(),
        "wheels": [],
        "check": release["check"],
        "stop_timeout": 59,
        "gate": {"path": "/well", "successes": 5, "deadline": 33},
        "drain": 44,
        "keep": 7,
        "hooks": {"key": release["hooks"]["key"], "before": ["flask db upgrade"], "after": ["flask warm-up"]},
    }


def test_agreements_reach_every_place(workshop: Workshop) -> None:
    item = workshop.item(web_app_root="/srv", web_run_root="/run/x", web_user="apps", web_group="crew")
    assert (item["app"]["root"], item["app"]["run"]) == ("/srv/shop", "/run/x/shop")
    assert (item["app"]["user"], item["app"]["group"]) == ("apps", "crew")
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


def test_timeouts_end_a_request_from_the_inside_out(workshop: Workshop) -> None:
    """uWSGI first, then nginx, then systemd: the visitor's answer and the journal tell the same story."""
    item = workshop.item(app(request_timeout=100))
    assert 100 < item["site"]["read_timeout"] < item["release"]["stop_timeout"]


@pytest.mark.parametrize(("longest", "nginx"), [(0, 35), (20, 35), (90, 95)])
def test_nginx_waits_for_the_slowest_release_that_may_answer(workshop: Workshop, longest: int, nginx: int) -> None:
    """Before the flip and after a rollback another release answers than the one that is deployed."""
    item = workshop.item(host={"apps": {"shop": {"longest_timeout": longest}}})
    assert item["site"]["read_timeout"] == nginx


@pytest.mark.parametrize(("callable_", "ends"), [("app", 0), ("nothing", 1)])
def test_the_import_check_fails_for_what_cant_be_imported(workshop: Workshop, callable_: str, ends: int) -> None:
    release = workshop.item(app(callable=callable_))["release"]
    check = release["check"].replace(f"{release['virtualenv']}/bin/python", sys.executable)
    assert check != release["check"]
    done = subprocess.run(["/bin/sh", "-c", check], cwd=workshop.source, capture_output=True, text=True, check=False)
    assert done.returncode == ends, done.stderr
    assert ("Traceback" in done.stderr) is bool(ends)


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
    assert left["plan"] >= {"app", "source", "identity"}
    while ready := [name for name, needs in left.items() if not needs & left.keys()]:
        for name in ready:
            del left[name]
    assert left == {}
