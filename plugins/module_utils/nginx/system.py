"""nginx and its service on a host, as the transaction sees them. Tests put another in its place."""

from __future__ import annotations

import contextlib
import datetime
import http.client
import os
import pwd
import re
import shutil
import socket
import stat
import subprocess
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from ansible_collections.uwsgi_flask.web.plugins.module_utils import files
from ansible_collections.uwsgi_flask.web.plugins.module_utils.layout import LOGS_STATE, PROBE_SOCKET, PROBE_SOCKET_AGAIN
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.places import (
    DROP_IN,
    LOG_GROUP,
    LOG_MODE,
    LOGS,
    LOGS_TIMER,
    MODULES,
    PID_FILE,
    STARTED_WITH,
)

UNIT = "nginx.service"
# File descriptors that the unit asks for; systemd gives as many as the host allows.
DESCRIPTORS = 65536
# What the configuration of a module holds that serves pre-compressed files.
BROTLI = b"ngx_http_brotli_static_module"
ANSWER_SECONDS = 2.0
# What nginx says of its configuration. Its other lines may hold requests, which must not be shown.
OF_CONFIGURATION = re.compile(r"\[(emerg|alert)\](?!.*, request: )")
MAX_COMPLAINTS = 10
# The flags of a socket in /proc/net/unix that takes connections.
ACCEPTS = "00010000"


