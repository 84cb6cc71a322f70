"""What a person writes is refused with the key, the fault and the remedy, before any host is touched."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from settings import Workshop, app
from web_apps import SYSTEM_NAMES, App, BadSettings, Contract, public_keys, web_problems


def whole(low: int, high: int, unit: str = "") -> str:
    return f"must be a whole number{unit} from {low} to {high}"


NAME = (
    "must be lower-case letters, digits and single hyphens, a letter first (shop-2), "
    "and not end in -check, -before or -after"
)
SYSTEM_NAME = "must not be a name that the system uses itself; add a word (shop-nginx)"
HOST_LIST = "must be a list of host names with at least one item"
HOST = "must be a lower-case host name or address (shop.example.com, *.example.com, 192.0.2.7)"
MODULE = "must be a dotted Python name (flask_wsgi, shop.web)"
CALLABLE = "must be a Python name (app)"
INSIDE = "must be a path inside the source, without '..'"
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
    ("name", "größe", NAME),
    ("name", "shop--2", NAME),
    ("name", "2shop", NAME),
    ("name", "shop-check", NAME),
    ("name", "shop-before", NAME),
    ("name", "shop-after", NAME),
    ("name", "", NAME),
    ("name", 7, NAME),
    ("name", None, NAME),
    ("name", ["shop"], NAME),
    ("name", "nginx", SYSTEM_NAME),
    ("name", "systemd-x", SYSTEM_NAME),
    ("server_names", [], HOST_LIST),
    ("server_names", "shop.test", HOST_LIST),
    ("server_names", None, HOST_LIST),
    ("server_names", {"shop.test": True}, HOST_LIST),
    ("server_names", [""], f'{HOST}; "" isn\'t'),
    ("server_names", [7], f"{HOST}; 7 isn't"),
    ("server_names", ["ok.test", "a b"], f'{HOST}; "a b" isn\'t'),
    ("server_names", ["SHOP.test"], f'{HOST}; "SHOP.test" isn\'t'),
    ("server_names", ["shop.test:8080"], f'{HOST}; "shop.test:8080" isn\'t'),
    ("server_names", ["http://shop.test"], f'{HOST}; "http://shop.test" isn\'t'),
    ("server_names", ["-shop.test"], f'{HOST}; "-shop.test" isn\'t'),
    ("server_names", ["shop..test"], f'{HOST}; "shop..test" isn\'t'),
    ("server_names", ["shop.*"], f'{HOST}; "shop.*" isn\'t'),
    ("server_names", ["*"], f'{HOST}; "*" isn\'t'),
    ("server_names", ["_"], f'{HOST}; "_" isn\'t'),
    ("server_names", ["~^x$"], f'{HOST}; "~^x$" isn\'t'),
    ("server_names", ["a.test", "a.test"], "must name each of its host names once; 'a.test' is there twice"),
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
    ("require_hashes", "yes", YES_OR_NO),
    ("require_hashes", 1, YES_OR_NO),
    ("static_folder", ".", INSIDE),
    ("static_folder", "..", INSIDE),
    ("static_folder", "static/../..", INSIDE),
    ("static_folder", "static/", INSIDE),
    ("static_folder", "", INSIDE),
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
    ("health_path", "/health?deep=1", URL),
    ("health_path", "", URL),
    ("health_successes", 0, whole(1, 100)),
    ("keep_releases", 1, whole(2, 100)),
    ("state", "gone", "must be one of present, absent"),
    ("state", True, "must be one of present, absent"),
    ("purge", "no", YES_OR_NO),
    ("before_live", "flask db upgrade", LINES),
    ("before_live", [""], LINES),
    ("after_live", [1], LINES),
    ("after_live", {"run": "x"}, LINES),
]


@pytest.mark.parametrize(("key", "value", "remedy"), WRONG_VALUES)
def test_a_wrong_value_is_named_with_what_it_must_be(workshop: Workshop, key: str, value: Any, remedy: str) -> None:
    told = workshop.problem(app(**{key: value}))
    called = "'shop'" if key != "name" else f"'{value}'" if value else "item 1"
    shown = "" if isinstance(value, dict) else f": {json.dumps(value, ensure_ascii=False)}"
    assert told == f"web_apps: {called} has '{key}'{shown}, but it {remedy}"


def test_every_key_has_a_wrong_value_in_the_table() -> None:
    assert {key for key, _value, _remedy in WRONG_VALUES} | {"environment"} == set(public_keys())


def test_a_long_value_is_shown_in_short(workshop: Workshop) -> None:
    assert f'"{"x" * 58}",' in workshop.problem(app(static_url="x" * 58))
    assert f'"{"x" * 56}…,' in workshop.problem(app(static_url="x" * 59))


# --- What may reach a configuration file --------------------------------------------------------------------------

# Each text key with the place in a good value where something else is tried.
TEXT_KEYS: dict[str, str] = {
    "name": "a{}b",
    "module": "a{}b",
    "callable": "a{}b",
    "requirements": "a{}b",
    "static_folder": "a{}b",
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
    # A source is a path on the controller; a state is one of two words.
    text = {public.name for public in dataclasses.fields(App) if public.type == "str"} - {"source", "state"}
    assert text | {"server_names"} == set(TEXT_KEYS)


ACCOUNT = "must be the name of a user or group other than root (www)"
ABSOLUTE = "must be an absolute path without '..', no '/' at its end (/opt)"
BELOW_RUN = "must be /run or a path below it, no '/' at its end"
WRONG_CONTRACTS: list[tuple[str, Any, str]] = [
    *((key, value, ACCOUNT) for key in ("user", "group", "nginx_group") for value in ("root", "a b", "x\ny", "", 33)),
    *(("app_root", value, ABSOLUTE) for value in ("opt", "/opt/", "/", "/opt/../etc", "/o p", "/a%i", "/a;b", "")),
    *(("run_root", value, BELOW_RUN) for value in ("run", "/run/", "/tmp", "/run/..", "/run/o p", "/run/%i", "/runs")),
    *(("http_port", value, whole(1, 65535)) for value in ("80", "http", True, 0, 65536)),
]


@pytest.mark.parametrize(("key", "value", "remedy"), WRONG_CONTRACTS)
def test_so_is_what_the_roles_must_agree_on(workshop: Workshop, key: str, value: Any, remedy: str) -> None:
    told = workshop.problem(app(), **{key: value})
    assert told == f"web_{key}: is {json.dumps(value)}, but it {remedy}"


def test_every_key_of_the_contract_has_a_wrong_value_in_the_table() -> None:
    assert {key for key, _value, _remedy in WRONG_CONTRACTS} == set(Contract.__dataclass_fields__)


# --- Keys ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "nearest"),
    [
        ("procceses", "processes"),
        ("server_name", "server_names"),
        ("healthpath", "health_path"),
        ("enviroment", "environment"),
        ("Module", "module"),
    ],
)
def test_an_unknown_key_is_named_with_the_nearest_and_all_known(workshop: Workshop, key: str, nearest: str) -> None:
    assert workshop.problem(app(**{key: 4})) == (
        f"web_apps: 'shop' has an unknown key '{key}'; did you mean '{nearest}'? Known keys: {', '.join(public_keys())}"
    )


@pytest.mark.parametrize("key", ["zzz", "-", 4, True])
def test_an_unknown_key_without_a_near_one(workshop: Workshop, key: Any) -> None:
    told = workshop.problem({**app(), key: 4})
    assert told.startswith(f"web_apps: 'shop' has an unknown key {key!r}; Known keys: name, server_names, ")


def test_an_absent_app_too_has_a_name(workshop: Workshop) -> None:
    assert "item 1 lacks the key 'name': " in workshop.problem({"state": "absent"})


def test_a_missing_key_is_named_with_its_meaning(workshop: Workshop) -> None:
    assert workshop.problem(app(server_names=...)) == (
        "web_apps: 'shop' lacks the key 'server_names': host names that nginx answers to for this app"
    )
    assert workshop.problem(app(), app(name=..., server_names=["b.test"])) == (
        "web_apps: item 2 lacks the key 'name': names the app's directories, units, sockets and log entries"
    )


@pytest.mark.parametrize("apps", ["shop", {"shop": {}}, ["shop"], [app(), None], None, 3])
def test_web_apps_itself(apps: Any) -> None:
    told = web_problems(apps, {}, base="/", recipe="/", python="", contract=_contract())
    assert told == ["web_apps: must be a list of dictionaries, one for each app (begin each with '- name: …')"]


def _contract() -> dict[str, Any]:
    return {"user": "www", "group": "www", "nginx_group": "w", "app_root": "/o", "run_root": "/run", "http_port": 80}


# --- What two apps both claim -------------------------------------------------------------------------------------


def test_a_name_belongs_to_one_app(workshop: Workshop) -> None:
    told = workshop.problem(app(), app(server_names=["other.test"]))
    assert told == "web_apps: the name 'shop' is there twice; each app needs a name of its own"


def test_a_host_name_leads_to_one_app(workshop: Workshop) -> None:
    second = app(name="shop-2", source="shop", server_names=["b.test", "shop.test"])
    assert workshop.problem(app(), second) == (
        "web_apps: 'shop-2' and 'shop' both have 'shop.test' in 'server_names'; a host name leads to one app"
    )


def test_an_absent_app_leaves_its_host_names_to_others(workshop: Workshop) -> None:
    assert workshop.problems(app(), app(name="old-shop", state="absent")) == []


def test_an_app_isnt_both_there_and_absent(workshop: Workshop) -> None:
    assert "the name 'shop' is there twice" in workshop.problem(app(), {"name": "shop", "state": "absent"})


# The longest path of `n` letters is /run/<name>/<name>.sock, of 2n + 11 bytes.
@pytest.mark.parametrize(("letters", "fits"), [(46, True), (47, False)])
def test_a_name_fits_a_socket(workshop: Workshop, letters: int, fits: bool) -> None:
    name = "s" * letters
    told = f"web_apps: '{name}' has a name too long for a socket: /run/{name}/{name}.sock is over 103 bytes; shorten it"
    assert workshop.problems(app(name=name, source="shop")) == ([] if fits else [told])


def test_a_long_run_root_leaves_less_room(workshop: Workshop) -> None:
    assert "has a name too long for a socket" in workshop.problem(app(), run_root="/run/" + "r" * 75)


@pytest.mark.parametrize("name", SYSTEM_NAMES.split())
def test_a_name_of_the_system_is_left_to_it(workshop: Workshop, name: str) -> None:
    assert SYSTEM_NAME in workshop.problem(app(name=name, source="shop"))


# --- Environment and secrets --------------------------------------------------------------------------------------

QUOTE_IT = "must hold strings; put the value of 'A' in quotes"
WRONG_ENVIRONMENTS: list[tuple[Any, str]] = [
    (["A=b"], "must be a dictionary of NAME: value"),
    ("A=b", "must be a dictionary of NAME: value"),
    (None, "must be a dictionary of NAME: value"),
    ({"A-B": "x"}, "must have names of letters, digits and underscores; 'A-B' is none"),
    ({"1A": "x"}, "must have names of letters, digits and underscores; '1A' is none"),
    ({"A=B": "x"}, "must have names of letters, digits and underscores; 'A=B' is none"),
    ({"A\n": "x"}, "must have names of letters, digits and underscores; 'A\\n' is none"),
    ({"É": "x"}, "must have names of letters, digits and underscores; 'É' is none"),
    ({"": "x"}, "must have names of letters, digits and underscores; '' is none"),
    ({True: "x"}, "must have names of letters, digits and underscores; True is none"),
    ({"A": True}, QUOTE_IT),
    ({"A": None}, QUOTE_IT),
    ({"A": 3.10}, QUOTE_IT),
    ({"A": ["x"]}, QUOTE_IT),
    ({"A": {"b": "x"}}, QUOTE_IT),
    ({"A": "x\0y"}, "must not hold a NUL byte; the value of 'A' does"),
    *(
        ({name: "x"}, f"must not set '{name}': uWSGI, systemd or the deploy itself reads it")
        for name in (
            *("UWSGI_HTTP", "LISTEN_FDS", "LISTEN_PID", "NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "WEB_APP"),
            "WEB_RELEASE",
        )
    ),
]


@pytest.mark.parametrize(("variables", "remedy"), WRONG_ENVIRONMENTS)
def test_environment(workshop: Workshop, variables: Any, remedy: str) -> None:
    shown = "" if isinstance(variables, dict) else f": {json.dumps(variables)}"
    assert workshop.problem(app(environment=variables)) == f"web_apps: 'shop' has 'environment'{shown}, but it {remedy}"
    assert workshop.problem(app(), secrets={"shop": variables}) == f"web_app_secrets: 'shop' {remedy}"


def test_no_value_of_an_environment_is_shown(workshop: Workshop) -> None:
    variables = {"TOKEN": "hidden", "A": None}
    told = workshop.problems(app(environment=variables)) + workshop.problems(app(), secrets={"shop": variables})
    assert len(told) == 2
    assert "hidden" not in str(told)


def test_any_text_is_a_good_value(workshop: Workshop) -> None:
    odd = {"A": "a; } server {\n%i $HOME \"'`#\\ é", "b_2": 5432, "_": ""}
    assert workshop.plan(app(environment=odd))["environments"] == {"shop": {**odd, "b_2": "5432"}}


def test_secrets(workshop: Workshop) -> None:
    assert workshop.problem(app(), secrets={"shpo": {"A": "x"}}) == (
        "web_app_secrets: 'shpo' is not an app; did you mean 'shop'? Known apps: shop"
    )
    assert workshop.problem(secrets={"shop": {}}) == "web_app_secrets: 'shop' is not an app; Known apps: none"
    assert workshop.problem(app(), secrets=["x"]) == ("web_app_secrets: must be a dictionary with an app's name as key")
    assert workshop.problem(app(environment={"DEBUG": "1"}), secrets={"shop": {"DEBUG": "long enough"}}) == (
        "web_app_secrets: 'shop' sets 'DEBUG', and so does its 'environment'; keep one"
    )
    assert workshop.problem(app(), secrets={"shop": {"EMPTY": "", "LEVEL": "abc"}}) == (
        "web_app_secrets: 'shop' has a value of less than 4 characters in 'LEVEL': Ansible would blot it out "
        "wherever it stands in what it prints; put it into 'environment'"
    )


def test_an_absent_app_may_keep_its_secrets(workshop: Workshop) -> None:
    assert workshop.problems({"name": "shop", "state": "absent"}, secrets={"shop": {"A": "xxxx"}}) == []


# --- The source ---------------------------------------------------------------------------------------------------


def test_the_source_is_there(workshop: Workshop) -> None:
    assert workshop.problem(app(source="elsewhere")) == (
        f"web_apps: 'shop' has 'source': there is no folder '{workshop.folder}/elsewhere'; "
        "give one, relative to the playbook or absolute"
    )


def test_the_source_of_an_absent_app_may_be_gone(workshop: Workshop) -> None:
    assert workshop.problems({"name": "old-shop", "state": "absent"}) == []


@pytest.mark.parametrize("module", ["flask_wsgy", "flask_wsgi.web", "static"])
def test_the_module_is_there(workshop: Workshop, module: str) -> None:
    told = workshop.problem(app(module=module))
    beginning = f"web_apps: 'shop' has 'module': '{module}', but '{workshop.source}' holds no such module; "
    near = "" if module == "static" else "did you mean 'flask_wsgi'? "
    assert told == f"{beginning}{near}Known modules: flask_wsgi"


@pytest.mark.parametrize(("module", "path"), [("pkg", "pkg/__init__.py"), ("pkg.web", "pkg/web.py")])
def test_the_module_may_be_in_a_package(workshop: Workshop, module: str, path: str) -> None:
    workshop.write(f"shop/{path}", "app = None\n")
    assert workshop.problems(app(module=module)) == []


def test_the_module_must_be_part_of_the_release(workshop: Workshop) -> None:
    workshop.write("shop/venv/web.py", "app = None\n")
    assert "'shop' has 'module': 'venv.web'" in workshop.problem(app(module="venv.web"))


@pytest.mark.parametrize(
    ("target", "fault"),
    [
        ("/etc/passwd", "out of the source"),
        ("../templates/ini.j2", "out of the source"),
        ("/etc", "to a folder"),
        ("static", "to a folder"),
        ("nowhere", "to nothing"),
    ],
)
def test_a_link_that_a_release_cant_hold(workshop: Workshop, target: str, fault: str) -> None:
    (workshop.source / "static" / "link").symlink_to(target if target != "static" else workshop.source / "static")
    if target.startswith(".."):
        (workshop.source / "static" / "link").unlink()
        (workshop.source / "static" / "link").symlink_to(f"../{target}")
    assert workshop.problem(app()) == (
        f"web_apps: 'shop' has 'source': 'static/link' is a link {fault}; put what it means in its place"
    )


def test_a_link_to_a_file_of_the_source_is_good(workshop: Workshop) -> None:
    (workshop.source / "link.py").symlink_to("flask_wsgi.py")
    (workshop.source / "venv").symlink_to("/usr")
    assert workshop.problems(app()) == []


def test_a_static_folder_is_there_if_it_is_named(workshop: Workshop) -> None:
    assert workshop.problem(app(static_folder="publik")) == (
        f"web_apps: 'shop' has 'static_folder': there are no files in '{workshop.source}/publik'"
    )
    workshop.write("shop/publik/style.css", "")
    assert workshop.problems(app(static_folder="publik")) == []
    (workshop.source / "static" / "style.css").unlink()
    assert workshop.problems(app()) == []


def test_a_static_folder_publishes_no_code(workshop: Workshop) -> None:
    workshop.write("shop/app/sub/views.py", "")
    assert workshop.problem(app(static_folder="app")) == (
        "web_apps: 'shop' has 'static_folder': nginx would publish the code in 'app/sub/views.py'; keep the two apart"
    )


# --- Requirements -------------------------------------------------------------------------------------------------

ONE_FILE = "make one file of all with 'uv pip compile --generate-hashes'"


def test_the_requirements_are_there(workshop: Workshop) -> None:
    assert workshop.problem(app(requirements="req.txt")) == (
        f"web_apps: 'shop' has 'requirements': there is no file 'req.txt' in '{workshop.source}'; an empty one does"
    )


@pytest.mark.parametrize(
    "line",
    [
        "-r other.txt",
        "-rother.txt",
        "--requirement other.txt",
        "--requirem=other.txt",
        "-c constraints.txt",
        "--constraint constraints.txt",
        "--c x",
        "-e .",
        "--editable ./lib",
        "--ed=.",
        ".",
        "./lib",
        "/srv/lib",
        "file:///srv/lib",
        "lib @ file:///srv/lib",
        "lib@./lib",
    ],
)
@pytest.mark.parametrize("require_hashes", [True, False])
def test_requirements_stand_in_one_file(workshop: Workshop, line: str, require_hashes: bool) -> None:
    workshop.write("shop/requirements.txt", f"# all\n  {line}  # why\n")
    assert workshop.problem(app(require_hashes=require_hashes)) == (
        f"web_apps: 'shop' has 'requirements': '{line}' leads to another file; {ONE_FILE}"
    )


@pytest.mark.parametrize(
    ("content", "requirement"),
    [
        ("flask==3.1.3\n", "flask==3.1.3"),
        ("flask  # --hash=sha256:00\n", "flask"),
        ("a --hash=sha256:00\nb ; python_version < '3'\nc\n", "b"),
        ("a @ https://example.com/a.whl\n", "a"),
        ("\ufeffflask\n", "flask"),
    ],
)
def test_requirements_have_hashes(workshop: Workshop, content: str, requirement: str) -> None:
    workshop.write("shop/requirements.txt", content)
    assert workshop.problem(app()) == (
        f"web_apps: 'shop' has 'requirements': '{requirement}' has no hash; {ONE_FILE}, or set 'require_hashes: false'"
    )
    assert workshop.problems(app(require_hashes=False)) == []


def test_good_requirements(workshop: Workshop) -> None:
    workshop.write(
        "shop/requirements.txt",
        "--index-url https://example.com/simple\n-i x\n--no-binary :all:\n--require-hashes\n--extra-index-url y\n"
        "a==1 \\\n  --hash=sha256:00 \\\n  --hash=sha256:01\n./wheels/b.whl --hash=sha256:02\n\n",
    )
    assert workshop.problems(app()) == []
    workshop.write("shop/requirements.txt", "")
    assert workshop.problems(app()) == []


def test_a_remark_in_another_encoding_is_no_fault(workshop: Workshop) -> None:
    (workshop.source / "requirements.txt").write_bytes("# Grüße\n".encode("latin-1"))
    assert workshop.problems(app()) == []


# --- All at once --------------------------------------------------------------------------------------------------


def test_every_problem_is_told_at_once(workshop: Workshop) -> None:
    (workshop.source / "link").symlink_to("/etc")
    workshop.write("shop/requirements.txt", "-r other.txt\nflask\n")
    told = workshop.problems(
        app(processes=0, threads="many", procceses=1),
        app(name="b/c", server_names=...),
        app(name="good", source="shop", module="nothing"),
        app(name="l" * 60, source="elsewhere", server_names=["l.test"]),
        secrets={"shpo": {}, "good": {"A": True}},
        user="root",
    )
    for words in (
        "web_user: is",
        "'shop' has an unknown key 'procceses'",
        "'shop' has 'processes'",
        "'shop' has 'threads'",
        "'b/c' has 'name'",
        "'b/c' lacks the key 'server_names'",
        "both have 'shop.test'",
        "'good' has 'module'",
        "'good' has 'source': 'link'",
        "'good' has 'requirements': '-r other.txt' leads",
        "'good' has 'requirements': 'flask' has no hash",
        "has 'source': there is no folder",
        "has a name too long",
        "'shpo' is not an app",
        "web_app_secrets: 'good' must hold strings",
    ):
        assert len([line for line in told if words in line]) == 1, (words, told)


def test_a_fault_doesnt_hide_those_of_the_source(workshop: Workshop) -> None:
    told = workshop.problems(app(processes=0, source="elsewhere", server_names=...), secrets={"shop": {"A": None}})
    assert len(told) == 4
    assert "has 'source': there is no folder" in told[2]


# A wrong value that leads to the source, and what would be said of the default if that were taken instead.
@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        ({"name": "other", "source": 5}, ""),
        ({"name": "other", "sourse": "shop"}, ""),
        ({"name": "other", "source": "nowhere", "state": "gone"}, ""),
        ({"module": 5}, "flask_wsgi.py"),
        ({"modul": "x"}, "flask_wsgi.py"),
        ({"requirements": 5}, "requirements.txt"),
        ({"require_hashes": "no"}, ""),
        ({"static_folder": 5}, ""),
    ],
    ids=str,
)
def test_what_hides_the_source_is_the_only_fault(workshop: Workshop, changes: dict[str, Any], missing: str) -> None:
    workshop.write("shop/static/page.py", "")
    workshop.write("shop/requirements.txt", "flask")
    if missing:
        (workshop.source / missing).unlink()
    assert workshop.problem(app(**changes))


def test_bad_settings_make_no_plan(workshop: Workshop) -> None:
    with pytest.raises(BadSettings) as refused:
        workshop.plan(app(processes=0, threads=0))
    assert refused.value.problems == str(refused.value).splitlines() == workshop.problems(app(processes=0, threads=0))


def test_no_app_at_all_is_no_problem(workshop: Workshop) -> None:
    assert workshop.problems() == []
