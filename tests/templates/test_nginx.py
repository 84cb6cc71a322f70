"""nginx.conf, the default server and the apps' server blocks, read as nginx reads them."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from ansible_collections.uwsgi_flask.web.plugins.module_utils.layout import LOGS_STATE, PROBE_SOCKET, PROBE_SOCKET_AGAIN
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.front import front_of
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.placeholders import BROTLI_STATIC, CONNECTIONS
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.places import (
    BASE,
    DROP_IN,
    LOGROTATE,
    LOGS_RULES,
    LOGS_SERVICE_FILE,
    LOGS_TIMER,
    LOGS_TIMER_FILE,
    MAIN,
    TLS_BASE,
    TMPFILES,
    pem_file,
)
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.tree import (
    GENERATION,
    OWN_DIGEST,
    proof_names,
    with_own_digest,
)

from blocks import is_for_probes, location, probed, server
from directives import Directive, deep, parsed, those, values
from rendered import Rendered, base_files, rendered

# What the server block consisted of that this one grew from.
ORIGINAL = ["listen", "server_name", "client_max_body_size", "access_log", "uwsgi_pass", "include"]


def test_no_file_has_a_brace_too_many_or_too_few(apps: list[Rendered], base: dict[str, str]) -> None:
    for text in [*(made.conf for made in apps), base["nginx.conf"], base[BASE]]:
        assert parsed(text)


@pytest.mark.parametrize("text", ["a { b;", "a; }", "a { b }", "a", "; a;"])
def test_the_reader_sees_a_fault(text: str) -> None:
    with pytest.raises(AssertionError):
        parsed(text)


@pytest.mark.parametrize("name", ["shop", "a" * 46], ids=["a usual name", "the longest name"])
def test_every_variable_fits_into_nginxs_table(settings: dict[str, Any], name: str) -> None:
    """By ngx_hash_init: an item is a pointer, its length and its name, in a whole number of 8 bytes; then a pointer."""
    (made,) = rendered({"web_apps": [{**settings["web_apps"][0], "name": name}]})
    ((size,),) = values(http_block(settings), "variables_hash_bucket_size")
    variables = [words[2].removeprefix("$") for words, _inner in those(parsed(made.conf), "map")]
    assert variables
    for variable in variables:
        assert 8 + (len(variable) + 2 + 7) // 8 * 8 + 8 <= int(size), variable


# --- One app ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ORIGINAL)
def test_an_original_directive_is_there(made: Rendered, name: str) -> None:
    assert name in [words[0] for words in deep(server(made))]


def test_no_name_is_made_that_somebodys_proxy_pass_may_use(made: Rendered) -> None:
    assert those(parsed(made.conf), "upstream") == []


def test_a_server_block_answers_to_the_apps_names_only(made: Rendered) -> None:
    assert values(server(made), "server_name") == [made.app["server_names"]]
    assert values(server(made), "listen") == [["80"], ["[::]:80"]]


def test_what_was_set_arrives(made: Rendered) -> None:
    assert values(server(made), "client_max_body_size") == [[made.app["max_body"]]]
    assert values(server(made), "access_log") == [[f"/var/log/nginx/{made.app['name']}.log", "requests"]]


def to_the_app(made: Rendered) -> list[Directive]:
    """The location that leads to the app."""
    return location(made, f"@{made.app['name']}" if made.app["static_url"] == "/" else "/")


def test_the_app_is_asked_over_the_uwsgi_protocol(made: Rendered) -> None:
    # The distribution's own parameters first: ours after it.
    assert [words for words, _inner in to_the_app(made)] == [
        ["include", "uwsgi_params"],
        ["uwsgi_param", "HTTP_PROXY", ""],
        ["uwsgi_param", "HTTP_FORWARDED", ""],
        ["uwsgi_param", "HTTP_X_FORWARDED_FOR", "$remote_addr"],
        ["uwsgi_param", "HTTP_X_FORWARDED_HOST", "$host$asked_port_in_host"],
        ["uwsgi_param", "HTTP_X_FORWARDED_PORT", "$asked_port"],
        ["uwsgi_param", "HTTP_X_FORWARDED_PREFIX", ""],
        ["uwsgi_param", "HTTP_X_FORWARDED_PROTO", "$asked_scheme"],
        ["uwsgi_param", "HTTP_X_REQUEST_ID", "$visit_id"],
        ["uwsgi_param", "HTTP_HOST", "$host$asked_port_in_host"],
        ["uwsgi_param", "SERVER_PORT", "$asked_port"],
        ["uwsgi_param", "REQUEST_SCHEME", "$asked_scheme"],
        ["uwsgi_param", "HTTPS", "$asked_https", "if_not_empty"],
        ["uwsgi_pass", f"unix:{made.app['live_socket']}"],
        ["uwsgi_read_timeout", f"{made.site['read_timeout']}s"],
    ]
    assert made.site["read_timeout"] == made.app["request_timeout"] < made.release["harakiri"]


def test_only_one_location_of_visitors_reaches_the_app(made: Rendered) -> None:
    assert len([words for words in deep(server(made)) if words[0] == "uwsgi_pass"]) == 1


@pytest.mark.parametrize("static_url", ["/static/", "/"])
def test_a_stream_is_passed_on_at_once(settings: dict[str, Any], static_url: str) -> None:
    given = {
        **settings["web_apps"][0],
        "streaming": ["/events", "/a.b"],
        "stream_timeout": 77,
        "static_url": static_url,
    }
    (made,) = rendered({**settings, "web_apps": [given]})
    words, block = those(server(made), "location", "~")[1]
    paths = ("/", "/eventsx", "/a/events", "/axb", "/events", "/events/a", "/a.b")
    assert [path for path in paths if re.search(words[2], path)] == ["/events", "/events/a", "/a.b"]
    # The same as elsewhere, but for what makes it a stream.
    assert [words for words, _inner in block] == [
        *(words for words, _inner in to_the_app(made) if words[0] != "uwsgi_read_timeout"),
        ["uwsgi_buffering", "off"],
        ["uwsgi_read_timeout", "77s"],
    ]


def test_without_streams_nothing_speaks_of_them(made: Rendered) -> None:
    assert "uwsgi_buffering" not in made.conf


def test_files_are_served_from_the_static_folders_of_the_live_release_and_the_one_before(made: Rendered) -> None:
    public = made.app["public"]
    assert public == f"{made.app['current']}/public"
    before = made.app["previous_public"]
    assert before == f"{made.app['previous']}/public"
    served = [words for words in deep(parsed(made.conf)) if words[0] in ("root", "alias")]
    page = f"{made.app['maintenance']}/page.html"
    assert [words[1].rstrip("/") for words in served] == [page, public, before]
    links = [words for words in deep(server(made)) if words[0] == "disable_symlinks"]
    # Of the folder itself, with a slash at its end, nginx would say that `current` is a link, and answer 500.
    assert [words[1:] for words in links] == [["on", f"from={public}"], ["on", f"from={before}"]]
    assert not {"autoindex", "autoindex_format"} & {words[0] for words in deep(server(made))}


def test_files_that_begin_with_a_dot_are_nobodys_business(made: Rendered) -> None:
    block = location(made, "~")
    assert [words for words, _inner in block] == [["return", "404"]]
    ((words, _inner),) = those(server(made), "location", "~")
    hidden = re.compile(words[2])
    assert all(hidden.search(path) for path in ("/.git/config", "/.env", "/a/.b", "/.well-known-not/x"))
    assert not any(hidden.search(path) for path in ("/.well-known/acme-challenge/x", "/a.b/c", "/yyy.js"))


def test_no_location_is_there_twice(made: Rendered) -> None:
    names = [words[1:] for words, _inner in those(server(made), "location")]
    assert len({tuple(name) for name in names}) == len(names) == 6


def test_a_closed_app_answers_503_with_its_page_and_every_header(made: Rendered) -> None:
    block = server(made)
    assert [(words[1:], inner[0][0]) for words, inner in those(block, "if")] == [
        (["(-d", "/opt/{}/maintenance)".format(made.app["name"])], ["set", "$is_closed", "yes"]),
        (["(-e", "/opt/{}/maintenance/$remote_addr)".format(made.app["name"])], ["set", "$is_closed", ""]),
        (["($uri", "~", "^/\\.(maintenance|error)$)"], ["set", "$is_closed", ""]),
        (["($is_closed)"], ["return", "503"]),
    ]
    page = location(made, "=", "/.maintenance")
    assert ["503", "/.maintenance"] in values(block, "error_page")
    assert those(page, "internal")
    assert values(page, "client_max_body_size") == [["0"]], "a large request would get 413 instead"
    added = values(page, "add_header")
    assert added[0] == ["Retry-After", "300", "always"]
    assert added[1:] == values(block, "add_header")


def test_hsts_is_for_https_alone_and_never_there_twice(settings: dict[str, Any]) -> None:
    (made,) = rendered({**settings, "web_apps": [{**settings["web_apps"][0], "tls": "self_signed", "hsts": 9}]})
    ((_words, inner),) = those(parsed(made.conf), "map", "$upstream_http_strict_transport_security $asked_scheme")
    assert [words for words, _inner in inner] == [[" https", "max-age=9"]]
    added = [words[2:] for words in deep(parsed(made.conf)) if words[1:2] == ["Strict-Transport-Security"]]
    # By plain HTTP too, where it is empty; on its page for maintenance, and on static files.
    assert added == [["$shop__strict_transport_security", "always"]] * 5


def test_a_static_url_of_its_own(apps: list[Rendered]) -> None:
    """Both ends of an alias have their slash, or /static../ would lead out of the folder."""
    block = location(apps[0], "/static/")
    assert values(block, "alias") == [["/opt/shop/current/public/"]]
    assert those(block, "try_files") == []
    assert location(apps[0], "/")
    before = location(apps[0], "@shop.previous")
    assert values(before, "try_files") == [["$shop___inside", "=404"]]
    # The first that names a status counts.
    assert values(block, "error_page")[0] == ["404", "=", "@shop.previous"]
    assert values(block, "error_page")[1:] == values(server(apps[0]), "error_page")[1:]
    assert values(block, "recursive_error_pages") == [["on"]], "or a 404 of the second would have no page"


def test_static_files_at_the_root(apps: list[Rendered]) -> None:
    """A file if there is one; if not, the app."""
    block = location(apps[1], "/")
    assert values(block, "root") == [["/opt/wiki-2/current/public"]]
    assert values(block, "try_files") == [["$uri", "@wiki-2.previous"]]
    assert values(location(apps[1], "@wiki-2.previous"), "try_files") == [["$wiki_2___inside", "@wiki-2"]]
    assert location(apps[1], "@wiki-2")
    assert "alias" not in [words[0] for words in deep(block)]


@pytest.mark.parametrize("url", ["/", "/static/", "/a/b.c~d-e_f/"])
def test_any_static_url_leaves_a_whole_block(settings: dict[str, Any], url: str) -> None:
    given = {**settings["web_apps"][0], "static_url": url}
    made = rendered({**settings, "web_apps": [given]})[0]
    ((words, _inner),) = [it for it in those(server(made), "location") if it[0][1] == url]
    assert words == ["location", url]


@pytest.mark.parametrize("port", [80, 8080])
@pytest.mark.parametrize("has_ipv6", [True, False])
def test_listening(settings: dict[str, Any], port: int, has_ipv6: bool) -> None:
    changed = {**settings, "web_http_port": port}
    wanted = [[str(port)], [f"[::]:{port}"]][: 2 if has_ipv6 else 1]
    for made in rendered(changed, nginx_ipv6=has_ipv6):
        assert values(server(made), "listen") == wanted
    base = base_files(changed, nginx_ipv6=has_ipv6)
    default, _proof = [block for _words, block in those(parsed(base[BASE]), "server")]
    assert [words[:1] for words in values(default, "listen")] == [*wanted, [f"unix:{PROBE_SOCKET}"]]


# --- Static files -------------------------------------------------------------------------------------------------


def where_inside(made: Rendered, address: str) -> str:
    """What nginx looks for in the static folder of the release before; "" where it looks for nothing."""
    ((_words, inner),) = those(parsed(made.conf), "map", "$uri", made.site["inside"])
    for words, _nothing in inner:
        if words[0].startswith("~") and (found := re.search(words[0][1:], address)):
            return found[1]
    return ""


@pytest.mark.parametrize(
    ("given", "address", "inside"),
    [
        ({}, "/static/a.css", "/a.css"),
        ({}, "/static/a/b.txt", "/a/b.txt"),
        ({}, "/static/a\nb", "/a\nb"),
        ({}, "/static/", ""),
        ({}, "/static/a/", ""),
        ({}, "/statics/a.css", ""),
        ({"prefix": "/p"}, "/p/static/a.css", "/a.css"),
        ({"prefix": "/p"}, "/static/a.css", ""),
        ({"static_url": "/a.b/"}, "/a.b/c.css", "/c.css"),
        ({"static_url": "/a.b/"}, "/axb/c.css", ""),
        ({"static_url": "/"}, "/a/b.css", "/a/b.css"),
        ({"static_url": "/", "prefix": "/p"}, "/p/b.js", "/b.js"),
        # What the app may answer by now must not be hidden by what the release before had there.
        *(
            ({"static_url": "/"}, address, "")
            for address in ("/", "/about", "/robots.txt", "/a.html", "/a.json", "/css")
        ),
    ],
)
def test_where_a_file_of_the_release_before_is(
    settings: dict[str, Any], given: dict[str, Any], address: str, inside: str
) -> None:
    assert where_inside(changed(settings, 0, **given), address) == inside


def is_named_after_its_content(settings: dict[str, Any], address: str) -> bool:
    ((_words, inner),) = those(http_block(settings), "map", "$uri?$args")
    patterns = [words[0][1:] for words, _nothing in inner if words[0].startswith("~")]
    assert len(patterns) == 5
    return any(re.search(pattern, address) for pattern in patterns)


@pytest.mark.parametrize(
    "address",
    [
        "/app.3f9a1c0b.js?",
        "/a/index-BxK9aZ_3.js?",
        "/style-4e1243bd22c66e76c2ba9eddc1f91394e57f9f83.css?",
        "/main.8a3c2f1b.chunk.js?",
        "/app.55e7cbb9ba48.css.map?",
        "/app-5XQ2ZK3W.js?",
        "/app.css?v=2",
        "/app.css?a=b&v=2",
        "/packed.js?3f9a1c0b",
        "/packed.js?1700000000",
    ],
)
def test_an_address_that_changes_with_the_content(settings: dict[str, Any], address: str) -> None:
    assert is_named_after_its_content(settings, address)


@pytest.mark.parametrize(
    "address",
    [
        "/app.js?",
        "/report-20240101.pdf?",
        "/report.20240101.pdf?",
        "/report-20240101120000.pdf?",
        "/jquery-3.7.1.min.js?",
        "/bootstrap.bundle.min.js?",
        "/photo-DSCN2345.jpg?",
        "/photo-IMG_1234.jpg?",
        "/chart-Version2.js?",
        "/chart-MyCanvas.js?",
        "/icon-download.svg?",
        "/menu-cafe2024.pdf?",
        "/deadbeef/app.js?",
        "/3f9a1c0b/app.js?",
        "/app-3f9a1c0b?",
        "/app-3f9a1c0.js?",
        "/3f9a1c0b.js?",
        "/app.css?v=",
        "/app.css?dev=1",
        "/app.css?page=3f9a1c0b",
        "/app.css?",
    ],
)
def test_one_that_may_not(settings: dict[str, Any], address: str) -> None:
    """Browsers would keep what it has now for a year."""
    assert not is_named_after_its_content(settings, address)


def what_is_kept(made: Rendered) -> dict[str, str]:
    ((_words, inner),) = those(parsed(made.conf), "map", "$is_named_after_content", made.site["kept"])
    return {words[0]: words[1] for words, _nothing in inner}


@pytest.mark.parametrize(("seconds", "mostly"), [(0, "no-cache"), (60, "public, max-age=60")])
def test_what_browsers_keep(settings: dict[str, Any], seconds: int, mostly: str) -> None:
    made = changed(settings, 0, static_max_age=seconds)
    assert what_is_kept(made) == {"yes": "public, max-age=31536000, immutable", "default": mostly}


def test_a_header_of_the_apps_own_says_what_is_kept(settings: dict[str, Any]) -> None:
    made = changed(settings, 0, headers={"cache-control": "no-store"})
    added = [
        words[2:] for words in deep(server(made)) if words[0] == "add_header" and words[1].lower() == "cache-control"
    ]
    assert {tuple(words) for words in added} == {("$shop__cache_control", "always")}


def test_static_files_keep_every_header_and_are_sent_in_their_smaller_form(made: Rendered) -> None:
    every = [["add_header", *words] for words in values(server(made), "add_header")]
    first = "/" if made.app["static_url"] == "/" else "/static/"
    for block in (location(made, first), location(made, f"@{made.app['name']}.previous")):
        added = [words for words, _inner in block if words[0] == "add_header"]
        # Not on errors: a file that isn't there may come.
        assert added == [*every, ["add_header", "Cache-Control", made.site["kept"]]]
        assert values(block, "gzip_static") == values(block, "gzip_vary") == [["on"]]
        # After a flip, a name would for a moment be the old file still, and a browser keeps `app.css?v=2` for a year.
        assert not values(block, "open_file_cache")
        assert BROTLI_STATIC in made.conf


def test_nothing_is_compressed_while_somebody_waits(made: Rendered, base: dict[str, str]) -> None:
    """What the app answers may hold a secret beside what the visitor has sent."""
    for text in (made.conf, base[MAIN]):
        assert not {"gzip", "brotli", "gzip_types"} & {words[0] for words in deep(parsed(text))}


# --- Uploads ------------------------------------------------------------------------------------------------------


def uploads(settings: dict[str, Any], **given: Any) -> list[Directive]:
    return location(changed(settings, 0, media={"/media": "deep/er"}, **given), f"{given.get('prefix', '')}/media/")


@pytest.mark.parametrize("static_url", ["/", "/static/"])
@pytest.mark.parametrize("prefix", ["", "/p"])
def test_uploads_come_from_their_folder_alone(settings: dict[str, Any], prefix: str, static_url: str) -> None:
    block = uploads(settings, prefix=prefix, static_url=static_url)
    assert values(block, "alias") == [["/var/lib/shop/deep/er/"]]
    assert values(block, "disable_symlinks") == [["on", "from=/var/lib/shop"]]
    assert not {"gzip_static", "open_file_cache", "try_files", "autoindex"} & {words[0] for words, _inner in block}


def test_uploads_have_headers_of_their_own_and_the_others_too(settings: dict[str, Any]) -> None:
    given = {"content-security-policy": "x", "cache-control": "y", "A": "b"}
    added = values(uploads(settings, headers=given), "add_header")
    assert {words[0] for words in added[:-4]} == {
        "X-Request-ID",
        "X-Frame-Options",
        "Referrer-Policy",
        "Permissions-Policy",
        "A",
    }
    own = {words[0]: words[1:] for words in added[-4:]}
    assert own == {
        "X-Content-Type-Options": ["nosniff", "always"],
        "Content-Security-Policy": ["$upload_policy", "always"],
        "Content-Disposition": ["$upload_disposition"],
        "Cache-Control": ["no-cache"],
    }
    assert len(added) == 9


def about(settings: dict[str, Any], kind: str) -> tuple[str, str]:
    """What nginx says of an upload of this type: disposition and policy."""
    said = []
    for name in ("$upload_disposition", "$upload_policy"):
        ((_words, inner),) = those(http_block(settings), "map", "$sent_http_content_type", name)
        given = [(words[0], words[1]) for words, _nothing in inner]
        exact = [text for key, text in given if key == kind]
        matching = [text for key, text in given if key.startswith("~") and re.search(key[1:], kind)]
        said.append([*exact, *matching, dict(given)["default"]][0])
    return said[0], said[1]


def test_a_browser_shows_what_can_do_nothing_and_offers_the_rest(settings: dict[str, Any]) -> None:
    ((_words, types),) = those(uploads(settings), "types")
    shown = {ending for words, _nothing in types for ending in words[1:] if about(settings, words[0])[0] == ""}
    assert {"png", "jpg", "gif", "webp", "mp4", "webm", "mp3", "pdf"} <= shown
    offered = {ending for words, _nothing in types for ending in words[1:]} - shown
    assert offered == {"svg"}
    assert values(uploads(settings), "default_type") == [["application/octet-stream"]]
    for kind in ("application/octet-stream", "text/html", "text/html; charset=utf-8", "application/xml", ""):
        disposition, policy = about(settings, kind)
        assert disposition == "attachment"
        assert policy.startswith("sandbox; default-src 'none'")


def test_without_media_nothing_speaks_of_them(made: Rendered) -> None:
    assert "upload" not in made.conf.replace(made.app["data"], "")
    assert made.app["data"] not in str(server(made))


# --- Errors that nginx makes itself ---------------------------------------------------------------------------------


def statuses(made: Rendered) -> list[str]:
    """Those that have a page."""
    _closed, (*listed, page), (large, becomes, its_page) = values(server(made), "error_page")
    assert page == its_page == "/.error"
    # nginx's own number, which a visitor must not get.
    assert large == "494"
    return [*listed, becomes.removeprefix("=")]


def test_an_error_that_nginx_makes_has_a_page_and_its_own_status(made: Rendered) -> None:
    assert {"400", "404", "413", "429", "431", "500", "502", "504"} <= set(statuses(made))
    assert not [status for status in statuses(made) if not status.isdigit()], "a sign of another status"
    page = location(made, "=", "/.error")
    assert [words for words, _inner in page] == [
        ["internal"],
        ["default_type", "text/html"],
        ["return", "200", "$error_page"],
    ]


def test_what_the_app_answers_is_passed_on(made: Rendered) -> None:
    assert "uwsgi_intercept_errors" not in made.conf


def said_of(status: str, settings: dict[str, Any], name: str = "error_page") -> str:
    """What nginx makes of a variable of its configuration while it answers with this status."""
    if name == "visit_id":
        return "3f9a1c0b"
    (inner,) = [inner for words, inner in those(http_block(settings), "map") if words[1:] == ["$status", f"${name}"]]
    known = {words[0]: words[1] for words, _nothing in inner}
    text = known.get(status, known["default"])
    return re.sub(r"\$(\w+)", lambda found: said_of(status, settings, found[1]), text)


def test_every_page_says_what_happened_and_needs_nothing_else(made: Rendered, settings: dict[str, Any]) -> None:
    for status in statuses(made):
        page = said_of(status, settings)
        assert re.search(r"<title>(.+)</title>\n<h1>\1</h1>\n<p>.+\.</p>\n<p><small>3f9a1c0b</small></p>\n", page)
        assert page.startswith('<!doctype html>\n<html lang="en">\n')
        assert '<meta name="color-scheme" content="light dark">' in page
        # What some Content-Security-Policy forbids.
        assert re.search(r"style|script|src=|href=|\$", page) is None, status
    assert "<h1>Too large</h1>" in said_of("413", settings)
    assert "<h1>Too many requests</h1>" in said_of("429", settings)


def test_own_pages_come_first_from_the_live_release(settings: dict[str, Any]) -> None:
    given = [{**app, "error_pages": "sorry"} for app in settings["web_apps"]]
    for made, plain in zip(rendered({**settings, "web_apps": given}), rendered(settings), strict=True):
        public = made.app["public"]
        assert [words for words, _inner in location(made, "=", "/.error")] == [
            ["internal"],
            ["root", public],
            ["disable_symlinks", "on", f"from={public}"],
            ["try_files", "/sorry/$status.html", "/sorry/error.html", f"@{made.app['name']}.error"],
        ]
        assert [["internal"], *(words for words, _inner in location(made, f"@{made.app['name']}.error"))] == [
            words for words, _inner in location(plain, "=", "/.error")
        ]


# --- Proxies in front, and load balancers ---------------------------------------------------------------------------

PROXIES = ["10.0.0.0/8", "2001:db8::7"]


def http_block(settings: dict[str, Any]) -> list[Directive]:
    ((_words, block),) = those(parsed(base_files(settings)[MAIN]), "http")
    return block


def believed(block: list[Directive]) -> list[str]:
    """Whose X-Forwarded-Proto counts."""
    ((_words, inner),) = those(block, "geo", "$realip_remote_addr", "$is_told")
    return [words[0] for words, _nothing in inner if words[1] == "1"]


def test_nobody_is_believed_unless_named(settings: dict[str, Any]) -> None:
    block = http_block({"web_apps": settings["web_apps"]})
    assert values(block, "set_real_ip_from") == values(block, "real_ip_header") == []
    assert believed(block) == []


def test_the_proxies_in_front_are_believed(settings: dict[str, Any]) -> None:
    block = http_block({**settings, "web_trusted_proxies": PROXIES})
    assert values(block, "set_real_ip_from") == [[proxy] for proxy in PROXIES]
    assert (values(block, "real_ip_header"), values(block, "real_ip_recursive")) == ([["X-Forwarded-For"]], [["on"]])
    assert believed(block) == PROXIES


def test_with_the_proxy_protocol_every_port_speaks_it_and_no_header_counts(settings: dict[str, Any]) -> None:
    """Such a proxy doesn't look into requests, so the client wrote their headers."""
    changed = {**settings, "web_trusted_proxies": PROXIES, "web_proxy_protocol": True}
    block = http_block(changed)
    assert values(block, "real_ip_header") == [["proxy_protocol"]]
    assert believed(block) == []
    texts = [made.conf for made in rendered(changed)] + [base_files(changed)[path] for path in (BASE, TLS_BASE)]
    listens = [words for text in texts for words in deep(parsed(text)) if words[0] == "listen"]
    assert len(listens) > 8
    for words in listens:
        assert ("proxy_protocol" in words) is not words[1].startswith("unix:"), words


