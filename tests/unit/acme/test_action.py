"""How a deploy asks for certificates: once nginx answers for the names, and nginx gets them by a second call."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.uwsgi_flask.web.plugins.action.nginx_config import (
    ACME_MODULE,
    MODULE,
    ActionModule,
    with_renewals,
)

ARGUMENTS = {"acme": {app: {"names": [f"{app}.test"], "waiting": ""} for app in ("shop", "wiki")}, "lease": "token"}
TERMS = {
    "directory": "https://ca.test/directory",
    "email": "ops@ca.test",
    "dns_plugin": "",
    "dns_seconds": 60,
    "ask_first": True,
}
# What only other calls need.
APART = {"packages": ["certbot"], "ca_bundle": "", "dns_secret": "hunter2"}
CONFIGURED = {"changed": False, "rejected": "", "uncertified": [], "saved": []}
MISSING = {**CONFIGURED, "uncertified": ["shop"], "saved": ["first"], "diff": [{"after": "first"}]}


class Action(ActionModule):
    """One whose modules answer as a test says."""

    def __init__(self, *answers: dict[str, Any], check_mode: bool = False) -> None:
        self.answers = list(answers)
        self.sent: list[tuple[str, dict[str, Any]]] = []
        self._task = SimpleNamespace(check_mode=check_mode)
        self._display = SimpleNamespace(display=lambda _text: None)

    def _send(self, module: str, arguments: dict[str, Any], task_vars: dict[str, Any] | None) -> dict[str, Any]:
        assert task_vars == {"a": "variable"}
        self.sent.append((module, arguments))
        return self.answers.pop(0)

    def after(self, result: dict[str, Any]) -> dict[str, Any]:
        made = self._with_certificates(result, ARGUMENTS, TERMS | APART, {"a": "variable"})
        assert self.answers == []
        return made


@pytest.mark.parametrize(
    "result",
    [CONFIGURED, {**MISSING, "rejected": "nginx doesn't take it"}, {**MISSING, "failed": True}, {"failed": True}],
    ids=["nothing missing", "rejected", "failed", "broken"],
)
def test_nobody_is_asked_without_need_or_for_an_nginx_that_doesnt_answer(result: dict[str, Any]) -> None:
    action = Action()
    assert action.after(result) == {**result, "failed_certificates": {}}
    assert action.sent == []


def test_nor_by_a_rehearsal_which_tells_that_there_would_be_a_change() -> None:
    action = Action(check_mode=True)
    assert action.after(MISSING) == {**MISSING, "changed": True, "failed_certificates": {}}
    assert action.sent == []


def test_what_was_got_is_brought_to_nginx_and_both_calls_are_told() -> None:
    second = {**CONFIGURED, "saved": ["second"], "warnings": ["second"]}
    action = Action({"changed": True, "failed_apps": {}}, second)
    result = action.after(MISSING)
    asked = {"apps": {"shop": ["shop.test"]}, "lease": "token", **TERMS}
    assert action.sent == [(ACME_MODULE, asked), (MODULE, ARGUMENTS)]
    assert (result["changed"], result["failed_certificates"]) == (True, {})
    assert (result["saved"], result["warnings"]) == (["first", "second"], ["second"])
    assert result["diff"] == [{"after": "first"}]


def test_where_some_were_got_the_others_are_told() -> None:
    missing = {**MISSING, "uncertified": ["shop", "wiki"]}
    action = Action({"changed": True, "failed_apps": {"wiki": "no address"}}, {**CONFIGURED, "uncertified": ["wiki"]})
    assert action.after(missing)["failed_certificates"] == {"wiki": "no address"}
    assert [module for module, _arguments in action.sent] == [ACME_MODULE, MODULE]


def test_where_none_was_got_nginx_stays_as_it_is() -> None:
    action = Action({"changed": False, "failed_apps": {"shop": "no address"}})
    assert action.after(MISSING) == {**MISSING, "failed_certificates": {"shop": "no address"}}
    assert [module for module, _arguments in action.sent] == [ACME_MODULE]


@pytest.mark.parametrize(("said", "told"), [({"msg": "no lease"}, "no lease"), ({}, "certbot wasn't asked")])
def test_a_call_that_failed_fails_every_app_that_needed_it(said: dict[str, Any], told: str) -> None:
    action = Action({"failed": True, **said})
    assert action.after(MISSING) == {**MISSING, "failed_certificates": {"shop": told}}


def test_a_timer_that_cant_run_fails_every_app_that_has_no_other_fault() -> None:
    result = {**CONFIGURED, "renewal_fault": "masked", "failed_certificates": {"shop": "no address"}}
    told = with_renewals(result, ["shop", "wiki"])
    assert told["failed_certificates"] == {"shop": "no address", "wiki": "masked"}
    for fine in ({**CONFIGURED, "renewal_fault": ""}, CONFIGURED):
        assert with_renewals({**fine, "failed_certificates": {}}, ["shop"])["failed_certificates"] == {}
