"""The running stack, asked as a visitor would ask, and as somebody would who means no good."""

from __future__ import annotations

import contextlib
import json
import re
import time
from http.client import HTTPConnection
from typing import Any

import pytest
import testinfra
from ansible_collections.uwsgi_flask.web.plugins.module_utils.layout import AppLayout
from ansible_collections.uwsgi_flask.web.plugins.module_utils.release_layout import ReleaseLayout
from testinfra.host import Host

from load import Load
from server import ask


@pytest.fixture
def settings(host: Host) -> dict[str, Any]:
    """The app as a person wrote it: tests ask Ansible for settings instead of repeating them."""
    (app,) = host.ansible.get_variables()["web_apps"]
    return dict(app)


@pytest.fixture
def secret(host: Host, settings: dict[str, Any]) -> str:
    return str(host.ansible.get_variables()["web_app_secrets"][settings["name"]]["TOKEN_MD5"])


@pytest.fixture
def app(settings: dict[str, Any]) -> AppLayout:
    """Where everything of it is: no test repeats a path."""
    return AppLayout(settings["name"])


@pytest.fixture
def live(host: Host, app: AppLayout) -> ReleaseLayout:
    """The live release."""
    return app.release(root(host, f"readlink {app.current}").rpartition("/")[2])


@pytest.fixture
def described(host: Host, live: ReleaseLayout) -> dict[str, Any]:
    """What the live release is made of."""
    return dict(json.loads(root(host, f"cat {live.description}")))


def root(host: Host, command: str) -> str:
    with host.sudo():
        return str(host.check_output(command))


def get(host: Host, path: str, name: str = "", **headers: str) -> tuple[int, dict[str, str], str]:
    """Status, headers and body, through the port that the container publishes."""
    variables = host.ansible.get_variables()
    name = name or variables["web_apps"][0]["server_names"][0]
    return ask(int(variables["test_server_http_port"]), path, name, headers)


def test_the_page_is_the_apps_own(host: Host, app: AppLayout, live: ReleaseLayout) -> None:
    status, headers, body = get(host, "/")
    assert status == 200, (headers, body, root(host, f"journalctl -n 30 -u '{app.name}@*'"))
    assert headers["x-release"] == live.id
    assert live.id in body
    for asset in re.findall(r'(?:src|href)="(/[^"]+)"', body):
        assert get(host, asset)[0] == 200, asset


def test_static_files_come_from_nginx(host: Host, app: AppLayout) -> None:
    status, headers, _body = get(host, "/yyy.js")
    assert (status, headers["server"]) == (200, "nginx")
    assert "javascript" in headers["content-type"]
    assert "x-release" not in headers


def test_info_wants_the_token(host: Host, secret: str) -> None:
    token = secret
    assert get(host, "/info")[0] == 400
    assert get(host, "/info?token=wrong")[0] == 400
    status, _headers, body = get(host, f"/info?token={token}")
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
def test_nothing_but_the_static_folder_can_be_read(host: Host, app: AppLayout, path: str) -> None:
    status, _headers, body = get(host, path)
    assert status in (400, 404)
    assert "import " not in body
    assert "[uwsgi]" not in body


def test_nginx_follows_no_link_out_of_the_static_folder(host: Host, app: AppLayout, live: ReleaseLayout) -> None:
    """Nor does Flask: nobody gets the file, whoever is asked."""
    root(host, f"ln -s /etc/passwd {app.public}/passwd")
    try:
        status, _headers, body = get(host, "/passwd")
        assert (status, "root:" in body) in ((403, False), (404, False))
    finally:
        root(host, f"rm {app.public}/passwd")


def test_nobody_but_root_reaches_the_listener_for_probes(host: Host, app: AppLayout) -> None:
    """Through it an unproven release could be asked."""
    probe = "import socket,sys; socket.socket(socket.AF_UNIX).connect('/run/web-probe/nginx.sock')"
    for user in ("www", "www-data", "nobody", "deploy"):
        asked = host.run(f'sudo runuser -u {user} -- python3 -c "{probe}"')
        assert asked.rc != 0
        assert "PermissionError" in asked.stderr
    assert root(host, f'python3 -c "{probe}"') == ""


def test_an_unknown_host_gets_no_answer(host: Host, app: AppLayout) -> None:
    assert get(host, "/", "evil.example")[0] == 0


def test_a_long_cookie_is_no_error(host: Host, app: AppLayout) -> None:
    assert get(host, "/", Cookie=f"a={'x' * 8192}")[0] == 200


