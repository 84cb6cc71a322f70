"""The page and the JSON of status.yml."""

from __future__ import annotations

import copy
import html.parser
import itertools
import json
from typing import Any

import jsonschema
import pytest
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.report import SCHEMA, status_of_hosts, status_report
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.status_page import status_page

from project import PROJECT

VOID = {"meta", "link", "br", "img", "input"}
CERTIFICATE = {
    "app": "shop",
    "names": ["shop.test"],
    "issuer": "itself",
    "expires": "2027-12-31T00:00:00+00:00",
    "days_left": 3,
}
EVIL = "<script>alert(1)</script>\"'&"


class Page(html.parser.HTMLParser):
    """A page's elements and text; a tag that is closed twice or never fails."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.words += data

    def tags(self) -> list[str]:
        return [tag for tag, _attributes in self.elements]


@pytest.fixture
def told(status_host: dict[str, Any]) -> dict[str, Any]:
    return status_of_hosts([copy.deepcopy(status_host)])


@pytest.fixture
def schema() -> Any:
    return json.loads((PROJECT / "docs/status.schema.json").read_text())


def test_the_json_is_as_its_schema_says(told: dict[str, Any], schema: Any) -> None:
    told["one"]["certificates"] = [CERTIFICATE]
    told["one"]["apps"][0]["timers"] = {"clean": {"state": "active", "result": "success"}}
    printed = json.loads(status_report(told, "json"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(printed, schema)
    assert printed["schema"] == SCHEMA == schema["properties"]["schema"]["const"]
    for spoilt in ({**printed, "more": 1}, {**printed, "schema": 2}, {**printed, "apps": [{"host": "one"}]}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(spoilt, schema)


def test_the_page_tells_the_fleet_and_its_deploys(told: dict[str, Any]) -> None:
    told["one"]["certificates"] = [CERTIFICATE]
    page = Page(status_page(told))
    live = told["one"]["apps"][0]["live"]
    for words in ("All is well", "1 app on 1 server", live, "rolled back to", "refused at probe", "3 days left"):
        assert words in page.words, words
    assert page.words.count(live) > 1
    assert page.tags().count("table") == 2
    # A heading never skips a level.
    levels = [int(tag[1]) for tag in page.tags() if tag in ("h1", "h2", "h3", "h4")]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


def test_a_host_can_say_nothing_that_becomes_a_part_of_the_page(told: dict[str, Any]) -> None:
    row = told["one"]["apps"][0]
    row |= {"app": EVIL, "ref": EVIL, "by": EVIL, "answer": EVIL, "drift": [EVIL]}
    row["last"][0] |= {"cause": EVIL, "release": EVIL, "ref": EVIL, "by": EVIL, "step": EVIL}
    told["one"] |= {"nginx": [EVIL], "failed_certificates": {EVIL: EVIL}, "failed_renewals": [EVIL]}
    told["one"] |= {"unmanaged": [EVIL], "certificates": [{**CERTIFICATE, "issuer": EVIL, "names": [EVIL]}]}
    text = status_page({EVIL: told["one"]}, [EVIL])
    assert "<script" not in text
    page = Page(text)
    assert page.words.count(EVIL) > 10
    assert not {"script", "img", "link", "iframe"} & {*page.tags()}


def test_the_page_needs_nothing_beside_it(told: dict[str, Any]) -> None:
    page = Page(status_page(told))
    assert not [attributes for _tag, attributes in page.elements if {"src", "href"} & {*attributes}]
    assert "url(" not in status_page(told)


@pytest.mark.parametrize(
    ("change", "where", "words"),
    [
        ({"answer": "502"}, "shop on one", "visitors get 502"),
        ({"answer": ""}, "shop on one", "visitors get nothing"),
        ({"let_pass": []}, "shop on one", "visitors get 503"),
        ({"drift": ["x was changed"]}, "shop on one", "x was changed"),
        ({"cores": 3}, "shop on one", "started with 2 workers; the host has 3 cores: site.yml -e restart=shop"),
        ({"timers": {"send": {"state": "active", "result": "exit-code"}}}, "shop on one", "the job of send failed"),
    ],
    ids=str,
)
def test_what_should_be_looked_at_comes_first(
    told: dict[str, Any], change: dict[str, Any], where: str, words: str
) -> None:
    told["one"]["apps"][0] |= change
    page = Page(status_page(told))
    assert "1 thing to look at" in page.words
    assert page.words.index(where) < page.words.index(words) < page.words.index("The fleet")


def test_a_server_without_an_answer_is_on_the_page(told: dict[str, Any]) -> None:
    words = Page(status_page(told, ["two"])).words
    assert "1 thing to look at" in words
    assert "two" in words
    assert "on 2 servers" in words
    assert "couldn't be reached" in Page(status_page({}, ["two"])).words
