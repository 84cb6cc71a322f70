"""The running stack, asked as a visitor would ask, and as somebody would who means no good."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import pytest
import testinfra
from testinfra.host import Host

from load import Load
from server import ask


@pytest.fixture(scope="module")
def plan(host: Host) -> dict[str, Any]:
    """What the project's own filter derives for this host: no test repeats a path or a setting."""
    host.ansible("ansible.builtin.setup", "gather_subset=min", check=False)
    return dict(host.ansible("ansible.builtin.debug", "var=web_plan", check=False)["web_plan"])


@pytest.fixture(params=["uwsgi-flask"])
def app(plan: dict[str, Any], request: pytest.FixtureRequest) -> dict[str, Any]:
    """The app as the roles see it: the slices of uwsgi and nginx in one."""
    (instance,) = [it for it in plan["uwsgi"] if it["name"] == request.param]
    (site,) = [it for it in plan["nginx"] if it["name"] == request.param]
    return {**site, **instance}


@pytest.fixture
def live(host: Host, app: dict[str, Any]) -> str:
    """The id of the live release."""
    return root(host, f"readlink {app['root']}/current").rpartition("/")[2]


def root(host: Host, command: str) -> str:
    with host.sudo():
        return str(host.check_output(command))


def get(host: Host, app: dict[str, Any], path: str, **headers: str) -> tuple[int, dict[str, str], str]:
    """Status, headers and body, through the port that the container publishes."""
    return ask(int(host.ansible.get_variables()["test_server_http_port"]), path, app["server_names"][0], **headers)


def test_the_page_is_the_apps_own(host: Host, app: dict[str, Any], live: str) -> None:
    status, headers, body = get(host, app, "/")
    assert status == 200, (headers, body, root(host, f"journalctl -n 30 -u '{app['name']}@*'"))
    assert headers["x-release"] == live
    assert live in body
    for asset in re.findall(r'(?:src|href)="(/[^"]+)"', body):
        assert get(host, app, asset)[0] == 200, asset


def test_static_files_come_from_nginx(host: Host, app: dict[str, Any]) -> None:
    status, headers, _body = get(host, app, "/yyy.js")
    assert (status, headers["server"]) == (200, "nginx")
    assert "javascript" in headers["content-type"]
    assert "x-release" not in headers


def test_info_wants_the_token(host: Host, app: dict[str, Any], plan: dict[str, Any]) -> None:
    token = plan["secrets"][app["name"]]["TOKEN_MD5"]
    assert get(host, app, "/info")[0] == 400
    assert get(host, app, "/info?token=wrong")[0] == 400
    status, _headers, body = get(host, app, f"/info?token={token}")
    assert status == 200
    assert set(json.loads(body)) == {"num", "date", "tags"}


@pytest.mark.parametrize(
    "path",
    [
        "/flask_wsgi.py",
        "/configs/config.py",
        "/templates/xxx.html",
        "/requirements.txt",
        "/.git/config",
        "/.env",
        "/app/__init__.py",
        "/../",
        "/../flask_wsgi.py",
        "/%2e%2e/flask_wsgi.py",
        "/..%2fflask_wsgi.py",
        "/static/../flask_wsgi.py",
        "/../environment",
        "/../uwsgi-flask.ini",
    ],
)
def test_nothing_but_the_static_folder_can_be_read(host: Host, app: dict[str, Any], path: str) -> None:
    status, _headers, body = get(host, app, path)
    assert status in (400, 404)
    assert "import " not in body
    assert "[uwsgi]" not in body


def test_nginx_follows_no_link_out_of_the_static_folder(host: Host, app: dict[str, Any]) -> None:
    root(host, f"ln -s /etc/passwd {app['static_root']}/passwd")
    try:
        status, headers, _body = get(host, app, "/passwd")
        # Flask follows it, for the app may read that file; the release itself can't hold such a link.
        assert status in (403, 404) or "x-release" in headers
    finally:
        root(host, f"rm {app['static_root']}/passwd")


def test_an_unknown_host_gets_no_answer(host: Host, app: dict[str, Any]) -> None:
    assert get(host, {**app, "server_names": ["evil.example"]}, "/")[0] == 0


def test_a_long_cookie_is_no_error(host: Host, app: dict[str, Any]) -> None:
    assert get(host, app, "/", Cookie=f"a={'x' * 5000}")[0] == 200


def test_one_instance_runs_and_starts_at_boot(host: Host, app: dict[str, Any], live: str) -> None:
    units = f"{app['name']}@*.service"
    assert root(host, f"systemctl list-units --plain --no-legend '{units}' | wc -l") == "1"
    for kind in ("service", "socket"):
        service = f"{app['name']}@{live}.{kind}"
        assert root(host, f"systemctl is-active {service}") == "active"
        assert root(host, f"systemctl is-enabled {service}") == "enabled"


def test_the_app_can_write_nothing_of_its_release(host: Host, app: dict[str, Any], plan: dict[str, Any]) -> None:
    user = root(host, f"stat -c %U /var/lib/{app['name']}")
    found = f"runuser -u {user} -- find {app['root']} -writable -not -type l"
    assert root(host, f"{found} 2>/dev/null; true") == ""
    assert host.check_output("id -un") != user
    denied = host.run(f"sudo runuser -u {user} -- cat {app['root']}/current/environment")
    assert denied.rc != 0
    assert root(host, f"stat -c '%a %U' {app['root']}/current/environment") == "600 root"