def test_what_is_too_large_is_called_so(host: Host, app: AppLayout) -> None:
    """And not a 502 of the app server, which takes whatever nginx does."""
    status, _headers, page = get(host, "/", Cookie=f"a={'x' * 20_000}")
    assert (status, "<h1>Headers too large</h1>" in page) == (431, True)
    most = {f"X-{number}": "x" * 9_000 for number in range(3)}
    assert get(host, f"/?{'x' * 9_000}", **most)[0] == 200
    assert get(host, f"/?{'x' * 20_000}")[0] == 414


@pytest.mark.parametrize(("size", "wanted"), [(1024 * 1024, 405), (1024 * 1024 + 1, 413)])
def test_a_body_may_be_as_large_as_max_body(host: Host, settings: dict[str, Any], size: int, wanted: int) -> None:
    """The app itself has nothing to do with it: 405 is its answer."""
    port = int(host.ansible.get_variables()["test_server_http_port"])
    with contextlib.closing(HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        connection.request("POST", "/", b"x" * size, {"Host": settings["server_names"][0]})
        assert connection.getresponse().status == wanted


def test_one_instance_runs_and_starts_at_boot(host: Host, app: AppLayout, live: ReleaseLayout) -> None:
    units = root(host, f"systemctl list-units --plain --no-legend '{app.name}@*.service' | wc -l")
    assert units == "1"
    for unit in live.serving:
        assert root(host, f"systemctl is-active {unit}") == "active"
    assert root(host, f"systemctl is-enabled {live.target}") == "enabled"
    links = root(host, f"cd /etc/systemd/system && find . -name '{app.name}@*' -type l").split()
    assert links == [f"./multi-user.target.wants/{live.target}"]


def test_the_app_can_write_nothing_of_its_release(host: Host, app: AppLayout, live: ReleaseLayout) -> None:
    assert root(host, f"stat -c '%U %G %a' {app.data}") == f"root web-{app.name} 2770"
    found = f"runuser -u {app.user} -- find {app.root} -writable -not -type l"
    assert root(host, f"{found} 2>/dev/null; true") == ""
    assert host.check_output("id -un") != app.user
    denied = host.run(f"sudo runuser -u {app.user} -- cat {live.environment}")
    assert denied.rc != 0
    assert root(host, f"stat -c '%a %U' {live.environment}") == "600 root"


def test_a_virtualenv_is_roots_and_nothing_of_its_build_is_left(host: Host, live: ReleaseLayout) -> None:
    venv = root(host, f"readlink -f {live.virtualenv}")
    assert root(host, f"find {venv} -not -user root -o -perm /6000 -o -type f -links +1") == ""
    assert root(host, "find /var/cache/private/web-build -path '*/tree/*'") == ""
    assert root(host, f"find {live.app.root} -name '*inputs*'") == ""


CONNECT = "import socket,sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])"


@pytest.mark.parametrize(("user", "may"), [("www-data", True), ("www", False), ("nobody", False), ("deploy", False)])
def test_only_nginx_may_connect(host: Host, app: AppLayout, user: str, may: bool) -> None:
    asked = host.run(f"sudo runuser -u {user} -- python3 -c '{CONNECT}' {app.live_socket}")
    assert (asked.rc == 0) == may, asked.stderr
    assert may or "PermissionError" in asked.stderr


def test_uwsgi_listens_on_no_port(host: Host) -> None:
    assert "uwsgi" not in root(host, "ss -ltnup")


def test_the_queue_is_as_long_as_was_asked(host: Host, live: ReleaseLayout) -> None:
    asked = int(root(host, f"sed -n s/^Backlog=//p {live.unit_file('socket')}"))
    queue = root(host, f"ss -xlH src {live.socket}").split()[3]
    assert int(queue) == asked == 4096
    assert int(root(host, "cat /proc/sys/net/core/somaxconn")) >= asked


def test_nginx_has_as_many_descriptors_as_the_host_gives(host: Host) -> None:
    """Asking for more than the hard limit leaves nginx with 1,024."""
    master = root(host, "systemctl show --value -p MainPID nginx.service")
    soft, hard = root(host, f"awk '/open files/ {{print $4, $5}}' /proc/{master}/limits").split()
    assert soft == hard
    connections = int(root(host, "nginx -T 2>/dev/null | sed -n 's/.*worker_connections \\(.*\\);/\\1/p'"))
    assert 1000 <= connections <= int(soft)
    workers = root(host, f"pgrep -P {master}").split()
    assert {root(host, f"awk '/open files/ {{print $4}}' /proc/{worker}/limits") for worker in workers} == {soft}


def test_a_thousand_connections_at_once(host: Host, settings: dict[str, Any]) -> None:
    port = host.ansible.get_variables()["test_server_http_port"]
    url = f"http://127.0.0.1:{port}/yyy.js"
    with Load(url, settings["server_names"][0], connections=1000, pause=0.5) as load:
        load.wait(4)
    figures = load.summary()
    print(f"\n1000 connections: {figures['answers']} answers, {figures['failed']} failed")
    assert figures["answers"] > 1000
    assert figures["failed"] == 0, figures


def test_the_sandbox_holds(host: Host, live: ReleaseLayout) -> None:
    said = root(host, f"systemd-analyze security --no-pager {live.service}")
    found = re.search(r"exposure level.*: ([0-9.]+)", said)
    assert found, said
    score = float(found.group(1))
    print(f"\nexposure of the app's unit: {score}")
    assert score <= 1.5


def test_secrets_are_nowhere(host: Host, app: AppLayout, secret: str, live: ReleaseLayout) -> None:
    get(host, f"/info?token={secret}")
    # The tests' own questions hold it, and sudo logs them.
    # nginx's error log has requests as they came, bytes that are no text among them.
    logs = "cat /var/log/nginx/*.log | tr -cd '\\11\\12\\40-\\176'"
    journal = root(host, f"journalctl -u '{app.name}*' -u nginx; {logs}")
    assert "GET /info" in journal
    shown = root(host, f"systemctl show {live.service}; cat /etc/systemd/system/{app.name}*")
    processes = root(host, "ps -eo args | grep -v -e grep -e curl")
    readable = root(host, f"find {app.root} -type f -perm /o+r -exec grep -l {secret} {{}} +; true")
    assert secret not in journal + shown + processes
    assert readable == ""


def test_logs_are_not_for_everybody(host: Host) -> None:
    """They say who asked for what; nginx's own would be 0644 until the first rotation."""
    assert root(host, "find /var/log/nginx -type f -perm /o+r") == ""
    assert root(host, "find /var/log/nginx -type f | wc -l") != "0"


def wait_for(host: Host, app: AppLayout, seconds: float) -> float:
    """How long it takes until the page is there again."""
    began = time.monotonic()
    while get(host, "/health")[0] != 200:
        assert time.monotonic() - began < seconds, root(host, "systemctl --failed; journalctl -n 50")
        time.sleep(0.1)
    return time.monotonic() - began


def test_a_killed_uwsgi_loses_only_what_it_was_serving(host: Host, app: AppLayout, live: ReleaseLayout) -> None:
    """systemd holds the socket: those who come while nobody serves wait in its queue."""
    clients = 8
    unit = live.service
    port = host.ansible.get_variables()["test_server_http_port"]
    url = f"http://127.0.0.1:{port}/health"
    with Load(url, "flask.test", connections=clients, pause=0.02) as load:
        load.wait(1)
        root(host, f"kill -9 $(systemctl show --value -p MainPID {unit})")
        load.wait(4)
    figures = load.summary()
    print(
        f"\nuWSGI's master killed: {figures['answers']} answers to {clients} clients, {figures['failed']} lost, "
        f"worst {figures['worst_ms']:.0f} ms"
    )
    assert figures["by"][f"200 {live.id}"] > 10 * clients
    # One for each client, if it was just being served.
    assert figures["failed"] <= clients, figures
    assert root(host, f"systemctl show --value -p NRestarts {unit}") == "1"


def test_nginx_comes_back_after_it_is_killed(host: Host, app: AppLayout) -> None:
    root(host, "kill -9 $(systemctl show --value -p MainPID nginx.service)")
    began = time.monotonic()
    # Its workers may answer for a moment yet, so the unit is asked first.
    wanted = "ActiveState=active NRestarts=1"
    while root(host, "echo $(systemctl show -p ActiveState -p NRestarts nginx.service | sort)") != wanted:
        assert time.monotonic() - began < 20, root(host, "systemctl status nginx.service; journalctl -n 30 -u nginx")
        time.sleep(0.1)
    wait_for(host, app, 10)
    print(f"\nnginx back after {time.monotonic() - began:.1f} s")


def test_comes_back_after_a_reboot(host: Host, app: AppLayout, live: ReleaseLayout) -> None:
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
    assert root(host, f"readlink {app.current}").endswith(live.id)
