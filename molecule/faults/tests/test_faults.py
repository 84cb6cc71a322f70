"""What breaks on a server that stands, under load: nobody mends it, and the figures say what it has cost.

In a container; what needs a kernel of its own is in the scenario whole_server.
"""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Iterator

import pytest
from testinfra.host import Host

import fault_table
from load import Load
from server import Server, ask

SCENARIO = "faults"
APP = "uwsgi-flask"
# Seconds that a fault may last before the test says that nothing mends it.
PATIENCE = 60.0
# Clients that ask without a pause would only measure how fast a refusal is.
CLIENTS, PAUSE = 8, 0.02
# What an app may do that an app server has to survive.
VIEWS = '''

@app.get("/crash")
def crash():
    """A C extension with a wild pointer."""
    import ctypes

    ctypes.string_at(0)


@app.get("/hang")
def hang():
    import time

    time.sleep(600)


@app.get("/eat")
def eat():
    """Take memory, and keep it."""
    eaten = getattr(app, "eaten", b"")
    app.eaten = eaten + b"x" * (200 * 1024 * 1024)
    return "eaten"


@app.get("/write")
def write():
    import os
    import pathlib

    (pathlib.Path(os.environ["STATE_DIRECTORY"]) / "written").write_bytes(os.urandom(300_000))
    return "written"
'''


@pytest.fixture(scope="module")
def standing(host: Host, tmp_path_factory: pytest.TempPathFactory) -> Server:
    """A server with the app deployed, which may crash, hang and eat."""
    fault_table.begin(SCENARIO)
    server = Server(host, tmp_path_factory.mktemp("server"))
    entry = server.source / "flask_wsgi.py"
    entry.write_text(entry.read_text() + VIEWS)
    # What the container can't limit, uWSGI does: a worker that takes more is killed by its master.
    server.app |= {"request_timeout": 5, "uwsgi_options": {"evil-reload-on-rss": 300}}
    server.deploy()
    return server


@contextlib.contextmanager
def fault(server: Server, name: str, done: str, absorbs: bool, note: str = "") -> Iterator[Load]:
    """A load under which something is broken. It goes on until all has been well for two seconds.

    `absorbs`: whether a standing server must not lose a request by it.
    """
    with server.load(connections=CLIENTS, pause=PAUSE) as load:
        load.wait(1)
        yield load
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            answers, failed = sum(load.by.values()), load.failed
            load.wait(2)
            if load.failed == failed and sum(load.by.values()) > answers:
                break
        else:
            pytest.fail(f"{name}: nobody is served {PATIENCE:.0f} s later: {load.errors}")
    figures = load.summary()
    fault_table.record(SCENARIO, name, done, figures["answers"], figures["failed"], load.seconds_of_failure(), note)
    assert figures["answers"] > 50, figures
    assert not absorbs or figures["failed"] == 0, figures


def main_pid(server: Server, unit: str) -> str:
    return server.sh(f"systemctl show --value -p MainPID {unit}")


def service(server: Server) -> str:
    return f"{APP}@{server.live()}.service"


def worker(server: Server) -> str:
    """A worker of uWSGI that is idle or not."""
    return server.sh(f"cat /proc/{main_pid(server, service(server))}/task/*/children").split()[0]


def provoke(server: Server, path: str) -> int:
    """Ask for trouble once, beside the load; the status."""
    return ask(server.port, path, server.app["server_names"][0])[0]


# --- Processes --------------------------------------------------------------------------------------------------------


def test_a_worker_is_killed(standing: Server) -> None:
    with fault(standing, "a worker is killed", "`kill -9` of a uWSGI worker", absorbs=False):
        standing.sh(f"kill -9 {worker(standing)}")


def test_a_worker_crashes(standing: Server) -> None:
    """Its other threads' requests go with it."""
    with fault(standing, "a worker crashes", "a view reads address 0", absorbs=False):
        assert provoke(standing, "/crash") == 502


