"""`/info`: what it says, and that only the right token opens it."""

from datetime import UTC, datetime, timedelta

import pytest
from flask.testing import FlaskClient

from app import create_app

NON_ASCII = "пароль-é"


def test_right_token_opens_it(client: FlaskClient) -> None:
    response = client.get("/info?token=the-token")
    assert response.status_code == 200
    assert response.headers["Cache-Control"] == "no-store"
    info = response.get_json()
    assert info.keys() == {"num", "date", "tags"}
    assert info["num"] == 0
    assert timedelta() <= datetime.now(UTC) - datetime.fromisoformat(info["date"]) < timedelta(minutes=1)
    assert info["tags"] == "shop, 3f9a1c0b7d2e"


@pytest.mark.usefixtures("under_uwsgi")
def test_num_is_uwsgis_count_of_requests(client: FlaskClient) -> None:
    assert client.get("/info?token=the-token").get_json()["num"] == 42


@pytest.mark.parametrize(
    "query",
    [
        "",
        "?token",
        "?token=",
        "?token=wrong",
        "?token=the-toke",
        "?token=the-token%20",
        "?token=THE-TOKEN",
        f"?token={NON_ASCII}",
        "?token=%ff%ed%a0%80",
        "?token=the-token&token=the-token",
        "?token=wrong&token=the-token",
        "?token=the-token&token=",
        "?Token=the-token",
    ],
)
def test_anything_else_does_not(client: FlaskClient, query: str) -> None:
    response = client.get(f"/info{query}")
    assert response.status_code == 400
    assert response.headers["Cache-Control"] == "no-store"
    assert response.get_json().keys() == {"error"}
    assert "the-token" not in response.text


@pytest.mark.parametrize("environment", [None, ""])
@pytest.mark.parametrize("query", ["", "?token", "?token=", "?token=None", "?token=False"])
def test_unset_token_opens_nothing(monkeypatch: pytest.MonkeyPatch, environment: str | None, query: str) -> None:
    if environment is None:
        monkeypatch.delenv("TOKEN_MD5", raising=False)
    else:
        monkeypatch.setenv("TOKEN_MD5", environment)
    assert create_app().test_client().get(f"/info{query}").status_code == 400


@pytest.mark.parametrize("token", ["12345", "true", '"quoted"', NON_ASCII, "with space & more=+%"])
def test_token_of_the_environment_is_taken_literally(monkeypatch: pytest.MonkeyPatch, token: str) -> None:
    monkeypatch.setenv("TOKEN_MD5", token)
    app = create_app()
    assert app.config["TOKEN_MD5"] == token
    client = app.test_client()
    assert client.get("/info", query_string={"token": token}).status_code == 200
    assert client.get("/info", query_string={"token": f"{token}x"}).status_code == 400


def test_token_read_under_an_ascii_locale_is_the_same(client: FlaskClient) -> None:
    """Python inside uWSGI may take the environment for ASCII: what isn't, arrives as surrogates."""
    client.application.config["TOKEN_MD5"] = NON_ASCII.encode().decode("ascii", "surrogateescape")
    assert client.get("/info", query_string={"token": NON_ASCII}).status_code == 200
