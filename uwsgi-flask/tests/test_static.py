"""The files of the static folder, and nothing beside them."""

from pathlib import Path

import pytest
from flask.testing import FlaskClient

from configs import config


@pytest.mark.parametrize("name", ["favicon.svg", "style.css", "xxx.gif", "yyy.js"])
def test_file_is_served_as_it_is(client: FlaskClient, name: str) -> None:
    response = client.get(f"/{name}", buffered=True)  # which closes the file
    assert response.status_code == 200
    assert response.data == (config.STATIC_DIR / name).read_bytes()


def test_unchanged_file_is_not_sent_again(client: FlaskClient) -> None:
    etag = client.get("/xxx.gif", buffered=True).headers["ETag"]
    response = client.get("/xxx.gif", headers={"If-None-Match": etag}, buffered=True)
    assert response.status_code == 304
    assert response.data == b""


@pytest.mark.parametrize(
    "path",
    [
        "/../",
        "/../flask_wsgi.py",
        "/%2e%2e/flask_wsgi.py",
        "/%2e%2e%2fflask_wsgi.py",
        "/xxx.gif/../../flask_wsgi.py",
        "/..%5cflask_wsgi.py",
        "/%2fetc/passwd",
        "/flask_wsgi.py",
        "/configs/config.py",
        "/static/../configs/config.py",
        "/templates/xxx.html",
        "/.git/config",
        "/xxx.gif%00.html",
        "/%ff",
        "/" + "a" * 5000,
    ],
)
def test_anything_else_is_refused(client: FlaskClient, path: str) -> None:
    assert client.get(path).status_code in {400, 404}


def test_no_link_leads_out_of_the_folder(client: FlaskClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    static = tmp_path / "static"
    static.mkdir()
    (tmp_path / "outside.txt").write_text("not for visitors")
    (static / "link.txt").symlink_to(tmp_path / "outside.txt")
    (static / "inside.txt").write_text("for visitors")
    (static / "alias.txt").symlink_to("inside.txt")
    monkeypatch.setattr(config, "STATIC_DIR", static)
    assert client.get("/link.txt").status_code == 404
    assert client.get("/alias.txt", buffered=True).data == b"for visitors"
