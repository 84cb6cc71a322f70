"""A wrong value is refused with the key, the problem and the remedy."""

from __future__ import annotations

import dataclasses
import datetime
import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.uwsgi_flask.web.plugins.module_utils import layout
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.agreement import Agreement
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.app import App
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.keys import is_required, meanings
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.name_rules import SYSTEM_NAMES

from settings import Workshop, app


def whole(low: int, high: int, unit: str = "") -> str:
    return f"must be a whole number{unit} from {low} to {high}"


NAME = "must be lower-case letters, digits and single hyphens, a letter first (shop-2)"
SYSTEM_NAME = "must not be a name that the system uses itself; add a word (shop-nginx)"
HOST_LIST = "must be a list of host names with at least one item"
HOST = "must be a lower-case host name or address (shop.example.com, *.example.com, 192.0.2.7)"
MODULE = "must be a dotted Python name (flask_wsgi, shop.web)"
CALLABLE = (
    "must be a name or a call with plain values (app, web.app, create_app(), create_app('production', debug=False))"
)
PREFIX = "must be a URL path that begins with '/' and doesn't end with it (/shop), without '..'"
VARIABLES = "must be a list of names of environment variables (- DATABASE_URL)"
EXTRAS = "must be a list of names of extras (- web)"
PACKAGE = (
    "must be a package (httpbin, httpbin==0.10.2, shop @ git+https://…) or a wheel's path "
    "(dist/shop-1.0-py3-none-any.whl)"
)
INSIDE = "must be a path inside the source, without '..'"
FILE = "must be the path of a file, relative to the playbook or absolute"
TLS = "must be one of off, self_signed, files, acme"
HEADERS = "must be a dictionary of response headers (X-Frame-Options: DENY)"
SOURCE = "must be the path of a folder or an archive, or a URL of git or of an archive"
SCHEME = "must be a folder, an archive or a URL that begins with https://, ssh:// or file://"
LOGIN = "must be a URL without a user or password; put a token into 'web_source_tokens'"
QUERY = "must be a URL without '?' and '#'; a branch, tag or commit is the key 'ref'"
REF = "must be the name of a branch or a tag, or a commit; in quotes if it looks like a number"
SHA256 = "must be the SHA-256 of the archive, 64 digits in small letters (sha256sum shop.tar.gz)"
PATTERNS = "must be a list of patterns, as .gitignore has them"
URL = "must be a URL path that begins with '/' (/health)"
MEDIA = "must be a dictionary of URL paths and folders below the app's data (/media: uploads)"
MEDIA_PATH = "must name a URL path that begins with '/' and doesn't end with it (/media), without '..'"
MEDIA_FOLDER = "must give each URL path a folder below the app's data (uploads), without '..' and without leading dots"
STATIC_URL = "must be a URL path that begins and ends with '/', without '..' (/static/, or / for the site's root)"
LIMITED = "must be a URL path that begins with '/' and doesn't end with it (/login, or / for all), without '..'"
CACHED = "must be a URL path that begins with '/' and doesn't end with it (/news, or / for all), without '..'"
LIMIT = "must give /login a number for each second or minute (20/s, 10/m)"
STREAMS = "must be a list of URL paths with at least one item"
STREAM = "must be a URL path that begins with '/' and doesn't end with it (/events), without '..'"
SIZE = "must be a size as nginx writes it (1m, 512k)"
YES_OR_NO = "must be true or false"
LINES = "must be a list of shell lines (- flask db upgrade)"
THREADS = PROCESSES = whole(1, 512)
SECONDS = whole(1, 3600, " of seconds")

PORT = ": nginx listens on web_http_port for every app"

