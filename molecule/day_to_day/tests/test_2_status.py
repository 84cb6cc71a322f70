"""One look tells what visitors get, and what isn't as it was deployed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from server import Server


def status(server: Server) -> dict[str, Any]:
    run = server.run("status.yml", "-eformat=json")
    assert run.code == 0, run.output[-3000:]
    line = next(line for line in run.output.splitlines() if line.startswith("{"))
    return dict(json.loads(line))


def test_all_is_well(server: Server) -> None:
    table = server.run("status.yml")
    assert table.code == 0, table.output[-3000:]
    assert server.live() in table.output
    assert "DRIFT" not in table.output
    assert "VISITORS" not in table.output
    (app,) = status(server)["apps"]
    assert app["live"] == server.live()
    assert app["running"] == [server.live()]
    assert (app["answer"], app["drift"]) == ("200", [])
    assert app["answer_ms"] > 0
    assert app["idle"] + app["busy"] == 2
    assert app["memory"] > 1_000_000


CURRENT = "/opt/uwsgi-flask/current"
UNIT = "/etc/systemd/system/$(basename $(readlink -f /opt/uwsgi-flask/current) | sed s/^/uwsgi-flask@/)"
WATCH = f"$(basename {UNIT})-watch.path"

# What is done by hand, how it is undone, and what status says of it. With the watch, links and sockets come back by
# themselves.
HANDS: dict[str, tuple[str, str, str]] = {
    "code": (f"echo '#' >> {CURRENT}/code/flask_wsgi.py", f"sed -i '$d' {CURRENT}/code/flask_wsgi.py", "flask_wsgi.py"),
    "virtualenv": (
        f"echo '#' >> $(readlink -f {CURRENT}/venv)/bin/flask",
        f"sed -i '$d' $(readlink -f {CURRENT}/venv)/bin/flask",
        "bin/flask isn't as it was built",
    ),
    "socket": (
        f"systemctl stop {WATCH} && chmod 666 /run/uwsgi-flask/????????????.sock",
        f"chmod 660 /run/uwsgi-flask/????????????.sock && systemctl start {WATCH}",
        "should have mode 0660",
    ),
    "link": (
        f"systemctl stop {WATCH} && mv /run/uwsgi-flask/uwsgi-flask.sock /run/uwsgi-flask/gone",
        f"mv /run/uwsgi-flask/gone /run/uwsgi-flask/uwsgi-flask.sock && systemctl start {WATCH}",
        "doesn't lead to the live release's socket",
    ),
    "drop-in": (
        f"mkdir {UNIT}.service.d && echo '[Service]' > {UNIT}.service.d/own.conf && systemctl daemon-reload",
        f"rm -r {UNIT}.service.d && systemctl daemon-reload",
        "own.conf, which isn't ours",
    ),
    "watch": (f"systemctl stop {WATCH}", f"systemctl start {WATCH}", "isn't active, so what leads to the app"),
    "nginx": ("echo '#' >> /etc/nginx/mime.types", "sed -i '$d' /etc/nginx/mime.types", "changed"),
}


@pytest.mark.parametrize("name", HANDS)
def test_sees_what_was_done_by_hand(server: Server, name: str) -> None:
    do, undo, said = HANDS[name]
    server.sh(do)
    told = status(server)
    server.sh(undo)
    drift = [*told["apps"][0]["drift"], *told["hosts"][0]["nginx_drift"]]
    assert any(said in line for line in drift), drift
    if name == "link":
        assert told["apps"][0]["answer"] == "502"
    else:
        assert told["apps"][0]["answer"] == "200"


def test_all_is_well_again(server: Server) -> None:
    """Once a run has let nginx load what was changed and changed back: until then, nobody knows what it runs."""
    (told,) = status(server)["hosts"]
    assert ["changed back" in line for line in told["nginx_drift"]] == [True]
    run = server.run()
    assert (run.code, run.changed) == (0, 1), run.output[-3000:]
    told = status(server)
    assert (told["apps"][0]["drift"], told["hosts"][0]["nginx_drift"]) == ([], [])


def test_an_unknown_form_is_refused(server: Server) -> None:
    run = server.run("status.yml", "-eformat=xml")
    assert run.code != 0
    assert "format must be 'table', 'json' or 'html'" in run.output


def test_an_app_that_nobody_names_is_told(server: Server) -> None:
    server.others = [{"name": "wiki", "source": str(server.source), "server_names": ["wiki.test"]}]
    server.deploy()
    server.others = []
    assert "wiki is unmanaged" in server.run("status.yml").output
    run = server.run("teardown.yml", "-econfirm=yes", "-eapp=wiki", "-epurge=true")
    assert run.code == 0, run.output[-3000:]
    assert "unmanaged" not in server.run("status.yml").output
    assert server.sh("ls /var/lib /opt /etc/nginx/conf.d").split().count("wiki") == 0
    assert server.get("/health")[0] == 200
