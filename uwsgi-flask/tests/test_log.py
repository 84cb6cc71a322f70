"""What the app logs."""

import pytest
from flask import Flask
from flask.testing import FlaskClient


def test_a_line_names_its_request(client: FlaskClient, capsys: pytest.CaptureFixture[str]) -> None:
    client.get("/info?token=wrong", headers={"X-Request-ID": "3f9a1c0b"})
    assert capsys.readouterr().err == "WARNING 3f9a1c0b /info was asked without the right token\n"


def test_so_does_a_crash(app: Flask, capsys: pytest.CaptureFixture[str]) -> None:
    def crash() -> str:
        raise RuntimeError("the cause")

    app.add_url_rule("/crash", view_func=crash)
    app.test_client().get("/crash", headers={"X-Request-ID": "3f9a1c0b"})
    logged = capsys.readouterr().err
    assert logged.startswith("ERROR 3f9a1c0b Exception on /crash [GET]\n")
    assert "RuntimeError: the cause" in logged


def test_a_line_of_no_request_says_so(app: Flask, capsys: pytest.CaptureFixture[str]) -> None:
    app.logger.warning("started")
    assert capsys.readouterr().err == "WARNING - started\n"