def test_load_balancers_ask_the_default_server_and_nobody_else_may(settings: dict[str, Any]) -> None:
    without = base_files({"web_apps": settings["web_apps"]})[BASE]
    assert those(those(parsed(without), "server")[0][1], "location") == []
    base = parsed(base_files({**settings, "web_health_clients": PROXIES})[BASE])
    ((_words, allowed),) = those(base, "geo", "$realip_remote_addr", "$asks_for_health")
    assert [words for words, _inner in allowed] == [["default", "0"], *([proxy, "1"] for proxy in PROXIES)]
    server = those(base, "server")[0][1]
    assert [words for words, _inner in those(server, "location")] == [["location", "=", "/health"], ["location", "/"]]
    assert values(server, "return") == []
    assert values(those(server, "location")[1][1], "return") == [["444"]]


# --- Probes -------------------------------------------------------------------------------------------------------


def test_probes_reach_the_candidate_by_the_apps_own_names(made: Rendered) -> None:
    block = probed(made)
    assert values(block, "server_name") == values(server(made), "server_name")
    ((_words, inner),) = those(block, "location")
    assert values(inner, "uwsgi_pass") == [[f"unix:{made.app['candidate_socket']}"]]
    assert values(inner, "uwsgi_read_timeout") == values(to_the_app(made), "uwsgi_read_timeout")


