"""settings.yml as a person runs it: refuses before any host is touched, all faults of all hosts at once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from project import PROJECT
from settings import Workshop, app

# Of a network that is for documentation only: whoever connects to it waits in vain.
NOBODY = {"ansible_host": "192.0.2.1", "ansible_ssh_common_args": "-o ConnectTimeout=1"}


def program(name: str, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """One of Ansible's commands, with the project's settings."""
    return subprocess.run(
        [str(Path(sys.executable).with_name(name)), *words],
        cwd=PROJECT,
        env={**os.environ, "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"},
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def run(workshop: Workshop, playbook: str, hosts: dict[str, Any], *words: str) -> subprocess.CompletedProcess[str]:
    inventory = workshop.write("inventory.json", json.dumps({"web": {"hosts": hosts}}))
    return program("ansible-playbook", "-i", str(inventory), playbook, *words)


def settings(workshop: Workshop, *apps: dict[str, Any], **secrets: Any) -> dict[str, Any]:
    """A host's variables."""
    full = [{"source": str(workshop.source), **given} for given in apps]
    return {**NOBODY, "web_apps": full, "web_app_secrets": secrets}


@pytest.mark.parametrize("playbook", ["settings.yml", "site.yml", "rollback.yml", "status.yml", "teardown.yml"])
def test_all_faults_of_all_hosts_are_told_and_no_host_is_touched(workshop: Workshop, playbook: str) -> None:
    hosts = {
        "good": settings(workshop, app()),
        "one": settings(workshop, app(processes=0), shop={"TOKEN": "of-the-secrets", "A": None}),
        "two": settings(workshop, app(processes=0), app(name="wiki", source="elsewhere", server_names=["b.test"])),
    }
    ended = run(workshop, playbook, hosts)
    assert ended.returncode == 2, ended.stdout + ended.stderr
    said = ended.stdout + ended.stderr
    lines = [line.strip() for line in ended.stdout.splitlines()]
    for problem in (
        "web_apps: 'shop' has 'processes': 0, but it must be a whole number from 1 to 512",
        f"web_apps: 'wiki' has 'source': there is no folder '{PROJECT}/elsewhere'; "
        "give one, relative to the playbook or absolute",
        "web_app_secrets: 'shop' must hold strings; put the value of 'A' in quotes",
    ):
        assert lines.count(problem) == 1, said
    assert "of-the-secrets" not in said
    assert "UNREACHABLE" not in said
    assert "Serve the apps" not in said


def test_good_settings_pass_without_a_connection(workshop: Workshop) -> None:
    ended = run(workshop, "settings.yml", {"one": settings(workshop, app())})
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "The settings can be used" in ended.stdout


@pytest.mark.parametrize("value", ["hidden", "12345", "true"])
def test_a_secret_may_be_encrypted_by_itself(workshop: Workshop, value: str) -> None:
    """`!vault` inside a file that is in clear, as well as a whole file that is encrypted."""
    password = workshop.write("password", "a password")
    encrypted = program("ansible-vault", "encrypt_string", f"--vault-password-file={password}", stdin=value).stdout
    indented = encrypted.replace("\n", "\n    ")
    secrets = workshop.write("secrets.yml", f"---\nweb_app_secrets:\n  shop:\n    TOKEN: {indented}\n")
    words = (f"--vault-password-file={password}", "-e", f"@{secrets}")
    hosts = {"one": settings(workshop, app())}
    ended = run(workshop, "settings.yml", hosts, *words)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    tells = workshop.write(
        "tells.yml",
        "---\n- hosts: web\n  gather_facts: false\n  vars_files:\n"
        + "".join(f"    - {PROJECT}/group_vars/all/{name}.yml\n" for name in ("contract", "wiring"))
        + "  tasks:\n    - ansible.builtin.debug:\n        msg: the secret is <{{ flask_app_secrets.shop.TOKEN }}>\n"
        f"      vars:\n        playbook_dir: {PROJECT}\n",
    )
    ended = run(workshop, str(tells), hosts, *words)
    assert f"the secret is <{value}>" in ended.stdout, ended.stdout + ended.stderr
