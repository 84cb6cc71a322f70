"""What needrestart lists, sorted by app, and what is said of it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.uwsgi_flask.web.plugins.module_utils import libraries as room
from ansible_collections.uwsgi_flask.web.plugins.module_utils.layout import AppLayout
from ansible_collections.uwsgi_flask.web.plugins.module_utils.libraries import Found, Unreadable, services, sort_out
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.libraries import libraries_report, to_restart

LIVE, OLD = "3f9a1c0b7d2e", "0123456789ab"
PRINTED = f"""\
NEEDRESTART-VER: 3.11
NEEDRESTART-SVC: nginx.service
NEEDRESTART-SVC: shop@{LIVE}.service
NEEDRESTART-SVC: ssh.service
"""
APPS = [(AppLayout("shop"), LIVE), (AppLayout("wiki"), OLD), (AppLayout("new"), "")]


def test_units_are_read() -> None:
    assert services(PRINTED) == ["nginx.service", f"shop@{LIVE}.service", "ssh.service"]
    assert services("NEEDRESTART-VER: 3.6\n") == []


@pytest.mark.parametrize("printed", ["", "ERROR: Could not read config file\n"])
def test_silence_is_no_good_news(printed: str) -> None:
    with pytest.raises(Unreadable):
        services(printed)


def test_whose_a_unit_is() -> None:
    units = [*services(PRINTED), f"shop@{LIVE}-worker-mail.service"]
    found = sort_out(units, APPS)
    assert found == Found(
        {"shop": [f"shop@{LIVE}.service", f"shop@{LIVE}-worker-mail.service"]}, [], True, ["ssh.service"]
    )


@pytest.mark.parametrize(
    "unit", [f"shop@{OLD}.service", f"shop@{LIVE}-job-clean.service", f"shop@{LIVE}-command-1.service"]
)
def test_what_ends_by_itself_is_no_reason_for_a_new_instance(unit: str) -> None:
    assert sort_out([unit], APPS) == Found({}, [unit], False, [])


def test_another_apps_name_that_begins_alike(tmp_path: Path) -> None:
    found = sort_out([f"shop-2@{LIVE}.service"], APPS)
    assert found == Found({}, [], False, [f"shop-2@{LIVE}.service"])


def test_processes_that_root_may_not_look_into(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "7").mkdir()
    assert not room.blind(tmp_path)

    def refuse(_path: Path) -> str:
        raise PermissionError

    monkeypatch.setattr(os, "readlink", refuse)
    assert room.blind(tmp_path)


def found(**changes: Any) -> dict[str, Any]:
    return {"is_known": True, **Found({}, [], False, []).describe(), **changes}


def test_only_apps_of_the_settings_are_started_anew() -> None:
    outdated = found(apps={"shop": ["x"], "wiki": ["x"], "gone": ["x"], "stranger": ["x"]})
    settings = [{"name": "shop"}, {"name": "wiki"}, {"name": "gone", "state": "absent"}, "what"]
    assert to_restart(outdated, settings) == ["shop", "wiki"]
    assert to_restart(outdated, settings, "wiki, stranger") == ["wiki"]


def said(found_: dict[str, Any], outdated: list[str], is_check: bool = False, **more: Any) -> str:
    host = {"inventory_hostname": "web1", "found": found_, "outdated": outdated, **more}
    return libraries_report([host], is_check)


@pytest.mark.parametrize(
    ("outdated", "is_check", "left", "told"),
    [
        (["shop"], False, {"apps": {}}, "shop got a new instance"),
        (["shop"], False, {"apps": {"shop": ["x"]}}, "shop is STILL outdated"),
        (["shop"], True, {"skipped": True}, "shop would get a new instance"),
        ([], False, {"skipped": True}, "shop is outdated, and no app of this run"),
    ],
)
def test_what_became_of_an_app(outdated: list[str], is_check: bool, left: dict[str, Any], told: str) -> None:
    assert said(found(apps={"shop": ["x"]}), outdated, is_check, left=left) == f"web1: {told}"


def test_the_rest_of_the_line() -> None:
    assert said(found(), []) == "web1: nothing runs with replaced libraries"
    unknown = "web1: nothing is known until a run without --check has installed needrestart"
    assert said(found(is_known=False), []) == unknown
    assert (
        said(found(nginx=True, ending=["a", "b"], others=["ssh.service"]), [])
        == "web1: nginx was replaced; ends by itself: a, b; not ours, left alone: ssh.service"
    )
    assert said(found(nginx=True), [], True) == "web1: nginx would be replaced"