def test_visitors_never_reach_the_candidate(made: Rendered) -> None:
    assert made.app["candidate_socket"] not in str(server(made))
    assert made.app["live_socket"] not in str(probed(made))


@pytest.mark.parametrize("port", [80, 8080])
def test_the_app_is_told_by_a_probe_what_a_visitor_would_tell_it(settings: dict[str, Any], port: int) -> None:
    """A Unix socket has no address and no port; an app may look at both."""
    for made in rendered({**settings, "web_http_port": port}):
        ((_words, inner),) = those(probed(made), "location")
        assert [words for words, _inner in inner][:8] == [
            ["include", "uwsgi_params"],
            ["uwsgi_param", "HTTP_PROXY", ""],
            ["uwsgi_param", "REMOTE_ADDR", "127.0.0.1"],
            ["uwsgi_param", "REMOTE_PORT", "0"],
            ["uwsgi_param", "HTTP_HOST", "$host$asked_port_in_host"],
            ["uwsgi_param", "SERVER_PORT", str(port)],
            ["uwsgi_param", "REQUEST_SCHEME", "http"],
            ["uwsgi_param", "HTTPS", "", "if_not_empty"],
        ]


def test_a_probe_meets_no_limit_and_no_log(made: Rendered) -> None:
    assert values(probed(made), "access_log") == [["off"]]
    assert values(probed(made), "client_max_body_size") == [["0"]]
    assert not [words for words in deep(probed(made)) if words[0].startswith(("limit_", "uwsgi_cache", "return"))]


