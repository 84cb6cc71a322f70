"""Keys that are misspelt or missing, names that two apps claim, environment and secrets, and which apps are chosen."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.app import App
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.keys import meanings
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.words import without_credentials

from settings import Workshop, app

KEYS = ", ".join(meanings(App))

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
        f"web_apps: 'shop' has an unknown key '{key}'; did you mean '{nearest}'? Known keys: {KEYS}"
    )


@pytest.mark.parametrize("key", ["zzz", "-", 4, True, None])
def test_an_unknown_key_without_a_near_one(workshop: Workshop, key: Any) -> None:
    told = workshop.problem({**app(), key: 4})
    assert told == f"web_apps: 'shop' has an unknown key {key!r}. Known keys: {KEYS}"


def test_an_absent_app_too_has_a_name(workshop: Workshop) -> None:
    assert "item 1 is missing the key 'name': " in workshop.problem({"state": "absent"})


def test_a_missing_key_is_named_with_its_meaning(workshop: Workshop) -> None:
    assert workshop.problem(app(server_names=...)) == (
        f"web_apps: 'shop' is missing the key 'server_names': {meanings(App)['server_names']}"
    )
    assert workshop.problem(app(), app(name=..., server_names=["b.test"])) == (
        f"web_apps: item 2 is missing the key 'name': {meanings(App)['name']}"
    )


@pytest.mark.parametrize("apps", ["shop", {"shop": {}}, ["shop"], [app(), None], 3, "", {}])
def test_web_apps_itself(workshop: Workshop, apps: Any) -> None:
    assert workshop.problem(web_apps=apps) == (
        "web_apps: must be a list of dictionaries, one for each app (begin each with '- name: …')"
    )


@pytest.mark.parametrize(
    ("apps", "state"), [({"web_apps": ...}, "not set"), ({}, "empty"), ({"web_apps": None}, "empty")]
)
def test_no_app_at_all_is_refused(workshop: Workshop, apps: dict[str, Any], state: str) -> None:
    """Or a misnamed group would end green, with nothing done."""
    assert workshop.problem(**apps) == f"web_apps: is {state}, so there is nothing to deploy; list them somewhere"


# --- What two apps both claim -------------------------------------------------------------------------------------


def test_a_name_belongs_to_one_app(workshop: Workshop) -> None:
    told = workshop.problem(app(), app(server_names=["other.test"]))
    assert told == "web_apps: the name 'shop' appears twice; each app needs a name of its own"


def test_a_host_name_leads_to_one_app(workshop: Workshop) -> None:
    second = app(name="shop-2", source="shop", server_names=["b.test", "shop.test"])
    assert workshop.problem(app(), second) == (
        "web_apps: 'shop-2' and 'shop' both have 'shop.test' in 'server_names'; "
        "a host name leads to one app, or to several with a 'prefix' of their own"
    )


def test_so_does_one_that_redirects(workshop: Workshop) -> None:
    second = app(name="shop-2", source="shop", server_names=["b.test"], redirect_names=["shop.test", "www.test"])
    third = app(name="shop-3", source="shop", server_names=["c.test"], redirect_names=["www.test"])
    assert workshop.problems(app(), second, third) == [
        (
            "web_apps: 'shop-2' and 'shop' both have 'shop.test' in 'redirect_names' and 'server_names'; "
            "a host name leads to one app"
        ),
        "web_apps: 'shop-3' and 'shop-2' both have 'www.test' in 'redirect_names'; a host name leads to one app",
    ]
    assert workshop.problem(app(redirect_names=["shop.test"])) == (
        "web_apps: 'shop' has 'shop.test' in 'server_names' and in 'redirect_names'; keep one"
    )


def test_a_redirect_leads_to_a_name(workshop: Workshop) -> None:
    assert workshop.problem(app(server_names=["*.shop.test"], redirect_names=["www.test"])) == (
        "web_apps: 'shop' has 'redirect_names', so the first of 'server_names', where they lead, must be without '*'"
    )


def test_an_absent_app_leaves_its_host_names_to_others(workshop: Workshop) -> None:
    assert workshop.problems(app(), app(name="old-shop", state="absent")) == []


def test_an_app_isnt_both_there_and_absent(workshop: Workshop) -> None:
    assert "the name 'shop' appears twice" in workshop.problem(app(), {"name": "shop", "state": "absent"})


# --- Environment and secrets --------------------------------------------------------------------------------------

QUOTE_IT = "must hold strings; put the value of 'A' in quotes"
NO_NAME = "must have names of letters, digits and underscores; {} isn't one"
WRONG_ENVIRONMENTS: list[tuple[Any, str]] = [
    (["A=b"], "must be a dictionary of NAME: value"),
    ("A=b", "must be a dictionary of NAME: value"),
    (None, "must be a dictionary of NAME: value"),
    ({"A-B": "x"}, NO_NAME.format("'A-B'")),
    ({"1A": "x"}, NO_NAME.format("'1A'")),
    ({"A=B": "x"}, NO_NAME.format("'A…'")),
    ({"A\n": "x"}, NO_NAME.format("'A…'")),
    ({"É": "x"}, NO_NAME.format("'É'")),
    ({"": "x"}, NO_NAME.format("''")),
    ({True: "x"}, NO_NAME.format("True")),
    ({"A": True}, QUOTE_IT),
    ({"A": None}, QUOTE_IT),
    ({"A": 3.10}, QUOTE_IT),
    ({"A": ["x"]}, QUOTE_IT),
    ({"A": {"b": "x"}}, QUOTE_IT),
    ({"A": "x\0y"}, "must not contain a NUL byte; the value of 'A' does"),
    *(
        ({name: "x"}, f"must not set '{name}': uWSGI, systemd or the deploy itself reads it")
        for name in (
            *("UWSGI_HTTP", "LISTEN_FDS", "LISTEN_PID", "NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "WEB_APP"),
            "WEB_RELEASE",
        )
    ),
]


@pytest.mark.parametrize(("variables", "remedy"), WRONG_ENVIRONMENTS, ids=repr)
def test_environment(workshop: Workshop, variables: Any, remedy: str) -> None:
    assert workshop.problem(app(environment=variables)) == f"web_apps: 'shop' has 'environment', but it {remedy}"
    assert workshop.problem(app(), secrets={"shop": variables}) == f"web_app_secrets: 'shop' {remedy}"
    assert workshop.problem(app(), web_build_environment=variables) == f"web_build_environment: {remedy}"


FOREIGN: list[tuple[str, str]] = [
    ("PATH", "the virtualenv's programs come first as it is; write the full path of any other program"),
    ("PYTHONHOME", "Python would leave the release's virtualenv"),
    (
        "PYTHONPATH",
        "modules come from the source and its requirements; set 'chdir' for those in a folder of it",
    ),
    ("PYTHONSAFEPATH", "Python would not find the app"),
    ("LD_PRELOAD", "it makes programs load other libraries; install them on the host instead"),
    ("LD_LIBRARY_PATH", "it makes programs load other libraries; install them on the host instead"),
]


@pytest.mark.parametrize(("name", "why"), FOREIGN)
def test_what_would_run_another_program_is_refused_with_the_reason(workshop: Workshop, name: str, why: str) -> None:
    told = f"must not set '{name}': {why}"
    assert workshop.problem(app(environment={name: "x"})) == f"web_apps: 'shop' has 'environment', but it {told}"
    assert workshop.problem(app(), secrets={"shop": {name: "long enough"}}) == f"web_app_secrets: 'shop' {told}"
    # A compiler that pip needs may be anywhere.
    assert workshop.problems(app(), web_build_environment={name: "x"}) == []


def test_a_value_is_as_long_as_linux_takes_it(workshop: Workshop) -> None:
    for longest in ("x" * (128 * 1024 - 4), "é" * (64 * 1024 - 2)):
        assert workshop.problems(app(environment={"A": longest})) == []
        assert workshop.problem(app(environment={"A": longest + "x"})) == (
            "web_apps: 'shop' has 'environment', but it must hold less than 128 KB in each value; "
            "that of 'A' is longer: put it into a file"
        )


@pytest.mark.parametrize("value", ["\ud800", "\ufffe", "\ufdd0", "\U0001ffff"], ids=ascii)
def test_what_systemd_doesnt_take_for_text_is_refused(workshop: Workshop, value: str) -> None:
    """It would start the app without the variable, and say so in the journal alone."""
    assert "must be text, which the value of 'A' isn't" in workshop.problem(app(environment={"A": f"x{value}"}))


def test_any_text_is_a_good_value(workshop: Workshop) -> None:
    odd = {"A": "a; } server {\n%i $HOME \"'`#\\ é", "CR": "a\r\nb\r", "b_2": 5432, "_": ""}
    made = workshop.plan(app(environment=odd), web_build_environment=odd)
    assert made["environments"] == {"shop": {**odd, "b_2": "5432"}}
    assert made["build_environment"] == {**odd, "b_2": "5432"}


def test_secrets(workshop: Workshop) -> None:
    assert workshop.problem(app(), secrets={"shpo": {"A": "x"}}) == (
        "web_app_secrets: 'shpo' is not an app; did you mean 'shop'? Known apps: shop"
    )
    assert workshop.problem(app(), secrets=["x"]) == "web_app_secrets: must be a dictionary with an app's name as key"
    assert workshop.problem(app(environment={"DEBUG": "1"}), secrets={"shop": {"DEBUG": "long enough"}}) == (
        "web_app_secrets: 'shop' sets 'DEBUG', and so does its 'environment'; keep one"
    )
    assert workshop.problem(app(), secrets={"shop": {"EMPTY": "", "LEVEL": "abc"}}) == (
        "web_app_secrets: 'shop' has a value of less than 4 characters in 'LEVEL': Ansible would mask it "
        "wherever it appears in its output; move it to 'environment'"
    )


def test_an_absent_app_may_keep_its_secrets(workshop: Workshop) -> None:
    absent = {"name": "shop", "state": "absent"}
    assert workshop.problems(absent, secrets={"shop": {"A": "xxxx"}}) == []


def test_secrets_of_several_variables_are_merged_by_single_secret(workshop: Workshop) -> None:
    """One that is different in staging doesn't drop the others."""
    wiki = app(name="wiki", source="shop", server_names=["wiki.test"])
    made = workshop.plan(
        app(),
        wiki,
        web_app_secrets_staging={"shop": {"KEY": "of-staging"}},
        web_app_secrets={"shop": {"KEY": "of-all-of-them", "TOKEN": "of-all"}},
        web_app_secrets_more={"wiki": {"KEY": "of-the-wiki"}, "shop": {"KEY": "of-more", "MORE": "of-more"}},
    )
    assert made["secrets"] == {
        "shop": {"KEY": "of-staging", "TOKEN": "of-all", "MORE": "of-more"},
        "wiki": {"KEY": "of-the-wiki"},
    }


