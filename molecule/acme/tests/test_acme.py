"""Certificates from a CA by ACME: got, renewed, refused and given up, as one story; nobody loses a request."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Iterator

import pytest
from cryptography import x509

from nameserver import ADDRESS, FOLDER, SECRET, Nameserver
from pebble import Pebble
from server import Run, Server, ask, report

NAME, ALSO, INNER, SHOP = "flask.test", "www.flask.test", "inner.test", "shop.flask.test"
WILD = ["*.wild.test", "wild.test"]
# Names that can't be proven here, each with what is wrong.
ASTRAY = {
    "nowhere.test": "has no address; add an A or AAAA record",
    "elsewhere.test": "leads to 127.0.0.9, where another server answers (404); let it lead to this host",
    "closed.test": "leads to 127.0.0.10, where port 80 doesn't answer",
}
OTHER_SERVERS = """
server { listen 127.0.0.9:80; return 404; }
server { listen 127.0.0.10:80; return 444; }
"""
LEADS_TO = {
    **dict.fromkeys((NAME, ALSO, INNER, SHOP), "127.0.0.1"),
    "elsewhere.test": "127.0.0.9",
    "closed.test": "127.0.0.10",
}
RENEWALS = "/etc/letsencrypt/renewal"
OURS = "/etc/letsencrypt/{live,archive,renewal}/web-* /etc/letsencrypt/web-* /etc/letsencrypt/renewal-hooks/deploy/*"
LEFT = f"{OURS} /etc/systemd/system/certbot.service.d /var/lib/web-acme /etc/nginx/tls/* /etc/nginx/.distribution/acme*"


@pytest.fixture(scope="module")
def nameserver(installed: Server) -> Nameserver:
    return Nameserver(installed, LEADS_TO)


@pytest.fixture(scope="module")
def pebble(installed: Server, nameserver: Nameserver, tmp_path_factory: pytest.TempPathFactory) -> Pebble:
    assert nameserver
    return Pebble(installed, tmp_path_factory.mktemp("pebble"), LEADS_TO, f"-dnsserver {ADDRESS}:53")


@pytest.fixture(scope="module")
def story(installed: Server, pebble: Pebble) -> Server:
    """One server whose settings stay from one test to the next."""
    installed.web = pebble.settings()
    return installed


def shown(story: Server, pebble: Pebble, name: str = NAME) -> x509.Certificate:
    """The certificate that a visitor gets who trusts this CA alone, and the app with it."""
    with (
        socket.create_connection(("127.0.0.1", story.https_port), 5) as plain,
        pebble.trusted().wrap_socket(plain, server_hostname=name) as connection,
    ):
        connection.sendall(f"GET /health HTTP/1.0\r\nHost: {name}\r\n\r\n".encode())
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        assert answer.status == 200
        return x509.load_der_x509_certificate(connection.getpeercert(binary_form=True) or b"")


def names(certificate: x509.Certificate) -> list[str]:
    found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return sorted(found.get_values_for_type(x509.DNSName))


def renew(story: Server) -> str:
    """What certbot's timer starts, once the time of every certificate is nearly up; how it ended."""
    story.sh(
        f"for one in {RENEWALS}/*.conf; do grep -q ^renew_before_expiry $one ||"
        " sed -i '1i renew_before_expiry = 365 days' $one; done"
    )
    return story.sh("systemctl start certbot.service; systemctl show --property=Result --value certbot.service")


def assert_red(run: Run, *told: str) -> None:
    assert run.code != 0
    for words in told:
        assert words in run.output, run.output[-3000:]


def assert_settled(story: Server) -> None:
    """Nothing is left to do."""
    again = story.run()
    assert (again.code, again.changed) == (0, 0), again.output[-3000:]


def assert_green(story: Server) -> None:
    """Nothing to complain of."""
    status = story.run("status.yml")
    assert status.code == 0, status.output[-3000:]
    assert "DRIFT" not in status.output, status.output