def test_only_root_reaches_the_socket_for_probes(base: dict[str, str]) -> None:
    """nginx itself lets everybody connect to its Unix sockets."""
    line, *_others = [line for line in base[TMPFILES].splitlines() if line and not line.startswith("#")]
    assert line.split() == ["d", PROBE_SOCKET.rpartition("/")[0], "0700", "root", "root"]


def test_a_stale_socket_keeps_nginx_from_nothing(base: dict[str, str]) -> None:
    """Nor does a folder that somebody has removed. Debian's own test of the configuration would come before these."""
    steps = [line.partition("=")[2] for line in base[DROP_IN].splitlines() if line.startswith("ExecStartPre=")]
    assert steps == [
        "",
        f"-+/usr/bin/rm -f {PROBE_SOCKET} {PROBE_SOCKET_AGAIN}",
        f"-+/usr/bin/install -d -m 0700 {PROBE_SOCKET.rpartition('/')[0]}",
        "-+/usr/bin/mkdir -p /var/log/nginx /var/lib/nginx",
        f"-+/usr/bin/cp {DROP_IN} /run/web-nginx.conf",
    ]


# --- The rest -----------------------------------------------------------------------------------------------------


def test_a_host_name_that_no_app_has_gets_no_answer(base: dict[str, str]) -> None:
    """Of a probe either: the first app would get it."""
    servers = [block for _words, block in those(parsed(base[BASE]), "server")]
    defaults = [block for block in servers if any("default_server" in words for words in values(block, "listen"))]
    (block,) = defaults
    listens = values(block, "listen")
    assert all("default_server" in words for words in listens)
    assert [words[0] for words in listens if "backlog=4096" in words] == ["80", "[::]:80"]
    assert values(block, "return") == [["444"]]
    assert those(block, "location") == []