# The key, what is written, what it must be.
PYTHON = 'must be a version of Python in quotes, 3.11 or newer ("3.13")'
WRONG_VALUES: list[tuple[str, Any, str]] = [
    *(("source", url, SCHEME) for url in ("http://g.test/a.git", "git://g.test/a", "ftp://g.test:21/a.zip")),
    ("preload", "no", "must be true or false"),
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
    *(
        ("server_names", [written], f"{HOST}; {json.dumps(written, ensure_ascii=False)} isn't; write {meant!r}{why}")
        for written, meant, why in (
            ("SHOP.test", "shop.test", ""),
            ("shop.test.", "shop.test", ""),
            ("https://shop.test/", "shop.test", ""),
            ("shop.test/admin", "shop.test", ""),
            ("shop.test:8080", "shop.test", PORT),
            ("http://shop.test:8080", "shop.test", PORT),
            ("[2001:db8::7]:443", "[2001:db8::7]", PORT),
            ("2001:db8::7", "[2001:db8::7]", ""),
            ("::1", "[::1]", ""),
            ("bücher.test", "xn--bcher-kva.test", ""),
        )
    ),
    ("server_names", ["größe.test"], f'{HOST}; "größe.test" isn\'t'),
    ("server_names", ["-shop.test"], f'{HOST}; "-shop.test" isn\'t'),
    ("server_names", ["shop..test"], f'{HOST}; "shop..test" isn\'t'),
    ("server_names", ["shop.*"], f'{HOST}; "shop.*" isn\'t'),
    ("server_names", ["*"], f'{HOST}; "*" isn\'t'),
    ("server_names", ["_"], f'{HOST}; "_" isn\'t'),
    ("server_names", ["~^x$"], f'{HOST}; "~^x$" isn\'t'),
    ("server_names", ["a.test", "a.test"], "must list each of its host names once; 'a.test' appears twice"),
    ("tls", True, f"{TLS}; did you mean 'acme'?"),
    *(
        ("tls", value, f"{TLS}; did you mean 'acme'?")
        for value in ("on", "yes", "letsencrypt", "certbot", "lets-encrypt")
    ),
    *(("tls", value, f"{TLS}; did you mean 'self_signed'?") for value in ("self-signed", "selfsigned")),
    ("tls", "file", f"{TLS}; did you mean 'files'?"),
    ("tls", "none", f"{TLS}; did you mean 'off'?"),
    ("tls", "", TLS),
    ("tls", 1, TLS),
    ("tls", ["acme"], TLS),
    ("tls_certificate", 5, FILE),
    ("tls_certificate", "a\nb", FILE),
    ("tls_key", "", FILE),
    ("tls_key", None, FILE),
    ("headers", ["X-A: b"], HEADERS),
    ("headers", "X-A: b", HEADERS),
    ("hsts", "a year", whole(0, 63_072_000, " of seconds")),
    ("hsts", True, whole(0, 63_072_000, " of seconds")),
    ("source", 5, SOURCE),
    ("source", "", SOURCE),
    ("source", "a\nb", SOURCE),
    *(("ref", ref, REF) for ref in (1.0, 1234567, True, None, "-v1", "a..b", "a b", "a^{}", "a~1", "a/", ".a")),
    *(("ref", ref, REF) for ref in ("a:b", "v1\n", "/a", "a.lock", "a\\b", "a*", "a[", "a\x7f")),
    *(("sha256", digest, SHA256) for digest in ("", "0" * 40, "A" * 40, "sha256:00", 0, None)),
    ("source_key", "", FILE),
    ("source_key", 5, FILE),
    ("exclude", "docs/", f"{PATTERNS} (- docs/)"),
    ("exclude", ["docs/", 5], f"{PATTERNS}; 5 isn't one"),
    ("exclude", [""], f'{PATTERNS}; "" isn\'t one'),
    ("exclude", ["a\nb"], f'{PATTERNS}; "a\\nb" isn\'t one'),
    ("exclude", ["!"], 'must be a list of patterns; "!" is no pattern, as .gitignore has them'),
    ("module", "flask-wsgi", MODULE),
    ("module", "flask_wsgi:app", "names a callable too; write 'module: flask_wsgi' and 'callable: app'"),
    ("module", "shop/web.py", f"{MODULE}; write 'shop.web'"),
    ("module", "shop..web", MODULE),
    ("module", ["flask_wsgi"], MODULE),
    ("module", True, MODULE),
    ("callable", "1a", CALLABLE),
    ("callable", "", CALLABLE),
    ("callable", "app app", CALLABLE),
    ("callable", "app(", CALLABLE),
    ("callable", "app()()", CALLABLE),
    ("callable", "app().wsgi", CALLABLE),
    ("callable", "app[0]", CALLABLE),
    ("callable", "lambda: 1", CALLABLE),
    ("callable", "make(x)", CALLABLE),
    ("callable", "make(open('/etc/passwd'))", CALLABLE),
    ("callable", "make(*[1])", CALLABLE),
    ("callable", "make(f'{x}')", CALLABLE),
    ("callable", "größe()", CALLABLE),
    ("callable", "None", CALLABLE),
    ("callable", "make(\n1)", CALLABLE),
    ("callable", "app  # the app", CALLABLE),
    ("callable", "make(**{'a': 1})", CALLABLE),
    ("callable", True, CALLABLE),
    ("callable", 5, CALLABLE),
    ("callable", None, CALLABLE),
    ("callable", ["app"], CALLABLE),
    *(("python", value, PYTHON) for value in (3.12, "3.9", "3", "3.12.4", "python3.12", "/usr/bin/python3.12", None)),
    ("chdir", "../src", INSIDE),
    ("chdir", "/srv", INSIDE),
    ("chdir", None, INSIDE),
    ("chdir", 7, INSIDE),
    ("prefix", "shop", PREFIX),
    ("prefix", "/", PREFIX),
    ("prefix", "/shop/", PREFIX),
    ("prefix", "/a/../b", PREFIX),
    ("prefix", "//shop", PREFIX),
    ("prefix", None, PREFIX),
    ("prefix", 7, PREFIX),
    ("redirect_names", "www.shop.test", HOST_LIST),
    ("redirect_names", None, HOST_LIST),
    ("redirect_names", ["www shop"], f'{HOST}; "www shop" isn\'t'),
    ("redirect_names", ["a.test", "a.test"], "must list each of its host names once; 'a.test' appears twice"),
    ("required_environment", "DATABASE_URL", VARIABLES),
    ("required_environment", None, VARIABLES),
    ("required_environment", ["A", "A"], "must list each name once; 'A' appears twice"),
    (
        "required_environment",
        ["A-B"],
        "must list names of letters, digits and underscores; 'A-B' isn't one",
    ),
    ("required_environment", [7], "must list names of letters, digits and underscores; 7 isn't one"),
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
    ("static_folder", "/", INSIDE),
    ("static_folder", "./", INSIDE),
    ("static_folder", "static//", INSIDE),
    ("static_folder", "././static", INSIDE),
    ("static_folder", "", INSIDE),
    ("error_pages", "/errors", INSIDE),
    ("error_pages", "../errors", INSIDE),
    ("static_max_age", -1, "must be a whole number of seconds from 0 to 31536000"),
    ("static_max_age", "1h", "must be a whole number of seconds from 0 to 31536000"),
    ("media", "/media", MEDIA),
    ("media", ["/media"], MEDIA),
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
    *(("user", value, "must be the name of a user or group other than root (www)") for value in ("root", "A", "", 7)),
    *(
        (
            "user",
            value,
            "must not be an account of the system, whose files it could read; leave it out, or name another",
        )
        for value in ("postgres", "nobody", "systemd-network")
    ),
    *(("reload_on_rss", it, "must be a whole number of M or G (300M)") for it in ("300", "1T", "0M", "300MB", 300)),
    ("memory_check", "no", YES_OR_NO),
    *(("memory_max", value, "must be a whole number of K, M, G or T (512M)") for value in ("512", "1.5G", "0M", 512)),
    *(
        ("cpu_quota", value, "must be a share of one processor in percent (150%)")
        for value in (150, "150", "0%", "1.5")
    ),
    ("tasks_max", 1, whole(16, 65536)),
    ("listen_queue", 1, whole(16, 65535, " of connections")),
    ("listen_queue", 65536, whole(16, 65535, " of connections")),
    ("request_timeout", 0, SECONDS),
    ("request_timeout", "30s", SECONDS),
    ("start_timeout", 0, SECONDS),
    ("max_requests", 1, whole(100, 10**9)),
    ("max_body", "1mb", SIZE),
    ("max_body", "0", SIZE),
    ("max_body", 1, SIZE),
    ("request_limits", "20/s", "must be a dictionary of limits by path ({/: 20/s, /login: 10/m})"),
    ("connection_limit", -1, whole(0, 65536, " of requests")),
    ("connection_limit", "50", whole(0, 65536, " of requests")),
    ("cache", "/news", "must be a dictionary with 'paths' (paths: [/, /news], seconds: 1)"),
    ("streaming", "/events", STREAMS),
    *(
        ("streaming", [path], f"{STREAM}; {json.dumps(path)} isn't")
        for path in (
            "events",
            "/events/",
            "/",
            "/a/../b",
            "/.a",
            "//a",
            "/a?b",
            "https://a.test/b",
            "",
            7,
            "/a$",
            "/a)",
        )
    ),
    ("streaming", ["/events", "/events"], "must list each of its URL paths once; '/events' appears twice"),
    ("stream_timeout", 0, whole(1, 86_400, " of seconds")),
    ("stream_timeout", "5m", whole(1, 86_400, " of seconds")),
    ("health_path", "health", URL),
    ("health_path", "/health?deep", URL),
    ("health_path", "", URL),
    ("health_successes", 0, whole(1, 100)),
    ("keep_releases", 1, whole(2, 100)),
    # More of these: test_settings_packages.py, test_settings_hosts.py.
    ("packages", "libmagic1", "must be a list of names of Debian packages ([libmagic1, libpq5])"),
    ("build_packages", [1], "must be a list of names of Debian packages (libmagic1); 1 isn't one"),
    ("hosts", "staging", "must be a list of hosts and groups of the inventory ([web1.example.com, staging])"),
    ("elsewhere", "removed", "must be one of report, remove; did you mean 'remove'?"),
    ("state", "gone", "must be one of present, absent"),
    ("state", "absnt", "must be one of present, absent; did you mean 'absent'?"),
    ("state", True, "must be one of present, absent"),
    ("purge", "no", YES_OR_NO),
    ("sandbox", "off", "must be a dictionary of systemd's options (MemoryDenyWriteExecute: false)"),
]
# Wrong values that aren't shown, because people put secrets there.
WRONG_UNSEEN: list[tuple[str, Any, str]] = [
    *(
        ("media", {path: "uploads"}, f"{MEDIA_PATH}; {json.dumps(path)} isn't")
        for path in ("media", "/", "/media/", "/a/../b", "/.a", "//a", "/a b", "/a;", "/a$b")
    ),
    *(
        ("media", {"/media": folder}, f"{MEDIA_FOLDER}; {json.dumps(folder)} isn't")
        for folder in ("/uploads", "..", "a/../b", ".", ".a", "a/.b", "", "a//b", "a b", "a;", "a$b", "a\n", 1)
    ),
    ("source", "ext::x://y", SCHEME),
    *(("source", f"https://{who}@g.test/a", LOGIN) for who in ("hunter2", "u:hunter2", ":hunter2", "u:a@b")),
    ("source", "ssh://git:hunter2@g.test/a", LOGIN),
    ("source", "https://u:hunter2@g.test/a.tar.gz", LOGIN),
    ("source", "https://g.test/a.zip?token=hunter2", QUERY),
    ("source", "https://g.test/a.git#v1", QUERY),
    ("source", "https://g.test/a b", "must be a path or a URL without spaces"),
    ("ref", "--upload-pack=x", REF),
    ("ref", "a@{1}", REF),
    *(("sha256", digest, SHA256) for digest in ("0" * 63, "0" * 65, "A" * 64, f"sha256:{'0' * 64}")),
    ("before_live", "flask db upgrade", LINES),
    ("before_live", [""], LINES),
    ("before_live", ["a\0b"], "must not contain a NUL byte"),
    ("after_live", [1], LINES),
    ("after_live", {"run": "x"}, LINES),
    *(
        ("request_limits", {path: "20/s"}, f"{LIMITED}; {json.dumps(path)} isn't")
        for path in ("login", "/login/", "/a b", "/..", "/a{2}", "/a;b")
    ),
    *(
        ("request_limits", {"/login": limit}, f"{LIMIT}, not {json.dumps(limit)}")
        for limit in (20, "20", "0/s", "20/h", "20 /s", "20r/s", "123456/m")
    ),
    ("cache", {"seconds": 1}, "must be a dictionary with 'paths' (paths: [/, /news], seconds: 1)"),
    ("cache", {"paths": []}, "must be a list of URL paths with at least one item in 'paths'"),
    ("cache", {"paths": "/news"}, "must be a list of URL paths with at least one item in 'paths'"),
    *(
        ("cache", {"paths": [path]}, f"{CACHED}; {json.dumps(path)} isn't in 'paths'")
        for path in ("news", "/news/", "/a b", "/..", "/a{2}", "/a;b", "/a$")
    ),
    ("cache", {"paths": ["/"], "seconds": 0}, f"{SECONDS} in 'seconds'"),
    ("cache", {"paths": ["/"], "seconds": "1s"}, f"{SECONDS} in 'seconds'"),
    (
        "cache",
        {"paths": ["/"], "second": 1},
        "has an unknown key 'second'; did you mean 'seconds'? Known keys: paths, seconds",
    ),
    ("streaming", {"/events": 60}, STREAMS),
    ("server_names", {"shop.test": True}, HOST_LIST),
    ("environment", "DATABASE_URL=x", "must be a dictionary of NAME: value"),
    # YAML has dates, also as keys, which JSON hasn't.
    ("server_names", [{datetime.date(2026, 1, 1): 1}], f"{HOST}; (not shown) isn't"),
    ("callable", "make(a=1, a=2)", CALLABLE),
    (
        "callable",
        "make('postgres://u:hunter2@db')",
        "must not hold a password; make it a secret, which the function reads from os.environ",
    ),
    ("workers", "work", "must be a dictionary of command lines by name (mail: celery -A shop worker)"),
    ("timers", "hourly", "must be a dictionary by name, with 'command' and 'calendar' of each"),
    ("uwsgi_options", "cheaper", "must be a dictionary of uWSGI's options (cheaper: 1)"),
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


@pytest.mark.parametrize("key", ["static_folder", "error_pages"])
def test_a_folder_is_the_same_however_it_is_written(workshop: Workshop, key: str) -> None:
    workshop.write("shop/pages/style.css", "")
    workshop.write("shop/static/pages/404.html", "")
    for written in ("pages", "pages/", "./pages", "./pages/"):
        assert workshop.item(app(**{key: written}))["app"][key] == "pages"
        assert workshop.id(app(**{key: written})) == workshop.id(app(**{key: "pages"}))


def test_a_file_of_the_source_may_begin_with_a_dot_and_a_slash(workshop: Workshop) -> None:
    assert workshop.item(app(requirements="./requirements.txt"))["app"]["requirements"] == "requirements.txt"


# --- What may reach a configuration file --------------------------------------------------------------------------

# Each text key with the place in a good value where something else is tried.
TEXT_KEYS: dict[str, str] = {
    "name": "a{}b",
    "module": "a{}b",
    "callable": "a{}b",
    "chdir": "a{}b",
    "prefix": "/a{}b",
    "requirements": "a{}b",
    "python": "3.12{}",
    "static_folder": "a{}b",
    "error_pages": "a{}b",
    "static_url": "/a{}b/",
    "health_path": "/a{}b",
    "max_body": "1{}m",
    "user": "a{}b",
    "memory_max": "1{}M",
    "reload_on_rss": "1{}M",
    "cpu_quota": "1{}%",
    "server_names": "a{}b.test",
    "streaming": "/a{}b",
}
LISTS = ("server_names", "streaming")
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
    told = workshop.problem(app(**{key: [value] if key in LISTS else value}))
    assert f"has '{key}': " in told
    assert ", but it must " in told


def test_every_text_key_is_tried() -> None:
    # Paths on the controller, and what is one of a few words.
    text = {public.name for public in dataclasses.fields(App) if public.type == "str"} - {
        "package",
        "source",
        "source_key",
        "ref",
        "sha256",
        "elsewhere",
        "state",
        "tls",
        "tls_certificate",
        "tls_key",
    }
    assert text | {*LISTS} == set(TEXT_KEYS)


# --- What the roles must agree on ---------------------------------------------------------------------------------

ACCOUNT = "must be the name of a user or group other than root (www)"
NETWORKS = "must be a list of addresses or networks (10.0.0.0/8)"
STAGING = "https://acme-staging-v02.api.letsencrypt.org/directory"
ABSOLUTE = "must be an absolute path without '..', no '/' at its end (/opt)"
BELOW_RUN = "must be /run or a path below it, no '/' at its end"
WRONG_AGREEMENTS: list[tuple[str, Any, str]] = [
    *(
        (variable, value, "must be the path of a folder, relative to the playbook or absolute")
        for variable in ("web_locks", "web_wheelhouse")
        for value in ("", "a\nb", 5, None)
    ),
    ("web_nginx_sandbox", "off", "must be a dictionary of systemd's options (MemoryDenyWriteExecute: false)"),
    *(("web_lock_python", value, PYTHON) for value in (3.13, "3.9", "3", "3.13.1", "", "4.0", None)),
    *(
        (variable, value, ACCOUNT)
        for variable in ("web_nginx_group", "web_nginx_user")
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
        (variable, value, "must not be 22, where SSH listens")
        for variable in ("web_http_port", "web_https_port")
        for value in (22, "22")
    ),
    *(
        (variable, value, told)
        for variable in ("web_trusted_proxies", "web_health_clients")
        for value, told in (
            ("10.0.0.1", "must be a list of addresses or networks (10.0.0.0/8, 2001:db8::7)"),
            (["lb"], f'{NETWORKS}; "lb" isn\'t one'),
            (["10.20.0.1/16"], f'{NETWORKS}; "10.20.0.1/16" isn\'t one; its network is 10.20.0.0/16'),
            (["2001:db8::7/32"], f'{NETWORKS}; "2001:db8::7/32" isn\'t one; its network is 2001:db8::/32'),
            (["0.0.0.7/0"], f'{NETWORKS}; "0.0.0.7/0" isn\'t one'),
            ([7], f"{NETWORKS}; 7 isn't one"),
            (["::/0"], "must not list everybody; ::/0 is every address"),
            (["10.0.0.1", "10.0.0.1/32"], "must list each address or network once"),
        )
    ),
    # The rest of it has tests of its own.
    (
        "web_firewall_open",
        9100,
        "must be a list of {port: 9100, protocol: tcp, from: [192.0.2.0/24]}, of which only the port is needed",
    ),
    *(
        (variable, value, "must be true or false")
        for variable in ("web_proxy_protocol", "web_acme_ask_first")
        for value in ("yes", 1, None)
    ),
    *(
        (
            "web_acme_directory",
            value,
            f"must be a URL that begins with https:// (https://ca.example.com/directory){hint}",
        )
        for value, hint in (
            ("ca.test/dir", ""),
            ("", ""),
            (None, ""),
            *(
                (word, f"; that of Let's Encrypt's staging environment is {STAGING}")
                for word in ("staging", "le_staging")
            ),
            *((word, "; without one it is Let's Encrypt's") for word in ("letsencrypt", "production")),
        )
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


def test_credentials_in_a_dictionary_belong_into_a_text(workshop: Workshop) -> None:
    assert workshop.problem(app(), web_acme_dns_credentials={"dns_x_token": "hunter2"}) == (
        "web_acme_dns_credentials: must be the text of the plugin's file (dns_cloudflare_api_token = …), not a "
        "dictionary; write '|' after the colon, and below it a line 'name = value' for each"
    )


@pytest.mark.parametrize(
    ("value", "remedy"),
    [
        ("hunter2", "must be a dictionary of a token by host (git.example.com: …)"),
        (["hunter2"], "must be a dictionary of a token by host (git.example.com: …)"),
        ({"https://g.test": "hunter2"}, "must name hosts as URLs do (git.example.com); 'https…' isn't one"),
        ({"hunter2 ": "x"}, "must name hosts as URLs do (git.example.com); 'hunter2…' isn't one"),
        ({7: "hunter2"}, "must name hosts as URLs do (git.example.com); 7 isn't one"),
        ({"g.test": ""}, "must hold a token of 'g.test' without spaces, or 'user:token'"),
        ({"g.test": "hunter2\n"}, "must hold a token of 'g.test' without spaces, or 'user:token'"),
        ({"g.test": 5}, "must hold a token of 'g.test' without spaces, or 'user:token'"),
    ],
)
def test_of_a_wrong_token_nothing_is_shown(workshop: Workshop, value: Any, remedy: str) -> None:
    assert workshop.problem(app(), web_source_tokens=value) == f"web_source_tokens: {remedy}"


def test_every_agreement_has_a_wrong_value_in_the_table() -> None:
    never_shown = {"web_build_environment", "web_acme_dns_credentials", "web_source_tokens"}
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
    """Templates get both under one name. The user is that of the layout: who the app is on this very host."""
    assert meanings(App).keys() & layout.AppLayout("shop").describe().keys() == {"name", "user"}
