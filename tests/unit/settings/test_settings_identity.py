"""Ids that change when, and only when, something else would run."""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.agreement import Agreement
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.app import App
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.checked import parse
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.keys import meanings
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.source import command
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.source.origin import described

from settings import HASH, Workshop, app

# Another good value of each key that a running app carries: its release differs.
IN_THE_RELEASE: dict[str, Any] = {
    "name": "shop-2",
    "module": "other",
    "callable": "app.wsgi_app",
    "chdir": "src",
    "prefix": "/shop",
    "requirements": "other.txt",
    "python": "3.12",
    "static_folder": "public",
    "environment": {"A": "x"},
    "before_live": ["flask db upgrade"],
    "after_live": ["flask warm-up"],
    "processes": 8,
    "threads": 1,
    "user": "www",
    "memory_max": "512M",
    "reload_on_rss": "300M",
    "cpu_quota": "150%",
    "tasks_max": 99,
    "listen_queue": 100,
    "request_timeout": 31,
    "streaming": ["/events"],
    "stream_timeout": 99,
    "start_timeout": 99,
    "max_requests": 200_000,
    "workers": {"mail": "work"},
    "timers": {"clean": {"command": "clean", "calendar": "hourly"}},
    "preload": False,
    "uwsgi_options": {"cheaper": 1},
    "sandbox": {"ProcSubset": "all"},
}
# And of each that it doesn't: the same instance goes on.
NOT_IN_THE_RELEASE: dict[str, Any] = {
    "tls": "self_signed",
    "headers": {"X-Frame-Options": "DENY"},
    "server_names": ["b.test"],
    "redirect_names": ["www.b.test"],
    "required_environment": [],
    "source": "copy",
    "exclude": ["docs/"],
    "static_url": "/",
    "static_max_age": 60,
    "media": {"/media": "uploads"},
    "error_pages": "errors",
    "max_body": "9m",
    "request_limits": {"/login": "10/m"},
    "connection_limit": 9,
    "cache": {"paths": ["/"]},
    "health_path": "/",
    "health_successes": 1,
    "memory_check": False,
    "keep_releases": 9,
    "packages": ["libmagic1"],
    "build_packages": ["gcc"],
    "elsewhere": "remove",
    "purge": True,
}
# The same of what the roles agree on.
AGREED_IN_THE_RELEASE: dict[str, Any] = {
    "nginx_group": "other",
    "app_root": "/srv",
    "run_root": "/run/x",
}
AGREED_NOT_IN_THE_RELEASE: dict[str, Any] = {
    "nginx_user": "other",
    "nginx_sandbox": {"ProtectHome": True},
    "http_port": 81,
    "https_port": 444,
    "trusted_proxies": ["10.0.0.0/8"],
    "proxy_protocol": True,
    "health_clients": ["10.0.0.0/8"],
    "firewall_open": [{"port": 9100}],
    "build_environment": {"PIP_INDEX_URL": "x"},
    "acme_directory": "https://ca.test/directory",
    "acme_email": "ops@ca.test",
    "acme_ca_bundle": "/ca.pem",
    "acme_dns_plugin": "cloudflare",
    "acme_dns_credentials": "token = x",
    "acme_dns_seconds": 9,
    "acme_ask_first": False,
    "source_tokens": {"git.test": "x"},
    "locks": "elsewhere",
    "lock_python": "3.13",
}


@pytest.fixture
def rich(workshop: Workshop) -> Workshop:
    """A source in which all the values above make sense."""
    workshop.write("shop/other.py", "app = made()\n")
    workshop.write("shop/src/flask_wsgi.py", "app = made()\n")
    workshop.write("shop/other.txt", "")
    workshop.write("shop/requirements.txt", f"flask==3.1.3 {HASH}\npyuwsgi==2.0.30 {HASH}\n")
    workshop.write("shop/public/a.css", "")
    workshop.write("shop/static/errors/404.html", "")
    shutil.copytree(workshop.source, workshop.folder / "copy")
    return workshop


