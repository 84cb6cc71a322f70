"""The files that land on a host, rendered by Ansible's own engine from what the filter derives."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

from web_apps import web_plan

PROJECT = Path(__file__).parents[2]
CONTRACT = {
    "user": "www",
    "group": "www",
    "nginx_group": "www-data",
    "app_root": "/opt",
    "run_root": "/run",
    "http_port": 80,
}


def plan(**changes: Any) -> dict[str, Any]:
    app = {"name": "uwsgi-flask", "server_names": ["a.test", "b.test"], "static_url": "/", "processes": 3, **changes}
    recipe = str(PROJECT / "roles/uwsgi/templates")
    return web_plan([app], {}, base=str(PROJECT), contract=CONTRACT, python="3.13.5", recipe=recipe)


def render(role: str, template: str, **variables: Any) -> str:
    """As the role would: with its defaults, and the options of `lookup('template')`."""
    folder = PROJECT / "roles" / role
    loader = DataLoader()
    loader.set_basedir(str(folder / "templates"))
    defaults = yaml.safe_load((folder / "defaults/main.yml").read_text())
    given = {**defaults, "ansible_managed": "Ansible managed", **variables}
    templar = Templar(loader=loader, variables=given)
    text = trust_as_template((folder / "templates" / template).read_text())
    with templar.set_temporary_context(searchpath=[str(folder / "templates")]):
        return str(
            templar.template(text, escape_backslashes=False, convert_data=False, overrides={"trim_blocks": True})
        )


@pytest.fixture
def ini() -> str:
    return render("uwsgi", "uwsgi-flask.ini.j2", uwsgi_instance=plan()["uwsgi"][0])


def site(**changes: Any) -> str:
    return render("nginx", "uwsgi-flask.conf.j2", nginx_site=plan(**changes)["nginx"][0])


def unit(template: str) -> str:
    return render("uwsgi", template, uwsgi_instance=plan()["uwsgi"][0])


def settings(text: str) -> dict[str, str]:
    """`key = value` of an ini or a unit; a key that is there more than once keeps its last value."""
    lines = [line for line in text.splitlines() if line and line[0] not in "#;["]
    return {line.partition("=")[0].strip(): line.partition("=")[2].strip() for line in lines}


def comments(text: str) -> str:
    return " ".join(line.lstrip("# ") for line in text.splitlines() if line.lstrip().startswith("#"))


def test_ini_holds_no_comment_behind_a_value(ini: str) -> None:
    """uWSGI would take it for a part of the value."""
    assert [line for line in ini.splitlines() if re.search(r"^[^#;].*\s[#;]", line)] == []


def test_ini_loads_python_before_it_is_strict(ini: str) -> None:
    lines = [line for line in ini.splitlines() if line and line[0] not in "#["]
    assert lines[:2] == ["plugins = python3", "strict = true"]


def test_ini_values(ini: str) -> None:
    instance = plan()["uwsgi"][0]
    values = settings(ini)
    assert values["processes"] == "3"
    assert values["chdir"] == f"/opt/uwsgi-flask/releases/{instance['id']}/code"
    assert values["add-header"] == f"X-Release: {instance['id']}"
    assert int(values["harakiri"]) < plan()["nginx"][0]["read_timeout"]
    for name in ("master", "need-app", "vacuum", "die-on-term", "strict"):
        assert values[name] == "true"
    assert values["hook-master-start"] == "unix_signal:15 gracefully_kill_them_all"


# The directives of the blog post that this project grew from.
SEED = (
    *("master", "processes", "uwsgi-socket", "chdir", "module", "callable", "pidfile", "daemonize", "check-static"),
    *("chown-socket", "chmod-socket", "uid", "gid", "vacuum", "die-on-term"),
)


@pytest.mark.parametrize("directive", SEED)
def test_each_directive_of_the_seed_is_there_or_explained(ini: str, directive: str) -> None:
    assert directive in settings(ini) or f"`{directive}`" in comments(ini)


def test_nothing_lies_in_tmp(ini: str) -> None:
    texts = [ini, site(), *(unit(path.name) for path in (PROJECT / "roles/uwsgi/templates").glob("*.j2"))]
    assert [text for text in texts if re.search(r"^[^#]*/tmp", text, re.MULTILINE)] == []


@pytest.mark.parametrize("kind", ["@.service", "@.socket", "-step@.service"])
def test_units(kind: str) -> None:
    text = unit(f"uwsgi-flask{kind}.j2")
    assert "{{" not in text
    assert "%I" not in text
    assert text.count("%i") >= 2
    for line in text.splitlines():
        assert re.fullmatch(r"|#.*|\[\w+\]|\w+=.*", line), line


def test_the_socket_lets_nginx_in_and_nobody_else() -> None:
    values = settings(unit("uwsgi-flask@.socket.j2"))
    assert values["ListenStream"] == "/run/uwsgi-flask/%i.sock"
    assert (values["SocketUser"], values["SocketGroup"], values["SocketMode"]) == ("root", "www-data", "0660")
    assert values["Backlog"] == "4096"


def test_the_service_runs_as_the_apps_user_in_its_sandbox() -> None:
    values = settings(unit("uwsgi-flask@.service.j2"))
    assert values["ExecStart"] == "/usr/bin/uwsgi --ini /opt/uwsgi-flask/releases/%i/uwsgi-flask.ini"
    assert (values["User"], values["ProtectSystem"], values["NoNewPrivileges"]) == ("www", "strict", "yes")
    assert int(values["TimeoutStopSec"]) > plan()["uwsgi"][0]["request_timeout"]


def test_tmpfiles_lead_to_the_live_release() -> None:
    text = unit("tmpfiles.conf.j2")
    assert "d /run/uwsgi-flask 0751 root www-data\n" in text
    assert "L+ /run/uwsgi-flask/uwsgi-flask.sock - - - - /opt/uwsgi-flask/current/socket\n" in text


def test_site() -> None:
    text = site()
    assert "server unix:/run/uwsgi-flask/uwsgi-flask.sock;" in text
    assert "server_name a.test b.test;" in text
    assert "client_max_body_size 1m;" in text
    assert "include uwsgi_params;" in text
    assert text.count("{") == text.count("}")


def test_static_files_at_the_root_come_before_the_app() -> None:
    text = site(static_url="/")
    assert "try_files $uri @uwsgi-flask;" in text
    assert "location @uwsgi-flask {" in text


def test_static_files_below_a_path_of_their_own() -> None:
    text = site(static_url="/static/")
    assert "location /static/ {" in text
    assert "alias /opt/uwsgi-flask/current/code/static/;" in text
    assert "location / {\n        include uwsgi_params;" in text
    assert "@uwsgi-flask" not in text


def test_nginx_conf_can_be_tested_in_another_place() -> None:
    includes = re.findall(r"^\s*include (.*);", render("nginx", "nginx.conf.j2"), re.MULTILINE)
    assert includes
    assert [path for path in includes if path.startswith("/")] == []


@pytest.mark.parametrize("has_ipv6", [True, False])
def test_ipv6_is_a_choice(has_ipv6: bool) -> None:
    for template in ("default.conf.j2", "uwsgi-flask.conf.j2"):
        text = render("nginx", template, nginx_site=plan()["nginx"][0], nginx_ipv6=has_ipv6)
        assert ("listen [::]:80" in text) == has_ipv6
        assert "@generation@" in text or template != "default.conf.j2"


def test_no_log_holds_a_query_string() -> None:
    """Tokens travel in it."""
    text = render("nginx", "nginx.conf.j2")
    assert "$uri" in text
    assert not re.search(r"log_format[^;]*\$(request|request_uri|args|query_string)\b", text)
