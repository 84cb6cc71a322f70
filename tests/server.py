"""A test server as the scenarios use it: deploy onto it with the project's own playbooks, load it, look inside.

A scenario's tests take the fixture `server`; every deploy is a real `ansible-playbook` in a process of its own.
"""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from testinfra.host import Host

from load import Load, Secure

PROJECT = Path(__file__).parents[1]
# Time enough for a slow machine; a run that hangs is a fault of its own.
RUN_SECONDS = 420
TOKEN = "scenario-token"
# The response headers that every answer carries unless the app or its settings say otherwise.
SAFE = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "SAMEORIGIN",
    "referrer-policy": "strict-origin-when-cross-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "content-security-policy": "base-uri 'self'; frame-ancestors 'self'; object-src 'none'",
}
# Molecule asks for colours, which would stand between the words that tests look for.
PLAIN = {name: value for name, value in os.environ.items() if name not in ("ANSIBLE_FORCE_COLOR", "PY_COLORS")}


@dataclasses.dataclass(frozen=True)
class Run:
    """A finished ansible-playbook: its exit code, all that it printed, and how long it took."""

    code: int
    output: str
    seconds: float

    def last_lines(self, count: int = 20) -> str:
        return "\n".join(self.output.rstrip().splitlines()[-count:])

    @property
    def changed(self) -> int:
        """How many tasks changed something, from the recap."""
        recap = self.output.rpartition("PLAY RECAP")[2]
        return sum(int(word.partition("=")[2]) for word in recap.split() if word.startswith("changed="))


def ask(
    port: int, path: str, host: str, headers: Mapping[str, str] | None = None, is_secure: bool = False
) -> tuple[int, dict[str, str], str]:
    """Status, headers in lower case and body of a GET to this port of 127.0.0.1; 0 if there was no answer.

    The path is sent as it stands, dots and all.
    """
    connection = Secure("127.0.0.1", port, host, 10) if is_secure else HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path, headers={"Host": host, **(headers or {})})
        answer = connection.getresponse()
        return (
            answer.status,
            {name.lower(): value for name, value in answer.getheaders()},
            answer.read().decode(errors="replace"),
        )
    except (OSError, http.client.HTTPException):
        return 0, {}, ""
    finally:
        connection.close()


