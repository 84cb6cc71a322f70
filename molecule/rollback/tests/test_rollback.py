"""Back to an older release, with its settings and environment; and who may change a host when."""

from __future__ import annotations

import json
import re
import signal
import socket

import pytest

from server import Run, Server, report


def refused(run: Run, *words: str) -> None:
    assert run.code != 0, run.output[-3000:]
    told = re.sub(r"\s+", " ", run.last_lines(30))
    assert all(word in told for word in words), run.output[-3000:]


@pytest.fixture(scope="module")
def releases(installed: Server) -> dict[str, str]:
    """Three good releases after the first, C live."""
    ids = {"first": installed.live()}
    for number, name in enumerate("ABC", start=1):
        installed.say(f"page {name}")
        installed.app["processes"] = number
        installed.app["environment"] = {"WORD": name}
        installed.deploy()
        ids[name] = installed.live()
    return ids


def test_to_the_one_before(installed: Server, releases: dict[str, str]) -> None:
    with installed.load("/") as load:
        run = installed.run("rollback.yml")
    assert run.code == 0, run.output[-3000:]
    report(f"rollback ({run.seconds:.1f} s)", load)
    installed.assert_serves(releases["B"])
    assert "page B" in installed.get("/")[1]
    assert "processes = 2" in installed.sh("cat /opt/uwsgi-flask/current/uwsgi-flask.ini")
    assert 'WORD="B"' in installed.sh("cat /opt/uwsgi-flask/current/environment")


def test_not_to_what_was_left_or_never_was(installed: Server, releases: dict[str, str]) -> None:
    history = installed.sh("cat /opt/uwsgi-flask/history.jsonl")
    refused(installed.run("rollback.yml", f"-erelease={releases['C']}"), "marked as bad", "Nothing was changed")
    refused(installed.run("rollback.yml", "-erelease=0123456789ab"), "no release '0123456789ab'", releases["A"])
    refused(installed.run("rollback.yml", "-erelease=latest"), "12 hexadecimal digits", "Nothing was changed")
    refused(installed.run("rollback.yml", "-eapp=shop"), "uwsgi-flask", "Nothing was changed")
    installed.assert_serves(releases["B"])
    assert installed.sh("cat /opt/uwsgi-flask/history.jsonl") == history


def test_again_goes_further(installed: Server, releases: dict[str, str]) -> None:
    for name in ("A", "first"):
        assert installed.run("rollback.yml").code == 0
        installed.assert_serves(releases[name])
    refused(installed.run("rollback.yml"), "no earlier good release")
    installed.assert_serves(releases["first"])


def test_the_settings_still_say_what_is_wanted(installed: Server, releases: dict[str, str]) -> None:
    """site.yml brings the release back that was left: it is what is written down, and it proves itself anew."""
    installed.deploy()
    installed.assert_serves(releases["C"])


def test_todays_environment_with_the_old_code(installed: Server, releases: dict[str, str]) -> None:
    installed.say("page D")
    installed.app["environment"] = {"WORD": "changed meanwhile"}
    installed.deploy()
    with installed.load() as load:
        run = installed.run("rollback.yml", f"-erelease={releases['C']}", "-ekeep_environment=true")
    assert run.code == 0, run.output[-3000:]
    report("rollback with today's environment", load)
    assert "page C" in installed.get("/")[1]
    assert 'WORD="changed meanwhile"' in installed.sh("cat /opt/uwsgi-flask/current/environment")
    assert installed.live() not in releases.values()
    installed.assert_serves(installed.live())