def test_each_of_them_is_told_by_its_own_name(workshop: Workshop) -> None:
    told = workshop.problems(
        app(environment={"DEBUG": "1"}),
        web_app_secrets_a=["x"],
        web_app_secrets_b={"shpo": {}},
        web_app_secrets_c={"shop": {"A": None}},
        web_app_secrets_d={"shop": {"DEBUG": "long enough"}},
    )
    assert told == [
        "web_app_secrets_a: must be a dictionary with an app's name as key",
        "web_app_secrets_b: 'shpo' is not an app; did you mean 'shop'? Known apps: shop",
        "web_app_secrets_c: 'shop' must hold strings; put the value of 'A' in quotes",
        "web_app_secrets_d: 'shop' sets 'DEBUG', and so does its 'environment'; keep one",
    ]


def test_a_variable_that_an_app_needs_must_be_there(workshop: Workshop) -> None:
    needing = app(required_environment=["DATABASE_URL", "KEY", "A"], environment={"A": "", "DATABASE_URI": "x"})
    assert workshop.problem(needing, secrets={"shop": {"KEY": "long enough"}}) == (
        "web_apps: 'shop' has 'required_environment': 'DATABASE_URL' is set neither in 'environment' nor in "
        "web_app_secrets; did you mean 'DATABASE_URI'? Known variables: A, DATABASE_URI, KEY"
    )
    shared = {"environment": {"KEY": "1"}}
    good = app(required_environment=["KEY", "B"])
    assert workshop.problems(good, web_app_defaults=shared, web_app_secrets_x={"shop": {"B": "long enough"}}) == []


