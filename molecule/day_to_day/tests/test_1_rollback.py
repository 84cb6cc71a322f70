"""Back to an older release, with its settings and environment, from what is on the host alone."""

from __future__ import annotations

import re

import pytest

from server import Run, Server, report


def refused(run: Run, *words: str) -> None:
    assert run.code != 0, run.output[-3000:]
    told = re.sub(r"\s+", " ", run.last_lines(30))
    assert all(word in told for word in words), run.output[-3000:]


@pytest.fixture(scope="module")
def releases(installed: Server) -> dict[str, str]:
    """Three good releases after the first, C live. Each has a health path of its own."""
    ids = {"first": installed.live()}
    for number, name in enumerate("ABC", start=1):
        installed.say(f"page {name}")
        installed.app["processes"] = number
        installed.app["environment"] = {"WORD": name}
        installed.deploy()
        ids[name] = installed.live()
    return ids


@pytest.fixture(scope="module", autouse=True)
def without_a_source(installed: Server, releases: dict[str, str]) -> None:
    """From here on nothing but the hosts and the app's name is needed."""
    installed.source.rename(installed.source.with_name("gone"))


def back(server: Server) -> None:
    server.source.with_name("gone").rename(server.source)


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
    refused(
        installed.run("rollback.yml", "-eapp=shop"),
        "no host of this run has 'shop'",
        "uwsgi-flask",
        "Nothing was changed",
    )
    installed.sh(f"echo '# by hand' >> /opt/uwsgi-flask/releases/{releases['A']}/code/flask_wsgi.py")
    refused(installed.run("rollback.yml", f"-erelease={releases['A']}"), "isn't as it was", "flask_wsgi.py")
    installed.sh(f"sed -i '$d' /opt/uwsgi-flask/releases/{releases['A']}/code/flask_wsgi.py")
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
    back(installed)
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


def test_a_rollback_that_is_cut_off_is_finished_by_the_next(installed: Server) -> None:
    """Between the flip and its record: the next rollback goes further, not back to what was left."""
    installed.say("page E")
    installed.deploy()
    left = installed.live()
    target = installed.json("/opt/uwsgi-flask/releases/" + left + "/result.json")
    assert target["result"] == "good"
    with installed.load() as load:
        process = installed.start("rollback.yml")
        moved = f"[ $(readlink /opt/uwsgi-flask/current) != releases/{left} ]"
        installed.sh(
            f"for n in $(seq 2000); do {moved} && break; sleep 0.01; done; kill -9 $(pgrep -nx python3 -u root)"
        )
        process.communicate(timeout=120)
        assert process.returncode != 0
        first = installed.live()
        assert first != left
        run = installed.run("rollback.yml")
    report("rollback cut off, and another", load)
    assert run.code == 0, run.output[-3000:]
    assert installed.live() not in (left, first)
    installed.assert_serves(installed.live())