class Server:
    """One host of a scenario, with a copy of the sample app that a test may break.

    `app` is its item of `web_apps`; change it, or the files in `source`, then `deploy()`.
    """

    def __init__(self, host: Host, folder: Path) -> None:
        self.host = host
        variables = host.ansible.get_variables()
        self.name = str(variables["inventory_hostname"])
        self.limit = self.name
        self.port = int(variables["test_server_http_port"])
        self.https_port = int(variables.get("test_server_https_port", 443))
        # An emulated server takes its time.
        self.run_seconds = int(variables.get("test_server_run_seconds", RUN_SECONDS))
        self.folder = folder
        self.source = folder / "app"
        shutil.copytree(PROJECT / "uwsgi-flask", self.source, ignore=shutil.ignore_patterns("tests", "__pycache__"))
        self.app: dict[str, Any] = {
            "name": "uwsgi-flask",
            "source": str(self.source),
            "server_names": ["flask.test"],
            "static_url": "/",
            # Enough for the sample app on a machine that has much else to do.
            "start_timeout": int(variables.get("test_server_start_timeout", 30)),
        }
        self.others: list[dict[str, Any]] = []
        # Other variables, such as web_trusted_proxies.
        self.web: dict[str, Any] = {}
        self.secrets: dict[str, Any] = {"uwsgi-flask": {"TOKEN_MD5": TOKEN}}

    # --- Doing ------------------------------------------------------------------------------------------------------

    def say(self, words: str) -> None:
        """Let every page end in these words: the smallest change of the code that a visitor can see."""
        page = self.source / "templates" / "base.html"
        page.write_text(page.read_text().partition("<!-- ")[0] + f"<!-- {words} -->\n")

    def command(self, playbook: str, *words: str) -> list[str]:
        settings = self.folder / "settings.json"
        apps = {"web_apps": [self.app, *self.others], "web_app_secrets": self.secrets}
        settings.write_text(json.dumps({**apps, **self.web}))
        inventory = Path(os.environ["MOLECULE_SCENARIO_DIRECTORY"], "inventory.yml")
        limit = [f"--limit={self.limit}"] if self.limit else []
        # A job in the background of a shell ignores SIGINT, and hands that on.
        return [
            "env",
            "--default-signal=INT",
            "ansible-playbook",
            f"-i{inventory}",
            *limit,
            f"-e@{settings}",
            playbook,
            *words,
        ]

    def start(self, playbook: str = "site.yml", *words: str, **environment: str) -> subprocess.Popen[str]:
        """A run in the background, in a process group of its own."""
        return subprocess.Popen(
            self.command(playbook, *words),
            cwd=PROJECT,
            env={**PLAIN, "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg"), **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, playbook: str = "site.yml", *words: str, **environment: str) -> Run:
        began = time.monotonic()
        process = self.start(playbook, *words, **environment)
        output, _nothing = process.communicate(timeout=self.run_seconds)
        return Run(process.returncode, output, time.monotonic() - began)

    def deploy(self) -> Run:
        """site.yml, which has to succeed."""
        done = self.run()
        assert done.code == 0, done.output[-6000:]
        return done

    @contextlib.contextmanager
    def load(self, path: str = "/health", connections: int = 16, pause: float = 0.05) -> Iterator[Load]:
        """Busy connections. The pause between two requests leaves the machine time for the deploy itself."""
        url = f"http://127.0.0.1:{self.port}{path}"
        with Load(url, self.app["server_names"][0], connections, pause=pause, https_port=self.https_port) as load:
            yield load

    def cut_ssh(self) -> None:
        """End every SSH session on the server at once, this test's own included, as a lost line does."""
        container = f"uwsgi-flask-{self.name}"
        words = "kill -9 $(pgrep -u deploy -f '^sshd') 2>/dev/null; true"
        subprocess.run(["podman", "exec", container, "sh", "-c", words], check=True)

    # --- Looking ----------------------------------------------------------------------------------------------------

    def sh(self, command: str) -> str:
        """What a command prints, run as root on the server. It has to succeed."""
        with self.host.sudo():
            return str(self.host.check_output(command))

    def get(self, path: str, host: str = "") -> tuple[int, str]:
        """Status and body, as a visitor gets them."""
        status, _headers, body = ask(self.port, path, host or self.app["server_names"][0])
        return status, body

    def json(self, path: str) -> dict[str, Any]:
        """A JSON file on the server."""
        return dict(json.loads(self.sh(f"cat {path}")))

    def live(self, app: str = "uwsgi-flask") -> str:
        """The id of the live release."""
        return self.sh(f"readlink /opt/{app}/current").rpartition("/")[2]

    def instances(self, app: str = "uwsgi-flask") -> list[str]:
        """Ids of the instances that run, their workers and jobs apart."""
        units = self.sh(
            f"systemctl list-units --plain --no-legend --state=active '{app}@{'?' * 12}.service' | cut -d' ' -f1"
        )
        return sorted(unit.partition("@")[2].removesuffix(".service") for unit in units.split())

    def enabled(self, app: str = "uwsgi-flask") -> list[str]:
        """Ids of the releases that start at boot."""
        links = self.sh(f"cd /etc/systemd/system && ls -d multi-user.target.wants/{app}@* 2>/dev/null; true")
        return sorted(link.partition("@")[2].removesuffix(".target") for link in links.split())

    def orphans(self) -> str:
        """What a cut or failed run may have left behind: unfinished files, archives, locks."""
        patterns = " -o ".join(
            f"-name '{it}'" for it in (".*unfinished*", ".code-*", "web-deploy.lease", "nginx-staged-*")
        )
        return self.sh(f"find /opt /etc /run /tmp /var/tmp -xdev \\( {patterns} \\) 2>/dev/null; true")

    def assert_serves(self, release: str) -> None:
        """The release, and no other, is live, running and enabled, and nothing lies about."""
        assert self.live() == release
        assert self.instances() == [release]
        assert self.enabled() == [release]
        assert self.orphans() == ""
        status, body = self.get("/health")
        assert (status, json.loads(body)["release"]) == (200, release)


def report(what: str, load: Load, reloads_nginx: bool = False) -> None:
    """Print the figures that a scenario is for, and demand that nobody noticed anything.

    A reload of nginx closes the connections on which nobody is asking just then, so a client may have to ask again; a
    release that goes live reloads nothing.
    """
    figures = load.summary()
    print(
        f"\n{what}: {figures['answers']} answers, {figures['failed']} other than 200, "
        f"worst {figures['worst_ms']:.0f} ms, median {figures['median_ms']:.0f} ms, {len(figures['by'])} releases"
    )
    assert figures["answers"] > 0
    assert figures["failed"] == 0, figures
    if reloads_nginx:
        print(f"{figures['asked_again']} of them asked twice, for nginx had closed the connection")
    else:
        assert figures["asked_again"] == 0, figures
