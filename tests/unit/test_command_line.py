"""The commands that a run ends with."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.command_line import KNOWN, CommandLine, called

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


def test_what_lets_one_in_is_repeated() -> None:
    given = {
        "remote_user": "ops",
        "private_key_file": "/k",
        "vault_password_files": ("/v", "/w"),
        "vault_ids": ("a@prompt",),
    }
    words = "--user ops --private-key /k --vault-id a@prompt --vault-password-file /v --vault-password-file /w"
    assert CommandLine("site.yml", given).other("status.yml") == f"ansible-playbook {words} status.yml"


def test_what_comes_next_goes_to_the_same_servers() -> None:
    given = {"subset": "a b", "extra_vars": ["@prod.yml", "app=shop"]}
    assert CommandLine("bootstrap.yml", given).other("site.yml") == (
        "ansible-playbook site.yml -e @prod.yml --limit 'a b'"
    )


def test_it_is_called_as_this_shell_finds_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`./web` needs nothing activated, and sets the configuration where Ansible wouldn't find it."""
    monkeypatch.chdir(tmp_path)
    own = tmp_path / ".venv/bin/ansible-playbook"
    own.parent.mkdir(parents=True)
    own.touch(0o755)
    bare, active = {"PATH": "/nowhere"}, {"PATH": str(own.parent)}
    assert called(str(own), active, tmp_path) == "ansible-playbook"
    assert called(str(own), bare, tmp_path) == ".venv/bin/ansible-playbook"
    assert called("/usr/bin/pytest", bare, tmp_path) == "ansible-playbook"
    here = active | {"ANSIBLE_CONFIG": str(tmp_path / "ansible.cfg")}
    assert called(str(own), here, tmp_path) == "ansible-playbook"
    there = active | {"ANSIBLE_CONFIG": "/a b/ansible.cfg"}
    assert called(str(own), there, tmp_path) == "ANSIBLE_CONFIG='/a b/ansible.cfg' ansible-playbook"
    tmp_path.chmod(0o777)
    assert called(str(own), here, tmp_path) == f"ANSIBLE_CONFIG={tmp_path}/ansible.cfg ansible-playbook"
    command = CommandLine("site.yml", {}, called="x/ansible-playbook")
    assert (command.again(), command.other("status.yml")) == (
        "x/ansible-playbook site.yml",
        "x/ansible-playbook status.yml",
    )


def test_to_wait_is_no_secret() -> None:
    assert again(extra_vars=["wait=300"]) == "ansible-playbook site.yml -e wait=300"
