"""Real git repositories for tests, and a server that gives them out by HTTPS to those who have a token."""

from __future__ import annotations

import base64
import http.server
import os
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

FILES = {"flask_wsgi.py": "def app(environ, start_response): ...\n", "requirements.txt": "", "static/style.css": ""}


class Upstream:
    """A repository with one good app in it."""

    def __init__(self, folder: Path, files: dict[str, str] | None = None) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch=main")
        self.commit(FILES if files is None else files)

    @property
    def url(self) -> str:
        return f"file://{self.folder}"

    def git(self, *words: str) -> str:
        who = ["-c", "user.name=x", "-c", "user.email=x@x.test", "-c", "protocol.file.allow=always"]
        ended = subprocess.run(["git", "-C", self.folder, *who, *words], capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout.strip()

    def commit(self, files: dict[str, str], *, amend: bool = False) -> str:
        for path, content in files.items():
            written = self.folder / path
            written.parent.mkdir(parents=True, exist_ok=True)
            written.write_text(content)
        self.git("add", "--all", "--force")
        self.git("commit", "--quiet", "--allow-empty", "-m", "x", *(["--amend"] if amend else []))
        return self.git("rev-parse", "HEAD")


class _Handler(http.server.BaseHTTPRequestHandler):
    """Static files below `root`, and git's smart protocol by git-http-backend, behind a password."""

    protocol_version = "HTTP/1.1"
    root: Path
    login: str
    asked: list[str]
    elsewhere: str

    def do_GET(self) -> None:
        body = self._body()
        self.asked.append(f"{self.command} {self.path} {self.headers.get('Authorization', '-')}")
        given = base64.b64decode(self.headers.get("Authorization", "").removeprefix("Basic ")).decode()
        if self.path.startswith("/moved/"):
            self._answer(302, {"Location": self.elsewhere + self.path.removeprefix("/moved")})
        elif self.login and given != self.login:
            self._answer(401, {"WWW-Authenticate": 'Basic realm="git"'})
        elif ".git/" in self.path:
            self._git(body)
        else:
            path = self.root / self.path.lstrip("/")
            self._answer(200 if path.is_file() else 404, {}, path.read_bytes() if path.is_file() else b"")

    do_POST = do_GET

    def _answer(self, status: int, headers: dict[str, str], content: bytes = b"") -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def _body(self) -> bytes:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Transfer-Encoding") == "chunked":
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        return body

    def _git(self, body: bytes) -> None:
        path, _mark, query = self.path.partition("?")
        variables = {
            "GIT_PROJECT_ROOT": str(self.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "safe.directory",
            "GIT_CONFIG_VALUE_0": "*",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "REMOTE_USER": "u",
            "REMOTE_ADDR": "127.0.0.1",
        }
        ended = subprocess.run(
            ["git", "http-backend"], input=body, capture_output=True, check=True, env={**os.environ, **variables}
        )
        head, _gap, content = ended.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().splitlines())
        self._answer(int(headers.pop("Status", "200").split()[0]), headers, content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Nobody reads it."""


class Server:
    """What runs: where, and every request with its Authorization."""

    def __init__(self, port: int, asked: list[str]) -> None:
        self.host = f"localhost:{port}"
        self.url = f"https://{self.host}"
        self.asked = asked


@contextmanager
def serving(root: Path, chain: Path, key: Path, login: str = "", elsewhere: str = "") -> Iterator[Server]:
    """Serve what is below `root`; `login` is "user:password", `elsewhere` where /moved/ leads."""
    asked: list[str] = []
    handler = type("Handler", (_Handler,), {"root": root, "login": login, "asked": asked, "elsewhere": elsewhere})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield Server(server.server_port, asked)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
