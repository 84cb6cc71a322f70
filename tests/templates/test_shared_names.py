"""The files of apps that share their host names, read as nginx reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.uwsgi_flask.web.plugins.module_utils.layout import PROBE_SOCKET
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.front import front_of

from directives import Directive, parsed, those, values
from rendered import Rendered, base_files, rendered, shared_files
from settings import Workshop, app

SITE = "conf.d/shared.a.test.conf"


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, Any]:
    workshop = Workshop(tmp_path)
    given = {"source": str(workshop.source), "server_names": ["a.test"], "redirect_names": ["b.test"]}
    return {
        "web_apps": [
            app(**given),
            app(
                **given,
                name="wiki",
                prefix="/wiki",
                static_url="/",
                max_body="9m",
                media={"/up": "uploads"},
                headers={"X-Frame-Options": "DENY"},
            ),
        ]
    }


@pytest.fixture
def apps(settings: dict[str, Any]) -> list[Rendered]:
    return rendered(settings)


def names(settings: dict[str, Any]) -> list[Directive]:
    ((path, text),) = shared_files(settings).items()
    assert path == SITE
    return parsed(text)


def test_one_server_block_has_the_names(settings: dict[str, Any], apps: list[Rendered]) -> None:
    blocks = [block for _words, block in those(names(settings), "server")]
    visitors, redirects, probes, _proof = blocks
    assert values(visitors, "server_name") == values(probes, "server_name") == [["a.test"]]
    assert values(redirects, "server_name") == [["b.test"]]
    assert values(visitors, "include") == [["shared/a.test/*.conf"]]
    assert values(probes, "include") == [["shared/a.test/candidates/*.conf"]]
    assert values(probes, "listen") == [[f"unix:{PROBE_SOCKET}"]]
    for made in apps:
        assert [values(block, "server_name") for _words, block in those(parsed(made.conf), "server")] == [
            [[f"@digest@.{made.app['name']}.invalid"]]
        ]


def test_each_part_leads_to_its_app(apps: list[Rendered]) -> None:
    for made, root in zip(apps, ("/", "/wiki/"), strict=True):
        ((_words, block),) = those(parsed(made.files["candidate"]), "location", root)
        assert values(block, "uwsgi_pass") == [[f"unix:{made.app['candidate_socket']}"]]
    shop, wiki = (parsed(made.files["part"]) for made in apps)
    ((_words, block),) = those(shop, "location", "/")
    assert values(block, "uwsgi_pass") == [[f"unix:{apps[0].app['live_socket']}"]]
    ((_words, block),) = those(wiki, "location", "@wiki")
    assert values(block, "uwsgi_pass") == [[f"unix:{apps[1].app['live_socket']}"]]


def test_no_two_parts_have_the_same_location(apps: list[Rendered]) -> None:
    locations = [words for made in apps for words, _block in those(parsed(made.files["part"]), "location")]
    assert len({tuple(words) for words in locations}) == len(locations)


def test_each_location_has_what_else_the_server_would_have(apps: list[Rendered]) -> None:
    _shop, wiki = apps
    parts = parsed(wiki.files["part"])
    visited = [
        block
        for words, block in those(parts, "location")
        if words[-1] in ("/wiki/", "@wiki", "@wiki.previous", "/wiki/up/")
    ]
    assert len(visited) == 4
    for block in visited:
        assert values(block, "client_max_body_size") == [["9m"]]
        assert values(block, "access_log") == [["/var/log/nginx/wiki.log", "requests"]]
        assert ["503", "/.maintenance.wiki"] in values(block, "error_page")
        added = values(block, "add_header")
        assert ["X-Frame-Options", "$wiki__x_frame_options", "always"] in added
        assert len({words[0] for words in added}) == len(added)
        ((_words, closed),) = those(block, "if", "($closed_wiki)")
        assert values(closed, "return") == [["503"]]
    inner = {words[-1] for words, block in those(parts, "location") if values(block, "internal")}
    assert inner == {"/.maintenance.wiki", "/.error.wiki"}


def test_a_file_that_is_missing_is_looked_for_in_the_release_before_and_then_has_the_apps_page(
    apps: list[Rendered],
) -> None:
    parts = parsed(apps[0].files["part"])
    ((_words, block),) = those(parts, "location", "/static/")
    # Of several for a status, the first counts.
    assert values(block, "error_page")[0] == ["404", "=", "@shop.previous"]
    ((_words, before),) = those(parts, "location", "@shop.previous")
    first = next(words for words in values(before, "error_page") if "404" in words)
    assert first[-1] == "/.error.shop"


def test_another_part_is_another_file_of_the_app(settings: dict[str, Any], apps: list[Rendered]) -> None:
    settings["web_apps"][1]["max_body"] = "8m"
    again = rendered(settings)
    assert again[0].conf == apps[0].conf
    assert again[1].conf != apps[1].conf


def test_visitors_ask_as_the_names_say(settings: dict[str, Any]) -> None:
    settings["web_apps"] = [{**one, "tls": "self_signed"} for one in settings["web_apps"]]
    base = base_files(settings)["conf.d/00-default.conf"]
    front = front_of(shared_files(settings)[SITE], base)
    assert front == {"host": "a.test", "port": 443, "scheme": "https", "proxy_protocol": False}
