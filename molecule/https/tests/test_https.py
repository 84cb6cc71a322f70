"""HTTPS switched on, used, changed and switched off again, on nginx's older and newer form; nobody loses a request."""

from __future__ import annotations

import ipaddress
import json
import re
import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import testinfra
from cryptography import x509
from testinfra.host import Host

from authority import Authority
from server import SAFE, Server, ask, report

NAME = "flask.test"
# How an app sees who asks, and by which URL it would be found.
MIRROR = """

import secrets

import flask


@app.get("/mirror")
def mirror() -> flask.Response:
    answer = flask.jsonify(
        url=flask.url_for("mirror", _external=True), address=flask.request.remote_addr,
        forwarded={name: value for name, value in flask.request.headers.items() if "Forward" in name},
    )
    answer.headers["X-Frame-Options"] = "DENY"
    return answer


@app.get("/kept")
def kept() -> str:
    return f"{secrets.token_hex()} {flask.request.get_data(as_text=True)}"


@app.route("/fails", methods=["GET", "POST"])
def fails() -> str:
    raise RuntimeError
"""
FORGED = {
    "X-Forwarded-Proto": "gopher",
    "X-Forwarded-For": "203.0.113.9",
    "X-Forwarded-Host": "evil.test",
    "X-Forwarded-Port": "1",
    "Forwarded": "for=203.0.113.9",
}


@pytest.fixture(scope="module")
def story(installed: Server) -> Server:
    """One server whose settings stay from one test to the next."""
    with (installed.source / "flask_wsgi.py").open("a") as file:
        file.write(MIRROR)
    return installed


@pytest.fixture(scope="module")
def older(host: Host) -> Host:
    """The host with Debian 12."""
    return testinfra.get_host("ansible://https-two", ansible_inventory=host.backend.ansible_runner.inventory_file)


def secure(server: Server, path: str, **headers: str) -> tuple[int, dict[str, str], str]:
    return ask(server.https_port, path, NAME, headers, is_secure=True)


def needs_curl(server: Server) -> None:
    server.sh("command -v curl >/dev/null || apt-get install -qqy curl >/dev/null 2>&1")


def handshake(server: Server, name: str | None, context: ssl.SSLContext | None = None) -> ssl.SSLSocket:
    """An open TLS connection that offers HTTP/2."""
    context = context or ssl._create_unverified_context()
    context.set_alpn_protocols(["h2", "http/1.1"])
    return context.wrap_socket(socket.create_connection(("127.0.0.1", server.https_port), 5), server_hostname=name)


def certificate(server: Server) -> x509.Certificate:
    with handshake(server, NAME) as connection:
        return x509.load_der_x509_certificate(connection.getpeercert(binary_form=True) or b"")


# --- Self-signed --------------------------------------------------------------------------------------------------


def test_switched_on_under_load(story: Server) -> None:
    story.deploy()
    story.app |= {"tls": "self_signed", "hsts": 3600}
    with story.load() as load:
        run = story.deploy()
    report(f"from HTTP to HTTPS ({run.seconds:.0f} s)", load, reloads_nginx=True)
    assert load.moved
    status, headers, _body = ask(story.port, "/a?b=c", NAME)
    assert (status, headers["location"]) == (301, f"https://{NAME}/a?b=c")
    assert secure(story, "/health")[0] == 200
    assert story.run().changed == 0
    checked = story.run("site.yml", "--check", "--diff")
    assert (checked.code, checked.changed) == (0, 0), checked.output[-3000:]


def test_the_certificate_is_the_hosts_own(story: Server) -> None:
    made = certificate(story)
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [NAME]
    assert story.sh("stat -c '%a %U' /etc/nginx/tls/uwsgi-flask.pem") == "600 root"
    assert "PRIVATE KEY" in story.sh("cat /etc/nginx/tls/uwsgi-flask.pem")


def test_its_key_is_never_shown(story: Server) -> None:
    story.app["server_names"] = [NAME, "*.flask.test", "192.0.2.7", "[2001:db8::7]"]
    run = story.run("site.yml", "--diff")
    assert run.code == 0, run.output[-3000:]
    assert "tls/uwsgi-flask.pem" in run.output
    assert "PRIVATE KEY" not in run.output
    names = certificate(story).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [NAME, "*.flask.test"]
    addresses = [ipaddress.ip_address("192.0.2.7"), ipaddress.ip_address("2001:db8::7")]
    assert names.get_values_for_type(x509.IPAddress) == addresses
    assert story.run().changed == 0


