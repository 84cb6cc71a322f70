"""A rehearsal, an app that goes, edits by hand, a broken nginx configuration, and a host as it was before."""

from __future__ import annotations

import re

import pytest
from testinfra.host import Host

from server import Server, report

# Where anything of ours could be; /root is where the test keeps its notes.
PLACES = "/etc /opt /run /usr /var /home /srv"
# What others write while we are there: the package manager, the system's logs, systemd's own bookkeeping. logrotate is
# no package of ours: nearly every server has it, and others count on it.
OTHERS = re.compile(
    r"^/(usr|var/(lib/(apt|dpkg|systemd|ucf|python)|cache|log|tmp|www|backups)"
    r"|run/(systemd|user|sudo|udev|log|lock|dbus|sshd)"
    r"|etc/(cron\.daily/logrotate|logrotate\.(conf|d/[bw]tmp)|systemd/system/timers\.target\.wants/logrotate\.timer)|var/lib/logrotate)"
)
# What two runs must both find, or each would lock another; a boot removes them.
LOCKS = {"/run/web-deploy.flock", "/run/web-deploy.lease.flock"}
# What nginx's, uWSGI's and Python's packages bring, for as long as they are installed.
PACKAGES = re.compile(
    r"^/(etc/(nginx|ssl|alternatives|init\.d|default|logrotate\.d|ufw|rc.\.d|uwsgi|apache2|python|apt)"
    r"|etc/systemd/system/multi-user\.target\.wants/nginx\.service$|run/nginx|var/lib/nginx)|-$"
)


@pytest.fixture(scope="module")
def bare(host: Host, tmp_path_factory: pytest.TempPathFactory) -> Server:
    """The host before anything is deployed."""
    return Server(host, tmp_path_factory.mktemp("bare"))


@pytest.fixture(scope="module", autouse=True)
def before(bare: Server) -> set[str]:
    """Every path on it."""
    return paths(bare)


def paths(server: Server) -> set[str]:
    return set(server.sh(f"find {PLACES} -xdev 2>/dev/null; true").splitlines())


def test_a_rehearsal_on_a_bare_host_changes_nothing(bare: Server, before: set[str]) -> None:
    """Only apt may have looked at what it offers."""
    run = bare.run("site.yml", "--check", "--diff")
    assert run.code == 0, run.output[-4000:]
    assert run.changed > 0
    made = {
        path
        for path in paths(bare) - before
        if not path.startswith(("/var/lib/apt", "/var/cache/apt", "/var/log/apt", "/run"))
    }
    assert made == set()


def second_app(**changes: object) -> dict[str, object]:
    return {"name": "shop", "server_names": ["shop.test"], "static_url": "/", **changes}


def test_what_nginx_loses_comes_back_and_no_request_is_lost(server: Server) -> None:
    """Though the run is about one app, and nginx serves another too."""
    server.others = [second_app(source=str(server.source))]
    server.deploy()
    server.sh("rm /run/web-probe/nginx.sock /run/nginx.pid && mknod /run/web-probe/nginx.sock.again p")
    assert "nginx runs another configuration" in server.run("status.yml").output
    with server.load() as load:
        run = server.run("site.yml", "-eapp=shop")
    assert run.code == 0, run.output[-4000:]
    report(f"nginx's lost socket made anew ({run.seconds:.0f} s)", load, reloads_nginx=True)
    assert "DRIFT" not in server.run("status.yml").output
    assert server.run().changed == 0


def test_nginx_comes_back_from_a_kill_whatever_was_removed(server: Server) -> None:
    server.sh("rm -r /run/web-probe /var/log/nginx /var/lib/nginx && systemctl kill --signal=KILL nginx")
    server.sh("for _ in $(seq 50); do systemctl is-active --quiet nginx && break; sleep 0.1; done")
    assert server.get("/health")[0] == 200
    server.deploy()
    assert "DRIFT" not in server.run("status.yml").output


def test_one_app_goes_and_the_other_never_notices(server: Server) -> None:
    server.others = [second_app(source=str(server.source))]
    server.deploy()
    assert server.get("/health", "shop.test")[0] == 200
    server.sh("echo precious > /var/lib/shop/data")
    server.others = [second_app(state="absent")]
    with server.load() as load:
        run = server.deploy()
    report(f"another app removed ({run.seconds:.0f} s)", load, reloads_nginx=True)
    assert server.get("/health", "shop.test")[0] == 0
    left = server.sh(f"find {PLACES} -xdev -path '*shop*' -not -path '/var/log/journal/*' 2>/dev/null; true").split()
    assert sorted(left) == ["/var/lib/shop", "/var/lib/shop/data", "/var/lib/web-apps/shop.json"]
    assert server.sh("systemctl list-units --all --plain --no-legend 'shop*'") == ""
    assert server.run().changed == 0
    server.others = [second_app(state="absent", purge=True)]
    server.deploy()
    assert server.sh("ls /var/lib").split().count("shop") == 0
    server.others = []


def edit(path: str) -> str:
    return f"echo '# by hand' >> $(readlink -f {path})"


CURRENT = "/opt/uwsgi-flask/current"
UNIT = "/etc/systemd/system/uwsgi-flask@$(basename $(readlink -f /opt/uwsgi-flask/current))"

# What keeps links and sockets, and would be quicker than a run.
WATCH = f"systemctl stop $(basename {UNIT})-watch.path"

