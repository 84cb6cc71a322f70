"""nginx's configuration as gixy reads it, which looks for what is valid and dangerous nevertheless.

It finds no fault in a file that nginx would refuse, so every scenario's `nginx -t` comes before it.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.uwsgi_flask.web.plugins.action import nginx_config

from project import renderer
from rendered import planned
from settings import Workshop, app

# Files of Debian's that ours include.
STUBS = {"mime.types": "types {}\n", "uwsgi_params": "uwsgi_param REQUEST_METHOD $request_method;\n"}
# What the server itself fills in.
FILLED_IN = {"@worker_connections@": "512", "@listen_http2@": "", "@http2@": ""}
MARK = re.compile("|".join(FILLED_IN))
# What gixy says of everybody, and why it isn't so here.
WRONG_HERE = {
    "hsts_header": "browsers can't take it back, so an app's key `hsts` decides",
    "worker_rlimit_nofile_vs_connections": "systemd sets the limit (LimitNOFILE), and connections follow from it",
    "try_files_is_evil_too": "a cache of open files gained nothing when it was measured",
}


@pytest.fixture(scope="module")
def configuration(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that a server has, with apps that differ in all that makes a difference to nginx."""
    folder = tmp_path_factory.mktemp("gixy")
    workshop = Workshop(folder)
    workshop.write("shop/static/sorry/error.html", "")
    source = str(workshop.source)
    shared = {"source": source, "server_names": ["shared.test"], "redirect_names": ["www.shared.test"]}
    kept = {"paths": ["/", "/a.c"]}
    apps = [
        app(source=source, request_limits={"/": "20/s", "/static/big": "5/s"}, connection_limit=50),
        app(name="root", source=source, server_names=["*.root.test"], static_url="/", error_pages="sorry"),
        app(
            name="own",
            source=source,
            server_names=["own.test"],
            tls="self_signed",
            hsts=600,
            streaming=["/a.b"],
            cache=kept,
        ),
        app(name="ca", source=source, server_names=["ca.test"], redirect_names=["www.ca.test"], tls="acme"),
        app(name="below", source=source, server_names=["below.test"], prefix="/below", request_limits={"/a": "1/m"}),
        app(name="one", prefix="/one", cache=kept, **shared),
        app(name="two", prefix="/two", static_url="/", connection_limit=5, **shared),
    ]
    settings: dict[str, Any] = {
        "web_apps": apps,
        "web_acme_email": "a@b.test",
        "web_acme_directory": "https://ca.test/directory",
        "web_trusted_proxies": ["10.0.0.0/8"],
        "web_health_clients": ["10.0.0.7"],
    }
    plan = planned(settings)
    texts = nginx_config.texts(renderer("nginx"), plan["apps"], plan["web"], plan["shared"])
    for path, text in {**texts, **STUBS}.items():
        if not path.startswith("/"):
            place = folder / "nginx" / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(MARK.sub(lambda found: FILLED_IN[found[0]], text))
    return folder / "nginx"


def found(configuration: Path, *options: str) -> list[dict[str, Any]]:
    gixy = Path(sys.executable).with_name("gixy")
    words = [str(gixy), "--format=json", *options, str(configuration / "nginx.conf")]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.stdout.startswith("["), done.stderr
    return list(json.loads(done.stdout))


def test_nothing_is_found(configuration: Path) -> None:
    assert found(configuration, f"--skips={','.join(WRONG_HERE)}") == []


@pytest.mark.parametrize("name", WRONG_HERE)
def test_what_is_passed_over_is_found_without_that(configuration: Path, name: str) -> None:
    """Or nobody would notice when there is no more reason for it."""
    assert [issue["plugin"] for issue in found(configuration, f"--checks={name}")] == [name]


@pytest.mark.parametrize("path", ["conf.d/shop.conf", "shared/shared.test/two.conf"])
def test_it_reads_every_file(configuration: Path, path: str) -> None:
    place = configuration / path
    right = place.read_text()
    # Without its slash, the alias would lead out of the folder.
    faulty = "location /files { alias /srv/files/; }\n"
    place.write_text(right + (f"server {{ {faulty} }}\n" if path.startswith("conf.d") else faulty))
    try:
        assert "alias_traversal" in [issue["plugin"] for issue in found(configuration)]
    finally:
        place.write_text(right)
