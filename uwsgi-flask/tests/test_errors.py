"""The page for an error."""

from flask import Flask
from flask.testing import FlaskClient


def test_missing_page(client: FlaskClient) -> None:
    response = client.get("/nothing-here")
    assert response.status_code == 404
    assert response.content_type == "text/html; charset=utf-8"
    assert "<h1>Not Found</h1>" in response.text
    assert 'href="/"' in response.text


def test_refused_method_says_which_are_allowed(client: FlaskClient) -> None:
    response = client.post("/")
    assert response.status_code == 405
    assert "<h1>Method Not Allowed</h1>" in response.text
    assert set(response.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}


def test_crash_tells_nothing_of_its_cause(app: Flask) -> None:
    def crash() -> str:
        raise RuntimeError("the cause")

    app.add_url_rule("/crash", view_func=crash)
    response = app.test_client().get("/crash")
    assert response.status_code == 500
    assert "<h1>Internal Server Error</h1>" in response.text
    assert "the cause" not in response.text