def test_what_is_wrong_isnt_also_missing(workshop: Workshop) -> None:
    assert "put the value of 'A'" in workshop.problem(app(required_environment=["A"], environment={"A": None}))
    told = workshop.problem(app(required_environment=["A"]), secrets={"shop": {"A": 1.5}})
    assert told == "web_app_secrets: 'shop' must hold strings; put the value of 'A' in quotes"


def test_an_absent_app_needs_nothing(workshop: Workshop) -> None:
    assert workshop.problems({"name": "old", "state": "absent", "required_environment": ["A"]}) == []


# --- What all apps share ------------------------------------------------------------------------------------------


def test_defaults_reach_every_app_and_its_own_keys_win(workshop: Workshop) -> None:
    shared = {
        "processes": 7,
        "threads": 3,
        "environment": {"A": "shared", "B": "shared"},
        "headers": {"X-A": "shared", "X-B": "shared"},
        "before_live": ["shared"],
    }
    own = {"threads": 9, "environment": {"B": "own", "C": "own"}, "headers": {"X-B": ""}, "before_live": []}
    made = workshop.plan(
        app(**own), app(name="wiki", source="shop", server_names=["wiki.test"]), web_app_defaults=shared
    )
    shop, wiki = (item["app"] for item in made["apps"])
    assert (shop["processes"], shop["threads"], shop["before_live"]) == (7, 9, [])
    assert (wiki["processes"], wiki["threads"], wiki["before_live"]) == (7, 3, ["shared"])
    assert shop["headers"] == {"X-A": "shared", "X-B": ""}
    assert made["environments"] == {
        "shop": {"A": "shared", "B": "own", "C": "own"},
        "wiki": {"A": "shared", "B": "shared"},
    }


