"""`/health`, which the deploy and the page's own script ask."""

import pytest
from flask.testing import FlaskClient

from app import create_app


def test_it_names_app_and_release(client: FlaskClient) -> None:
    response = client.get("/health")
    assert response.status_code == 200
    assert response.headers["Cache-Control"] == "no-store"
    assert response.get_json() == {"status": "ok", "app": "shop", "release": "3f9a1c0b7d2e", "worker": None}


@pytest.mark.usefixtures("under_uwsgi")
def test_it_names_the_worker(client: FlaskClient) -> None:
    assert client.get("/health").get_json()["worker"] == 7


def test_app_and_release_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEB_APP", "blog")
    monkeypatch.setenv("WEB_RELEASE", "123")
    health = create_app().test_client().get("/health").get_json()
    assert (health["app"], health["release"]) == ("blog", "123")


def test_without_an_environment_it_is_development(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WEB_APP", raising=False)
    monkeypatch.setenv("WEB_RELEASE", "")
    health = create_app().test_client().get("/health").get_json()
    assert (health["app"], health["release"]) == ("development", "development")