CONNECT = "import socket,sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])"


@pytest.mark.parametrize(("user", "may"), [("www-data", True), ("www", False), ("nobody", False), ("deploy", False)])
def test_only_nginx_may_connect(host: Host, app: dict[str, Any], user: str, may: bool) -> None:
    asked = host.run(f"sudo runuser -u {user} -- python3 -c '{CONNECT}' {app['live_socket']}")
    assert (asked.rc == 0) == may, asked.stderr
    assert may or "PermissionError" in asked.stderr


def test_uwsgi_listens_on_no_port(host: Host) -> None:
    assert "uwsgi" not in root(host, "ss -ltnup")


def test_the_queue_is_as_long_as_was_asked(host: Host, app: dict[str, Any], live: str) -> None:
    queue = root(host, f"ss -xlH src {app['run']}/{live}.sock").split()[3]
    assert int(queue) == app["backlog"]
    assert int(root(host, "cat /proc/sys/net/core/somaxconn")) >= app["backlog"]


def test_the_sandbox_holds(host: Host, app: dict[str, Any], live: str) -> None:
    said = root(host, f"systemd-analyze security --no-pager {app['name']}@{live}.service")
    found = re.search(r"exposure level.*: ([0-9.]+)", said)
    assert found, said
    score = float(found.group(1))
    print(f"\nexposure of the app's unit: {score}")
    assert score <= 1.5


def test_secrets_are_nowhere(host: Host, app: dict[str, Any], plan: dict[str, Any], live: str) -> None:
    get(host, app, f"/info?token={plan['secrets'][app['name']]['TOKEN_MD5']}")
    secret = plan["secrets"][app["name"]]["TOKEN_MD5"]
    # The tests' own questions hold it, and sudo logs them.
    journal = root(host, f"journalctl -u '{app['name']}*' -u nginx; cat /var/log/nginx/*.log")
    shown = root(host, f"systemctl show {app['name']}@{live}.service; cat /etc/systemd/system/{app['name']}*")
    processes = root(host, "ps -eo args | grep -v -e grep -e curl")
    readable = root(host, f"find {app['root']} -type f -perm /o+r -exec grep -l {secret} {{}} +; true")
    assert secret not in journal + shown + processes
    assert readable == ""


def wait_for(host: Host, app: dict[str, Any], seconds: float) -> float:
    """How long it takes until the page is there again."""
    began = time.monotonic()
    while get(host, app, app["health"]["path"])[0] != 200:
        assert time.monotonic() - began < seconds, root(host, "systemctl --failed; journalctl -n 50")
        time.sleep(0.1)
    return time.monotonic() - began


def test_a_killed_uwsgi_loses_only_what_it_was_serving(host: Host, app: dict[str, Any], live: str) -> None:
    """systemd holds the socket: those who come while nobody serves wait in its queue."""
    clients = 8
    unit = f"{app['name']}@{live}.service"
    port = host.ansible.get_variables()["test_server_http_port"]
    url = f"http://127.0.0.1:{port}{app['health']['path']}"
    with Load(url, app["server_names"][0], connections=clients, pause=0.02) as load:
        load.wait(1)
        root(host, f"kill -9 $(systemctl show --value -p MainPID {unit})")
        load.wait(4)
    figures = load.summary()
    print(
        f"\nuWSGI's master killed: {figures['answers']} answers to {clients} clients, {figures['failed']} lost, "
        f"worst {figures['worst_ms']:.0f} ms"
    )
    assert figures["by"][f"200 {live}"] > 10 * clients
    # One for each client, if it was just being served.
    assert figures["failed"] <= clients, figures
    assert root(host, f"systemctl show --value -p NRestarts {unit}") == "1"


def test_nginx_comes_back_after_it_is_killed(host: Host, app: dict[str, Any]) -> None:
    root(host, "kill -9 $(systemctl show --value -p MainPID nginx.service)")
    began = time.monotonic()
    # Its workers may answer for a moment yet, so the unit is asked first.
    wanted = "ActiveState=active NRestarts=1"
    while root(host, "echo $(systemctl show -p ActiveState -p NRestarts nginx.service | sort)") != wanted:
        assert time.monotonic() - began < 20, root(host, "systemctl status nginx.service; journalctl -n 30 -u nginx")
        time.sleep(0.1)
    wait_for(host, app, 10)
    print(f"\nnginx back after {time.monotonic() - began:.1f} s")


def test_comes_back_after_a_reboot(host: Host, app: dict[str, Any], live: str) -> None:
    """The last test: the container restarts, and nobody runs Ansible."""
    name = host.ansible.get_variables()["inventory_hostname"]
    local = testinfra.get_host("local://")
    local.check_output(f"podman restart uwsgi-flask-{name}")
    began = time.monotonic()
    wait_for(host, app, 60)
    print(f"\nserves {time.monotonic() - began:.1f} s after the reboot")
    while local.run(f"podman exec uwsgi-flask-{name} systemctl is-active ssh").rc != 0:
        assert time.monotonic() - began < 60
        time.sleep(0.5)
    assert root(host, f"readlink {app['root']}/current").endswith(live)