def test_what_is_wrong_with_them_is_told_once(workshop: Workshop) -> None:
    told = workshop.problems(
        app(),
        app(name="wiki", source="shop", server_names=["wiki.test"]),
        web_app_defaults={
            "processes": "many",
            "thraeds": 4,
            "name": "x",
            "source": "..",
            "server_names": [],
            "environment": {"TOKEN": 1.5},
            "module": 5,
            4: 5,
        },
    )
    shareable = [key for key in meanings(App) if key not in _ITS_OWN]
    known = ", ".join(shareable)
    assert told == [
        "web_app_defaults: has 'processes': \"many\", but it must be a whole number from 1 to 512",
        f"web_app_defaults: has an unknown key 'thraeds'; did you mean 'threads'? Known keys: {known}",
        "web_app_defaults: has 'name', which belongs to each app itself; write it there",
        "web_app_defaults: has 'source', which belongs to each app itself; write it there",
        "web_app_defaults: has 'server_names', which belongs to each app itself; write it there",
        "web_app_defaults: has 'environment', but it must hold strings; put the value of 'TOKEN' in quotes",
        "web_app_defaults: has 'module': 5, but it must be a dotted Python name (flask_wsgi, shop.web)",
        f"web_app_defaults: has an unknown key 4. Known keys: {known}",
    ]


