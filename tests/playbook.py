"""A playbook run on hosts that nobody can reach: what it says before it touches any."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import yaml

from project import PROJECT


def run_on_nobody(folder: Path, playbook: str, *words: str) -> subprocess.CompletedProcess[str]:
    """A run on two hosts that exist in documentation only; `folder` gets their inventory."""
    hosts = {"ansible_ssh_common_args": "-o ConnectTimeout=1", "ansible_timeout": 1}
    inventory = folder / "hosts.yml"
    inventory.write_text(yaml.safe_dump({"web": {"hosts": {"192.0.2.1": hosts, "192.0.2.2": hosts}}}))
    return subprocess.run(
        [str(Path(sys.executable).with_name("ansible-playbook")), "-i", str(inventory), playbook, *words],
        cwd=PROJECT,
        env={**os.environ, "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
