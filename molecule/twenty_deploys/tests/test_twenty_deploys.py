"""Good deploys under load: a changed template, a changed setting, and twenty in a row of an app that starts slowly."""

from __future__ import annotations

import re
from http.client import HTTPConnection

from server import Server, report

STREAMING = """
import time

from flask import Response


@app.get("/events")
def events() -> Response:
    def ticks():
        for number in range(60):
            yield f"{number}\\n"
            time.sleep(1)

    return Response(ticks(), mimetype="text/event-stream")
"""


def test_a_changed_template(server: Server) -> None:
    old = server.live()
    server.say("new page")
    with server.load("/") as load:
        run = server.deploy()
    report(f"changed template ({run.seconds:.0f} s)", load)
    assert "new page" in server.get("/")[1]
    assert server.live() != old
    server.assert_serves(server.live())
    assert server.run().changed == 0
    checked = server.run("site.yml", "--check", "--diff")
    assert (checked.code, checked.changed) == (0, 0), checked.output[-3000:]


def test_a_changed_setting(server: Server) -> None:
    old = server.live()
    server.app["processes"] = 3
    with server.load("/") as load:
        run = server.run("site.yml", "--diff")
    assert run.code == 0, run.output[-3000:]
    assert re.search(r"^-processes = %k\n\+processes = 3$", run.output, re.MULTILINE), run.output[-3000:]
    assert "-master" not in run.output, "shown as a whole, not against the live one"
    report(f"changed processes ({run.seconds:.0f} s)", load)
    assert server.live() != old
    assert "processes = 3" in server.sh("cat /opt/uwsgi-flask/current/uwsgi-flask.ini")


def test_another_static_folder(server: Server) -> None:
    """It belongs to a release: the page and its files change in the same moment, and back."""
    server.source.joinpath("static").rename(server.source / "assets")
    server.app["static_folder"] = "assets"
    config = server.source / "configs" / "config.py"
    config.write_text(config.read_text().replace('_ROOT / "static"', '_ROOT / "assets"'))
    with server.load("/yyy.js") as load:
        run = server.deploy()
        back = server.run("rollback.yml")
    assert back.code == 0, back.output[-3000:]
    report(f"another static folder, and back ({run.seconds:.0f} s)", load)


def test_a_longer_timeout_reaches_nginx_first(server: Server) -> None:
    """nginx waits as long as any instance may take that answers: the new one, the old one, or one rolled back to."""
    server.app["request_timeout"] = 70
    server.deploy()
    assert "uwsgi_read_timeout 70s" in server.sh("cat /etc/nginx/conf.d/uwsgi-flask.conf")
    server.app["request_timeout"] = 20
    server.deploy()
    assert "uwsgi_read_timeout 70s" in server.sh("cat /etc/nginx/conf.d/uwsgi-flask.conf"), "a rollback would need it"


def test_requests_that_take_longer_than_the_flip(server: Server) -> None:
    """Four that are being served all the time, each for 4 s: some begin on the old release, and it answers them."""
    with (server.source / "flask_wsgi.py").open("a") as file:
        file.write("\nimport time\n\n\n@app.get('/slow')\ndef slow() -> str:\n    time.sleep(4)\n    return 'done'\n")
    server.deploy()
    server.say("while others wait")
    with server.load("/slow", connections=4, pause=0) as load:
        run = server.deploy()
    report(f"requests of 4 s ({run.seconds:.0f} s)", load)
    assert len(load.by) == 2, load.by


def test_twenty_in_a_row(server: Server) -> None:
    """An app that takes a second to import: with an in-place reload every visitor would wait that long.

    Meanwhile somebody has a stream of a minute from a release that is soon forgotten.
    """
    with (server.source / "flask_wsgi.py").open("a") as file:
        file.write(STREAMING)
    server.app["streaming"] = ["/events"]
    server.deploy()
    connection = HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request("GET", "/events", headers={"Host": server.app["server_names"][0]})
    stream = connection.getresponse()
    with (server.source / "flask_wsgi.py").open("a") as file:
        file.write("\nimport time\ntime.sleep(1)\n")
    seconds = []
    with server.load() as load:
        for number in range(20):
            with (server.source / "flask_wsgi.py").open("a") as file:
                file.write(f"# {number}\n")
            seconds.append(server.deploy().seconds)
    report(f"20 deploys ({sum(seconds):.0f} s, slowest {max(seconds):.0f} s)", load)
    assert len([release for release in load.by if release.startswith("200 ")]) >= 20
    assert stream.read().splitlines() == [b"%d" % number for number in range(60)]
    connection.close()
    server.assert_serves(server.live())
    # The one that was rolled back from above is kept too, as a bad one.
    results = server.sh("cat /opt/uwsgi-flask/releases/*/result.json")
    assert results.count('"result": "good"') == 5, results
    assert results.count('"result": "bad"') <= 3, results