def test_the_running_configuration_can_be_told(base: dict[str, str]) -> None:
    servers = [block for _words, block in those(parsed(base[BASE]), "server")]
    (block,) = [block for block in servers if values(block, "server_name") == [[f"{GENERATION}.invalid"]]]
    assert is_for_probes(block)
    assert values(block, "return") == [["204"]]
    assert values(block, "access_log") == [["off"]]


def test_each_file_proves_itself(made: Rendered) -> None:
    proof, _probed = [block for _words, block in those(parsed(made.conf), "server") if is_for_probes(block)]
    name = made.app["name"]
    assert values(proof, "server_name") == [[f"{OWN_DIGEST}.{name}.invalid"]]
    assert values(proof, "return") == [["204"]]
    (found,) = proof_names(with_own_digest(made.conf).encode())
    assert re.fullmatch(rf"[0-9a-f]{{32}}\.{name}", found)


def test_only_one_server_is_the_default(apps: list[Rendered]) -> None:
    for made in apps:
        assert "default_server" not in made.conf


def test_no_query_string_is_logged(base: dict[str, str]) -> None:
    """Tokens travel in it."""
    http = those(parsed(base["nginx.conf"]), "http")[0][1]
    ((_name, escape, *formats),) = values(http, "log_format")
    assert escape == "escape=json"
    logged = {*re.findall(r"\$(\w+)", "".join(formats))}
    assert (
        logged & {"request", "request_uri", "args", "query_string", "http_referer", "http_user_agent", "host"} == set()
    )
    assert all(words[1] == "requests" for words in values(http, "access_log"))
    path = re.match(cleaned(http, "$request_uri", "$path_in_log"), "/a%20b?token=x")
    assert path
    assert path[1] == "/a%20b"


