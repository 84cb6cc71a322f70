"""The home page: what it says, and that all it refers to is there and allowed under a strict CSP."""

import platform
import socket
from html.parser import HTMLParser
from importlib.metadata import version

import pytest
from flask.testing import FlaskClient

TYPES = {
    "/favicon.svg": "image/svg+xml",
    "/style.css": "text/css",
    "/xxx.gif": "image/gif",
    "/yyy.js": "text/javascript",
}


class Page(HTMLParser):
    """The tags of a page with their attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def assets(self) -> set[str]:
        """Return what a browser loads on its own."""
        links = (attrs["href"] for tag, attrs in self.tags if tag == "link")
        sources = (attrs["src"] for _, attrs in self.tags if "src" in attrs)
        return {address or "" for address in (*links, *sources)}


@pytest.fixture(params=["/", "/nothing-here"])
def page(request: pytest.FixtureRequest, client: FlaskClient) -> Page:
    return Page(client.get(request.param).text)


@pytest.mark.parametrize(
    "fact", ["shop", "3f9a1c0b7d2e", socket.gethostname(), platform.python_version(), version("flask")]
)
def test_page_tells_what_the_host_serves(client: FlaskClient, fact: str) -> None:
    response = client.get("/")
    assert response.status_code == 200
    assert response.content_type == "text/html; charset=utf-8"
    assert f">{fact}<" in response.text


def test_page_says_that_it_is_not_under_uwsgi(client: FlaskClient) -> None:
    html = client.get("/").text
    assert "not under uWSGI" in html
    assert 'id="worker"' not in html


@pytest.mark.usefixtures("under_uwsgi")
def test_page_names_uwsgi_and_its_worker(client: FlaskClient) -> None:
    html = client.get("/").text
    assert "<dd>2.0.28</dd>" in html
    assert '<dd id="worker">7</dd>' in html
    assert "not under uWSGI" not in html


def test_home_page_loads_all_the_assets(client: FlaskClient) -> None:
    assert Page(client.get("/").text).assets() == set(TYPES)


def test_every_asset_loads(client: FlaskClient, page: Page) -> None:
    assets = page.assets()
    assert assets
    for asset in assets:
        response = client.get(asset, buffered=True)  # which closes the file
        assert (response.status_code, response.mimetype) == (200, TYPES[asset])
        assert response.data


def test_addresses_follow_a_prefix(client: FlaskClient) -> None:
    html = client.get("/", base_url="http://localhost/prefix").text
    assert Page(html).assets() == {f"/prefix{asset}" for asset in TYPES}
    assert 'data-health="/prefix/health"' in html


def test_nothing_is_inline(page: Page) -> None:
    for tag, attrs in page.tags:
        assert tag != "style"
        assert tag != "script" or attrs.get("src")
        assert not [name for name in attrs if name == "style" or name.startswith("on")]


def test_settings_are_escaped(client: FlaskClient) -> None:
    client.application.config["WEB_APP"] = "<b>shop"
    html = client.get("/").text
    assert "&lt;b&gt;shop" in html
    assert "<b>" not in html


def test_head(client: FlaskClient) -> None:
    response = client.head("/")
    assert response.status_code == 200
    assert response.data == b""
