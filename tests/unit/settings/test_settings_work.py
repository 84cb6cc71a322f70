"""What an app does beside answering requests, as a person writes it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings import uwsgi_options

from project import PROJECT
from settings import Workshop, app


def test_a_text_is_the_command(workshop: Workshop) -> None:
    item = workshop.item(app(workers={"mail": " celery -A shop worker "}))
    assert item["release"]["workers"] == {
        "mail": {"name": "mail", "kind": "worker-mail", "command": "celery -A shop worker", "stop_timeout": 60}
    }
    assert item["release"]["unit_names"]["worker-mail"].endswith("-worker-mail.service")


def test_a_dictionary_says_more(workshop: Workshop) -> None:
    given = {"command": "celery -A shop worker --loglevel=$LEVEL", "stop_timeout": 900}
    assert workshop.item(app(workers={"mail": given}))["release"]["workers"]["mail"].items() >= given.items()


def test_without_workers_there_are_none(workshop: Workshop) -> None:
    assert workshop.item()["release"]["worker_units"] == []
    assert workshop.problems(app(workers={})) == []


def test_workers_are_part_of_a_release(workshop: Workshop) -> None:
    ids = [workshop.id(app(workers=given)) for given in ({}, {"a": "work"}, {"a": "work more"}, {"b": "work"})]
    ids.append(workshop.id(app(workers={"a": {"command": "work", "stop_timeout": 61}})))
    assert len(set(ids)) == len(ids)
    assert workshop.id(app(workers={"a": {"command": "work", "stop_timeout": 60}})) == ids[1]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("celery", "must be a dictionary of command lines by name"),
        (["celery"], "must be a dictionary of command lines by name"),
        ({"Mail": "celery"}, "'Mail' isn't one"),
        ({"mail.x": "celery"}, "isn't one"),
        ({3: "celery"}, "3 isn't one"),
        ({"m" * 41: "celery"}, "at most 40 characters"),
        ({"mail": ""}, "must be a command line (celery -A shop worker) in 'mail', 'command'"),
        ({"mail": None}, "must be a command line"),
        ({"mail": 3}, "must be a command line"),
        ({"mail": ["celery"]}, "must be a command line"),
        ({"mail": "celery\nrm"}, "in one line"),
        ({"mail": "celery\0"}, "in one line"),
        ({"mail": "celery 'open"}, "no closing quotation"),
        ({"mail": "cd x && celery"}, "must be one command"),
        ({"mail": "celery | tee"}, "must be one command"),
        ({"mail": "celery > log"}, "must be one command"),
        ({"mail": "celery $(id)"}, "must be one command"),
        ({"mail": "celery `id`"}, "must be one command"),
        ({"mail": "A=b celery"}, "variables belong into 'environment'"),
        ({"mail": {"comand": "celery"}}, "an unknown key 'comand'; did you mean 'command'?"),
        ({"mail": {"stop_timeout": 3}}, "has in 'mail' no 'command'"),
        ({"mail": {"command": "x", "stop_timeout": 0}}, "from 1 to 3600 in 'mail', 'stop_timeout'; 0 isn't one"),
        ({"mail": {"command": "x", "stop_timeout": True}}, "from 1 to 3600"),
        ({"mail": {"command": "x", "stop_timeout": None}}, "from 1 to 3600"),
    ],
)
def test_what_is_no_worker(workshop: Workshop, given: Any, told: str) -> None:
    problem = workshop.problem(app(workers=given))
    assert problem.startswith("web_apps: 'shop' has 'workers', but it ")
    assert told in problem


def test_quotes_keep_what_a_shell_would_take_for_more(workshop: Workshop) -> None:
    assert workshop.problems(app(workers={"mail": "work --only 'a;b|c' --and \"d & e\""})) == []


def test_a_command_is_never_shown(workshop: Workshop) -> None:
    assert "hunter2" not in workshop.problem(app(workers={"mail": "work --password hunter2 & rest"}))
    assert "hunter2" not in workshop.problem(app(workers={"mail": ["hunter2"]}))
    assert "hunter2" not in workshop.problem(app(workers="hunter2"))


# --- Timers -------------------------------------------------------------------------------------------------------


def test_a_timer_has_its_units(workshop: Workshop) -> None:
    release = workshop.item(app(timers={"clean": {"command": "flask clean", "calendar": "hourly"}}))["release"]
    assert release["timers"]["clean"] == {
        "name": "clean",
        "command": "flask clean",
        "calendar": "hourly",
        "once": False,
        "clock": "timer-clean",
        "kind": "job-clean",
        "unit": f"shop@{release['id']}-job-clean.service",
    }
    assert {"timer-clean", "job-clean"} <= set(release["unit_names"])


@pytest.mark.parametrize(
    "calendar",
    ["*-*-* 03:00:00", "hourly", "Mon..Fri 08:30", "Mon,Sat *-*-01..07 18:00 Europe/Berlin", "*:0/15", "*-02~03"],
)
def test_what_is_a_calendar(workshop: Workshop, calendar: str) -> None:
    assert workshop.problems(app(timers={"clean": {"command": "work", "calendar": calendar}})) == []


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("hourly", "must be a dictionary by name"),
        ({"clean": "hourly"}, "has in 'clean' no 'calendar'"),
        ({"clean": {"command": "work"}}, "has in 'clean' no 'calendar'"),
        ({"clean": {"calendar": "hourly"}}, "has in 'clean' no 'command'"),
        ({"clean": {"command": "work", "calendar": "hourly", "onec": True}}, "did you mean 'once'?"),
        ({"clean": {"command": "work", "calendar": "hourly", "once": "yes"}}, "must be true or false"),
        ({"clean": {"command": "a; b", "calendar": "hourly"}}, "must be one command"),
        ({"clean": {"command": "work", "calendar": ""}}, "a calendar of systemd's"),
        ({"clean": {"command": "work", "calendar": 3}}, "a calendar of systemd's"),
        ({"clean": {"command": "work", "calendar": "hourly\nUnit=x"}}, "a calendar of systemd's"),
        ({"clean": {"command": "work", "calendar": "%h"}}, "a calendar of systemd's"),
        ({"clean": {"command": "work", "calendar": "--help"}}, "a calendar of systemd's"),
        ({"clean": {"command": "work", "calendar": "* * * * *"}}, "a calendar of systemd's"),
        ({"Clean": {"command": "work", "calendar": "hourly"}}, "'Clean' isn't one"),
    ],
)
def test_what_is_no_timer(workshop: Workshop, given: Any, told: str) -> None:
    problem = workshop.problem(app(timers=given))
    assert problem.startswith("web_apps: 'shop' has 'timers', but it ")
    assert told in problem


# --- uWSGI --------------------------------------------------------------------------------------------------------


def test_options_are_part_of_a_release(workshop: Workshop) -> None:
    ids = [workshop.id(), workshop.id(app(preload=False)), workshop.id(app(uwsgi_options={"cheaper": 1}))]
    assert len(set(ids)) == 3


@pytest.mark.parametrize(
    "option",
    [
        *(
            "daemonize",
            "pidfile",
            "uid",
            "gid",
            "socket",
            "http",
            "http-socket",
            "chdir",
            "module",
            "master",
            "wsgi-file",
        ),
        *(
            "plugins",
            "strict",
            "need-app",
            "virtualenv",
            "py-executable",
            "processes",
            "threads",
            "lazy-apps",
            "static-map",
            "env",
            "cron",
        ),
        *(
            "attach-daemon",
            "logto",
            "touch-reload",
            "py-autoreload",
            "harakiri",
            "max-requests",
            "buffer-size",
            "stats",
        ),
    ],
)
def test_options_of_the_house_say_what_to_do_instead(workshop: Workshop, option: str) -> None:
    told = workshop.problem(app(uwsgi_options={option: "1"}))
    assert f"it must not set '{option}': " in told


@pytest.mark.parametrize(
    "option",
    [
        *(
            "exec-as-user",
            "hook-asap",
            "include",
            "ini",
            "emperor",
            "fastrouter",
            "https-socket",
            "static-index2",
            "exec",
        ),
        *(
            "chown-socket2",
            "drop-after-init",
            "unshare",
            "immediate-uid",
            "file-serve-mode",
            "route",
            "inherit",
            "log-socket",
        ),
        *("spooler-chdir", "cache-udp-server", "if-env", "print", "set-placeholder", "hook-post-app", "shared-socket"),
    ],
)
def test_other_options_that_break_the_house_arent_known(workshop: Workshop, option: str) -> None:
    assert "is no option of uWSGI's that an app may set" in workshop.problem(app(uwsgi_options={option: "1"}))


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("cheaper=1", "must be a dictionary of uWSGI's options"),
        ({"cheeper": 1}, "did you mean 'cheaper'?"),
        ({3: 1}, "has 3, which is no option"),
        ({"cheaper": None}, "must give 'cheaper' a number"),
        ({"cheaper": {}}, "must give 'cheaper' a number"),
        ({"procname": "a\nuid = 0"}, "must give 'procname' a number"),
        ({"procname": "%n"}, "must give 'procname' a number"),
        ({"procname": "$(HOME)"}, "must give 'procname' a number"),
        ({"procname": "@(/etc/shadow)"}, "must give 'procname' a number"),
        ({"procname": " x"}, "must give 'procname' a number"),
        ({"procname": ""}, "must give 'procname' a number"),
        ({"mule": ["a.py", None]}, "must give 'mule' a number"),
    ],
)
def test_what_is_no_option(workshop: Workshop, given: Any, told: str) -> None:
    assert told in workshop.problem(app(uwsgi_options=given))


def test_the_page_lists_what_may_be_set() -> None:
    page = (PROJECT / "docs/uwsgi-options.md").read_text()
    assert page.partition("```text\n")[2].partition("```")[0].split() == uwsgi_options.OPTIONS