@pytest.mark.parametrize("key", IN_THE_RELEASE)
def test_what_a_running_app_carries_makes_a_new_release(rich: Workshop, key: str) -> None:
    changes = {"source": "shop", key: IN_THE_RELEASE[key]}
    assert rich.id(app(**changes)) != rich.id(app(source="shop"))


@pytest.mark.parametrize("key", NOT_IN_THE_RELEASE)
def test_what_it_doesnt_carry_makes_none(rich: Workshop, key: str) -> None:
    assert rich.id(app(**{key: NOT_IN_THE_RELEASE[key]})) == rich.id()


@pytest.mark.parametrize("key", AGREED_IN_THE_RELEASE)
def test_so_do_agreements_that_it_carries(workshop: Workshop, key: str) -> None:
    assert workshop.id(**{f"web_{key}": AGREED_IN_THE_RELEASE[key]}) != workshop.id()


@pytest.mark.parametrize("key", AGREED_NOT_IN_THE_RELEASE)
def test_others_dont(workshop: Workshop, key: str) -> None:
    proxies = {"web_trusted_proxies": ["10.0.0.0/8"]}
    assert workshop.id(**{**proxies, f"web_{key}": AGREED_NOT_IN_THE_RELEASE[key]}) == workshop.id()


def test_of_every_key_it_is_known_which_it_is() -> None:
    # Those that need `tls` beside them, or another kind of source, are tried with it.
    elsewhere = ["hsts", "tls_certificate", "tls_key", "ref", "source_key", "sha256"]
    # And these in the tests of what an app installs, and of where it is served.
    apart, agreed_apart = ["extras", "package", "hosts"], ["wheelhouse"]
    assert sorted([*IN_THE_RELEASE, *NOT_IN_THE_RELEASE, *elsewhere, *apart, "state"]) == sorted(meanings(App))
    agreed = [*AGREED_IN_THE_RELEASE, *AGREED_NOT_IN_THE_RELEASE, *agreed_apart]
    assert sorted(agreed) == sorted(meanings(Agreement))


TEMPLATES = Path(__file__).parents[3] / "roles/uwsgi/templates"


@pytest.mark.parametrize(("named", "keys"), [("app", App), ("web", Agreement)])
def test_what_a_template_of_the_app_server_says_is_carried(named: str, keys: Any) -> None:
    """Or a release that is already there would be described by other files than it has."""
    texts = [path.read_text() for path in TEMPLATES.iterdir()]
    said = {name for text in texts for name in re.findall(rf"\b{named}\.(\w+)", text)} & meanings(keys).keys()
    assert said
    assert said - {field.name for field in dataclasses.fields(keys) if field.metadata["carried"]} == set()


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
}
TEMPLATE_CHANGES: dict[str, Callable[[Workshop], object]] = {
    "a template": _edit("templates/ini.j2"),
    "a template more": _edit("templates/unit.j2"),
}


@pytest.mark.parametrize("what", SOURCE_CHANGES | TEMPLATE_CHANGES)
def test_source_and_templates_make_a_new_release(workshop: Workshop, what: str) -> None:
    before = workshop.item()["release"]
    {**SOURCE_CHANGES, **TEMPLATE_CHANGES}[what](workshop)
    after = workshop.item()["release"]
    assert after["id"] != before["id"]
    assert (after["version"] == before["version"]) is (what in TEMPLATE_CHANGES)


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
        {"python": "3.11.2"},
        {"python": ""},
        {"restart": "shop"},
        {"host": {"apps": {"shop": {"serial": 1}}}},
    ],
    ids=str,
)
def test_so_do_secrets_pythons_minor_version_and_a_serial(workshop: Workshop, circumstances: dict[str, Any]) -> None:
    others: list[dict[str, Any]] = [{}, {"secrets": {"shop": {"A": "zzzz"}}}]
    assert workshop.id(**circumstances) not in [workshop.id(**other) for other in others]


