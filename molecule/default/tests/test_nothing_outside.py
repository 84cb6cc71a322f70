"""No address leads out of the folders that nginx serves, however it is written; and within them, what it leads to."""

from __future__ import annotations

import dataclasses
import gzip
import posixpath
import re
import socket
from collections.abc import Iterator
from itertools import product

import pytest
from ansible_collections.uwsgi_flask.web.plugins.module_utils.layout import AppLayout
from ansible_collections.uwsgi_flask.web.plugins.module_utils.release_layout import ReleaseLayout
from testinfra.host import Host

from server import SAFE, ask

PREVIOUS = "0" * 12
PLANTED = "planted-here-and-served-nowhere"
KEPT = "public, max-age=31536000, immutable"

# Where an address begins, how it climbs, and where to.
BASES = ["/", "/media/", "/media/inner/", "/.error/", "/.previous/", "/static/"]
DOTS = [
    "..",
    "%2e%2e",
    ".%2e",
    "%252e%252e",
    "..;",
    "..%00",
    "%c0%ae%c0%ae",
    "%e0%80%ae%e0%80%ae",
    "....",
    "%uff0e%uff0e",
]
SLASHES = ["/", "//", "/./", "%2f", "%252f", "\\", "%5c", "%c0%af"]
INSIDE = [
    "flask_wsgi.py",
    "configs/config.py",
    "app/__init__.py",
    "templates/xxx.html",
    "requirements.txt",
    ".env",
    ".git/config",
    "secret.txt",
    "planted.py",
]
BESIDE = ["notes.txt", "environment", "release.json", "wsgi.py", "uwsgi-flask.ini", "requirements.txt", "steps/check"]
FAR = ["etc/passwd", "var/lib/uwsgi-flask/secret.txt", "opt/uwsgi-flask/history.jsonl"]
# Names of nginx's own, and of links.
INNER = [
    *("@uwsgi-flask", "@uwsgi-flask.previous", ".error", ".maintenance", "previous/public/gone.js", "current/wsgi.py"),
    *("__pycache__/flask_wsgi.cpython-311.pyc", "__pycache__/flask_wsgi.cpython-313.pyc", "flask_wsgi.pyc"),
    *("flask_wsgi.py.gz", "out.js", "link.png", "out/passwd", "folder/secret.txt", ".hidden.js", ".hidden.png"),
]


def addresses() -> list[str]:
    """As they stand in a request's first line."""
    climbing = [
        base + (dots + slash) * depth + target
        for base, dots, slash in product(BASES[:3], DOTS, SLASHES)
        for depth, targets in ((1, INSIDE), (2, BESIDE))
        for target in targets
    ]
    far = [base + (dots + "/") * 8 + target for base, dots, target in product(BASES, DOTS, FAR)]
    plain = [base + target for base, target in product(BASES, [*INSIDE, *BESIDE, *FAR, *INNER])]
    odd = [f"http://flask.test/../{target}" for target in INSIDE] + INSIDE
    tidy = [posixpath.normpath(address) for address in climbing if "%" not in address and "\\" not in address]
    return list(dict.fromkeys([*climbing, *far, *plain, *odd, *tidy]))