def test_a_worker_eats_memory(standing: Server) -> None:
    with fault(
        standing, "a worker eats memory", "a view keeps 200 MB more each time; `evil-reload-on-rss: 300`", False
    ):
        for _time in range(4):
            provoke(standing, "/eat")
    assert "EVIL RELOAD" in standing.sh(f"journalctl -u {service(standing)} --grep 'EVIL RELOAD ON WORKER' --no-pager")


def test_a_request_hangs(standing: Server) -> None:
    with fault(standing, "a request hangs", "a view sleeps; `request_timeout: 5`", absorbs=True, note="it gets 504"):
        began = time.monotonic()
        assert provoke(standing, "/hang") == 504
        assert time.monotonic() - began < 9


def test_uwsgis_master_is_killed(standing: Server) -> None:
    with fault(standing, "uWSGI's master is killed", "`kill -9` of the master", absorbs=False):
        standing.sh(f"kill -9 {main_pid(standing, service(standing))}")
    assert standing.sh(f"systemctl show --value -p NRestarts {service(standing)}") != "0"


def test_nginx_is_killed(standing: Server) -> None:
    with fault(standing, "nginx's master is killed", "`kill -9` of the master", absorbs=False):
        standing.sh(f"kill -9 {main_pid(standing, 'nginx')}")


def test_an_nginx_worker_is_killed(standing: Server) -> None:
    with fault(standing, "an nginx worker is killed", "`kill -9` of a worker", absorbs=False):
        standing.sh("kill -9 $(pgrep -P $(systemctl show --value -p MainPID nginx) | head -n 1)")


# --- Files ------------------------------------------------------------------------------------------------------------

REMOVED = {
    "the socket is removed": f"rm /run/{APP}/????????????.sock",
    "the socket's mode is changed": f"chmod 600 /run/{APP}/????????????.sock",
    "the link to the socket is removed": f"rm /run/{APP}/{APP}.sock",
    "the link to the live release is removed": f"rm /opt/{APP}/current",
    "the app's folder in /run is emptied": f"rm -r /run/{APP}/*",
    "the app's folder in /run is removed": f"rm -r /run/{APP}",
    "all of ours in /run is removed": f"rm -r /run/{APP} /run/web-probe /run/nginx.pid",
}


@pytest.mark.parametrize("name", REMOVED)
def test_what_leads_to_the_app_is_gone(standing: Server, name: str) -> None:
    live = standing.live()
    with fault(standing, name, f"`{REMOVED[name]}`", absorbs=False):
        standing.sh(REMOVED[name])
    assert standing.live() == live


def test_nothing_of_that_is_left_to_a_deploy(standing: Server) -> None:
    """But nginx's pid file and its place for probes, which no visitor needs: the next deploy makes them anew."""
    assert standing.run().code == 0
    assert standing.run().changed == 0
    assert "DRIFT" not in standing.run("status.yml").output


def test_units_are_edited_by_hand(standing: Server) -> None:
    """What was changed isn't used before a deploy has proven a new instance."""
    before = standing.live()
    with fault(standing, "units are edited by hand", "`Nice=5` in the service's file, then site.yml", absorbs=True):
        standing.sh(
            f"sed -i 's/^Type=notify/Nice=5\\n&/' /etc/systemd/system/{service(standing)}; systemctl daemon-reload"
        )
        standing.deploy()
    assert standing.live() != before


# --- Disks ------------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def small_disk(server: Server, path: str, size: str) -> Iterator[None]:
    """A disk of its own at a path, as full as can be."""
    owner = server.sh(f"stat -c 'uid=%u,gid=%g,mode=%a' {path}")
    acl = server.sh(f"getfacl --absolute-names --recursive {path} 2>/dev/null | base64 -w0; true")
    server.sh(f"mount -t tmpfs -o size={size},{owner} tmpfs {path}")
    if acl:
        server.sh(f"echo {acl} | base64 -d | setfacl --restore=- 2>/dev/null; true")
    try:
        yield
    finally:
        server.sh(f"umount -l {path}")


