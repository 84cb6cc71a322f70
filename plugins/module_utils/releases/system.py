"""The machine as the releases see it: systemd, sockets, the journal, the clock. Tests put another in its place."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import http.client
import os
import socket
import ssl
import subprocess
import time
import urllib.parse
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from ansible_collections.uwsgi_flask.web.plugins.module_utils import files
from ansible_collections.uwsgi_flask.web.plugins.module_utils.lease import STEP
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.together import Together

# Lines of the journal that are kept for a release that was refused.
JOURNAL_LINES = 40


@dataclasses.dataclass(frozen=True)
class Answer:
    """What a probe got: a status with the release that answered, or `error` and status 0.

    `location` is where a redirect leads.
    """

    status: int
    release: str = ""
    body: str = ""
    location: str = ""
    error: str = ""

    def __str__(self) -> str:
        leads = f", which leads to {self.location}" if self.location else ""
        return self.error or f"status {self.status}{leads}, {self.body[:200]!r}"


class System:
    """Everything that the releases ask of the machine or change on it.

    Whatever changes the machine calls `changing` first: that is where a test ends a run, fills the disk or pulls the
    plug.
    """

    @functools.cached_property
    def coming(self) -> dict[str, int]:
        """Bytes that instances are going to take, by release: what is free doesn't tell of them yet."""
        return {}

    @functools.cached_property
    def beside(self) -> set[str]:
        """Releases that run, or will, beside one that they are to replace."""
        return set()

    @functools.cached_property
    def _reloads(self) -> Together:
        return Together(lambda: self.systemctl("daemon-reload"))

    @functools.cached_property
    def _syncs(self) -> Together:
        return Together(os.sync)

    def changing(self, what: str) -> None:
        """Called before each change."""

    def doing(self, app: str, step: str) -> None:
        """Leave word of what is done now, for whoever waits for it."""
        with contextlib.suppress(OSError):
            Path(STEP).write_text(f"{app} {step}\n")
            # Whatever umask root has.
            Path(STEP).chmod(0o644)

    # --- Files --------------------------------------------------------------------------------------------------

    def put(self, file: files.OwnedFile) -> None:
        self.changing(f"write {file.path}")
        file.put()

    def link(self, path: Path, target: str) -> None:
        self.changing(f"link {path} to {target}")
        files.link(path, target)

    def remove(self, path: Path) -> None:
        if path.is_symlink() or path.exists():
            self.changing(f"remove {path}")
            files.remove(path)

    def make_directory(self, path: Path, mode: int, group: str) -> None:
        """Make a directory, or give one that is there its mode and group."""
        if files.is_guarded(path, mode, group):
            return
        self.changing(f"make {path}")
        files.make_directory(path, mode, group)
        os.chown(path, os.geteuid(), files.gid(group))
        path.chmod(mode)

    def guard(self, path: Path, mode: int, group: str) -> None:
        """Give a file or socket its mode and owner back."""
        self.changing(f"guard {path}")
        os.chown(path, os.geteuid(), files.gid(group))
        path.chmod(mode)

    # --- systemd ------------------------------------------------------------------------------------------------

    def run(
        self, words: Sequence[str], environment: Mapping[str, str] | None = None, timeout: float | None = None
    ) -> tuple[int, str]:
        """Exit code and all that was printed; 124 if it took too long."""
        try:
            done = subprocess.run(
                words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env={**os.environ, **environment} if environment else None,
                timeout=timeout,
                check=False,
            )
        except subprocess.TimeoutExpired as expired:
            return 124, (expired.stdout or b"").decode(errors="replace")
        return done.returncode, done.stdout.decode(errors="replace").strip()

    def converse(self, words: Sequence[str], text: str) -> tuple[int, str, str]:
        """Give a program a text; its exit code, and what it wrote to standard output and standard error."""
        self.changing(f"run {words[0]}")
        done = subprocess.run(words, input=text.encode(), capture_output=True, check=False)
        return done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")

    def systemctl(self, *words: str) -> tuple[int, str]:
        """Exit code and what was printed."""
        self.changing(f"systemctl {' '.join(words)}")
        return self.run(["systemctl", *words])

    def reload_units(self) -> None:
        """Let systemd read all units anew, which takes it the longer the more there are."""
        self._reloads.ask()

    def reload_units_later(self) -> None:
        """The same at the end of `with one_reload()`, once for all who ask; without one, at once."""
        self._reloads.ask_later()

    def one_reload(self) -> AbstractContextManager[None]:
        """Within it, whoever can wait for it has systemd read its units once, at the end."""
        return self._reloads.at_the_end()

    def show(self, units: Sequence[str], *properties: str) -> dict[str, dict[str, str]]:
        """{unit: {property: value}} of some units, in one call."""
        # `Id` tells which block is whose.
        words = ["systemctl", "show", f"--property={','.join(('Id', *properties))}", *units]
        _code, printed = self.run(words)
        blocks = [
            dict(line.split("=", 1) for line in block.splitlines() if "=" in line) for block in printed.split("\n\n")
        ]
        found = {block["Id"]: block for block in blocks if "Id" in block}
        return {unit: found.get(unit, {}) for unit in units}

    def states(self, *patterns: str) -> dict[str, str]:
        """{unit: its ActiveState} of all units that match one of these and that systemd has loaded. Raises OSError.

        It costs less than `show`, which has systemd tell all that it knows of each.
        """
        words = ["systemctl", "list-units", "--all", "--plain", "--no-legend", "--full", "--", *patterns]
        code, listed = self.run(words, {"SYSTEMD_COLORS": "0"})
        if code != 0:
            # Nothing would look as if it ran.
            raise OSError(f"systemctl list-units: {listed}")
        # UNIT LOAD ACTIVE SUB DESCRIPTION
        return {words[0]: words[2] for line in listed.splitlines() if len(words := line.split()) > 2}

    def units(self, *patterns: str) -> set[str]:
        """Names of all units that match one of these and that systemd has loaded, in any state. Raises OSError."""
        return {*self.states(*patterns)}

    def make_temporary_files(self, configuration: Path) -> None:
        """Make what a file of tmpfiles.d says, as at boot. Raises OSError."""
        self.changing(f"tmpfiles {configuration}")
        code, printed = self.run(["systemd-tmpfiles", "--create", os.fspath(configuration)])
        if code != 0:
            raise OSError(f"systemd-tmpfiles: {printed}")

    def sync(self) -> None:
        """Let all that was written be on the disk: what follows counts on it after a power cut."""
        self._syncs.ask()

    def journal(self, unit: str, since: float) -> str:
        """The last lines of a unit (or of a pattern) since a moment, in seconds since the epoch."""
        self.run(["journalctl", "--sync"])
        words = ["journalctl", f"--unit={unit}", f"--since=@{int(since)}", "--output=cat", "--no-pager"]
        return self.run([*words, f"--lines={JOURNAL_LINES}"])[1]

    # --- Sockets ------------------------------------------------------------------------------------------------

    def ask(self, address: str | Path, host: str, path: str, timeout: float) -> Answer:
        """GET `path` from a Unix socket (a Path) or from a URL without a path.

        With `proxy+` in front of the URL, a header of the PROXY protocol says that this machine asks for itself.
        Whether a browser would trust the certificate is no question of a release's health.
        """
        connection = http.client.HTTPConnection("localhost", timeout=timeout)
        try:
            if isinstance(address, Path):
                connection.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                connection.sock.settimeout(timeout)
                connection.sock.connect(os.fspath(address))
            else:
                url = urllib.parse.urlsplit(address)
                connection.sock = socket.create_connection((str(url.hostname), int(url.port or 0)), timeout)
                if url.scheme.startswith("proxy+"):
                    own, other = connection.sock.getsockname(), connection.sock.getpeername()
                    connection.sock.sendall(f"PROXY TCP4 {own[0]} {other[0]} {own[1]} {other[1]}\r\n".encode())
                if url.scheme.endswith("https"):
                    connection.sock = _unverified().wrap_socket(connection.sock, server_hostname=host.strip("[]"))
            connection.request("GET", path, headers={"Host": host, "Connection": "close", "User-Agent": "health-probe"})
            answer = connection.getresponse()
            body = answer.read(4096).decode(errors="replace")
            headers = answer.headers
            return Answer(answer.status, headers.get("X-Release", ""), body, headers.get("Location", ""))
        except (OSError, http.client.HTTPException) as error:
            # One line, because it stands in a table.
            return Answer(0, error=" ".join(f"{type(error).__name__}: {error}".split()))
        finally:
            connection.close()

    def listens(self, path: Path) -> bool:
        """Whether somebody listens on a Unix socket; a full queue or a slow answer is no reason to say no."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.setblocking(False)
            try:
                connection.connect(os.fspath(path))
            except (ConnectionRefusedError, FileNotFoundError):
                return False
            except BlockingIOError:
                return True
        return True

    def knock(self, path: Path) -> None:
        """Connect to a Unix socket and hang up; that nobody listens any more is no error."""
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.setblocking(False)
            connection.connect(os.fspath(path))

    def waiting(self, path: Path) -> int:
        """Connections that wait in the queue of a listening Unix socket (Recv-Q of ss); 0 if nothing listens."""
        _code, printed = self.run(["ss", "-xlH", "src", os.fspath(path)])
        return sum(int(line.split()[2]) for line in printed.splitlines() if line.split()[2:3])

    # --- Memory -------------------------------------------------------------------------------------------------

    def memory_of(self, process: int) -> int:
        """Proportional share (PSS) of a process and its descendants, in bytes: what ending them would free."""
        total = 0
        with contextlib.suppress(OSError):
            shares = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
            total = sum(int(line.split()[1]) * 1024 for line in shares if line.startswith("Pss:"))
        with contextlib.suppress(OSError):
            for children in Path(f"/proc/{process}/task").glob("*/children"):
                total += sum(map(self.memory_of, map(int, children.read_text().split())))
        return total

    def memory_left(self) -> int:
        """Bytes that programs can have before the kernel ends one of them, swap included."""
        lines = (line.split() for line in Path("/proc/meminfo").read_text().splitlines())
        return sum(int(words[1]) * 1024 for words in lines if words[0] in ("MemAvailable:", "SwapFree:"))

    # --- The clock ----------------------------------------------------------------------------------------------

    def now(self) -> float:
        """Seconds since the epoch, for records."""
        return time.time()

    def clock(self) -> float:
        """Seconds for measuring how long something takes; a clock that is set back doesn't matter to it."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


def _unverified() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
