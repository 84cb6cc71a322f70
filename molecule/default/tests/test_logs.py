"""nginx's logs: what a line holds, how a request is found in all of them, and how large they become."""

from __future__ import annotations

import base64
import contextlib
import json
import re
import socket
from typing import Any

import pytest
from testinfra.host import Host

from load import Load
from server import ask

NAME = "flask.test"
LOG = "/var/log/nginx/uwsgi-flask.log"


def root(host: Host, command: str) -> str:
    with host.sudo():
        return str(host.check_output(command))


@pytest.fixture
def port(host: Host) -> int:
    return int(host.ansible.get_variables()["test_server_http_port"])


def lines(host: Host, request_id: str = "") -> list[dict[str, Any]]:
    """What the access logs say, of one request or of all. What can't be read names no app."""
    # As bytes, to see what isn't UTF-8 too.
    text = root(host, f"cat {LOG} /var/log/nginx/access.log | base64 -w0")
    every = [json.loads(line.decode("ascii")) for line in base64.b64decode(text).splitlines()]
    return [line for line in every if request_id in ("", line["request_id"])]


def test_a_request_is_found_in_the_access_log_in_the_journal_and_in_its_answer(host: Host, port: int) -> None:
    status, headers, _body = ask(port, "/info?token=nobodys-token", NAME, {"X-Request-ID": "chosen-by-a-visitor"})
    assert status == 400
    given = headers["x-request-id"]
    assert re.fullmatch("[0-9a-f]{32}", given)
    (line,) = lines(host, given)
    release = root(host, "readlink /opt/uwsgi-flask/current").rpartition("/")[2]
    assert (line["method"], line["path"], line["status"], line["host"]) == ("GET", "/info", 400, NAME)
    assert (line["upstream_status"], line["release"]) == (400, release)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", line["time"])
    assert f"WARNING {given} /info was asked" in root(host, "journalctl -u 'uwsgi-flask@*' -o cat")
    everything = root(host, "cat /var/log/nginx/*.log; journalctl -u 'uwsgi-flask@*'")
    assert "nobodys-token" not in everything
    assert "chosen-by-a-visitor" not in everything


def test_an_error_page_of_nginx_names_it_too(host: Host, port: int) -> None:
    status, headers, page = ask(port, "/.git/config", NAME)
    assert status == 404
    assert f"<small>{headers['x-request-id']}</small>" in page
    (line,) = lines(host, headers["x-request-id"])
    assert (line["path"], line["upstream_status"], line["upstream_seconds"]) == ("/.git/config", None, None)


@pytest.mark.parametrize(
    "request_",
    [
        b'GET /"a\\b?token=x HTTP/1.1\r\nHost: flask.test\r\nUser-Agent: "\\\xff\xfe\t{}\r\n',
        b"GET /\xff\xfe HTTP/1.1\r\nHost: flask.test\r\nUser-Agent: \xc3\x28\r\n",
        b"GET /%ff%00%22 HTTP/1.1\r\nHost: flask.test\r\n",
        b"GET /a%0ab HTTP/1.0\r\nHost: flask.test\r\n",
        b"GET http://flask.test/far HTTP/1.1\r\nHost: flask.test\r\n",
    ],
)
def test_each_line_is_json_whatever_a_client_sends(host: Host, port: int, request_: bytes) -> None:
    before = [line["request_id"] for line in lines(host)]
    with contextlib.closing(socket.create_connection(("127.0.0.1", port), 10)) as connection:
        connection.sendall(request_ + b"Connection: close\r\n\r\n")
        while connection.recv(65536):
            pass
    (line,) = [line for line in lines(host) if line["request_id"] not in before]
    assert "token" not in json.dumps(line)


def test_logs_stay_bounded_and_lose_no_line(host: Host, port: int) -> None:
    """200 MB are written while visitors come, and what sees to it is run as its timer runs it."""
    root(host, "systemctl stop web-logs.timer")
    try:
        with Load(f"http://127.0.0.1:{port}/health", NAME, connections=8, pause=0.02) as load:
            for _number in range(4):
                for name in ("uwsgi-flask", "access", "error"):
                    root(host, f"head -c 51M /dev/zero | tr '\\0' x >> /var/log/nginx/{name}.log")
                load.wait(1)
                root(host, "systemctl start web-logs.service")
                load.wait(1)
        figures = load.summary()
        assert figures["failed"] == 0, figures
        # A file of 51 MB in clear, and what is being written.
        sizes = {
            name: int(root(host, f"cat /var/log/nginx/{name}.log* | wc -c"))
            for name in ("uwsgi-flask", "access", "error")
        }
        print(f"\n4 times 51 MiB written to each log: {sizes} bytes are left; {figures['answers']} answers")
        assert max(sizes.values()) < 70 * 2**20
        assert root(host, f"ls {LOG}*").split() == [LOG, f"{LOG}.1", *(f"{LOG}.{number}.gz" for number in (2, 3, 4))]
        logged = int(root(host, f'(cat {LOG} {LOG}.1; zcat {LOG}.*.gz) | grep -c \'"path": "/health"\''))
        assert logged >= figures["answers"]
        assert root(host, "ls -l /proc/[0-9]*/fd 2>/dev/null | grep '/var/log/nginx.*(deleted)'; true") == ""
        assert root(host, "stat -c '%a %U %G' /var/log/nginx/*.log* | sort -u") == "640 www-data adm"
    finally:
        root(host, "rm -f /var/log/nginx/*.log.*; systemctl start web-logs.timer")


def test_the_distributions_logrotate_leaves_them_alone(host: Host) -> None:
    said = root(host, "logrotate --debug /etc/logrotate.conf 2>&1")
    assert f"considering log {LOG}" in said
    assert f"log {LOG} does not need" in said or "log does not need rotating" in said
    assert "rotating log /var/log/nginx" not in said
    assert root(host, "systemctl is-active web-logs.timer") == "active"


def test_the_journal_is_bounded(host: Host) -> None:
    """By journald's own default, which no setting of ours raises."""
    assert re.search(r"max \d+\.?\d*[KMG]", root(host, "journalctl -u systemd-journald -o cat")) is not None
