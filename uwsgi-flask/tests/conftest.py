"""The app as the tests meet it: with settings of their own, whatever the environment holds."""

import sys
from types import SimpleNamespace

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import create_app


@pytest.fixture
def app() -> Flask:
    return create_app({"WEB_APP": "shop", "WEB_RELEASE": "3f9a1c0b7d2e", "TOKEN_MD5": "the-token"})


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def under_uwsgi(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give Python the module that uWSGI gives to the app inside it: the version there is bytes."""
    module = SimpleNamespace(version=b"2.0.28", worker_id=lambda: 7, total_requests=lambda: 42)
    monkeypatch.setitem(sys.modules, "uwsgi", module)
