"""The demo seen from outside: may its ports be used, and does the app answer?

Run by `make demo` before and after its playbooks: `demo.py ports`, `demo.py answers`.
"""

import http.client
import os
import socket
import ssl
import subprocess
import sys
from pathlib import Path

import yaml

HTTP_PORT = int(os.environ.get("DEMO_PORT") or 8080)
HTTPS_PORT = int(os.environ.get("DEMO_HTTPS_PORT") or 8443)
SSH_PORT = int(os.environ.get("DEMO_SSH_PORT") or 2222)
PROJECT = Path(__file__).parent.parent
SETTINGS = PROJECT / "group_vars" / "demo" / "main.yml"
(HOST,) = yaml.safe_load((PROJECT / "inventory" / "demo.yml").read_text())["demo"]["hosts"]
CONTAINER = f"uwsgi-flask-{HOST}"


def published_by_demo() -> str:
    """What Podman publishes for the demo's server, e.g. `22/tcp -> 127.0.0.1:2222`; empty when it doesn't run."""
    listing = subprocess.run(["podman", "port", CONTAINER], capture_output=True, text=True, check=False)
    return listing.stdout


def refuse_taken_ports() -> None:
    """Exit with one line if another program listens where the demo wants to: create.yml would say so in thirty."""
    own = published_by_demo()
    ports = ((HTTP_PORT, "DEMO_PORT"), (HTTPS_PORT, "DEMO_HTTPS_PORT"), (SSH_PORT, "DEMO_SSH_PORT"))
    for port, variable in ports:
        with socket.socket() as probe:
            taken = probe.connect_ex(("127.0.0.1", port)) == 0
        if taken and f"127.0.0.1:{port}\n" not in own:
            sys.exit(
                f"demo: port {port} of 127.0.0.1 is taken by another program: "
                f"end that one, or choose another port: make demo {variable}={port + 1}"
            )


def get(path: str, is_secure: bool = False) -> tuple[int, str, str]:
    """Ask the demo for `path`, by HTTP or by HTTPS: status, release id (header X-Release), body."""
    connection = http.client.HTTPConnection("127.0.0.1", HTTP_PORT, timeout=10)
    if is_secure:
        # It signed its certificate itself.
        context = ssl._create_unverified_context()
        connection = http.client.HTTPSConnection("localhost", HTTPS_PORT, timeout=10, context=context)
    connection.request("GET", path)
    response = connection.getresponse()
    return response.status, response.getheader("X-Release", ""), response.read().decode()


def expect_answers() -> None:
    """Exit with a reason unless the app answers as deployed; else say where everything is."""
    secrets = yaml.safe_load(SETTINGS.read_text())["web_app_secrets"]
    info = f"/info?token={secrets['uwsgi-flask']['TOKEN_MD5']}"
    page = ("/", f" on {HOST}</title>")
    for (path, words), is_secure in ((page, False), ((info, '"num"'), False), (page, True)):
        status, release, body = get(path, is_secure)
        # The header is uWSGI's and the words are the app's: together they show that the whole chain answered.
        if status != 200 or not release or words not in body:
            sys.exit(f"demo: {path} answered {status}, release {release!r}, without the app's words:\n{body[:2000]}")
    chosen = {
        "DEMO_PORT": (HTTP_PORT, 8080),
        "DEMO_HTTPS_PORT": (HTTPS_PORT, 8443),
        "DEMO_SSH_PORT": (SSH_PORT, 2222),
    }
    ports = "".join(f" {name}={port}" for name, (port, usual) in chosen.items() if port != usual)
    print(f"""
    The app       http://127.0.0.1:{HTTP_PORT}/
    By HTTPS      https://localhost:{HTTPS_PORT}/     (your browser warns: the server signed its certificate itself)
    Its numbers   http://127.0.0.1:{HTTP_PORT}{info}
    The server    ssh -p {SSH_PORT} -i ~/.cache/uwsgi-flask/id_ed25519 -o StrictHostKeyChecking=no \\
                      -o UserKnownHostsFile=/dev/null deploy@127.0.0.1
    Deploy again  make demo{ports}     (edit uwsgi-flask/ first, and keep the page open)
    Remove it     make demo-down
""")


if __name__ == "__main__":
    {"ports": refuse_taken_ports, "answers": expect_answers}[sys.argv[1]]()