class System:
    """All that is asked of nginx and systemd, or changed on the host besides files."""

    probe_socket = Path(PROBE_SOCKET)
    probe_socket_again = Path(PROBE_SOCKET_AGAIN)
    pid_file = PID_FILE
    logs = LOGS
    drop_in, started_with = Path(DROP_IN), Path(STARTED_WITH)
    modules = MODULES

    def changing(self, what: str) -> None:
        """Called before each change: that is where a test ends a run or fills the disk."""

    def is_installed(self) -> bool:
        return shutil.which("nginx") is not None

    # --- nginx --------------------------------------------------------------------------------------------------

    def test(self, root: Path) -> tuple[int, str]:
        """`nginx -t` of the tree at `root`: exit code and what it said, a line for each problem."""
        return self._run("nginx", "-t", "-q", "-e", "stderr", "-c", os.fspath(root / "nginx.conf"))

    def proves(self, names: Iterable[str], probe_socket: Path) -> bool:
        """Whether the running nginx answers to all these proofs of what it has loaded; see `proof_names`."""
        return all(self._answers_to(name, probe_socket) for name in names)

    def _answers_to(self, name: str, probe_socket: Path) -> bool:
        connection = http.client.HTTPConnection("localhost", timeout=ANSWER_SECONDS)
        connection.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.sock.settimeout(ANSWER_SECONDS)
            connection.sock.connect(os.fspath(probe_socket))
            connection.request("GET", "/", headers={"Host": f"{name}.invalid", "Connection": "close"})
            return connection.getresponse().status == 204
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def listening(self) -> set[str]:
        """Every Unix socket that somebody listens on. The kernel knows, even if the socket's file was deleted."""
        sockets = [line.split() for line in Path("/proc/net/unix").read_text().splitlines()]
        return {fields[-1] for fields in sockets if len(fields) == 8 and fields[3] == ACCEPTS}

    def serves_ours(self) -> bool:
        """Whether an nginx with a configuration of ours runs: nobody else listens on a socket for probes."""
        return not {os.fspath(self.probe_socket), os.fspath(self.probe_socket_again)}.isdisjoint(self.listening())

    def has_lost_its_socket(self) -> bool:
        """Whether nginx listens on the socket for probes, and its file was deleted."""
        return os.fspath(self.probe_socket) in self.listening() and not self.probe_socket.is_socket()

    def remove_stale_sockets(self) -> None:
        """Remove sockets for probes that nobody listens on, such as a killed nginx leaves: no other could be made."""
        for path in (self.probe_socket, self.probe_socket_again):
            if os.fspath(path) not in self.listening():
                files.remove(path)

    def log_size(self) -> int:
        """Bytes of nginx's error log, so that what it says from now on can be told."""
        log = self.logs / "error.log"
        return log.stat().st_size if log.exists() else 0

    def complaints(self, since: int) -> str:
        """What nginx has said of its configuration since its error log had this size."""
        log = self.logs / "error.log"
        if not log.exists():
            return ""
        with log.open("rb") as file:
            file.seek(since)
            said = file.read().decode(errors="replace").splitlines()
        # nginx says some of it again with each of its tries to bind a port.
        lines = dict.fromkeys(line for line in said if OF_CONFIGURATION.search(line))
        return "\n".join([*lines][-MAX_COMPLAINTS:])

    def version(self) -> tuple[int, ...]:
        """nginx's own version, such as (1, 26, 3); () if it isn't there."""
        if not self.is_installed():
            return ()
        found = re.search(r"nginx/([0-9.]+)", self._run("nginx", "-v")[1])
        return tuple(map(int, found[1].split("."))) if found else ()

    def has_brotli(self) -> bool:
        """Whether nginx loads the module that sends files that Brotli has made, which Debian has in a package."""
        return any(BROTLI in module.read_bytes() for module in self.modules.glob("*.conf") if module.is_file())

    def openssl(self, *words: str) -> tuple[int, str]:
        """Exit code and what was printed."""
        return self._run("openssl", *words) if shutil.which("openssl") else (127, "openssl isn't installed")

    def today(self) -> datetime.datetime:
        return datetime.datetime.now(datetime.UTC)

    # --- systemd ------------------------------------------------------------------------------------------------

    def systemctl(self, *words: str) -> tuple[int, str]:
        """Exit code and what was printed."""
        self.changing(f"systemctl {' '.join(words)}")
        return self._run("systemctl", *words)

    def show(self) -> Mapping[str, str]:
        """What systemd knows of nginx's unit."""
        properties = "ActiveState,UnitFileState,NeedDaemonReload,MainPID"
        _code, printed = self._run("systemctl", "show", f"--property={properties}", UNIT)
        return dict(line.split("=", 1) for line in printed.splitlines() if "=" in line)

    def logs_are_rotated(self) -> bool:
        """Whether the timer runs that sees to it."""
        return self._run("systemctl", "is-active", "--quiet", LOGS_TIMER)[0] == 0

    def let_logs_be_rotated(self, *, is_wanted: bool) -> None:
        """Start that timer, anew because it may have been changed, or stop it.

        If it can't be, visitors get what they should all the same: the next run tries again, and status says so.
        """
        self._run("systemctl", "restart" if is_wanted else "stop", LOGS_TIMER)
        if not is_wanted:
            # It failed when the file of what it starts was gone, and would be listed as that until a boot.
            self._run("systemctl", "reset-failed", LOGS_TIMER)

    def descriptors(self) -> int:
        """File descriptors that a worker of the running nginx may open; those of a restarted one if none runs."""
        return _limit(self.show().get("MainPID", "0"), "soft") or self.descriptors_at_start()

    def descriptors_at_start(self) -> int:
        """Those that the unit would give: systemd takes the nearest to what is asked that it may give."""
        return min(DESCRIPTORS, _limit("1", "hard") or DESCRIPTORS)

    def is_named_by_its_pid_file(self, state: Mapping[str, str]) -> bool:
        """Whether the pid file names the nginx that runs by this state; true if none runs."""
        main = state.get("MainPID", "0")
        try:
            return main == "0" or self.pid_file.read_text().strip() == main
        except OSError:
            return False

    def runs_as_its_unit_says(self) -> bool:
        """Whether nginx was started with our part of its unit as it is now; true if none runs.

        A reload changes nothing of its sandbox, and a restart would cost visitors their connections.
        """
        if self.show().get("ActiveState") != "active" or not self.drop_in.exists():
            return True
        return self.started_with.is_file() and self.started_with.read_bytes() == self.drop_in.read_bytes()

    def mend_pid_file(self) -> None:
        """Name the running nginx in its pid file: systemd knows it, but a reload and logrotate look there."""
        state = self.show()
        if not self.is_named_by_its_pid_file(state):
            self.changing(f"write {self.pid_file}")
            files.OwnedFile(self.pid_file, state["MainPID"] + "\n").put()

    def make_ready_for_a_reload(self) -> None:
        """Make anew what a reload needs and somebody may have removed."""
        self.mend_pid_file()
        # nginx makes logs that are missing, but not their directory.
        files.make_directory(self.logs, 0o755, LOG_GROUP)

    # --- Files --------------------------------------------------------------------------------------------------

    def probe_directory_is_guarded(self) -> bool:
        """Whether only root reaches the socket for probes, which nginx makes for everybody."""
        folder = self.probe_socket.parent
        return folder.is_dir() and _mode_and_owner(folder) == (0o700, os.geteuid())

    def guard_probe_directory(self) -> None:
        folder = self.probe_socket.parent
        self.changing(f"make {folder}")
        files.make_directory(folder, 0o700)
        os.chown(folder, os.geteuid(), files.gid("root"))
        folder.chmod(0o700)

    def remove_folders(self) -> None:
        """Remove the folders that were made for our files, if nobody else has put anything there. Raises OSError."""
        self.remove_stale_sockets()
        files.remove(self.started_with)
        files.remove(Path(LOGS_STATE))
        for folder in (self.probe_socket.parent, self.drop_in.parent):
            with contextlib.suppress(OSError):
                folder.rmdir()

    def has_log(self, name: str) -> bool:
        return os.path.lexists(self.logs / name)

    def log_is_guarded(self, name: str, user: str) -> bool:
        """Whether a log is there and not everybody may read it. A link is left to whoever made it."""
        log = self.logs / name
        return log.is_symlink() or (log.is_file() and _mode_and_owner(log) == (LOG_MODE, self.uid(user)))

    def guard_log(self, name: str, user: str) -> None:
        """Make a log, or give one that is there its owner and mode. nginx itself would make it for everybody to read.

        The owner is nginx's user, to whom nginx gives its logs whenever it opens them anew.
        """
        log = self.logs / name
        self.changing(f"guard {log}")
        handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, LOG_MODE)
        try:
            self.give(handle, user)
            os.fchmod(handle, LOG_MODE)
        finally:
            os.close(handle)

    def give(self, handle: int, user: str) -> None:
        os.fchown(handle, self.uid(user), files.gid(LOG_GROUP))

    def uid(self, user: str) -> int:
        """A user's number, or -1 if there is no such user, which a test of the configuration will say."""
        try:
            return pwd.getpwnam(user).pw_uid
        except KeyError:
            return -1

    # --- The clock ----------------------------------------------------------------------------------------------

    def clock(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def _run(self, *words: str) -> tuple[int, str]:
        done = subprocess.run(words, capture_output=True, text=True, errors="replace", check=False)
        return done.returncode, (done.stdout + done.stderr).strip()


def _mode_and_owner(path: Path) -> tuple[int, int]:
    status = path.lstat()
    return stat.S_IMODE(status.st_mode), status.st_uid


def _limit(process: str, which: str) -> int:
    """A process's limit of open files, "soft" or "hard"; 0 if it has none or isn't there."""
    try:
        limits = Path(f"/proc/{process}/limits").read_text()
    except OSError:
        return 0
    found = re.search(r"^Max open files +(?P<soft>\d+) +(?P<hard>\d+) ", limits, re.MULTILINE)
    return int(found[which]) if found else 0