@dataclasses.dataclass(frozen=True)
class Stage:
    """A server on which a release has a predecessor and visitors have uploaded things; `secrets` stand in no answer."""

    port: int
    name: str
    secrets: list[str]

    def raw(self, address: str) -> tuple[int, bytes]:
        """Status and all that was sent, for an address that nobody has made tidy."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
            connection.sendall(f"GET {address} HTTP/1.1\r\nHost: {self.name}\r\nConnection: close\r\n\r\n".encode())
            sent = b"".join(iter(lambda: connection.recv(1 << 16), b""))
        found = re.match(rb"HTTP/1.1 (\d+)", sent)
        return int(found[1]) if found else 0, sent

    def get(self, path: str, **headers: str) -> tuple[int, dict[str, str], str]:
        return ask(self.port, path, self.name, headers)


def root(host: Host, script: str) -> str:
    with host.sudo():
        return str(host.check_output(script))


def telling(text: str) -> list[str]:
    """The lines by which a file is known."""
    return [line.strip() for line in text.splitlines() if len(line.strip()) > 24]


@pytest.fixture(scope="module")
def app(host: Host) -> AppLayout:
    return AppLayout(host.ansible.get_variables()["web_apps"][0]["name"])


@pytest.fixture(scope="module")
def live(host: Host, app: AppLayout) -> ReleaseLayout:
    return app.release(root(host, f"readlink {app.current}").rpartition("/")[2])


@pytest.fixture(scope="module")
def stage(host: Host, app: AppLayout, live: ReleaseLayout) -> Iterator[Stage]:
    before, old = app.release(PREVIOUS), app.release(PREVIOUS).code / "static"
    media = app.data / "uploads"
    user = f"runuser -u {app.user} -g web-{app.name} -- sh -ec"
    text = root(
        host, f"cd {live.directory} && cat code/flask_wsgi.py code/*/*.py environment wsgi.py *.ini release.json"
    )
    templates = root(host, f"cat {live.code}/templates/*.html")
    secrets = [
        *telling(text),
        *(line for line in telling(templates) if "{%" in line or "{{" in line),
        PLANTED,
        "root:x:0",
    ]
    assert len(secrets) > 50
    root(
        host,
        f"""set -e
        cp -a {live.directory} {before.directory}
        ln -sfn {before.link_target} {app.previous}
        for code in {live.code} {before.code}; do
            mkdir $code/.git
            # Readable for all: that nginx may not read the code is another guard.
            for file in .env .git/config static/.hidden.js secret.txt planted.py ../notes.txt; do
                echo {PLANTED} > $code/$file
                chmod 644 $code/$file
            done
            chmod 755 $code/.git
            ln -s /etc/passwd $code/static/out.js
            ln -s /etc $code/static/out
            ln -s .. $code/static/folder
        done
        for name in gone.js gone.3f9a1c0b.js; do
            seq 2000 > {old}/$name
            gzip -k {old}/$name
            chmod 644 {old}/$name*
        done
        {user} 'cd {media}
            mkdir inner
            for name in photo.png page.html script.js inner/film.mp4 drawing.svg; do echo uploaded > $name; done
            echo {PLANTED} > ../secret.txt
            echo {PLANTED} > .hidden.png
            ln -s ../secret.txt link.png
            ln -s .. folder
            ln -s /etc/passwd out.js'
        """,
    )
    variables = host.ansible.get_variables()
    yield Stage(int(variables["test_server_http_port"]), variables["web_apps"][0]["server_names"][0], secrets)
    root(
        host,
        f"""set -e
        rm -r {app.previous} {before.directory} {media}/* {media}/.hidden.png {app.data}/secret.txt
        cd {live.code}
        rm -r .env .git secret.txt planted.py ../notes.txt static/.hidden.js static/out.js static/out static/folder
        """,
    )


def test_no_address_leads_out_of_the_folders_that_nginx_serves(stage: Stage) -> None:
    asked = addresses()
    assert len(asked) > 3000
    statuses: dict[int, int] = {}
    told = []
    for address in asked:
        status, sent = stage.raw(address)
        statuses[status] = statuses.get(status, 0) + 1
        if status >= 500 or not status or any(secret.encode() in sent for secret in stage.secrets):
            told.append((address, status, sent[-300:]))
    print(f"\n{len(asked)} addresses: {dict(sorted(statuses.items()))}")
    assert told == []


def test_what_is_served_is_there_to_be_found(stage: Stage) -> None:
    """Or the addresses above would say nothing: each of the folders is one that nginx finds."""
    for path in ("/yyy.js", "/gone.js", "/media/photo.png", "/media/inner/film.mp4"):
        assert stage.raw(path)[0] == 200, path


def test_a_file_of_the_release_before_is_found(stage: Stage) -> None:
    status, headers, body = stage.get("/gone.js")
    assert (status, body.split()[-1], headers["cache-control"]) == (200, "2000", "no-cache")
    status, headers, _body = stage.get("/gone.3f9a1c0b.js")
    assert (status, headers["cache-control"]) == (200, KEPT)
    assert SAFE.items() <= headers.items()
    assert stage.get("/never.js")[0] == 404


def test_a_browser_asks_whether_a_file_has_changed(stage: Stage) -> None:
    _status, headers, _body = stage.get("/style.css")
    assert headers["cache-control"] == "no-cache"
    status, again, _body = stage.get("/style.css", **{"If-None-Match": headers["etag"]})
    assert (status, again["cache-control"], again["etag"]) == (304, "no-cache", headers["etag"])
    assert SAFE.items() <= again.items()
    assert stage.get("/style.css?v=1")[1]["cache-control"] == KEPT


def test_a_text_is_sent_in_its_smaller_form_to_whoever_takes_it(host: Host, stage: Stage, live: ReleaseLayout) -> None:
    plain = root(host, f"cat {live.public}/style.css; echo .")[:-2]
    sent = stage.raw("/style.css HTTP/1.1\r\nAccept-Encoding: gzip\r\nX: ")[1].partition(b"\r\n\r\n")
    assert b"Content-Encoding: gzip" in sent[0]
    assert b"Vary: Accept-Encoding" in sent[0]
    assert gzip.decompress(sent[2]).decode().strip() == plain.strip()
    headers, body = stage.get("/style.css")[1:]
    assert ("content-encoding" in headers, headers["vary"], body.strip()) == (False, "Accept-Encoding", plain.strip())


@pytest.mark.parametrize(
    ("name", "kind", "disposition"),
    [
        ("photo.png", "image/png", None),
        ("inner/film.mp4", "video/mp4", None),
        ("page.html", "application/octet-stream", "attachment"),
        ("script.js", "application/octet-stream", "attachment"),
        ("drawing.svg", "image/svg+xml", "attachment"),
    ],
)
def test_an_upload_runs_nowhere(stage: Stage, name: str, kind: str, disposition: str | None) -> None:
    status, headers, body = stage.get(f"/media/{name}")
    assert (status, body.strip(), headers["content-type"], headers.get("content-disposition")) == (
        *(200, "uploaded", kind),
        disposition,
    )
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"].startswith("sandbox; default-src 'none'")


def test_nginx_reads_the_uploads_and_nothing_else_of_the_data(host: Host, app: AppLayout, stage: Stage) -> None:
    def may(what: str) -> bool:
        with host.sudo():
            return bool(host.run(f"runuser -u www-data -- {what}").rc == 0)

    assert may(f"cat {app.data}/uploads/photo.png")
    for what in (f"ls {app.data}", f"cat {app.data}/secret.txt", f"touch {app.data}/uploads/new"):
        assert not may(what), what