# What is mended where it is: nothing that the instance was made from has changed.
IN_PLACE: dict[str, str] = {
    "code mode": f"chmod 0666 {CURRENT}/code/flask_wsgi.py",
    "code owner": f"chown daemon {CURRENT}/code",
    "environment mode": f"chmod 0644 {CURRENT}/environment",
    "tmpfiles": edit("/etc/tmpfiles.d/uwsgi-flask.conf"),
    "server block": edit("/etc/nginx/conf.d/uwsgi-flask.conf"),
    "nginx.conf": edit("/etc/nginx/nginx.conf"),
    "default site": "ln -s ../sites-available/default /etc/nginx/sites-enabled/default",
    "live link removed": f"{WATCH}; rm /run/uwsgi-flask/uwsgi-flask.sock",
    "socket mode": f"{WATCH}; chmod 0666 /run/uwsgi-flask/????????????.sock",
    "socket removed": f"{WATCH}; rm /run/uwsgi-flask/????????????.sock",
    "watch stopped": WATCH,
    "instance stopped": "systemctl stop $(basename $(readlink -f /opt/uwsgi-flask/current) | sed s/^/uwsgi-flask@/)",
    "not enabled": f"systemctl disable $(basename {UNIT}).target",
    "nginx stopped": "systemctl stop nginx",
}
# What becomes a new instance through the gate: what serves is never changed.
RENEWED: dict[str, str] = {
    "code": edit(f"{CURRENT}/code/flask_wsgi.py"),
    "code removed": f"rm {CURRENT}/code/templates/xxx.html",
    "code added": f"touch {CURRENT}/code/static/added.txt",
    "environment": edit(f"{CURRENT}/environment"),
    "ini": edit(f"{CURRENT}/uwsgi-flask.ini"),
    "service": edit(f"{UNIT}.service"),
    "service masked": f"ln -sf /dev/null {UNIT}.service && systemctl daemon-reload",
    "socket unit removed": f"rm {UNIT}.socket && systemctl daemon-reload",
    "virtualenv": edit(f"{CURRENT}/venv/lib/python3.13/site-packages/flask/app.py"),
}


@pytest.mark.parametrize("name", IN_PLACE)
def test_is_mended_in_place(server: Server, name: str) -> None:
    good = server.live()
    server.sh(IN_PLACE[name])
    run = server.run()
    assert run.code == 0, run.output[-4000:]
    assert run.changed >= 1
    server.assert_serves(good)


@pytest.mark.parametrize("name", RENEWED)
def test_becomes_a_new_instance(server: Server, name: str) -> None:
    good = server.live()
    server.sh(RENEWED[name])
    with server.load() as load:
        run = server.run()
    assert run.code == 0, run.output[-4000:]
    report(f"{name} changed by hand ({run.seconds:.0f} s)", load)
    assert server.live() != good
    server.assert_serves(server.live())


def test_after_all_that_there_is_nothing_to_do(server: Server) -> None:
    run = server.run("site.yml", "--diff")
    assert run.changed == 0, run.output[-6000:]
    assert "DRIFT" not in server.run("status.yml").output


def test_a_broken_nginx_configuration_never_runs(server: Server) -> None:
    server.deploy()
    files = "find /etc/nginx -type f | sort | xargs sha256sum"
    server.sh("echo 'server { listen 80; nonsense on; }' > /etc/nginx/conf.d/broken.conf")
    before = server.sh(files)
    server.app["max_body"] = "3m"
    with server.load() as load:
        for _again in range(2):
            run = server.run()
            assert run.code != 0
            assert "nonsense" in run.last_lines(20), run.output[-3000:]
            assert server.sh(files) == before
    report("broken snippet", load)
    server.sh("rm /etc/nginx/conf.d/broken.conf")
    server.deploy()
    assert "3m" in server.sh("cat /etc/nginx/conf.d/uwsgi-flask.conf")
    server.sh("echo 'server { listen 80; server_name flask.test; }' > /etc/nginx/conf.d/second.conf")
    run = server.run()
    assert run.code != 0
    assert "conflicting server name" in run.last_lines(20)
    server.sh("rm /etc/nginx/conf.d/second.conf")
    server.deploy()


def test_a_teardown_leaves_nothing(before: set[str], server: Server) -> None:
    assert server.run("teardown.yml").code != 0
    assert server.run("teardown.yml", "-econfirm=yes", "-epurge=ture").code != 0
    assert server.get("/health")[0] == 200
    words = ["-econfirm=yes", "-epurge=true", "-eremove_users=true"]
    run = server.run("teardown.yml", *words)
    assert run.code == 0, run.output[-3000:]
    new = {path for path in paths(server) - before - LOCKS if not OTHERS.search(path)}
    assert {path for path in new if not PACKAGES.search(path)} == set()
    mentions = "grep -rlE 'uwsgi-flask|[0-9a-f]{32}.invalid' /etc /opt /run /var/lib 2>/dev/null"
    # Whoever removes an account leaves a copy of each of these files.
    assert server.sh(f"{mentions} | grep -vE '^/etc/(host|(passwd|group|shadow|gshadow)-$)'; true") == ""
    assert server.sh("nginx -t 2>&1").count("successful") == 1
    assert server.sh("ls -l /etc/nginx/sites-enabled/default").count("sites-available/default") == 1
    assert server.sh("getent passwd web-uwsgi-flask; getent group web-uwsgi-flask; true") == ""
    assert server.sh("systemctl list-units --failed --plain --no-legend") == ""
    assert server.run("teardown.yml", *words).changed == 0
    assert server.run("teardown.yml", *words, "-eremove_packages=true").code == 0
    assert {path for path in paths(server) - before - LOCKS if not OTHERS.search(path)} == set()
    assert {path for path in before - paths(server) if not OTHERS.search(path)} == set()
