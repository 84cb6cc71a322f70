"""What one address may do: nginx's limits of requests and connections."""

from __future__ import annotations

import re
from typing import Any

import pytest

from blocks import location, probed, server
from directives import deep, parsed, those, values
from rendered import Rendered, rendered

LIMITS = {"/": "20/s", "/login": "10/m", "/static/big": "5/s"}


def limited(settings: dict[str, Any], number: int = 0, **changes: Any) -> Rendered:
    given = {**settings["web_apps"][number], "request_limits": LIMITS, "connection_limit": 50, **changes}
    (made,) = rendered({"web_apps": [given]})
    return made


def counted(made: Rendered, path: str) -> list[str]:
    """The zones that a request for this path is counted in."""
    found = []
    for words, inner in those(parsed(made.conf), "map", "$uri"):
        if words[2] == made.site["inside"]:
            continue
        ((pattern, key), _nothing), default = inner
        assert (key, default[0]) == ("$counted_address", ["default", ""])
        if re.search(pattern.removeprefix("~"), path):
            found.append(words[2].removeprefix("$"))
    return found


def test_without_limits_nothing_speaks_of_them(made: Rendered) -> None:
    assert "limit_" not in made.conf
    assert "Retry-After" not in str(values(server(made), "add_header"))


def test_a_path_counts_with_everything_below_it(settings: dict[str, Any]) -> None:
    made = limited(settings)
    assert counted(made, "/") == counted(made, "/loginx") == ["shop__0"]
    assert counted(made, "/login") == counted(made, "/login/again") == ["shop__0", "shop__1"]
    below = limited(settings, prefix="/a.b")
    assert counted(below, "/a.b/login") == ["shop__0", "shop__1"]
    assert counted(below, "/login") == counted(below, "/axb/login") == []


def test_a_second_or_a_minutes_worth_may_come_at_once(settings: dict[str, Any]) -> None:
    made = limited(settings)
    zones = [words[1:] for words in deep(parsed(made.conf)) if words[0] == "limit_req_zone"]
    assert [words[2] for words in zones] == ["rate=20r/s", "rate=10r/m", "rate=5r/s"]
    for key, zone, _rate in zones:
        # One zone never gets another key: a running nginx would refuse to load it.
        assert zone == f"zone={key.removeprefix('$')}:1m"
    assert values(location(made, "/"), "limit_req") == [
        ["zone=shop__0", "burst=20", "nodelay"],
        ["zone=shop__1", "burst=10", "nodelay"],
        ["zone=shop__2", "burst=5", "nodelay"],
    ]
    assert values(location(made, "/"), "limit_conn") == [["shop__connections", "50"]]


@pytest.mark.parametrize(("number", "wanted"), [(0, [["zone=shop__2", "burst=5", "nodelay"]]), (1, [])])
def test_files_count_only_where_their_path_is_named(settings: dict[str, Any], number: int, wanted: list[Any]) -> None:
    made = limited(settings, number)
    files = location(made, "/static/" if number == 0 else "/")
    assert values(files, "limit_req") == wanted
    assert values(files, "limit_conn") == []


def test_streams_count(settings: dict[str, Any]) -> None:
    made = limited(settings, streaming=["/events"])
    streams = those(server(made), "location", "~")[1][1]
    assert len(values(streams, "limit_req")) == 3


def test_what_is_over_a_limit_hears_when_to_come_again(settings: dict[str, Any]) -> None:
    made = limited(settings)
    assert ["Retry-After", "$shop__retry_after", "always"] in values(server(made), "add_header")
    ((_words, inner),) = those(parsed(made.conf), "map", "$limit_req_status$limit_conn_status")
    # Ten in a minute: one more every six seconds.
    assert [words for words, _nothing in inner] == [["~REJECTED", "6"], ["default", ""]]


def test_a_probe_is_under_no_limit(settings: dict[str, Any]) -> None:
    assert not [words for words in deep(probed(limited(settings))) if words[0].startswith("limit_")]


def test_apps_that_share_their_names_have_limits_of_their_own(settings: dict[str, Any]) -> None:
    shop, wiki = settings["web_apps"]
    shop = {**shop, "server_names": ["a.test"], "prefix": "/shop", "request_limits": {"/": "1/s"}}
    wiki = {**wiki, "server_names": ["a.test"], "prefix": "/wiki", "connection_limit": 1}
    one, two = rendered({"web_apps": [shop, wiki]})
    assert "limit_req zone=shop__0 " in one.files["part"]
    assert "limit_conn" not in one.files["part"]
    assert "limit_conn wiki_2__connections 1;" in two.files["part"]
    assert "limit_req" not in two.files["part"]
    assert "zone=wiki_2__connections:1m" in two.conf