@pytest.mark.parametrize("default", [{"module": 5}, {"modul": "x"}], ids=json.dumps)
def test_what_a_wrong_default_hides_is_no_problem_of_each_app(workshop: Workshop, default: Any) -> None:
    (workshop.source / "flask_wsgi.py").rename(workshop.source / "web.py")
    assert workshop.problem(app(), web_app_defaults=default).startswith("web_app_defaults: has ")
    told = workshop.problems(app(module="wbe"), web_app_defaults=default)
    assert len(told) == 2
    assert "did you mean 'web'?" in told[1]


_ITS_OWN = {"name", "server_names", "redirect_names", "source", "ref", "package", "state", "purge"}


@pytest.mark.parametrize("given", [[], None, "processes: 4", 4, [{"processes": 4}]], ids=json.dumps)
def test_defaults_are_a_dictionary(workshop: Workshop, given: Any) -> None:
    told = workshop.problem(app(), web_app_defaults=given)
    assert told == "web_app_defaults: must be a dictionary of keys of an app (processes: 4)"


def test_an_app_that_goes_has_no_defaults(workshop: Workshop) -> None:
    assert workshop.problems({"name": "old", "state": "absent"}, web_app_defaults={"tls": "self_signed"}) == []


def test_a_wrong_dictionary_of_an_app_is_its_own_fault(workshop: Workshop) -> None:
    told = workshop.problem(app(environment=["A"]), web_app_defaults={"environment": {"A": "x"}})
    assert told == "web_apps: 'shop' has 'environment', but it must be a dictionary of NAME: value"


# --- What is never shown ------------------------------------------------------------------------------------------

URL = "postgres://u:hunter2@db/shop"
LEAKS: dict[str, dict[str, Any]] = {
    "environment as a line": {"app": {"environment": f"DATABASE_URL={URL}"}},
    "environment as lines": {"app": {"environment": [f"DATABASE_URL={URL}"]}},
    "environment with the value in a name": {"app": {"environment": {f"DATABASE_URL={URL}": ""}}},
    "environment beside a fault": {"app": {"environment": {"TOKEN": "hunter2", "A": None}}},
    "a name that is too long": {"app": {"environment": {"hunter2" * 20 + "-": "x"}}},
    "an unknown key": {"app": {"database": URL}},
    "the value in an unknown key": {"app": {f"DATABASE_URL={URL}": None}},
    "the value in an unknown key that is no text": {"app": {("DATABASE_URL", URL): None}},
    "a URL where a number belongs": {"app": {"processes": URL}},
    "a URL in a list": {"app": {"server_names": ["a.test", f"https://u:hunter2@{'x' * 9}.test"]}},
    "a setting where a name belongs": {"app": {"module": "PASSWORD=hunter2"}},
    "a long key": {"app": {"health_path": "hunter2" * 10}},
    "a repository": {"app": {"source": "https://u:hunter2@git.test/shop.git"}},
    "a shell line": {"app": {"before_live": "psql --password hunter2"}},
    "shell lines": {"app": {"after_live": ["psql --password hunter2", 7]}},
    "a dictionary": {"app": {"threads": {"TOKEN": "hunter2"}}},
    "an argument": {"app": {"callable": "create_app('postgres://u:hunter2@db')"}},
    "an argument that looks otherwise": {"app": {"callable": "create_app(password='hunter2')"}},
    "a prefix": {"app": {"prefix": URL}},
    "a folder": {"app": {"chdir": f"src/{URL}"}},
    "a variable that is needed": {"app": {"required_environment": [f"DATABASE_URL={URL}"]}},
    "a default": {"web_app_defaults": {"processes": URL}},
    "an unknown default": {"web_app_defaults": {f"DATABASE_URL={URL}": 1}},
    "the environment of all": {"web_app_defaults": {"environment": f"DATABASE_URL={URL}"}},
    "all as a line": {"web_app_defaults": f"DATABASE_URL={URL}"},
    "other secrets as a line": {"web_app_secrets_more": {"shop": f"DATABASE_URL={URL}"}},
    "secrets as a line": {"secrets": {"shop": f"DATABASE_URL={URL}"}},
    "secrets without an app": {"secrets": f"DATABASE_URL={URL}"},
    "secrets by the wrong name": {"secrets": {"shpo": {"TOKEN": "hunter2"}}},
    "secrets beside a fault": {"secrets": {"shop": {"TOKEN": "hunter2", "A": None}}},
    "a secret as an app's name": {"secrets": {f"DATABASE_URL={URL}": {}}},
    "an index": {"web_build_environment": f"PIP_INDEX_URL={URL}"},
    "an index beside a fault": {"web_build_environment": {"PIP_INDEX_URL": URL, "A": None}},
    "a user": {"web_nginx_user": URL},
}