def cleaned(http: list[Directive], of: str, into: str) -> str:
    """The regular expression by which a text comes into the log."""
    (((pattern, _name), _nothing),) = next(inner for words, inner in those(http, "map") if words[1:] == [of, into])
    return str(pattern).removeprefix("~").replace("?<", "?P<")


def test_a_line_of_the_log_is_json_whatever_a_client_sends(base: dict[str, str]) -> None:
    http = those(parsed(base["nginx.conf"]), "http")[0][1]
    ((_name, _escape, *formats),) = values(http, "log_format")
    numbers = dict.fromkeys(re.findall(r": \$(\w+)", "".join(formats)), "1")
    assert numbers.keys() == {
        "status_in_log", "body_bytes_sent", "request_time", "upstream_seconds_in_log", "upstream_status_in_log",
    }  # fmt: skip
    line = json.loads(re.sub(r"\$(\w+)", lambda found: numbers.get(found[1], "a text"), "".join(formats)))
    assert {"time", "request_id", "address", "path", "agent", "release"} <= line.keys()
    # What nginx's escaping leaves as it is would make a file that isn't UTF-8.
    for of, into in (("$request_uri", "path"), ("$host", "host"), ("$http_user_agent", "agent")):
        found = re.match(cleaned(http, of, f"${into}_in_log"), "ab\xffcd")
        assert found
        assert found[1] == "ab"