def test_http_2_and_only_what_is_safe(story: Server) -> None:
    with handshake(story, NAME) as connection:
        assert (connection.selected_alpn_protocol(), connection.version()) == ("h2", "TLSv1.3")
    old = ssl._create_unverified_context()
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with handshake(story, NAME, old) as connection:
        assert (connection.cipher() or ("",))[0].startswith("ECDHE-")
    old.set_ciphers("AES128-SHA:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError):
        handshake(story, NAME, old)


def assert_nobody_poisons_the_cache(sh: Callable[[str], str]) -> None:
    """By HTTP/2 a GET may have a body of which no header tells."""
    ask_by_curl = f"curl -sk -i --http2 --resolve {NAME}:443:127.0.0.1 https://{NAME}/kept"
    with_a_body = sh(f"printf poison | {ask_by_curl} -X GET -T -").lower()
    assert with_a_body.startswith("http/2 200")
    assert "x-cache: bypass" in with_a_body
    first, second = sh(ask_by_curl).lower(), sh(ask_by_curl).lower()
    assert "x-cache: miss" in first
    assert "x-cache: hit" in second
    assert first.split()[-1] == second.split()[-1] != "poison"


def test_what_nginx_keeps_is_poisoned_by_nobody(story: Server) -> None:
    needs_curl(story)
    story.app["cache"] = {"paths": ["/kept"], "seconds": 60}
    story.deploy()
    assert_nobody_poisons_the_cache(story.sh)


@pytest.mark.parametrize("name", [None, "unknown.test"])
def test_a_handshake_that_names_no_app_is_rejected(story: Server, name: str | None) -> None:
    with pytest.raises(ssl.SSLError, match=r"(?i)unrecognized"):
        handshake(story, name)
    assert ask(story.port, "/", "unknown.test")[0] == 0


def test_by_ipv6_just_as_little(story: Server) -> None:
    needs_curl(story)
    # nginx hangs up without an answer, or before the handshake.
    for url, code in (("http://[::1]/", 56), ("https://[::1]/", 35)):
        assert story.sh(f"curl -skg {url}; echo $?") == str(code), url
        assert story.sh(f"curl -skg --resolve {NAME}:443:[::1] https://{NAME}/health -o /dev/null; echo $?") == "0"


def test_on_the_older_debian_too(story: Server, older: Host) -> None:
    """Its nginx knows HTTP/2 only by the older form."""
    story.limit = "https-two"
    run = story.deploy()
    assert "[warn]" not in run.output
    port = int(older.ansible.get_variables()["test_server_https_port"])
    assert ask(port, "/health", NAME, is_secure=True)[0] == 200
    context = ssl._create_unverified_context()
    context.set_alpn_protocols(["h2"])
    with context.wrap_socket(socket.create_connection(("127.0.0.1", port), 5), server_hostname=NAME) as connection:
        assert connection.selected_alpn_protocol() == "h2"
    with older.sudo():
        older.check_output("command -v curl >/dev/null || apt-get install -qqy curl >/dev/null 2>&1")
        assert_nobody_poisons_the_cache(older.check_output)
    story.limit = story.name


# --- Who asks, and how --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("headers", [{}, FORGED], ids=["honest", "forged"])
def test_the_app_is_told_how_it_was_asked_and_not_what_a_client_says(story: Server, headers: dict[str, str]) -> None:
    told = json.loads(secure(story, "/mirror", **headers)[2])
    assert told["url"] == f"https://{NAME}/mirror"
    assert told["address"] not in ("203.0.113.9", None)
    assert told["forwarded"] == {
        "X-Forwarded-For": told["address"],
        "X-Forwarded-Host": NAME,
        "X-Forwarded-Port": "443",
        "X-Forwarded-Proto": "https",
    }


@pytest.mark.parametrize(
    ("words", "url"),
    [
        (f"-H 'Host: {NAME}:8443'", f"https://{NAME}:8443/mirror"),
        (f"-H 'Host: evil.test' --request-target https://{NAME}/mirror", f"https://{NAME}/mirror"),
    ],
    ids=["another port", "two hosts"],
)
def test_the_host_is_the_one_that_chose_the_app_with_the_visitors_port(story: Server, words: str, url: str) -> None:
    needs_curl(story)
    resolve = f"--resolve {NAME}:443:127.0.0.1"
    told = json.loads(story.sh(f"curl -sk --http1.1 {resolve} {words} https://{NAME}/mirror"))
    assert (told["url"], f"https://{told['forwarded']['X-Forwarded-Host']}/mirror") == (url, url)


# --- Headers ------------------------------------------------------------------------------------------------------


def answers(server: Server) -> Iterator[tuple[str, int, list[tuple[str, str]]]]:
    """Answers of every kind: what they are, their status and their headers."""
    asked = {
        "app": "-k https://{0}/health",
        "static": "-k https://{0}/yyy.js",
        "nobody": "-k https://{0}/nothing",
        "dotfile": "-k https://{0}/.env",
        "static, unchanged": '-k https://{0}/yyy.js -H "If-None-Match: $ETAG"',
        "app fails": "-k https://{0}/fails",
        "too large": "-k https://{0}/fails --data-binary @/usr/bin/python3",
        "redirect": "http://{0}/",
    }
    for what, words in asked.items():
        resolve = f"--resolve {NAME}:80:127.0.0.1 --resolve {NAME}:443:127.0.0.1"
        of_file = f"curl -sk -D - -o /dev/null {resolve} https://{NAME}/yyy.js | grep -i ^etag: | tr -d '\\r'"
        said = server.sh(
            f"ETAG=$({of_file} | cut -d' ' -f2); curl -s -o /dev/null -D - --http1.1 {resolve} {words.format(NAME)}"
        )
        first, *lines = said.replace("\r", "").strip().splitlines()
        fields = [line.lower().partition(": ") for line in lines]
        yield what, int(first.split()[1]), [(name, value) for name, colon, value in fields if colon]


def test_every_answer_carries_its_headers(story: Server) -> None:
    needs_curl(story)
    seen = set()
    for what, status, headers in answers(story):
        seen.add(status)
        names = [name for name, _value in headers]
        for name, value in SAFE.items():
            assert (name, value.lower()) in headers, (what, status, headers)
            assert names.count(name) == 1, (what, name, headers)
        is_secure = what != "redirect"
        assert names.count("strict-transport-security") == is_secure, (what, headers)
    assert seen == {200, 301, 304, 404, 413, 500}


def test_a_site_that_is_down_does_too(story: Server) -> None:
    service = f"uwsgi-flask@{story.live()}"
    story.sh(f"systemctl stop {service}.service {service}.socket")
    status, headers, _body = secure(story, "/")
    assert status == 502
    assert {name: headers.get(name) for name in SAFE} == SAFE
    assert headers["strict-transport-security"] == "max-age=3600"
    assert story.deploy().changed > 0
    assert secure(story, "/health")[0] == 200


def test_the_apps_own_header_stays_and_is_the_only_one(story: Server) -> None:
    said = secure(story, "/mirror")[1]
    assert said["x-frame-options"] == "DENY"
    story.app["headers"] = {"content-security-policy": "default-src 'self'", "Permissions-Policy": ""}
    story.deploy()
    _status, headers, _body = secure(story, "/")
    assert headers["content-security-policy"] == "default-src 'self'"
    assert "permissions-policy" not in headers
    assert headers["x-content-type-options"] == "nosniff"
    del story.app["headers"]


# --- A certificate of one's own -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def test_files_of_ones_own_take_over_under_load(story: Server, authority: Authority) -> None:
    story.app["server_names"] = [NAME, "shop.flask.test"]
    story.app |= authority.make(NAME, "*.flask.test")
    with story.load() as load:
        run = story.deploy()
    report(f"another certificate ({run.seconds:.0f} s)", load, reloads_nginx=True)
    for name in (NAME, "shop.flask.test"):
        with handshake(story, name, authority.trusted()) as connection:
            assert connection.version() == "TLSv1.3"
    assert story.run().changed == 0


def test_status_tells_of_it_and_warns_in_time(story: Server, authority: Authority) -> None:
    run = story.run("status.yml")
    said = f"{story.name} uwsgi-flask: certificate for *.flask.test, {NAME}, signed by CN=Test Authority, valid until "
    assert said in run.output, run.output[-3000:]
    story.app |= authority.make(NAME, "*.flask.test", days=19)
    story.deploy()
    assert "uwsgi-flask: EXPIRES SOON: certificate for" in story.run("status.yml").output
    found = re.search(r"^\{.*\}$", story.run("status.yml", "-e", "format=json").output, re.MULTILINE)
    assert found
    ((told,),) = [host["certificates"] for host in json.loads(found[0])["hosts"]]
    assert (told["app"], told["days_left"]) == ("uwsgi-flask", 18)
    assert json.loads(found[0])["apps"][0]["answer"] == "200"


def test_one_that_cant_be_used_is_refused_before_any_host_is_touched(story: Server, authority: Authority) -> None:
    good = authority.make(NAME, "*.flask.test")
    story.deploy()
    before = certificate(story)
    for changed, told in (
        (authority.make(NAME, "*.flask.test", days=-1), "expired on"),
        (authority.make("other.test"), f"isn't for {NAME}, only for other.test"),
        ({**good, "tls_key": good["tls_certificate"]}, "'tls_key': is a certificate; name the file of its private key"),
        ({**good, "tls_key": "/nowhere"}, "'tls_key': '/nowhere' can't be read: there is no such file"),
    ):
        story.app |= changed
        run = story.run()
        assert run.code != 0
        assert told in run.output, run.output[-2000:]
        assert "Take the host's lease" not in run.output
    assert certificate(story) == before
    story.app |= authority.make(NAME, "*.flask.test")
    story.deploy()


# --- Beside others, and off again ---------------------------------------------------------------------------------


def test_closed_for_maintenance_and_open_again(story: Server, tmp_path: Path) -> None:
    """By HTTPS, for every kind of request; a deploy goes on, and chosen addresses pass."""
    page = tmp_path / "closed.html"
    page.write_text("<p>Closed for the day</p>")
    run = story.run("maintenance.yml", "-estate=on", "--check")
    assert (run.code, run.changed) == (0, 1), run.output[-3000:]
    assert secure(story, "/health")[0] == 200
    assert story.run("maintenance.yml", "-estate=on").code == 0
    for path in ("/", "/yyy.js", "/nothing", "/.env"):
        status, headers, body = secure(story, path)
        assert (status, headers["retry-after"], headers["content-type"]) == (503, "300", "text/html"), path
        assert "Back soon" in body
        assert {name: headers.get(name) for name in SAFE} == SAFE, path
        assert "strict-transport-security" in headers
    assert story.sh(f"curl -sk --resolve {NAME}:443:127.0.0.1 -o /dev/null -w %{{http_code}} https://{NAME}/") == "200"
    assert "CLOSED visitors get 503" in story.run("status.yml").output
    story.say("deployed while it is closed")
    story.deploy()
    assert secure(story, "/.maintenance")[0] == 404
    again = story.run("maintenance.yml", "-estate=on", f"-epage={page}")
    assert (again.code, again.changed) == (0, 1)
    assert "Closed for the day" in secure(story, "/")[2]
    address = json.loads(story.sh("tail -n 1 /var/log/nginx/uwsgi-flask.log"))["address"]
    words = ["maintenance.yml", "-estate=on", f"-epage={page}", f"-elet_pass='{address}, 203.0.113.7'"]
    assert story.run(*words).changed == 1
    assert story.run(*words).changed == 0
    assert secure(story, "/health")[0] == 200
    assert story.run("maintenance.yml", "-estate=off").code == 0
    assert secure(story, "/health")[0] == 200
    assert story.run("maintenance.yml", "-estate=off").changed == 0
    wrong = story.run("maintenance.yml", "-estate=on", "-elet_pass=anna")
    assert wrong.code != 0
    assert "'anna' does not appear to be an IPv4 or IPv6 address. Nothing was changed." in wrong.output
    assert story.run("maintenance.yml", "-estate=maybe").code != 0


def test_the_proxies_in_front_are_believed_and_nobody_else(story: Server) -> None:
    """This test asks as such a proxy, and the server itself as somebody else."""
    address = json.loads(ask(story.https_port, "/mirror", NAME, is_secure=True)[2])["address"]
    story.others = [{**story.app, "name": "inner", "server_names": ["inner.test"], "tls": "off", "hsts": 0}]
    for key in ("tls_certificate", "tls_key"):
        del story.others[0][key]
    story.web = {"web_trusted_proxies": [f"{address}/32"], "web_health_clients": [address]}
    with story.load() as load:
        story.deploy()
    report("a proxy in front", load, reloads_nginx=True)
    claims = {"X-Forwarded-For": "198.51.100.1, 203.0.113.9", "X-Forwarded-Proto": "https"}
    told = json.loads(ask(story.port, "/mirror", "inner.test", claims)[2])
    assert (told["url"], told["address"]) == ("https://inner.test/mirror", "203.0.113.9")
    assert told["forwarded"] == {
        "X-Forwarded-For": "203.0.113.9",
        "X-Forwarded-Host": "inner.test",
        "X-Forwarded-Port": "443",
        "X-Forwarded-Proto": "https",
    }
    words = " ".join(f"-H '{name}: {value}'" for name, value in claims.items())
    told = json.loads(story.sh(f"curl -s --resolve inner.test:80:127.0.0.1 {words} http://inner.test/mirror"))
    assert (told["url"], told["address"]) == ("http://inner.test/mirror", "127.0.0.1")
    assert "203.0.113.9" in story.sh("tail -n 3 /var/log/nginx/inner.log")


def test_load_balancers_may_ask_by_address(story: Server) -> None:
    assert ask(story.port, "/health", "127.0.0.1")[::2] == (200, "nginx is up\n")
    assert ask(story.port, "/", "127.0.0.1")[0] == 0
    assert story.sh("curl -s http://127.0.0.1/health; echo $?").strip() == "56", "hung up"


def test_with_the_proxy_protocol_too(story: Server) -> None:
    story.web["web_proxy_protocol"] = True
    run = story.deploy()
    assert run.changed > 0
    story.say("by the PROXY protocol")
    story.deploy()
    assert story.run().changed == 0
    status = story.run("status.yml").output
    assert "DRIFT" not in status, status
    header = b"PROXY TCP4 203.0.113.9 192.0.2.1 1234 443\r\n"
    request = f"GET /mirror HTTP/1.0\r\nHost: {NAME}\r\nX-Forwarded-Proto: http\r\n\r\n".encode()
    with socket.create_connection(("127.0.0.1", story.https_port), 5) as plain:
        plain.sendall(header)
        with ssl._create_unverified_context().wrap_socket(plain, server_hostname=NAME) as connection:
            connection.sendall(request)
            said = b"".join(iter(lambda: connection.recv(4096), b"")).decode()
    told = json.loads(said.partition("\r\n\r\n")[2])
    assert (told["url"], told["address"]) == (f"https://{NAME}/mirror", "203.0.113.9")
    story.web = {}
    story.others = [{"name": "inner", "state": "absent"}]
    story.deploy()
    story.others = []


def test_an_app_without_it_beside_one_with_it(story: Server) -> None:
    story.others = [{**story.app, "name": "plain", "server_names": ["plain.test"], "tls": "off", "hsts": 0}]
    for key in ("tls_certificate", "tls_key"):
        del story.others[0][key]
    story.deploy()
    run = story.run("site.yml", "-e", "app=plain")
    assert (run.code, run.changed) == (0, 0), run.output[-3000:]
    assert ask(story.port, "/health", "plain.test")[0] == 200
    assert secure(story, "/health")[0] == 200
    with pytest.raises(ssl.SSLError, match=r"(?i)unrecognized"):
        handshake(story, "plain.test")
    story.others = [{"name": "plain", "state": "absent"}]
    story.deploy()
    story.others = []


def test_back_to_the_release_before_by_https(story: Server) -> None:
    story.say("one more")
    story.deploy()
    with story.load() as load:
        run = story.run("rollback.yml")
    assert run.code == 0, run.output[-3000:]
    report("rollback, by HTTPS", load)


def test_switched_off_again(story: Server) -> None:
    for key in ("tls_certificate", "tls_key"):
        del story.app[key]
    story.app |= {"tls": "off", "hsts": 0}
    story.deploy()
    assert ask(story.port, "/health", NAME)[0] == 200
    assert secure(story, "/health")[0] == 0
    assert story.sh("ls /etc/nginx/tls /etc/nginx/conf.d/00-tls.conf 2>/dev/null; true").strip() == "/etc/nginx/tls:"
    story.assert_serves(story.live())