@pytest.mark.parametrize(
    "line",
    ["postgres://u:hunter2@db/shop", "https://hunter2@git.test/x", "x+y://u:hun/ter2:hunter2@h", "'s3://a:hunter2@b'"],
)
def test_whatever_names_a_url_doesnt_name_its_password(line: str) -> None:
    """The last guard, for messages that quote what another program said."""
    told = without_credentials(f"git said: {line} isn't there")
    assert "hunter2" not in told
    assert "(not shown)@" in told
    for harmless in ("ssh://git@git.test/x", "https://git.test/x@v1 and a@b", "a@b.test"):
        assert without_credentials(harmless) == harmless


@pytest.mark.parametrize("what", LEAKS)
def test_no_secret_is_shown(workshop: Workshop, what: str) -> None:
    given = dict(LEAKS[what])
    told = workshop.problem({**app(), **given.pop("app", {})}, **given)
    assert "hunter2" not in told


# --- Which apps are chosen ----------------------------------------------------------------------------------------


@pytest.fixture
def three() -> list[dict[str, Any]]:
    """Two apps, of which the second has no source, and one that goes."""
    return [
        app(),
        app(name="wiki", source="elsewhere", server_names=["wiki.test"]),
        {"name": "old", "state": "absent"},
    ]


@pytest.mark.parametrize("chosen", ["shop", " shop , ", ["shop"]], ids=json.dumps)
def test_only_the_chosen_are_deployed_and_looked_at(workshop: Workshop, three: Any, chosen: Any) -> None:
    made = workshop.plan(*three, app=chosen)
    assert [item["app"]["name"] for item in made["apps"]] == ["shop"]
    assert made["absent"] == []
    assert made["environments"].keys() == made["secrets"].keys() == {"shop"}


@pytest.mark.parametrize("chosen", ["old,shop", ["shop", "old"]], ids=json.dumps)
def test_several_are_chosen_and_keep_their_order(workshop: Workshop, three: Any, chosen: Any) -> None:
    made = workshop.plan(*three, app=chosen)
    assert [item["app"]["name"] for item in made["apps"]] == ["shop"]
    assert made["absent"] == [{"name": "old", "purge": False}]


@pytest.mark.parametrize("everything", ["", " ", ",", []], ids=json.dumps)
def test_nothing_chosen_means_all(workshop: Workshop, three: Any, everything: Any) -> None:
    assert "'wiki' has 'source': there is no folder" in workshop.problem(*three, app=everything)


def test_an_unknown_name_is_refused_with_the_known(workshop: Workshop) -> None:
    told = workshop.problems(app(), app=["shpo", "shop", "wiki"], restart="shpo")
    assert told == [
        "app: 'shpo' is not an app of this run; did you mean 'shop'? Known apps: shop",
        "app: 'wiki' is not an app of this run. Known apps: shop",
        "restart: 'shpo' is not an app of this run; did you mean 'shop'? Known apps: shop",
    ]


