"""When one call may do for a host, as far as the controller knows."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from ansible_collections.uwsgi_flask.web.plugins.action.deploy import needs_more
from ansible_collections.uwsgi_flask.web.plugins.modules import deploy

ITEM: dict[str, Any] = {
    "app": {"name": "shop", "listen_queue": 4096},
    "site": {"places": ["/"]},
    "hosts": ["one", "two"],
    "release": {"hooks": {"key": "k1", "before": ["flask migrate"], "after": []}},
}
PLAN: dict[str, Any] = {
    "apps": [ITEM],
    "absent": [],
    "packages": [],
    "accounts": {"users": [], "groups": []},
}
GIVEN: dict[str, Any] = {
    "plan": PLAN,
    "look": {"somaxconn": 4096, "packages": ["nginx", "uwsgi-core"], "apps": {}},
    "packages": ["nginx", "uwsgi-core"],
    "left": [],
    "hooks": "",
    # That one of its hosts remembers it is enough.
    "fleet": {"one": {}, "two": {"shop": {"hooks": {"before": ["k1"], "after": []}}}},
}


def test_nothing_but_releases() -> None:
    assert not needs_more(GIVEN)


@pytest.mark.parametrize(
    "other",
    [
        {"plan": {**PLAN, "apps": []}},
        {"plan": {**PLAN, "absent": [{"name": "old", "purge": False}]}},
        {"plan": {**PLAN, "packages": [{"app": "shop", "key": "packages", "package": "gcc"}]}},
        {"plan": {**PLAN, "accounts": {"users": [{"name": "web-shop"}], "groups": []}}},
        {"plan": {**PLAN, "accounts": {"users": [], "groups": ["web-shop"]}}},
        # It is below another path until its release is live.
        {"plan": {**PLAN, "apps": [{**ITEM, "site": {"places": ["/", "/shop"]}}]}},
        {"look": {**GIVEN["look"], "somaxconn": 4095}},
        {"look": {**GIVEN["look"], "packages": ["nginx"]}},
        # On any host of the run: what it means is decided when all have told their outcomes.
        {"left": [{"name": "wiki", "hosts": ["two"]}]},
        {"hooks": "run"},
        {"hooks": "skip"},
        # Nobody remembers the hooks of this release, or those who do don't serve it.
        {"fleet": {"one": {}, "two": {}}},
        {"fleet": {"one": {}, "three": {"shop": {"hooks": {"before": ["k1"], "after": []}}}}},
    ],
    ids="+".join,
)
def test_something_else_too(other: dict[str, Any]) -> None:
    assert needs_more({**GIVEN, **other})


class Told(Exception):
    """What the module says at its end."""


class FakeModule:
    """As Ansible starts the module with `--diff`, or without."""

    def __init__(self, has_diff: bool, lease_asked: dict[str, Any] | None = None, check_mode: bool = False) -> None:
        self._diff = has_diff
        self.check_mode = check_mode
        self.params = {"nginx": "{}", "lease": "none", "lease_asked": lease_asked}
        self.warn = print

    def exit_json(self, **result: Any) -> None:
        raise Told(result)


class FakeBatch:
    """One that has run no more than what is asked of it."""

    deploys = ()

    def lacking(self) -> dict[str, Any]:
        return {}

    def run(self) -> list[Any]:
        return []


@pytest.mark.parametrize("has_diff", [False, True])
def test_what_changes_is_shown_as_by_the_roles(monkeypatch: pytest.MonkeyPatch, has_diff: bool) -> None:
    shown = [{"before": "", "after": "processes = 3\n"}]
    monkeypatch.setattr(deploy, "AnsibleModule", lambda **options: FakeModule(has_diff))
    monkeypatch.setattr(deploy, "held", lambda module: contextlib.nullcontext())
    monkeypatch.setattr(deploy, "runs_already", lambda *given: {})
    monkeypatch.setattr(deploy, "Batch", lambda *given: FakeBatch())
    monkeypatch.setattr(deploy, "diff_of_all", lambda deploys: shown, raising=False)
    with pytest.raises(Told) as told:
        deploy.main()
    assert told.value.args[0].get("diff") == (shown if has_diff else [])


@pytest.mark.parametrize("told", [{"token": "a"}, {"token": "", "held_by": {"token": "b"}}])
def test_the_host_is_looked_at_for_whoever_has_the_lease(monkeypatch: pytest.MonkeyPatch, told: dict[str, Any]) -> None:
    asked = {"state": "held"}
    monkeypatch.setattr(deploy, "AnsibleModule", lambda **options: FakeModule(has_diff=False, lease_asked=asked))
    monkeypatch.setattr(deploy, "answer", lambda module, given: told if given is asked else None)
    monkeypatch.setattr(deploy, "look", lambda module: {"apps": {}})
    with pytest.raises(Told) as seen:
        deploy.main()
    assert seen.value.args[0] == (told if "held_by" in told else {**told, "look": {"apps": {}}})


def test_a_rehearsal_deploys_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """It needs no lease and takes no lock, so it must not come to a deploy whoever asks for one."""
    batch = FakeBatch()
    monkeypatch.setattr(batch, "run", lambda: pytest.fail("deployed in a rehearsal"), raising=False)
    monkeypatch.setattr(deploy, "AnsibleModule", lambda **options: FakeModule(has_diff=False, check_mode=True))
    monkeypatch.setattr(deploy, "runs_already", lambda *given: {})
    monkeypatch.setattr(deploy, "Batch", lambda *given: batch)
    with pytest.raises(Told) as told:
        deploy.main()
    assert told.value.args[0] == {"changed": False, "is_done": False}
