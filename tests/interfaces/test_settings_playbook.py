"""settings.yml as a person runs it: refuses before any host is touched, all faults of all hosts at once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import VaultLib, VaultSecret, VaultSecretsContext

from project import PLAYBOOKS, PROJECT, read, render
from settings import Workshop, app


def run(workshop: Workshop, playbook: str, hosts: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    inventory = workshop.write("inventory.json", json.dumps({"web": {"hosts": hosts}}))
    return subprocess.run(
        [str(Path(sys.executable).with_name("ansible-playbook")), "-i", str(inventory), playbook],
        cwd=PROJECT,
        env={**os.environ, "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def host(workshop: Workshop, *apps: dict[str, Any], **secrets: Any) -> dict[str, Any]:
    """A host's variables. Its address is of a network that exists in documentation only."""
    return {
        "ansible_host": "192.0.2.1",
        "ansible_ssh_common_args": "-o ConnectTimeout=1",
        "web_apps": [{"source": str(workshop.source), **given} for given in apps],
        "web_app_secrets": secrets,
    }


def test_all_faults_of_all_hosts_are_told_once_and_no_host_is_touched(workshop: Workshop) -> None:
    hosts = {
        "good": host(workshop, app()),
        "one": host(workshop, app(processes=0), shop={"TOKEN": "of-the-secrets", "A": None}),
        "three": {**host(workshop, app()), "nginx_worker_conections": 9, "web_htp_port": 8080, "web_zebra": 1},
        "two": host(workshop, app(processes=0), app(name="wiki", source="elsewhere", server_names=["b.test"])),
    }
    ended = run(workshop, "site.yml", hosts)
    said = ended.stdout + ended.stderr
    assert ended.returncode == 2, said
    message = ended.stdout.partition("msg: |-\n")[2].partition("\n\n")[0]
    missing = f"there is no folder '{PROJECT}/elsewhere'; give one, relative to the playbook or absolute"
    assert [line.strip() for line in message.splitlines()] == [
        "web_apps: 'shop' has 'processes': 0, but it must be a whole number from 1 to 512",
        "web_app_secrets: 'shop' must hold strings; put the value of 'A' in quotes",
        "nginx_worker_conections: no role reads this variable; did you mean 'nginx_worker_connections'?",
        "web_htp_port: no role reads this variable; did you mean 'web_http_port'?",
        f"web_apps: 'wiki' has 'source': {missing}",
    ], said
    assert "of-the-secrets" not in said
    assert "UNREACHABLE" not in said
    assert "Serve the apps" not in said


def test_good_settings_pass_without_a_connection(workshop: Workshop) -> None:
    ended = run(workshop, "settings.yml", {"one": host(workshop, app())})
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "The settings can be used" in ended.stdout


@pytest.mark.parametrize("path", [path for path in PLAYBOOKS if path.stem != "settings"], ids=lambda path: path.name)
def test_every_playbook_checks_the_settings_first(path: Path) -> None:
    assert read(path.name)[0]["ansible.builtin.import_playbook"] == "settings.yml"
    assert len(read(path.name)) > 1


@pytest.fixture
def vault() -> Iterator[VaultLib]:
    """The password that `--vault-password-file` would give."""
    secrets = [("default", VaultSecret(b"a password"))]
    VaultSecretsContext.initialize(VaultSecretsContext(secrets=secrets))
    yield VaultLib(secrets)
    VaultSecretsContext._current = None


@pytest.mark.parametrize("value", ["hidden", "12345", "true"])
def test_a_secret_may_be_encrypted_by_itself(workshop: Workshop, vault: VaultLib, value: str) -> None:
    """`!vault` in a file that is in clear, as well as a whole file that is encrypted. It stays the text that it was."""
    encrypted = vault.encrypt(value).decode().replace("\n", "\n      ")
    file = workshop.write("secrets.yml", f"---\nweb_app_secrets:\n  shop:\n    TOKEN: !vault |\n      {encrypted}\n")
    settings = {"web_apps": host(workshop, app())["web_apps"], **DataLoader().load_from_file(str(file))}
    assert render("flask_app", "{{ web_problems }}", settings) == []
    assert render("flask_app", "{{ flask_app_secrets }}", settings) == {"shop": {"TOKEN": value}}