@pytest.mark.parametrize("option", ["app", "restart"])
@pytest.mark.parametrize("given", [7, {"shop": 1}, [7], None], ids=json.dumps)
def test_names_are_given_as_text_or_list(workshop: Workshop, option: str, given: Any) -> None:
    assert workshop.problem(app(), **{option: given}) == (
        f"{option}: must be the name of an app, or several with commas between them (shop,wiki)"
    )


def test_what_isnt_deployed_isnt_restarted(workshop: Workshop) -> None:
    """Or a person would take it for done."""
    wiki = app(name="wiki", source="shop", server_names=["wiki.test"])
    absent = {"name": "old", "state": "absent"}
    told = "restart: '{}' is not an app of this run. Known apps: {}"
    assert workshop.problem(app(), wiki, app="shop", restart="wiki") == told.format("wiki", "shop")
    assert workshop.problem(app(), absent, restart="old") == told.format("old", "shop")


# --- All at once --------------------------------------------------------------------------------------------------


def test_all_problems_are_reported_together(workshop: Workshop) -> None:
    (workshop.source / "link").symlink_to("/etc")
    workshop.write("shop/requirements.txt", "-r other.txt\nflask\n")
    told = workshop.problems(
        app(processes=0, threads="many", procceses=1),
        app(name="b/c", server_names=...),
        app(name="good", source="shop", module="nothing"),
        app(name="l" * 60, source="elsewhere", server_names=["l.test"]),
        secrets={"shpo": {}, "good": {"A": True}},
        web_nginx_user="root",
    )
    for words in (
        "web_nginx_user: is",
        "'shop' has an unknown key 'procceses'",
        "'shop' has 'processes'",
        "'shop' has 'threads'",
        "'b/c' has 'name'",
        "'b/c' is missing the key 'server_names'",
        "both have 'shop.test'",
        "'good' has 'module'",
        "'good' has 'source': 'link'",
        "'good' has 'requirements': '-r other.txt' in 'requirements.txt' leads",
        "has 'source': there is no folder",
        "has a name too long",
        "'shpo' is not an app",
        "web_app_secrets: 'good' must hold strings",
    ):
        assert len([line for line in told if words in line]) == 1, (words, told)


def test_a_problem_doesnt_hide_those_of_the_source(workshop: Workshop) -> None:
    told = workshop.problems(app(processes=0, source="elsewhere", server_names=...), secrets={"shop": {"A": None}})
    assert len(told) == 4
    assert any("has 'source': there is no folder" in line for line in told)


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
        ({"extras": "no"}, ""),
        ({"package": 5}, ""),
        ({"static_folder": 5}, ""),
    ],
    ids=str,
)
def test_what_hides_the_source_is_the_only_problem(workshop: Workshop, changes: dict[str, Any], missing: str) -> None:
    workshop.write("shop/static/page.py", "")
    workshop.write("shop/requirements.txt", "-e lib")
    if missing:
        (workshop.source / missing).unlink()
    assert workshop.problem(app(**changes))


@pytest.mark.parametrize(
    ("key", "path", "better"),
    [
        ("health_path", "/shop/health", "/health"),
        ("health_path", "/shop", "/"),
        ("static_url", "/shop/static/", "/static/"),
    ],
)
def test_the_prefix_is_written_once(workshop: Workshop, key: str, path: str, better: str) -> None:
    assert workshop.problem(app(prefix="/shop", **{key: path})) == (
        f"web_apps: 'shop' has '{key}': '{path}', but 'prefix' stands before it without being told; write '{better}'"
    )
    assert workshop.problems(app(prefix="/sho", **{key: path})) == []


def test_a_package_needs_its_module(workshop: Workshop) -> None:
    assert workshop.problem(app(package="httpbin", source=...)) == (
        "web_apps: 'shop' has 'package', so it needs the key 'module' too: the Python module in it that has the app"
    )
