"""The project as a person has it, to run its playbooks on hosts that nobody can reach."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from project import PLAYBOOKS, PROJECT
from settings import Workshop

# What a person has in a clone, but for settings of their own.
LINKED = ("ansible.cfg", "collections", "plugins", "roles", *(path.name for path in PLAYBOOKS))
# Prints what became of the settings, each host's in a line.
SHOW = """---
- name: Check the settings
  ansible.builtin.import_playbook: settings.yml

- name: Show the plan
  hosts: web
  gather_facts: false
  tasks:
    - name: Settle what is deployed
      uwsgi_flask.web.plan:
        app: "{{ chosen | default(app | default('')) }}"
        restart: "{{ again | default('') }}"
      register: settled
      no_log: true

    - name: Show it
      uwsgi_flask.web.print:
        text: "PLAN {{ settled.plan | combine({'secrets': {}}) | to_json }}"
"""


class Clone:
    """The project as a person has it, with settings and an inventory of their own in a folder of the tests'."""

    def __init__(self, workshop: Workshop) -> None:
        self.workshop = workshop
        self.folder = workshop.folder / "clone"
        self.inventory = self.folder / "inventory" / "hosts.yml"
        self.inventory.parent.mkdir(parents=True)
        for name in LINKED:
            (self.folder / name).symlink_to(PROJECT / name)
        self.write("show.yml", SHOW)
        self.hosts({"one": {}})

    def write(self, path: str, content: Any) -> Path:
        text = content if isinstance(content, str) else yaml.safe_dump(content)
        return self.workshop.write(f"clone/{path}", text)

    def hosts(self, hosts: dict[str, Any], **more: Any) -> None:
        """Write the inventory. The hosts' address is of a network that exists in documentation only."""
        nowhere = {"ansible_host": "192.0.2.1", "ansible_ssh_common_args": "-o ConnectTimeout=1"}
        hosts = {name: {**nowhere, **variables} for name, variables in hosts.items()}
        self.inventory.write_text(yaml.safe_dump({"web": {"hosts": hosts, **more}}))

    def run(
        self, *words: str, inventory: str = "", folder: Path | None = None, configuration: str = "ansible.cfg"
    ) -> subprocess.CompletedProcess[str]:
        """ansible-playbook with these words, in the clone or another folder, with a configuration of the clone's; with
        "", Ansible looks for one itself.
        """
        configured = {"ANSIBLE_CONFIG": str(self.folder / configuration)} if configuration else {}
        outside = {name: value for name, value in os.environ.items() if name != "ANSIBLE_CONFIG"}
        return subprocess.run(
            [str(Path(sys.executable).with_name("ansible-playbook")), "-i", inventory or str(self.inventory), *words],
            cwd=folder or self.folder,
            env={**outside, **configured, "ANSIBLE_NOCOLOR": "1"},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def plan(self, *words: str) -> Any:
        """The plan of the only host."""
        ended = self.run("show.yml", *words)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return json.loads(ended.stdout.partition("\nPLAN ")[2].partition("\n")[0])

    def refused(self, *words: str) -> list[str]:
        """The lines with which settings.yml refuses. It is red, nothing else is run, and there is no traceback."""
        ended = self.run(*words or ("settings.yml",))
        said = ended.stdout + ended.stderr
        assert ended.returncode == 2, said
        assert "Traceback" not in said, said
        message = yaml.safe_load(
            "msg:" + re.split(r"^    msg:", ended.stdout, flags=re.MULTILINE)[1].partition("\n\n")[0]
        )
        return str(message["msg"]).splitlines()