@pytest.mark.parametrize(
    "host",
    [
        {"packages": ["nginx"], "provided": ["httpd"], "users": ["www"], "somaxconn": 128, "listeners": {"22": "sshd"}},
        {"apps": {"wiki": {"serial": 7, "renew": ["a reason"]}}},
        {"apps": {"shop": {"serial": 0, "renew": [], "releases": ["0" * 12], "live": "0" * 12, "longest_timeout": 99}}},
    ],
    ids=str,
)
def test_no_other_fact_of_a_host_does(workshop: Workshop, host: dict[str, Any]) -> None:
    assert workshop.id(host=host) == workshop.id()
    assert workshop.id(python="3.13.9") == workshop.id(python="3.13.5")


def test_a_version_is_source_and_requirements_alone(rich: Workshop) -> None:
    def version(*apps: Any, **options: Any) -> str:
        return str(rich.item(*apps, **options)["release"]["version"])

    others = [app(**{key: value}) for key, value in IN_THE_RELEASE.items() if "require" not in key and key != "name"]
    same = [version(other) for other in others]
    same += [version(python="3.11.2"), version(secrets={"shop": {"A": "xxxx"}}), version(web_nginx_user="other")]
    assert {*same, version(restart="shop")} == {version()}
    assert version() != version(app(requirements="other.txt"))


def test_equal_inputs_make_equal_ids(workshop: Workshop) -> None:
    first = workshop.id(app(environment={"A": "1", "B": "2"}))
    workshop.source.rename(workshop.folder / "elsewhere")
    copied = workshop.folder / "elsewhere" / "static" / "copied"
    copied.write_text("")
    (workshop.folder / "elsewhere" / "static" / "style.css").unlink()
    copied.rename(workshop.folder / "elsewhere" / "static" / "style.css")
    again = app(source=str(workshop.folder / "elsewhere"), environment={"B": "2", "A": "1"})
    assert workshop.id(again) == first


def test_they_are_twelve_hexadecimal_digits(workshop: Workshop) -> None:
    release = workshop.item()["release"]
    for digits in (release["id"], release["version"], release["venv_key"], release["hooks"]["key"]):
        assert re.fullmatch("[0-9a-f]{12}", digits)


def test_an_environment_is_not_a_secret(workshop: Workshop) -> None:
    """A value that moves between the two must be hidden, or shown, from then on: a new release."""
    assert workshop.id(app(environment={"A": "xxxx"})) != workshop.id(secrets={"shop": {"A": "xxxx"}})


# --- The serial ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("known", "restart", "serial"),
    [
        ({}, "", 0),
        ({}, "shop", 1),
        ({"serial": 4}, "", 4),
        ({"serial": 4, "renew": []}, "", 4),
        ({"serial": 4, "renew": ["the virtualenv was changed"]}, "", 5),
        ({"serial": 4}, "shop", 5),
        ({"serial": 4}, ["shop"], 5),
        ({"serial": 4, "renew": ["the virtualenv was changed"]}, "shop", 5),
    ],
)
def test_the_serial_is_raised_for_a_new_instance_of_the_same(
    workshop: Workshop, known: dict[str, Any], restart: Any, serial: int
) -> None:
    assert workshop.item(host={"apps": {"shop": known}}, restart=restart)["release"]["serial"] == serial


def test_only_what_is_named_is_restarted(workshop: Workshop) -> None:
    made = workshop.plan(app(), app(name="wiki", source="shop", server_names=["b.test"]), restart="wiki")
    assert [item["release"]["serial"] for item in made["apps"]] == [0, 1]


# --- Virtualenvs and hooks ----------------------------------------------------------------------------------------


def test_a_virtualenv_depends_on_requirements_and_python_alone(rich: Workshop) -> None:
    def venv(*apps: Any, **options: Any) -> str:
        return str(rich.item(*apps, **options)["release"]["venv_key"])

    first = venv()
    apart = ("name", "requirements", "required_environment", "python")
    others = [app(**{key: value}) for key, value in IN_THE_RELEASE.items() if key not in apart]
    assert {venv(other) for other in others} == {first}
    assert venv(python="3.13.9") == venv(secrets={"shop": {"A": "xxxx"}}) == venv(restart="shop") == first
    rich.write("shop/flask_wsgi.py", "app = other()\n")
    assert venv() == first
    # A 3.13 that the app asks for may be another than Debian's.
    changed = [venv(python="3.11.2"), venv(app(requirements="other.txt")), venv(app(python="3.13"))]
    rich.write("shop/requirements.txt", f"flask==3.1.2 {HASH}\n")
    changed.append(venv())
    assert len({first, *changed}) == 5