def test_switched_on_under_load(story: Server, pebble: Pebble) -> None:
    story.app |= {"server_names": [NAME, ALSO], "tls": "acme"}
    with story.load() as load:
        run = story.deploy()
    report(f"from HTTP to a certificate by ACME ({run.seconds:.0f} s)", load, reloads_nginx=True)
    assert load.moved
    status, headers, _body = ask(story.port, "/a?b=c", NAME)
    assert (status, headers["location"]) == (301, f"https://{NAME}/a?b=c")
    assert names(shown(story, pebble)) == [NAME, ALSO]
    assert shown(story, pebble, ALSO) == shown(story, pebble)
    assert story.sh("stat -c '%a %U' /etc/nginx/tls/uwsgi-flask.pem") == "600 root"
    checked = story.run("site.yml", "--check", "--diff")
    assert (checked.code, checked.changed) == (0, 0), checked.output[-3000:]
    assert_settled(story)
    assert_green(story)


def test_renewed_by_the_timers_service_under_load(story: Server, pebble: Pebble) -> None:
    before = shown(story, pebble)
    with story.load() as load:
        assert renew(story) == "success"
    report("a renewal", load, reloads_nginx=True)
    assert shown(story, pebble).serial_number != before.serial_number
    assert_settled(story)
    assert_green(story)


def test_another_name_and_another_app_under_load(story: Server, pebble: Pebble) -> None:
    story.app["server_names"] = [NAME, ALSO, SHOP]
    story.others = [{**story.app, "name": "inner", "server_names": [INNER]}]
    with story.load() as load:
        run = story.deploy()
    report(f"another name ({run.seconds:.0f} s)", load, reloads_nginx=True)
    assert names(shown(story, pebble, SHOP)) == sorted([NAME, ALSO, SHOP])
    assert names(shown(story, pebble, INNER)) == [INNER]


@pytest.fixture
def other_servers(story: Server) -> Iterator[None]:
    story.sh(f"echo '{OTHER_SERVERS}' > /etc/nginx/conf.d/others.conf && systemctl reload nginx")
    yield
    story.sh("rm /etc/nginx/conf.d/others.conf && systemctl reload nginx")


@pytest.mark.usefixtures("other_servers")
def test_names_that_lead_elsewhere_are_told_before_the_ca_is_asked(story: Server, pebble: Pebble) -> None:
    before, heard = shown(story, pebble), pebble.heard()
    wanted = story.app["server_names"]
    story.app["server_names"] = [*wanted, *ASTRAY]
    story.say("deployed all the same")
    told = [f"{name} {fault}" for name, fault in ASTRAY.items()]
    assert_red(story.run(), "uwsgi-flask: couldn't get its certificate: ", *told)
    assert pebble.heard() == heard
    assert "deployed all the same" in ask(story.https_port, "/", NAME, is_secure=True)[2]
    assert_red(story.run("status.yml"), "uwsgi-flask: CERTIFICATE ", *told)
    assert shown(story, pebble) == before
    story.app["server_names"] = wanted
    story.deploy()
    assert_green(story)
    assert shown(story, pebble) == before


def test_a_ca_that_doesnt_answer(story: Server, pebble: Pebble) -> None:
    before = shown(story, pebble)
    pebble.answers(False)
    assert renew(story) == "exit-code"
    assert_red(story.run("status.yml"), "uwsgi-flask: CERTIFICATE it can't be renewed: ", "Connection refused")
    story.app["server_names"] = [NAME, ALSO]
    with story.load() as load:
        failed = story.run()
    report("a CA that doesn't answer", load, reloads_nginx=True)
    assert_red(failed, "uwsgi-flask: couldn't get its certificate: ", "Connection refused")
    assert_red(story.run("status.yml"), "uwsgi-flask: CERTIFICATE ")
    assert shown(story, pebble) == before
    pebble.answers(True)
    story.deploy()
    assert names(shown(story, pebble)) == [NAME, ALSO]
    status = story.run("status.yml")
    assert_red(status, "inner: CERTIFICATE it can't be renewed: ")
    assert "uwsgi-flask: CERTIFICATE" not in status.output, "it has got a new one since"
    assert renew(story) == "success"
    assert_green(story)


def test_a_renewal_that_nginx_rejects_waits(story: Server, pebble: Pebble) -> None:
    before = shown(story, pebble)
    story.sh("echo nonsense > /etc/nginx/conf.d/broken.conf")
    renew(story)
    assert shown(story, pebble) == before
    assert_red(story.run("status.yml"), "it was renewed, and nginx doesn't serve the new one")
    story.sh("rm /etc/nginx/conf.d/broken.conf")
    assert story.deploy().changed > 0
    assert shown(story, pebble) != before
    assert_green(story)


