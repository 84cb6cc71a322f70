"""Two apps that differ in everything that templates use, and all files that come of them."""

from __future__ import annotations

from typing import Any

import pytest

from rendered import Rendered, base_files, rendered
from settings import HASH, Workshop, app


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    workshop = Workshop(tmp_path_factory.mktemp("apps"))
    workshop.write("shop/static/sorry/error.html", "")
    workshop.write("shop/requirements.txt", f"pyuwsgi==2.0.30 {HASH}\n")
    workshop.write("shop/flask_wsgi.py", "def app(environ, start_response): ...\ndef create(kind, debug): ...\n")
    source = str(workshop.source)
    return {
        "web_apps": [
            app(
                source=source, environment={"COLOUR": "of-the-environment"},
                workers={"mail": "celery -A shop worker", "slow": {"command": "work", "stop_timeout": 900}},
                timers={
                    "clean": {"command": "flask clean", "calendar": "*-*-* 03:00:00", "once": True},
                    "look": {"command": "flask look", "calendar": "hourly"},
                },
            ),
            app(
                name="wiki-2", source=source, server_names=["*.wiki.test", "wiki.test"], static_url="/", processes=7,
                threads=9, listen_queue=77, request_timeout=44, start_timeout=33, max_requests=555, max_body="8m",
                module="flask_wsgi", callable="create('a', debug=1)", health_path="/well",
                workers={"mail": "rq worker", "slow": "work"},
                timers={name: {"command": "work", "calendar": "Mon..Fri 08:30"} for name in ("clean", "look")},
            ),
        ],
        "web_app_secrets": {"shop": {"TOKEN": "of-the-secrets"}},
    }  # fmt: skip


@pytest.fixture(scope="session")
def apps(settings: dict[str, Any]) -> list[Rendered]:
    made = rendered(settings)
    assert [one.app["name"] for one in made] == ["shop", "wiki-2"]
    return made


@pytest.fixture(scope="session", params=[0, 1], ids=["shop", "wiki-2"])
def made(apps: list[Rendered], request: pytest.FixtureRequest) -> Rendered:
    """Each of the two apps."""
    number: int = request.param
    return apps[number]


@pytest.fixture(scope="session")
def base(settings: dict[str, Any]) -> dict[str, str]:
    """The files of nginx that belong to no app, by their place."""
    return base_files(settings)
