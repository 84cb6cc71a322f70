"""logs.yml on a server at work: what is shown of whom, what comes, and that nothing stays behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable

from server import Run, Server

TIME = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}Z ", re.MULTILINE)


def shown(run: Run) -> list[str]:
    """The lines of logs in what a run printed, without their times and the host."""
    assert run.code == 0, run.output
    lines = [line for line in run.output.splitlines() if TIME.match(line)]
    assert lines == sorted(lines, key=lambda line: line[:24])
    return [" ".join(line.split()[3:]) for line in lines]


def logs(server: Server, *words: str) -> list[str]:
    return shown(server.run("logs.yml", *(word for pair in words for word in ("-e", pair))))


def test_each_kind_of_line_is_shown_by_time(server: Server) -> None:
    server.get("/of-this-test")
    server.get("/info?token=wrong")
    # nginx complains of a static file that it may not read.
    server.sh("ln -s /root/x /opt/uwsgi-flask/current/code/static/forbidden.css; true")
    server.get("/forbidden.css")
    server.sh("rm /opt/uwsgi-flask/current/code/static/forbidden.css")
    lines = logs(server, "app=uwsgi-flask", "since=2m")
    assert [
        line for line in lines if re.fullmatch(r"uwsgi-flask access GET /of-this-test 404 \d+ ms [0-9a-f]{32}", line)
    ]
    assert [line for line in lines if line.startswith("uwsgi-flask app ") and "/info was asked" in line]
    complaints = [line for line in lines if line.startswith("nginx error [")]
    assert [line for line in complaints if "forbidden.css" in line]
    assert "\x1b" not in "".join(lines)


def test_what_is_asked_for_and_no_more(server: Server) -> None:
    for number in range(5):
        server.get(f"/number-{number}")
    found = logs(server, "grep=GET./number", "lines=3")
    assert [line.split()[3] for line in found] == ["/number-2", "/number-3", "/number-4"]
    assert logs(server, "grep=/number-[0-9]", '{"since": "2020-01-01 00:00"}') != []
    assert logs(server, "grep=/number-[0-9]", "since=tomorrow") == []


def test_an_app_that_is_not_there_names_those_that_are(server: Server) -> None:
    run = server.run("logs.yml", "-e", "app=nosuch")
    assert run.code == 2
    assert re.search("no host of this run has 'nosuch'. Known apps: .*uwsgi-flask", run.output)


def test_what_cannot_be_understood_is_told_by_its_name(server: Server) -> None:
    for word, told in (("since=soon", "since: 'soon' is no time"), ("grep=(", "grep: '(' is no regular expression")):
        run = server.run("logs.yml", "-e", word)
        assert run.code == 2
        assert told in " ".join(run.output.replace("''", "'").split())


def followed(server: Server, signals: list[signal.Signals], do: Callable[[], None]) -> str:
    """What a run that follows printed until it was ended."""
    run = server.start("logs.yml", "-e", "app=uwsgi-flask", "-e", "follow=yes", "-e", "lines=1")
    printed: list[str] = []
    assert run.stdout is not None
    reader = threading.Thread(target=lambda: printed.extend(run.stdout or ()))
    reader.start()

    def wait_for(what: str) -> None:
        end = time.monotonic() + 60
        while not re.search(what, "".join(printed), re.DOTALL):
            assert time.monotonic() < end, "".join(printed)
            time.sleep(0.2)

    wait_for("Print what comes")
    do()
    wait_for("Print what comes.*/after-the-rotation 404")
    for number in signals:
        os.killpg(run.pid, number)
    run.wait(20)
    reader.join(20)
    run.stdout.close()
    return "".join(printed).partition("Print what comes")[2]


def test_what_comes_is_shown_once_over_a_rotation_and_nothing_stays_behind(server: Server) -> None:
    def visit() -> None:
        for number in range(5):
            server.get(f"/coming-{number}")
        server.sh("logrotate --force --state /var/lib/web-logs/status /etc/web-logs.conf")
        server.get("/after-the-rotation")

    for number in (signal.SIGINT, signal.SIGKILL):
        text = followed(server, [number], visit)
        paths = re.findall(r"GET (/(?:coming|after)\S*)", text)
        assert paths == [*(f"/coming-{number}" for number in range(5)), "/after-the-rotation"], text
        # Neither here nor there.
        end = time.monotonic() + 20
        while left := running_here(server) + server.sh("pgrep -u root -f '[j]ournalctl|[A]nsiballZ' || true"):
            assert time.monotonic() < end, left
            time.sleep(0.5)


def running_here(server: Server) -> str:
    words = ["pgrep", "-f", f"{server.folder}.* logs.yml"]
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout


def test_a_log_of_any_size_is_read_from_its_end(server: Server) -> None:
    """A gigabyte, most of it a hole."""
    server.sh("truncate --size 1G /var/log/nginx/uwsgi-flask.log && echo >>/var/log/nginx/uwsgi-flask.log")
    server.get("/behind-a-gigabyte")
    began = time.monotonic()
    found = logs(server, "app=uwsgi-flask", "grep=/behind-a-gigabyte")
    seconds = time.monotonic() - began
    server.sh("truncate --size 0 /var/log/nginx/uwsgi-flask.log")
    assert len(found) == 1
    print(f"\na log of a gigabyte: {seconds:.1f} s")
    assert seconds < 60
