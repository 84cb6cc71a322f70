"""What nginx keeps of an app's answers for a moment: where, for whom, and until when."""

from __future__ import annotations

import re
from typing import Any

import pytest
from ansible_collections.uwsgi_flask.web.plugins.module_utils.layout import BODIES
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.places import TMPFILES

from blocks import location, probed, server
from directives import deep, parsed, those, values
from rendered import Rendered, base_files, rendered, shared_files

KEPT = {"paths": ["/", "/news"], "seconds": 3}


def cached(settings: dict[str, Any], number: int = 0, **changes: Any) -> Rendered:
    (made,) = rendered({"web_apps": [{**settings["web_apps"][number], "cache": KEPT, **changes}]})
    return made


def zone(made: Rendered, path: str) -> str:
    """What nginx finds for the variable that says where answers are kept: an exact text, then a pattern."""
    name = f"${made.app['name'].replace('-', '_')}___cache"
    ((_words, inner),) = [
        (words, inner) for words, inner in those(parsed(made.conf), "map", "$uri") if words[2] == name
    ]
    found = dict(words for words, _nothing in inner)
    patterns = [text for text in found if text.startswith("~") and re.search(text.removeprefix("~"), path)]
    return str(found.get(path) or found[patterns[0] if patterns else "default"])


def test_without_a_cache_nothing_speaks_of_it(made: Rendered) -> None:
    assert "uwsgi_cache" not in made.conf
    assert "X-Cache" not in made.conf


@pytest.mark.parametrize(
    ("changes", "kept", "not_kept"),
    [
        ({}, ["/", "/about", "/news/1"], ["/health"]),
        ({"cache": {"paths": ["/a.b", "/c"]}}, ["/a.b", "/a.b/c", "/c"], ["/", "/axb", "/a.bc", "/x/c", "/health"]),
        ({"prefix": "/shop"}, ["/shop/", "/shop/news"], ["/", "/news", "/shop/health"]),
        ({"prefix": "/shop", "cache": {"paths": ["/news"]}}, ["/shop/news"], ["/shop/", "/news", "/shop/newsletter"]),
        ({"health_path": "/news/health"}, ["/news", "/news/healthy", "/health"], ["/news/health"]),
        # As nginx has it: without what leads nowhere.
        ({"health_path": "//a/./b/../health"}, ["/a"], ["/a/health"]),
        ({"health_path": "/a/health/."}, ["/a/health"], ["/a/health/"]),
    ],
)
def test_a_path_is_kept_with_all_below_it_and_the_health_path_never(
    settings: dict[str, Any], changes: dict[str, Any], kept: list[str], not_kept: list[str]
) -> None:
    made = cached(settings, **changes)
    assert {path: zone(made, path) for path in kept} == dict.fromkeys(kept, "shop___cache")
    assert {path: zone(made, path) for path in not_kept} == dict.fromkeys(not_kept, "off")


@pytest.mark.parametrize(("number", "path"), [(0, "/"), (1, "@wiki-2")])
def test_visitors_are_answered_from_what_is_kept(settings: dict[str, Any], number: int, path: str) -> None:
    made = cached(settings, number)
    word = made.app["name"].replace("-", "_")
    of_caches = ("root", "set", "open_file", "uwsgi_buffer", "uwsgi_cache", "uwsgi_no_cache")
    assert [words for words, _inner in location(made, path) if words[0].startswith(of_caches)] == [
        ["root", made.app["current"]],
        ["uwsgi_cache", f"${word}___cache"],
        [
            "uwsgi_cache_key",
            f"${word}___asked_release $asked_scheme://$host$asked_port_in_host$request_uri",
        ],
        ["uwsgi_buffer_size", "16k"],
        ["uwsgi_buffers", "10", "4k"],
        ["uwsgi_cache_valid", "3s"],
        ["uwsgi_cache_bypass", "$asks_as_somebody"],
        ["uwsgi_no_cache", "$asks_as_somebody", f"${word}___of_another_release"],
        ["uwsgi_cache_lock", "on"],
        ["uwsgi_cache_background_update", "on"],
        ["uwsgi_cache_use_stale", "updating", "error", "timeout", "invalid_header", "http_500", "http_503"],
    ]
    # By default nginx keeps no answer that sets a cookie or says that it is private.
    assert "uwsgi_ignore_headers" not in made.conf
    assert ["X-Cache", "$upstream_cache_status", "always"] in values(server(made), "add_header")