def test_stalled_clients_are_dropped(base: dict[str, str]) -> None:
    http = those(parsed(base["nginx.conf"]), "http")[0][1]
    for name in ("client_header_timeout", "client_body_timeout", "send_timeout"):
        assert values(http, name) == [["10s"]]
    assert values(http, "reset_timedout_connection") == [["on"]]
    assert values(http, "server_tokens") == [["off"]]


def test_descriptors_are_asked_of_systemd_and_connections_follow_from_them(base: dict[str, str]) -> None:
    """nginx's own worker_rlimit_nofile would be refused where the hard limit is lower, and leave 1,024."""
    tree = parsed(base["nginx.conf"])
    assert values(those(tree, "events")[0][1], "worker_connections") == [[CONNECTIONS]]
    assert not [words for words in deep(tree) if words[0] == "worker_rlimit_nofile"]
    assert "LimitNOFILE=65536" in base[DROP_IN].splitlines()


def test_nginx_runs_as_the_user_that_was_agreed_on(settings: dict[str, Any]) -> None:
    base = base_files({**settings, "web_nginx_user": "web-nginx"})
    assert values(parsed(base["nginx.conf"]), "user") == [["web-nginx"]]
    assert "create 0640 web-nginx adm" in base[LOGS_RULES].splitlines()


def test_the_error_log_is_kept_for_a_week_and_rotated_once(base: dict[str, str]) -> None:
    """It holds request lines. An empty one is rotated too, or its last lines would stay for as long as all is well."""
    words = [line.strip() for line in base[LOGS_RULES].splitlines() if line and not line.startswith("#")]
    everyone, errors = words[: words.index("/var/log/nginx/error.log {")], words[words.index("rotate 6") :]
    assert {"daily", "ifempty", "maxsize 50M", "delaycompress"} <= {*everyone}
    assert errors[:3] == ["rotate 6", "maxage 7", "ignoreduplicates"]
    ((log,),) = values(parsed(base["nginx.conf"]), "error_log")
    assert log == "/var/log/nginx/error.log"


def test_the_distribution_rotates_none_of_these_logs(base: dict[str, str]) -> None:
    """Its file names all of them too, and what comes first counts."""
    words = [line.strip() for line in base[LOGROTATE].splitlines() if line and not line.startswith("#")]
    assert words == ["/var/log/nginx/*.log {", "size 1024G", "missingok", "ignoreduplicates", "}"]
    assert LOGROTATE < "/etc/logrotate.d/nginx"


def test_logs_are_rotated_for_as_long_as_nginx_runs(base: dict[str, str]) -> None:
    assert f"Wants={LOGS_TIMER}" in base[DROP_IN].splitlines()
    assert "OnCalendar=minutely" in base[LOGS_TIMER_FILE].splitlines()
    (started,) = [line for line in base[LOGS_SERVICE_FILE].splitlines() if line.startswith("ExecStart=")]
    assert started.endswith(f"--state {LOGS_STATE}/status {LOGS_RULES}")
    assert f"StateDirectory={LOGS_STATE.rpartition('/')[2]}" in base[LOGS_SERVICE_FILE].splitlines()