def test_proven_while_closed_for_maintenance_and_beside_a_certificate_of_others(story: Server, pebble: Pebble) -> None:
    before = shown(story, pebble)
    closed = story.run("maintenance.yml", "-eapp=uwsgi-flask", "-estate=on")
    assert closed.code == 0, closed.output[-3000:]
    foreign = f"--cert-name foreign --domain {ALSO} --server {pebble.settings()['web_acme_directory']}"
    story.sh(
        "REQUESTS_CA_BUNDLE=/etc/letsencrypt/web-ca.pem certbot certonly --non-interactive --quiet"
        f" --webroot --webroot-path /var/lib/web-acme {foreign}"
    )
    assert renew(story) == "success"
    assert ask(story.https_port, "/", NAME, is_secure=True)[0] == 503
    assert story.run("maintenance.yml", "-eapp=uwsgi-flask", "-estate=off").code == 0
    assert shown(story, pebble) != before
    assert_green(story)


def test_a_wildcard_is_proven_by_dns_and_its_secret_shows_nowhere(
    story: Server, pebble: Pebble, nameserver: Nameserver
) -> None:
    by_http = shown(story, pebble)
    story.web |= nameserver.settings()
    story.others = [{**story.app, "name": "inner", "server_names": WILD}]
    with nameserver.watched():
        run = story.run("site.yml", "-vvv", "--diff")
        assert run.code == 0, run.output[-6000:]
        first = shown(story, pebble, "a.wild.test")
        assert shown(story, pebble) != by_http, "its renewal is by DNS too from now on"
        assert renew(story) == "success"
    certificate = shown(story, pebble, "a.wild.test")
    assert names(first) == names(certificate) == WILD
    assert shown(story, pebble, "wild.test") == certificate != first
    assert_settled(story)
    assert shown(story, pebble, "a.wild.test") == certificate
    assert_green(story)
    # What could show it was asked for, and is there.
    assert '"dns_secret": "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"' in run.output
    assert nameserver.secret not in run.output
    seen = nameserver.command_lines()
    assert {"certonly", "--dns-rfc2136-credentials", "renew"} <= {*seen.split()}
    assert nameserver.secret not in seen
    theirs = [f"{FOLDER}/acme.key 600 bind", f"{SECRET} 600 root"]
    assert nameserver.written() == sorted([*theirs, "/etc/letsencrypt/web-dns.ini 600 root"])


def foreign_files(story: Server) -> str:
    return story.sh("cd /etc/letsencrypt && sha256sum renewal/foreign.conf archive/foreign/*")


def test_given_up_again(story: Server, pebble: Pebble) -> None:
    foreign, serials = (
        foreign_files(story),
        [shown(story, pebble, name).serial_number for name in (NAME, "a.wild.test")],
    )
    story.others = [{"name": "inner", "state": "absent"}]
    story.deploy()
    story.others = []
    assert story.sh(f"ls {RENEWALS}").split() == ["foreign.conf", "web-uwsgi-flask.conf"]
    assert shown(story, pebble).serial_number == serials[0]
    story.app["tls"] = "off"
    story.deploy()
    assert ask(story.port, "/health", NAME)[0] == 200
    assert ask(story.https_port, "/health", NAME, is_secure=True)[0] == 0
    assert story.sh(f"bash -c 'shopt -s nullglob; find {LEFT} 2>/dev/null; true'") == ""
    assert [pebble.state_of(serial) for serial in serials] == ["Valid", "Valid"]
    assert foreign_files(story) == foreign
    assert_settled(story)
    assert_green(story)


@pytest.mark.parametrize(
    ("app", "web", "told"),
    [
        ({}, {"web_acme_email": ""}, 'web_acme_email: is "", but it must be an e-mail address'),
        ({"server_names": ["192.0.2.7"]}, {}, "192.0.2.7 in 'server_names': a CA proves names alone"),
        ({"server_names": ["*.flask.test"]}, {}, "*.flask.test in 'server_names': a wildcard is proven by DNS"),
    ],
    ids=["no e-mail", "an address", "a wildcard"],
)
def test_refused_before_any_host_is_touched(
    server: Server, pebble: Pebble, app: dict[str, object], web: dict[str, object], told: str
) -> None:
    server.app |= {"tls": "acme", **app}
    server.web = {**pebble.settings(), **web}
    run = server.run()
    assert_red(run, told)
    assert "Take the host's lease" not in run.output
