"""A wrong value is refused with the key, the problem and the remedy."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.uwsgi_flask.web.plugins.module_utils import layout
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.agreement import Agreement
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.app import App
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.keys import is_required, meanings
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.rules import SYSTEM_NAMES

from settings import Workshop, app


def whole(low: int, high: int, unit: str = "") -> str:
    return f"must be a whole number{unit} from {low} to {high}"


NAME = "must be lower-case letters, digits and single hyphens, a letter first (shop-2)"
SYSTEM_NAME = "must not be a name that the system uses itself; add a word (shop-nginx)"
HOST_LIST = "must be a list of host names with at least one item"
HOST = "must be a lower-case host name or address (shop.example.com, *.example.com, 192.0.2.7)"
MODULE = "must be a dotted Python name (flask_wsgi, shop.web)"
CALLABLE = "must be a Python name (app)"
EXTRAS = "must be a list of names of extras (- web)"
PACKAGE = (
    "must be a package (httpbin, httpbin==0.10.2, shop @ git+https://…) or a wheel's path "
    "(dist/shop-1.0-py3-none-any.whl)"
)
INSIDE = "must be a path inside the source, without '..'"
FILE = "must be the path of a file, relative to the playbook or absolute"
TLS = "must be one of off, self_signed, files, acme"
HEADERS = "must be a dictionary of response headers (X-Frame-Options: DENY)"
FOLDER = "must be the path of a folder, relative to the playbook or absolute"
URL = "must be a URL path that begins with '/' (/health)"
STATIC_URL = "must be a URL path that begins and ends with '/', without '..' (/static/, or / for the site's root)"
SIZE = "must be a size as nginx writes it (1m, 512k)"
YES_OR_NO = "must be true or false"
LINES = "must be a list of shell lines (- flask db upgrade)"
THREADS = PROCESSES = whole(1, 512)
SECONDS = whole(1, 3600, " of seconds")

# The key, what is written, what it must be.
WRONG_VALUES: list[tuple[str, Any, str]] = [
    ("name", "a/b", NAME),
    ("name", "../etc", NAME),
    ("name", "Shop", NAME),
    ("name", "shop_2", NAME),
    ("name", "shop-", NAME),
    ("name", "shop--2", NAME),
    ("name", "2shop", NAME),
    ("name", "größe", NAME),
    ("name", "", NAME),
    ("name", 7, NAME),
    ("name", None, NAME),
    ("name", ["shop"], NAME),
    ("name", "nginx", SYSTEM_NAME),
    ("name", "systemd-x", SYSTEM_NAME),
    ("server_names", [], HOST_LIST),
    ("server_names", "shop.test", HOST_LIST),
    ("server_names", None, HOST_LIST),
    ("server_names", [""], f'{HOST}; "" isn\'t'),
    ("server_names", [7], f"{HOST}; 7 isn't"),
    ("server_names", ["ok.test", "a b"], f'{HOST}; "a b" isn\'t'),
    ("server_names", ["SHOP.test"], f'{HOST}; "SHOP.test" isn\'t'),
    ("server_names", ["shop.test:8080"], f'{HOST}; "shop.test:8080" isn\'t'),
    ("server_names", ["-shop.test"], f'{HOST}; "-shop.test" isn\'t'),
    ("server_names", ["shop..test"], f'{HOST}; "shop..test" isn\'t'),
    ("server_names", ["shop.*"], f'{HOST}; "shop.*" isn\'t'),
    ("server_names", ["*"], f'{HOST}; "*" isn\'t'),
    ("server_names", ["_"], f'{HOST}; "_" isn\'t'),
    ("server_names", ["~^x$"], f'{HOST}; "~^x$" isn\'t'),
    ("server_names", ["a.test", "a.test"], "must list each of its host names once; 'a.test' appears twice"),
    ("tls", "yes", TLS),
    ("tls", True, TLS),
    ("tls", "", TLS),
    ("tls_certificate", 5, FILE),
    ("tls_certificate", "a\nb", FILE),
    ("tls_key", "", FILE),
    ("tls_key", None, FILE),
    ("headers", ["X-A: b"], HEADERS),
    ("headers", "X-A: b", HEADERS),
    ("hsts", "a year", whole(0, 63_072_000, " of seconds")),
    ("hsts", True, whole(0, 63_072_000, " of seconds")),
    ("source", 5, FOLDER),
    ("source", "", FOLDER),
    ("source", "a\nb", FOLDER),
    ("module", "flask-wsgi", MODULE),
    ("module", "flask_wsgi:app", MODULE),
    ("module", "shop..web", MODULE),
    ("module", ["flask_wsgi"], MODULE),
    ("module", True, MODULE),
    ("callable", "app()", CALLABLE),
    ("callable", "a.b", CALLABLE),
    ("callable", "1a", CALLABLE),
    ("requirements", "../requirements.txt", INSIDE),
    ("requirements", "a/../../b", INSIDE),
    ("requirements", "/etc/passwd", INSIDE),
    ("requirements", "", INSIDE),
    ("extras", "web", EXTRAS),
    ("extras", ["web dev"], EXTRAS),
    ("extras", [1], EXTRAS),
    ("package", "", PACKAGE),
    ("package", "-r x", PACKAGE),
    ("package", "a b", PACKAGE),
    ("static_folder", ".", INSIDE),
    ("static_folder", "..", INSIDE),
    ("static_folder", "static/../..", INSIDE),
    ("static_folder", "static/", INSIDE),
    ("static_folder", "", INSIDE),
    ("error_pages", "/errors", INSIDE),
    ("error_pages", "../errors", INSIDE),
    ("static_url", "static", STATIC_URL),
    ("static_url", "/static", STATIC_URL),
    ("static_url", "//", STATIC_URL),
    ("static_url", "/../", STATIC_URL),
    ("static_url", "/a/./", STATIC_URL),
    ("static_url", "", STATIC_URL),
    ("processes", 0, PROCESSES),
    ("processes", 513, PROCESSES),
    ("processes", True, PROCESSES),
    ("processes", 2.5, PROCESSES),
    ("processes", "4", PROCESSES),
    ("processes", "4abc", PROCESSES),
    ("processes", None, PROCESSES),
    ("threads", "many", THREADS),
    ("threads", -1, THREADS),
    ("threads", [4], THREADS),
    ("listen_queue", 1, whole(16, 65535, " of connections")),
    ("listen_queue", 65536, whole(16, 65535, " of connections")),
    ("request_timeout", 0, SECONDS),
    ("request_timeout", "30s", SECONDS),
    ("start_timeout", 0, SECONDS),
    ("max_requests", 1, whole(100, 10**9)),
    ("max_body", "1mb", SIZE),
    ("max_body", "0", SIZE),
    ("max_body", 1, SIZE),
    ("health_path", "health", URL),
    ("health_path", "/health?deep", URL),
    ("health_path", "", URL),
    ("health_successes", 0, whole(1, 100)),
    ("keep_releases", 1, whole(2, 100)),
    ("state", "gone", "must be one of present, absent"),
    ("state", True, "must be one of present, absent"),
    ("purge", "no", YES_OR_NO),
]
# Wrong values that aren't shown, because people put secrets there.
WRONG_UNSEEN: list[tuple[str, Any, str]] = [
    ("before_live", "flask db upgrade", LINES),
    ("before_live", [""], LINES),
    ("before_live", ["a\0b"], "must not contain a NUL byte"),
    ("after_live", [1], LINES),
    ("after_live", {"run": "x"}, LINES),
    ("server_names", {"shop.test": True}, HOST_LIST),
    ("environment", "DATABASE_URL=x", "must be a dictionary of NAME: value"),
]


@pytest.mark.parametrize(("key", "value", "remedy"), WRONG_VALUES)
def test_a_wrong_value_is_named_with_what_it_must_be(workshop: Workshop, key: str, value: Any, remedy: str) -> None:
    told = workshop.problem(app(**{key: value}))
    called = "'shop'" if key != "name" else f"'{value}'" if value and isinstance(value, str) else "item 1"
    assert told == f"web_apps: {called} has '{key}': {json.dumps(value, ensure_ascii=False)}, but it {remedy}"


@pytest.mark.parametrize(("key", "value", "remedy"), WRONG_UNSEEN)
def test_some_are_named_without_the_value(workshop: Workshop, key: str, value: Any, remedy: str) -> None:
    told = workshop.problem(app(**{key: value})).replace(": (not shown)", "")
    assert told == f"web_apps: 'shop' has '{key}', but it {remedy}"


def test_every_key_has_a_wrong_value_in_a_table() -> None:
    assert {key for key, _value, _remedy in WRONG_VALUES + WRONG_UNSEEN} == set(meanings(App))


# --- What may reach a configuration file --------------------------------------------------------------------------

# Each text key with the place in a good value where something else is tried.
TEXT_KEYS: dict[str, str] = {
    "name": "a{}b",
    "module": "a{}b",
    "callable": "a{}b",
    "requirements": "a{}b",
    "static_folder": "a{}b",
    "error_pages": "a{}b",
    "static_url": "/a{}b/",
    "health_path": "/a{}b",
    "max_body": "1{}m",
    "server_names": "a{}b.test",
}
# What ends a line, a value, a block or a quotation in nginx, ini, unit, tmpfiles.d or shell, or means something there.
INJECTIONS = [
    "; } server {",
    "\n",
    "\r\n",
    "\0",
    "%",
    "%i",
    "$",
    "${HOME}",
    '"',
    "'",
    "`id`",
    "#",
    " ",
    "\t",
    "\\",
    "{",
    "{{ 1 }}",
    "é",
    "٣",
]


@pytest.mark.parametrize("injection", INJECTIONS)
@pytest.mark.parametrize("key", TEXT_KEYS)
def test_nothing_but_plain_text_reaches_a_configuration_file(workshop: Workshop, key: str, injection: str) -> None:
    value: Any = TEXT_KEYS[key].format(injection)
    told = workshop.problem(app(**{key: [value] if key == "server_names" else value}))
    assert f"has '{key}': " in told
    assert ", but it must " in told


def test_every_text_key_is_tried() -> None:
    # Paths on the controller, and what is one of a few words.
    text = {public.name for public in dataclasses.fields(App) if public.type == "str"} - {
        "package",
        "source",
        "state",
        "tls",
        "tls_certificate",
        "tls_key",
    }
    assert text | {"server_names"} == set(TEXT_KEYS)


# --- What the roles must agree on ---------------------------------------------------------------------------------

ACCOUNT = "must be the name of a user or group other than root (www)"
ABSOLUTE = "must be an absolute path without '..', no '/' at its end (/opt)"
BELOW_RUN = "must be /run or a path below it, no '/' at its end"
WRONG_AGREEMENTS: list[tuple[str, Any, str]] = [
    *(
        ("web_lock_python", value, 'must be a version of Python in quotes, 3.11 or newer ("3.13")')
        for value in (3.13, "3.9", "3", "3.13.1", "", "4.0", None)
    ),
    *(
        (variable, value, ACCOUNT)
        for variable in ("web_user", "web_group", "web_nginx_group", "web_nginx_user")
        for value in ("root", "a b", "x\ny", "", 33, None)
    ),
    *(
        ("web_app_root", value, ABSOLUTE)
        for value in ("opt", "/opt/", "/", "/opt/../etc", "/o p", "/a%i", "/a;b", "", None)
    ),
    *(
        ("web_run_root", value, BELOW_RUN)
        for value in ("run", "/run/", "/tmp", "/run/..", "/run/o p", "/run/%i", "/runs")
    ),
    *(
        (variable, value, whole(1, 65535))
        for variable in ("web_http_port", "web_https_port")
        for value in ("http", "0", "", True, 0, 65536, "99999", 80.0)
    ),
    *(
        (variable, value, told)
        for variable in ("web_trusted_proxies", "web_health_clients")
        for value, told in (
            ("10.0.0.1", "must be a list of addresses or networks (10.0.0.0/8, 2001:db8::7)"),
            (["lb"], 'must be a list of addresses or networks (10.0.0.0/8); "lb" isn\'t one'),
            (["10.0.0.1/8"], 'must be a list of addresses or networks (10.0.0.0/8); "10.0.0.1/8" isn\'t one'),
            ([7], "must be a list of addresses or networks (10.0.0.0/8); 7 isn't one"),
            (["::/0"], "must not list everybody; ::/0 is every address"),
            (["10.0.0.1", "10.0.0.1/32"], "must list each address or network once"),
        )
    ),
    *(
        (variable, value, "must be true or false")
        for variable in ("web_proxy_protocol", "web_acme_ask_first")
        for value in ("yes", 1, None)
    ),
    *(
        ("web_acme_directory", value, "must be a URL that begins with https:// (https://ca.example.com/directory)")
        for value in ("ca.test/dir", "letsencrypt", "", None)
    ),
    *(("web_acme_email", value, "must be an e-mail address (ops@example.com)") for value in ("ops", "", None)),
    *(
        ("web_acme_ca_bundle", value, "must be the path of a file, relative to the playbook or absolute")
        for value in ("", None, 7)
    ),
    *(
        (
            "web_acme_dns_plugin",
            value,
            "must be the name of one of certbot's plugins for the DNS (cloudflare, route53, rfc2136)",
        )
        for value in ("dns-cloudflare", "a b", "", None)
    ),
    *(("web_acme_dns_seconds", value, whole(1, 3600, " of seconds")) for value in (0, 3601, "60", True)),
]


@pytest.mark.parametrize(("variable", "value", "remedy"), WRONG_AGREEMENTS)
def test_so_is_what_the_roles_must_agree_on(workshop: Workshop, variable: str, value: Any, remedy: str) -> None:
    told = workshop.problem(app(), **{variable: value})
    assert told == f"{variable}: is {json.dumps(value)}, but it {remedy}"


def test_the_proxy_protocol_needs_somebody_who_speaks_it(workshop: Workshop) -> None:
    told = workshop.problem(app(), web_proxy_protocol=True)
    assert told == "web_proxy_protocol: is true, but web_trusted_proxies is empty; list the proxies that speak it"
    assert workshop.problems(app(), web_proxy_protocol=True, web_trusted_proxies=["10.0.0.7", "2001:db8::/32"]) == []


def test_a_name_is_as_long_as_the_dns_allows(workshop: Workshop) -> None:
    for allowed in (f"{'a' * 63}.test", f"{'a.' * 124}test"):
        assert workshop.problems(app(server_names=[allowed])) == []
    for too_long in (f"{'a' * 64}.test", f"{'a.' * 125}test"):
        assert HOST in workshop.problem(app(server_names=[too_long]))


def test_of_a_wrong_secret_nothing_is_shown(workshop: Workshop) -> None:
    for value in (["hunter2"], {"a": "hunter2"}, "tls/hunter2.ini"):
        told = workshop.problem(app(), web_acme_dns_credentials=value)
        assert told.startswith("web_acme_dns_credentials: must be the text of the plugin's file")
        assert "hunter2" not in told


def test_every_agreement_has_a_wrong_value_in_the_table() -> None:
    never_shown = {"web_build_environment", "web_acme_dns_credentials"}
    tried = {variable for variable, _value, _remedy in WRONG_AGREEMENTS} | never_shown
    assert tried == {f"web_{name}" for name in meanings(Agreement)}


def test_a_port_may_be_text_because_e_gives_no_numbers(workshop: Workshop) -> None:
    assert workshop.plan(web_http_port="8080")["web"]["http_port"] == 8080


# --- Names --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SYSTEM_NAMES.split())
def test_a_name_of_the_system_is_left_to_it(workshop: Workshop, name: str) -> None:
    assert SYSTEM_NAME in workshop.problem(app(name=name, source="shop"))


def test_names_of_our_own_folders_are_among_them() -> None:
    some = layout.AppLayout("shop")
    ours = {
        some.registration.parent.name,
        some.build.parent.name,
        layout.PROBE_SOCKET.split("/")[2],
        Path(layout.WEBROOT).name,
    }
    assert {*ours, some.candidate_socket.stem} <= {*SYSTEM_NAMES.split()}


@pytest.mark.parametrize("name", ["shop-check", "shop-before", "shop-after", "a", "shop-2"])
def test_a_name_may_end_like_a_step(workshop: Workshop, name: str) -> None:
    assert workshop.problems(app(name=name, source="shop")) == []


# The longest path of `n` letters is /run/<name>/<name>.sock, of 2n + 11 bytes.
@pytest.mark.parametrize(("letters", "fits"), [(46, True), (47, False)])
def test_a_name_fits_a_socket(workshop: Workshop, letters: int, fits: bool) -> None:
    name = "s" * letters
    told = f"web_apps: '{name}' has a name too long for a socket: /run/{name}/{name}.sock is over 103 bytes; shorten it"
    assert workshop.problems(app(name=name, source="shop")) == ([] if fits else [told])


def test_a_long_run_root_leaves_less_room(workshop: Workshop) -> None:
    assert "has a name too long for a socket" in workshop.problem(app(), web_run_root="/run/" + "r" * 75)


# --- What is known of the keys ------------------------------------------------------------------------------------


@pytest.mark.parametrize("keys", [App, Agreement])
def test_every_key_says_what_it_means_and_every_default_obeys_its_own_rule(keys: Any) -> None:
    for public in dataclasses.fields(keys):
        assert public.metadata["means"]
        assert "\n" not in public.metadata["means"]
        if not is_required(public):
            makes_default = public.default_factory
            default = public.default if makes_default is dataclasses.MISSING else makes_default()
            assert default == "" or public.metadata["rule"](default) == default


def test_no_key_is_called_like_a_place_of_the_app() -> None:
    """Templates get both under one name."""
    assert meanings(App).keys() & layout.AppLayout("shop").describe().keys() == {"name"}