def test_the_live_release_is_looked_up_where_its_link_is(settings: dict[str, Any]) -> None:
    ((_words, inner),) = those(parsed(cached(settings).conf), "map", "$host", "$shop___asked_release")
    assert [words for words, _nothing in inner] == [["default", "$realpath_root"]]


def test_it_is_small_and_forgotten_soon(settings: dict[str, Any]) -> None:
    made = cached(settings)
    ((_name, *words),) = [words for words in deep(parsed(made.conf)) if words[0] == "uwsgi_cache_path"]
    assert words == [
        f"{BODIES}/web-cache-shop",
        "levels=1:2",
        "keys_zone=shop___cache:1m",
        "max_size=64m",
        "inactive=13s",
        "use_temp_path=off",
    ]


def test_what_is_left_of_a_cache_goes_with_time(settings: dict[str, Any]) -> None:
    assert f"\ne {BODIES}/web-cache-* - - - 1d\n" in base_files(settings)[TMPFILES]


@pytest.mark.parametrize(
    ("text", "is_foreign"),
    [
        ("/opt/shop/releases/0123456789ab 0123456789ab", False),
        ("/opt/shop/releases/0123456789ab ba9876543210", True),
        ("/opt/shop/releases/0123456789ab ", True),
        (" 0123456789ab", True),
    ],
)
def test_only_the_release_that_was_live_when_somebody_asked_is_kept(
    settings: dict[str, Any], text: str, is_foreign: bool
) -> None:
    made = cached(settings)
    source = "$shop___asked_release $upstream_http_x_release"
    ((words, inner),) = those(parsed(made.conf), "map", source)
    assert words[2] == "$shop___of_another_release"
    ((pattern, ours), _nothing), (default, _none) = inner
    assert (ours, default) == ("", ["default", "yes"])
    assert (re.search(pattern.removeprefix("~"), text) is None) == is_foreign


def test_who_sends_a_cookie_a_password_or_a_body_asks_the_app(base: dict[str, str]) -> None:
    (_words, http), *_others = those(parsed(base["nginx.conf"]), "http")
    sent = "$http_cookie$http_authorization$content_length$http_transfer_encoding"
    ((words, inner),) = those(http, "map", sent)
    assert words[2] == "$asks_as_somebody"
    assert [words for words, _nothing in inner] == [["", ""], ["default", "yes"]]


@pytest.mark.parametrize(
    ("text", "method"),
    [
        ("shop___cache  HEAD", "GET"),
        ("shop___cache  GET", "$request_method"),
        ("shop___cache yes HEAD", "$request_method"),
        ("off  HEAD", "$request_method"),
    ],
)
def test_who_asks_for_headers_alone_is_no_other_visitor(settings: dict[str, Any], text: str, method: str) -> None:
    made = cached(settings)
    ((words, inner),) = those(parsed(made.conf), "map", "$shop___cache $asks_as_somebody $request_method")
    found = dict(words for words, _nothing in inner)
    assert found.get(text, found["default"]) == method
    asked = [words[1:] for words, _inner in location(made, "/") if words[:2] == ["uwsgi_param", "REQUEST_METHOD"]]
    assert asked == [["REQUEST_METHOD", words[2]]]


def test_a_stream_is_never_kept(settings: dict[str, Any]) -> None:
    made = cached(settings, streaming=["/events"])
    streams = those(server(made), "location", "~")[1][1]
    assert ["uwsgi_buffering", "off"] in [words for words, _inner in streams]
    assert not [words for words, _inner in streams if words[0].startswith("uwsgi_cache")]


def test_a_probe_is_never_answered_from_it(settings: dict[str, Any]) -> None:
    assert not [words for words in deep(probed(cached(settings))) if "cache" in words[0]]


def test_apps_that_share_their_names_have_caches_of_their_own(settings: dict[str, Any]) -> None:
    shop, wiki = settings["web_apps"]
    shop = {**shop, "server_names": ["a.test"], "prefix": "/shop", "cache": KEPT}
    wiki = {**wiki, "server_names": ["a.test"], "prefix": "/wiki"}
    apps = {"web_apps": [shop, wiki]}
    one, two = rendered(apps)
    assert "uwsgi_cache $shop___cache;" in one.files["part"]
    assert "add_header X-Cache" in one.files["part"]
    assert "uwsgi_cache" not in one.files["candidate"] + two.files["part"] + two.conf
    assert "X-Cache" not in two.files["part"] + "".join(shared_files(apps).values())