def test_hooks_are_remembered_by_version_environment_and_lines(rich: Workshop) -> None:
    """Not by the host's Python, a serial or how many workers there are: a migration isn't repeated for those."""

    def key(*apps: Any, **options: Any) -> str:
        return str(rich.item(*apps, **options)["release"]["hooks"]["key"])

    first = key()
    same = [key(app(processes=8)), key(python="3.11.2"), key(restart="shop"), key(web_app_root="/srv")]
    assert {*same} == {first}
    others = [
        key(app(environment={"A": "xxxx"})),
        key(secrets={"shop": {"B": "xxxx"}}),
        key(app(before_live=["flask db upgrade"])),
        key(app(after_live=["flask db upgrade"])),
        key(app(requirements="other.txt")),
    ]
    rich.write("shop/flask_wsgi.py", "app = other()\n")
    assert len({first, *others, key()}) == 7


# --- What git calls it --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [FileNotFoundError("git"), subprocess.TimeoutExpired("git", 10)])
def test_the_source_needs_no_git(workshop: Workshop, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    subprocess.run(["git", "init", "--quiet", workshop.source], check=True)

    def popen(*_words: object, **_options: object) -> None:
        raise error

    monkeypatch.setattr(subprocess, "Popen", popen)
    assert workshop.item()["release"]["ref"] == ""


@pytest.fixture
def commit(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path, str], None]:
    """Makes a repository of a folder, and a commit of all that is in it, with a tag."""
    for name in ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"):
        monkeypatch.setenv(name, "somebody")

    def commit(folder: Path, tag: str) -> None:
        for words in (["init"], ["add", "."], ["commit", "-m", "all"], ["tag", tag]):
            subprocess.run(["git", "-C", folder, *words], capture_output=True, check=True)

    return commit


def test_a_source_in_git_is_called_by_its_tag(workshop: Workshop, commit: Callable[[Path, str], None]) -> None:
    commit(workshop.source, "v1")
    before = workshop.id()
    assert workshop.item()["release"]["ref"] == "v1"
    subprocess.run(["git", "-C", workshop.source, "tag", "-d", "v1"], capture_output=True, check=True)
    described.cache_clear()
    assert workshop.item()["release"]["ref"] not in ("", "v1")
    assert workshop.id() == before


def test_apps_of_one_repository_ask_git_once(
    workshop: Workshop, commit: Callable[[Path, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(workshop.source, workshop.folder / "wiki")
    commit(workshop.folder, "v2")
    asked, run = list[str](), command.run

    def note(words: Sequence[str], **more: Any) -> bytes:
        asked.append(words[0])
        return run(words, **more)

    monkeypatch.setattr(command, "run", note)
    made = workshop.plan(app(), app(name="wiki", source="wiki", server_names=["wiki.test"]))["apps"]
    assert [item["release"]["ref"] for item in made] == ["v2", "v2"]
    assert asked == ["describe"]


def test_a_source_behind_a_link_is_called_by_its_own_repository(
    workshop: Workshop, commit: Callable[[Path, str], None], tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    workshop.source.rename(elsewhere / "shop")
    commit(workshop.folder, "v1")
    commit(elsewhere, "v2")
    workshop.source.symlink_to(elsewhere / "shop")
    assert workshop.item()["release"]["ref"] == "v2"


# --- What it costs ------------------------------------------------------------------------------------------------


def test_a_file_is_read_once(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A source of thousands of files must not be read for each host or app anew."""
    before = workshop.plan()
    monkeypatch.setattr("hashlib.file_digest", lambda file, name: pytest.fail(f"{file.name} was read again"))
    assert workshop.plan() == before


def test_a_check_reads_no_code(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hashlib.file_digest", lambda file, name: pytest.fail(f"{file.name} was read"))
    _settings, problems = parse(workshop.request(app()))
    assert problems == []