def test_the_tree_can_be_tested_in_another_place(base: dict[str, str]) -> None:
    """Paths of nginx's own are relative, so a staged copy includes its own files and not the live ones."""
    included = [words[1] for words in deep(parsed(base["nginx.conf"])) if words[0] == "include"]
    assert included == ["modules-enabled/*.conf", "mime.types", "conf.d/*.conf", "sites-enabled/*"]


# --- Below a path, and other names --------------------------------------------------------------------------------


def changed(settings: dict[str, Any], number: int = 0, **changes: Any) -> Rendered:
    """One of the two apps, with other settings."""
    (made,) = rendered({"web_apps": [{**settings["web_apps"][number], **changes}]})
    return made


def test_an_app_below_a_path_has_all_of_it_there_and_nothing_outside(settings: dict[str, Any]) -> None:
    made = changed(settings, prefix="/shop")
    assert values(location(made, "/shop/static/"), "alias") == [[f"{made.app['public']}/"]]
    assert values(location(made, "/shop/"), "uwsgi_pass") == [[f"unix:{made.app['live_socket']}"]]
    assert [words for words, _inner in location(made, "/")] == [["return", "404"]]
    assert values(location(made, "=", "/shop"), "return") == [["301", "$asked_scheme://$host$asked_port_in_host/shop/"]]


def test_so_has_one_whose_static_files_are_at_its_root(settings: dict[str, Any]) -> None:
    made = changed(settings, 1, prefix="/shop")
    # `root` would look for a folder called like the prefix.
    assert values(location(made, "/shop/"), "alias") == [[f"{made.app['public']}/"]]
    assert values(location(made, "/shop/"), "try_files") == [["$uri", "@wiki-2.previous"]]
    assert values(location(made, "/shop/"), "root") == []
    assert values(location(made, "@wiki-2"), "uwsgi_pass") == [[f"unix:{made.app['live_socket']}"]]


def test_without_a_prefix_there_is_one_location_for_all(made: Rendered) -> None:
    assert len(those(server(made), "location", "/")) == 1


def blocks_for(made: Rendered, *names: str) -> list[list[Directive]]:
    return [block for _words, block in those(parsed(made.conf), "server") if [*names] in values(block, "server_name")]


def test_other_names_lead_to_the_first_as_the_visitor_came(settings: dict[str, Any]) -> None:
    made = changed(settings, redirect_names=["www.shop.test", "old.test"])
    (block,) = blocks_for(made, "www.shop.test", "old.test")
    assert [values(inner, "return") for _words, inner in those(block, "location", "/")] == [
        [["301", "$asked_scheme://shop.test$asked_port_in_host$request_uri"]]
    ]
    # The first block says by which name the app is asked.
    assert front_of(made.conf, made.base) == {
        "host": "shop.test",
        "port": 80,
        "scheme": "http",
        "proxy_protocol": False,
    }


def test_by_https_they_lead_there_at_once_and_have_the_certificate(settings: dict[str, Any]) -> None:
    made = changed(settings, redirect_names=["www.shop.test"], tls="self_signed", hsts=600)
    blocks = blocks_for(made, "www.shop.test")
    assert [values(block, "listen")[0][0] for block in blocks] == ["80", "443"]
    for block in blocks:
        assert [values(inner, "return") for _words, inner in those(block, "location", "/")] == [
            [["301", "https://shop.test$request_uri"]]
        ]
        assert ["Strict-Transport-Security"] in [words[:1] for words in values(block, "add_header")]
    assert made.conf.count(f"ssl_certificate {pem_file('shop')};") == 2
    assert made.site["names"] == ["shop.test", "www.shop.test"]


def test_a_ca_finds_its_answer_at_other_names_too(settings: dict[str, Any]) -> None:
    acme = {**settings["web_apps"][0], "tls": "acme", "redirect_names": ["www.shop.test"]}
    ca = {"web_acme_email": "a@b.test", "web_acme_directory": "https://ca.test/directory"}
    (made,) = rendered({"web_apps": [acme], **ca})
    plain, _secure = blocks_for(made, "www.shop.test")
    assert those(plain, "location", "^~", "/.well-known/acme-challenge/")


def test_an_app_that_moves_is_at_both_places(settings: dict[str, Any]) -> None:
    shop, wiki = ({**one, "prefix": "/new"} for one in settings["web_apps"])
    known = {one["name"]: {"live": "0" * 12, "prefix": ""} for one in (shop, wiki)}
    for made in rendered({**settings, "web_apps": [shop, wiki]}, known=known):
        assert len(those(server(made), "location", "/")) == 1
        for root in ("/", "/new/"):
            leads = values(location(made, root), "uwsgi_pass") or values(location(made, "@wiki-2"), "uwsgi_pass")
            assert leads == [[f"unix:{made.app['live_socket']}"]]
            # The live release is proven anew where it is, should something of it be mended.
            ((_words, candidate),) = those(probed(made), "location", root)
            assert values(candidate, "uwsgi_pass") == [[f"unix:{made.app['candidate_socket']}"]]
        assert values(location(made, "=", "/new"), "return") == [
            ["301", "$asked_scheme://$host$asked_port_in_host/new/"]
        ]
