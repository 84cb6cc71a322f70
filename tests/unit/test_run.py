"""Who deploys, and from where."""

from __future__ import annotations

import os
import pwd
import socket

import pytest
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils import run


@pytest.fixture(autouse=True)
def no_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    for ci in run.KNOWN_CI:
        for name in (ci.sign, *ci.who, ci.number):
            monkeypatch.delenv(name, raising=False)


def test_a_person_at_a_machine() -> None:
    assert run.deployed_by() == f"{pwd.getpwuid(os.getuid()).pw_name}@{socket.gethostname()}"


@pytest.mark.parametrize("ci", run.KNOWN_CI, ids=lambda ci: str(ci.name))
def test_whoever_set_off_a_job(ci: run.CI, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ((ci.sign, "1"), (ci.who[-1], "anna"), (ci.number, "4711")):
        monkeypatch.setenv(name, value)
    assert run.deployed_by() == f"anna@{ci.name}-4711"
    assert (run.this_run()["by"], run.this_run()["controller"]) == ("anna", f"{ci.name}-4711")


def test_the_account_where_the_ci_knows_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JENKINS_URL", "https://ci.example.com")
    assert run.deployed_by() == f"{pwd.getpwuid(os.getuid()).pw_name}@{socket.gethostname()}"


def test_no_more_of_a_name_than_a_column_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITLAB_CI", "true")
    monkeypatch.setenv("GITLAB_USER_LOGIN", "Anna <a\n@b>\x1b[31m" + "x" * 100)
    assert run.person().startswith("Anna-a-b-31mxxx")
    assert len(run.person()) == 60