def test_status_tells_it_all(installed: Server) -> None:
    table = installed.run("status.yml")
    assert table.code == 0, table.output[-3000:]
    assert installed.live() in table.output
    assert "rollback" in table.output
    assert "DRIFT" not in table.output
    line = next(
        line for line in installed.run("status.yml", "-eformat=json").output.splitlines() if line.startswith("{")
    )
    (app,) = json.loads(line)["apps"]
    assert app["live"] == installed.live()
    assert app["running"] == [installed.live()]
    assert (app["idle"] + app["busy"], app["drift"]) == (3, [])
    assert app["memory"] > 1_000_000
    installed.sh("echo '# by hand' >> /opt/uwsgi-flask/current/code/flask_wsgi.py; echo >> /etc/nginx/mime.types")
    installed.sh("mkdir /opt/forgotten && touch /opt/forgotten/history.jsonl")
    drift = installed.run("status.yml").output
    installed.sh("rm -r /opt/forgotten")
    assert "code/flask_wsgi.py was changed" in drift
    assert "files below /etc/nginx were changed" in drift
    assert "forgotten is unmanaged" in drift
    refused(installed.run("status.yml", "-eformat=xml"), "there are 'table' and 'json'")


LOCK = "/run/web-deploy.lock"


def hold(server: Server, minutes: int, **holder: object) -> None:
    text = json.dumps(
        {"by": "ann", "controller": "another-machine", "pid": 1, "started": "1", "since": "noon", **holder}
    )
    server.sh(f"mkdir {LOCK} && echo '{text}' > {LOCK}/holder.json && touch -d '{minutes} minutes ago' {LOCK}")


def test_another_controllers_lock(server: Server) -> None:
    before = server.live()
    hold(server, minutes=5)
    refused(server.run(), "ann on another-machine", "since noon", "take_lock=true")
    refused(server.run("site.yml", "-etake_lock=true"), "ann on another-machine", "900 s old")
    refused(server.run("rollback.yml", "-etake_lock=ture"), "take_lock is 'ture', but must be true or false")
    refused(server.run("rollback.yml", "-etake_lock=false"), "ann on another-machine", "take_lock=true")
    assert server.live() == before
    assert "ann" in server.sh(f"cat {LOCK}/holder.json")
    server.sh(f"touch -d '20 minutes ago' {LOCK}")
    assert server.run("site.yml", "-etake_lock=true").code == 0
    assert server.orphans() == ""


def test_two_runs_at_once(server: Server) -> None:
    server.say("two at once")
    first = server.start()
    server.sh(f"for n in $(seq 200); do [ -e {LOCK} ] && break; sleep 0.1; done")
    second = server.run()
    output, _nothing = first.communicate(timeout=120)
    refused(second, "has been deploying to this host since", f"process {first.pid} of this machine")
    assert first.returncode == 0, output[-3000:]
    assert server.orphans() == ""


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGKILL"])
def test_an_interrupted_run_leaves_no_lock(server: Server, name: str) -> None:
    server.say(f"interrupted by {name}")
    run = server.start()
    server.sh(f"for n in $(seq 200); do [ -e {LOCK} ] && break; sleep 0.1; done; [ -e {LOCK} ]")
    run.send_signal(signal.Signals[name])
    run.communicate(timeout=60)
    assert run.returncode != 0
    server.sh(f"for n in $(seq 100); do [ -e {LOCK} ] || break; sleep 0.1; done; [ ! -e {LOCK} ]")


def test_the_lock_of_a_dead_run_of_this_machine(server: Server) -> None:
    hold(server, minutes=0, controller=socket.gethostname(), pid=4_000_000)
    assert server.run().code == 0
    assert server.orphans() == ""


def test_ten_deploys_five_of_them_bad(server: Server) -> None:
    good = []
    server.app["keep_releases"] = 3
    for number in range(5):
        server.say(f"number {number}")
        server.deploy()
        good.append(server.live())
        (server.source / "flask_wsgi.py").write_text(f"raise RuntimeError({number})\n")
        assert server.run().code != 0
        (server.source / "flask_wsgi.py").write_text("from app import create_app\n\napp = create_app()\n")
    kept = set(server.sh("ls /opt/uwsgi-flask/releases").split())
    assert set(good[-3:]) <= kept
    assert not set(good[:2]) & kept
    assert len(kept) <= 3 + 3
    assert server.run("rollback.yml").code == 0
    server.assert_serves(good[-2])
