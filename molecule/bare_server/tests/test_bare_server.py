"""From a server that knows nobody but root to an app that answers."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import time
from pathlib import Path

import pytest
from testinfra.host import Host

from server import PROJECT, Run, Server

KNOWN = Path("~/.cache/uwsgi-flask/bare-server-known").expanduser()


@pytest.fixture(scope="module")
def bare(host: Host, tmp_path_factory: pytest.TempPathFactory) -> Server:
    KNOWN.unlink(missing_ok=True)
    return Server(host, tmp_path_factory.mktemp("server"))


def inside(command: str) -> str:
    """What root's shell in the container prints: nobody else is let in yet."""
    words = ["podman", "exec", "uwsgi-flask-bare-server", "sh", "-c", command]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()


def fingerprint() -> str:
    return inside("ssh-keygen -l -f /etc/ssh/ssh_host_ed25519_key.pub").split()[1]


def flat(run: Run) -> str:
    return " ".join(run.output.split())


def assert_bare() -> None:
    assert inside("command -v python3 sudo || ls -A /etc/sudoers.d | grep web; getent passwd ops; true") == ""


def answered(server: Server, answer: str) -> tuple[int, str]:
    """bootstrap.yml by a person at a terminal, who is asked and answers; exit code and what was shown."""
    own, other = pty.openpty()
    words = server.command("bootstrap.yml")
    environment = {**os.environ, "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg")}
    shown, is_asked, end = "", False, time.monotonic() + server.run_seconds
    with subprocess.Popen(
        ["setsid", "--ctty", "--wait", *words], cwd=PROJECT, env=environment, stdin=other, stdout=other, stderr=other
    ) as run:
        os.close(other)
        while time.monotonic() < end:
            if select.select([own], [], [], 0.2)[0]:
                try:
                    shown += os.read(own, 65536).decode(errors="replace")
                except OSError:
                    break
            if not is_asked and "Type yes if it is" in shown:
                is_asked = True
                time.sleep(1)
                os.write(own, f"{answer}\r".encode())
        run.wait(10)
    os.close(own)
    return run.returncode, shown


def test_a_key_that_is_not_the_right_one_is_refused(bare: Server) -> None:
    run = bare.run("bootstrap.yml", "-e", "fingerprint=SHA256:of-another-server")
    assert run.code == 2
    assert f"the server's ED25519 key is {fingerprint()}, and not SHA256:of-another-server" in flat(run)
    assert run.changed == 0
    assert not KNOWN.exists()
    assert_bare()


def test_a_run_without_a_person_needs_the_fingerprint(bare: Server) -> None:
    run = bare.run("bootstrap.yml")
    assert run.code == 2
    assert f"there is nobody to ask: compare {fingerprint()}" in flat(run)
    assert not KNOWN.exists()
    assert_bare()


def test_a_person_is_shown_the_fingerprint_and_may_refuse(bare: Server) -> None:
    code, shown = answered(bare, "no")
    assert code == 2, shown
    assert fingerprint() in shown
    assert "the answer wasn't yes. Nothing was changed." in " ".join(shown.split())
    assert not KNOWN.exists()


def test_a_rehearsal_says_what_is_missing_and_changes_nothing(bare: Server) -> None:
    run = bare.run("bootstrap.yml", "--check", "-e", f"fingerprint={fingerprint()}")
    assert run.code == 0, run.output
    assert "python3, python3-apt, sudo would be installed." in flat(run)
    # The key would be noted, the packages installed.
    assert run.changed == 2
    assert not KNOWN.exists()
    assert_bare()


def test_a_person_agrees_and_the_server_is_made_ready(bare: Server) -> None:
    before = inside("cat /etc/ssh/sshd_config /root/.ssh/authorized_keys; ls /etc/ssh/sshd_config.d")
    code, shown = answered(bare, "yes")
    assert code == 0, shown
    assert re.search(r"Next: \S*ansible-playbook -i \S+ site\.yml", shown)
    assert KNOWN.is_file()
    assert inside("cat /etc/ssh/sshd_config /root/.ssh/authorized_keys; ls /etc/ssh/sshd_config.d") == before
    assert inside("stat -c %a:%U /etc/sudoers.d/web-ops /home/ops/.ssh/authorized_keys") == "440:root\n600:ops"


def test_another_time_nothing_is_left_to_do(bare: Server) -> None:
    for words in ((), ("--check",), ("-e", "login=ops"), ("-e", f"fingerprint={fingerprint()}")):
        run = bare.run("bootstrap.yml", *words)
        assert (run.code, run.changed) == (0, 0), run.output


def test_a_known_server_with_another_fingerprint_is_refused(bare: Server) -> None:
    run = bare.run("bootstrap.yml", "-e", "fingerprint=SHA256:of-another-server")
    assert (run.code, run.changed) == (2, 0)


def test_an_app_is_deployed_and_answers(bare: Server) -> None:
    # What this network asks of every machine in it.
    assert bare.run("molecule/shared/prepare.yml").code == 0
    bare.deploy()
    bare.assert_serves(bare.live())


def test_a_server_whose_key_changes_is_refused(bare: Server) -> None:
    kept = inside(
        "cd /etc/ssh && mkdir kept && mv ssh_host_* kept && ssh-keygen -A >/dev/null && systemctl restart ssh"
    )
    try:
        run = bare.run("bootstrap.yml")
    finally:
        inside("cd /etc/ssh && rm ssh_host_* && mv kept/* . && rmdir kept && systemctl restart ssh")
    assert kept == ""
    assert (run.code, run.changed) == (2, 0)
    assert "this isn't the key that is known of the server." in flat(run)
    assert "ssh-keygen -R '[127.0.0.1]:24140'" in flat(run)