def test_the_disk_of_the_logs_is_full(standing: Server) -> None:
    with small_disk(standing, "/var/log/nginx", "64k"):
        standing.sh("nginx -s reopen; sleep 0.5; dd if=/dev/zero of=/var/log/nginx/fill bs=4k 2>/dev/null; true")
        with fault(standing, "the disk of nginx's logs is full", "64 KiB at /var/log/nginx, filled", absorbs=True):
            standing.sh("systemctl reload nginx")
    standing.sh("nginx -s reopen")


def test_the_disk_of_the_data_is_full(standing: Server) -> None:
    """The app itself fails where it writes; that is its own affair, and ends when there is room."""
    data = f"/var/lib/{APP}"
    assert provoke(standing, "/write") == 200
    with small_disk(standing, data, "128k"):
        standing.sh(f"systemctl restart {service(standing)}")
        with fault(
            standing, "the disk of the app's data is full", f"128 KiB at {data}", True, "only what writes gets 500"
        ):
            assert provoke(standing, "/write") == 500
    standing.sh(f"systemctl restart {service(standing)}")
    assert provoke(standing, "/write") == 200


# --- What others do ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("package", ["nginx", "uwsgi-core"])
def test_a_package_is_installed_again(standing: Server, package: str) -> None:
    """As an upgrade does: files are replaced, and the package's own scripts run."""
    if standing.sh("ls /var/lib/apt/lists | wc -l") == "0":
        standing.sh("apt-get update -qq")
    more = "uwsgi-plugin-python3" if package == "uwsgi-core" else ""
    with fault(standing, f"{package} is installed again", f"`apt-get install --reinstall {package}`", absorbs=False):
        standing.sh(f"DEBIAN_FRONTEND=noninteractive apt-get install -qq --reinstall {package} {more} 2>&1")
    assert "DRIFT" not in standing.run("status.yml").output


def test_a_certificate_has_expired(standing: Server) -> None:
    """Of those that a host makes for itself; the next run makes a new one. certbot renews what a CA gave by itself."""
    standing.app["tls"] = "self_signed"
    standing.deploy()
    pem = f"/etc/nginx/tls/{APP}.pem"
    made = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=flask.test "
        "-addext subjectAltName=DNS:flask.test -not_before 20200101000000Z -not_after 20200201000000Z "
        f"-keyout /root/key -out /root/crt 2>/dev/null && cat /root/key /root/crt > {pem}"
    )
    ends = f"openssl x509 -checkend {30 * 86_400} -noout -in {pem}; true"
    try:
        standing.sh(f"{made} && systemctl reload nginx && rm /root/key /root/crt")
        assert standing.sh(ends) == "Certificate will expire"
        with fault(standing, "a self-signed certificate has expired", "one of 2020 in its place, then site.yml", True):
            standing.deploy()
        assert standing.sh(ends) == "Certificate will not expire"
    finally:
        del standing.app["tls"]
        standing.deploy()


def test_a_port_is_taken(standing: Server) -> None:
    """Before anything is changed."""
    standing.web = {"web_http_port": 8099}
    standing.sh("systemd-run --unit=taker --collect python3 -m http.server 8099")
    try:
        with fault(standing, "another program has the port", "`web_http_port: 8099`, which Python has", absorbs=True):
            run = standing.run()
        assert run.code != 0
        assert "web_http_port: port 8099 of faults is taken by python3; stop that for good there" in run.output
        assert run.changed == 0
    finally:
        standing.sh("systemctl stop taker")
        standing.web = {}
    assert standing.run().changed == 0


def test_the_server_is_started_again(standing: Server) -> None:
    """A container's boot: the same systemd, but no kernel and no firmware. Clients wait from the stop on."""
    container = f"uwsgi-flask-{standing.name}"
    with fault(standing, "the server is started again", "`podman restart`", absorbs=False, note="from the stop on"):
        subprocess.run(["podman", "restart", "--time", "30", container], check=True, capture_output=True)
    assert standing.sh("systemctl is-system-running --wait; true") == "running"
