"""The commands that a run ends with."""

from __future__ import annotations

import os
import re
from typing import Any

import pytest
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.command_line import KNOWN, CommandLine

from project import PROJECT


def again(**given: Any) -> str:
    return CommandLine("site.yml", given).again()


def test_a_secret_is_never_repeated() -> None:
    given = ("app=shop token=hunter2", '{"web_app_secrets": {"shop": "hunter2"}}', "page=$(hunter2)")
    told = again(extra_vars=given)
    assert told == "ansible-playbook site.yml -e app=shop -e …"


def test_what_was_given_is_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(PROJECT)
    here = os.fspath(PROJECT / "inventory/demo.yml")
    told = again(inventory=[here, "/h.yml"], become_ask_pass=True, ask_vault_pass=True, extra_vars=["@/a b.yml"])
    words = "-i inventory/demo.yml -i /h.yml --ask-become-pass --ask-vault-pass site.yml -e '@/a b.yml'"
    assert told == f"ansible-playbook {words}"


def test_what_lets_one_in_is_repeated() -> None:
    given = {"remote_user": "me", "private_key_file": "/k", "ask_pass": True, "become_password_file": "/b"}
    given |= {"vault_ids": ["dev@/v"], "vault_password_files": ["/v a"]}
    words = "--user me --private-key /k --ask-pass --become-password-file /b --vault-id dev@/v"
    assert again(**given) == f"ansible-playbook {words} --vault-password-file '/v a' site.yml"
    assert CommandLine("site.yml", given).other("status.yml").endswith("'/v a' status.yml")


def test_the_usual_inventory_needs_no_word() -> None:
    usual = ["/srv/inventory/production.yml"]
    assert CommandLine("site.yml", {"inventory": usual}, usual).other("status.yml") == "ansible-playbook status.yml"


def test_the_playbook_is_where_it_was() -> None:
    command = CommandLine("site.yml", {"args": ["../web/site.yml"]})
    assert command.again() == "ansible-playbook ../web/site.yml"
    assert command.other("status.yml") == "ansible-playbook ../web/status.yml"


def test_check_mode_stays_unless_it_is_taken_away() -> None:
    command = CommandLine("site.yml", {"check": True, "subset": "web1"})
    assert command.again() == "ansible-playbook site.yml --limit web1 --check"
    assert command.again(check=False, app="wiki") == "ansible-playbook site.yml -e app=wiki --limit web1"


def test_what_may_be_repeated_is_what_the_playbooks_take() -> None:
    texts = "".join(path.read_text() for path in PROJECT.glob("*.yml"))
    assert [name for name in KNOWN if not re.search(rf"\b{name}\b", texts)] == []
