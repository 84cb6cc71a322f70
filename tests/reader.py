"""A reader at her laptop: she types what the pages say, and remembers what she was shown."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import yaml

PROJECT = Path(__file__).parents[1]
LAPTOP = "laptop"
SERVERS = ("web1.example.com", "web2.example.com")
HOME = "/home/anna"
CERTIFICATES = "/etc/ssl/certs/test-server-ca.pem"
# Time enough for `make setup` without a cache.
PATIENCE = 600
# A command that goes on until Ctrl-C is ended after a few seconds.
ENDLESS = re.compile(r"(?:journalctl|/web logs) .*-f$|follow=yes$")
# What is typed on a server.
OF_A_SERVER = ("sudo ", "journalctl ", "systemctl ")
# What differs from run to run, and the word that stands for it, in this order.
VARYING = (
    (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|\+00:00)?", "TIME"),
    (r"\b[0-9a-f]{12}(?:-\d+)?\b", "ID"),
    (r"ID(?:, ID)+", "ID"),
    (r"-[0-9a-f]{8}\.txt", "-DIGEST.txt"),
    (r"\b\d+(?:\.\d+)? (?:B|KiB|MiB|GiB)\b", "SIZE"),
    (r"\b\d+(?:\.\d+)*\b", "N"),
)


def plain(text: str) -> str:
    """A text without what differs from run to run, and without its line ends."""
    for pattern, word in VARYING:
        text = re.sub(pattern, word, text)
    return " ".join(text.split())


def inside(machine: str, user: str, command: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    words = ["podman", "exec", "--interactive", "--user", user, f"uwsgi-flask-{machine}", "bash", "-c", command]
    return subprocess.run(
        words, check=False, input=given, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=PATIENCE
    )


def as_root(machine: str, command: str, given: bytes = b"") -> str:
    """What root's command prints. It has to succeed."""
    done = inside(machine, "root", command, given)
    assert done.returncode == 0, done.stdout.decode()
    return done.stdout.decode().strip()


class Reader:
    """Anna. `apps` is her `web_apps`, `ids` the releases that a page names and the ones that they stand for here."""

    def __init__(self) -> None:
        self.apps: list[dict[str, Any]] = []
        self.ids: dict[str, str] = {}
        self.shown: list[str] = []

    # --- What she has before she reads ------------------------------------------------------------------------------

    def unpack(self) -> None:
        """A laptop with make, git and Python, a clean clone, an app of her own, and two servers that have her key."""
        as_root(
            LAPTOP,
            "apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install "
            "git make openssh-client python3-venv curl >/dev/null && useradd --create-home --shell /bin/bash anna",
        )
        hosts = []
        for server in SERVERS:
            seen = "podman inspect --format '{{.NetworkSettings.IPAddress}}' uwsgi-flask-" + server
            address = subprocess.run(shlex.split(seen), check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
            hosts.append(f"{address} {server}")
        as_root(LAPTOP, "cat >> /etc/hosts", "\n".join([*hosts, ""]).encode())
        key = Path("~/.cache/uwsgi-flask/id_ed25519").expanduser().read_bytes()
        self.at_home("install -d -m 0700 .ssh && install -m 0600 /dev/stdin .ssh/id_ed25519", key)
        # As somebody does who connects to each by hand and says yes.
        self.at_home(f"ssh-keyscan -q {' '.join(SERVERS)} > .ssh/known_hosts")
        self.at_home("mkdir uwsgi-flask && tar -x -C uwsgi-flask", packed(PROJECT))
        self.at_home("mkdir shop && tar -x -C shop", packed(PROJECT / "molecule/as_documented/shop"))
        git = "git config --global user.name anna && git config --global user.email anna@example.com"
        self.at_home(f"{git} && cd shop && git init -q && git add . && git commit -qm v2 && git tag v2")
        self.at_home("cd uwsgi-flask && git init -q && git add . && git commit -qm clone")
        self._say_what_this_network_asks_for()

    def _say_what_this_network_asks_for(self) -> None:
        index = {name: os.environ.get(name, "") for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL")}
        build = {"PIP_CERT": CERTIFICATES, **{name: value for name, value in index.items() if value}}
        self.writes("group_vars/all/network.yml", yaml.safe_dump({"web_build_environment": build}))
        exported = {**build, "SSL_CERT_FILE": CERTIFICATES, "UV_DEFAULT_INDEX": index["PIP_INDEX_URL"]}
        lines = [f"export {name}={shlex.quote(value)}\n" for name, value in exported.items() if value]
        self.at_home("cat > .environment", "".join(lines).encode())

    def at_home(self, command: str, given: bytes = b"") -> str:
        """Something outside the pages. It has to succeed."""
        done = inside(LAPTOP, "anna", f"cd {HOME} && {command}", given)
        assert done.returncode == 0, done.stdout.decode()
        return done.stdout.decode().strip()

    # --- What she does ----------------------------------------------------------------------------------------------

    def types(self, command: str) -> int:
        """The exit code of what the page says, in the project's folder or on the first server."""
        for named, real in self.ids.items():
            command = command.replace(named, real)
        is_on_server = command.startswith(OF_A_SERVER)
        if ENDLESS.search(command.partition(" #")[0].strip()):
            # What Ctrl-C ends says so by its exit code, Ansible by another one.
            command = f"timeout --foreground --preserve-status --signal=INT 15 {command}\n[[ $? =~ ^(0|99|130)$ ]]"
        if is_on_server:
            done = inside(SERVERS[0], "deploy", command)
        else:
            # What she exports stays until she logs out.
            script = f"cd {HOME}/uwsgi-flask; . ~/.environment; {{ {command}\n}}"
            done = inside(LAPTOP, "anna", f"{script}; code=$?; export -p > ~/.environment; exit $code")
        self.shown.append(done.stdout.decode())
        return done.returncode

    def writes(self, path: str, text: str) -> None:
        """A file of the project."""
        self.at_home(f"cd uwsgi-flask && mkdir -p $(dirname {path}) && cat > {path}", text.encode())

    def saves(self) -> None:
        """Her apps as they are in `apps`."""
        self.writes("group_vars/production/web_apps.yml", yaml.safe_dump({"web_apps": self.apps}, sort_keys=False))

    def deploys(self, words: str = "") -> None:
        code = self.types(f"ansible-playbook site.yml {words}")
        assert code == 0, self.shown[-1]

    def edits(self, words: str, source: str = "shop") -> None:
        """The smallest change that makes another release."""
        self.at_home(f'sed -i \'s/return "ok.*"/return "ok {words}"/\' {source}/flask_wsgi.py')

    # --- What she sees ----------------------------------------------------------------------------------------------

    def saw(self, text: str) -> bool:
        """Whether she was shown this, lines broken as they may be, or each of its lines somewhere."""
        shown = " ".join(map(plain, self.shown))
        # In a page, … stands for anything.
        patterns = [re.escape(plain(it)).replace("…", ".*?") for it in (text, *text.splitlines()) if it.strip()]
        whole, *lines = patterns
        return bool(re.search(whole, shown)) or all(re.search(line, shown) for line in lines)

    def live(self, server: str = SERVERS[0], app: str = "shop") -> str:
        return as_root(server, f"readlink /opt/{app}/current").rpartition("/")[2]


def packed(folder: Path) -> bytes:
    """A folder as git would clone it, with what hasn't been committed yet."""
    files = "git ls-files -z --cached --others --exclude-standard --deduplicate"
    return subprocess.run(
        f"{files} | tar -c --null --files-from=- --ignore-failed-read",
        shell=True,
        cwd=folder,
        check=True,
        stdout=subprocess.PIPE,
    ).stdout
