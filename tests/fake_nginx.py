"""nginx on a host that is a folder: it refuses what a real one refuses, and loads what is on the disk when told to.

A test may end a run before any change, let that change fail, fill the disk, or keep nginx from taking what it gets.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import stat
from collections.abc import Iterable, Sequence
from pathlib import Path

from ansible_collections.uwsgi_flask.web.plugins.module_utils.layout import PROBE_SOCKET, PROBE_SOCKET_AGAIN
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.aim import Aim, deployed, nothing, without
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.configuration import Configuration
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.ours import Ours
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.places import (
    BASE,
    COMMON_LOGS,
    DEFAULT_SITE,
    MAIN,
    site_file,
)
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.recovery import settle
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.system import System
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.tree import (
    GENERATION,
    OWN_DIGEST,
    proof_names,
    read_tree,
)

DEBIANS = "# the distribution's\ninclude /etc/nginx/conf.d/*.conf;\n"
OURS = "log_format requests;\nworker_connections 1000;\n"
SERVERS = f"listen 80 default_server;\nlisten unix:{PROBE_SOCKET};\nserver_name {GENERATION}.invalid;\n"
# Changes that need room on the disk.
NEED_ROOM = ("save", "write", "make", "guard")
# What differs between two hosts that have been brought to the same in different ways.
NUMBERED = re.compile(r'[0-9a-f]{32}(?=\.invalid)|\s*"[0-9a-f]{64}",?|"(load|times)": .*')
INCLUDED = re.compile(r"conf\.d/[^/]+\.conf|sites-enabled/[^/]+|shared/[^/]+/[^/]+\.conf")
SOCKET = re.compile(rb"listen unix:(\S+);")


class Cut(BaseException):
    """The run ends here: the line dropped, or the power went."""


class Nginx(System):
    """A host with nginx, as the distribution's package brings it, below `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder / "etc/nginx"
        self.logs = folder / "log"
        self.probe_socket, self.probe_socket_again = map(self.socket_file, (PROBE_SOCKET, PROBE_SOCKET_AGAIN))
        self.pid_file = folder / "run/nginx.pid"
        self.drop_in = folder / "etc/nginx.service.d/web.conf"
        self.started_with = folder / "run/started-with"
        self.edited = folder / "backups"
        self.active, self.enabled, self.installed = True, True, True
        # Whether systemd is about to try again, after a start that failed.
        self.restarting = False
        self.takes_it = True
        # Whether the timer runs that sees to the logs.
        self.rotates = False
        # A text that keeps nginx from taking a configuration, though it passes the test.
        self.refused = b"no such text"
        self.loaded: dict[str, bytes] = {}
        # Unix sockets that nginx listens on. Their files are there until somebody deletes them.
        self.sockets: set[str] = set()
        self.pid = 100
        self.running_limit, self.hard_limit = 1024, 524288
        self.time = 0.0
        self.said: list[str] = []
        self.tested: list[dict[str, bytes]] = []
        self.steps: list[str] = []
        # The number of the change before which the run is cut, something fails, or the disk is full from then on.
        self.cut_at, self.fail_at, self.full_at = -1, -1, -1
        # The one before which somebody else reloads it.
        self.reload_at = -1
        for place in ("conf.d", "sites-enabled", "sites-available"):
            (self.root / place).mkdir(parents=True)
        self.logs.mkdir()
        for name in COMMON_LOGS:
            (self.logs / name).touch(0o640)
        (self.folder / "run").mkdir()
        (self.root / MAIN).write_text(DEBIANS)
        (self.root / "mime.types").write_text("types {}\n")
        (self.root / "sites-available/default").write_text("listen 80 default_server;\n")
        (self.root / DEFAULT_SITE).symlink_to("../sites-available/default")
        self._start()

    # --- What a test asks for -------------------------------------------------------------------------------------

    def texts(self, **sites: str) -> dict[str, str]:
        """A configuration with these sites."""
        return {MAIN: OURS, BASE: SERVERS, str(self.drop_in): "[Service]\n"} | {
            site_file(app): f"server_name {app}.test;\nserver_name {OWN_DIGEST}.{app}.invalid;\n"
            f"access_log /var/log/nginx/{app}.log requests;\n{text}"
            for app, text in sites.items()
        }

    def ours(self) -> Ours:
        """What is ours, once what a run that was cut off left is settled."""
        ours = Ours.read(self.root)
        ours.edited = self.edited
        settle(self.root, self, ours)
        return ours

    def configuration(self, aim: Aim, ours: Ours) -> Configuration:
        return Configuration(self.root, ours, aim, self)

    def wanted(self, absent: Sequence[str] = (), **sites: str) -> Configuration:
        """The configuration with these sites, as a deploy makes it; without an argument one with `shop`."""
        ours = self.ours()
        served = sites or {"shop": ""}
        return self.configuration(deployed(ours, self.texts(**served), list(served), absent, "www-data"), ours)

    def deploy(self, absent: Sequence[str] = (), **sites: str) -> Configuration:
        made = self.wanted(absent, **sites)
        made.apply()
        return made

    def take_off(self, *apps: str) -> Configuration:
        ours = self.ours()
        made = self.configuration(without(ours, apps), ours)
        made.apply()
        return made

    def tear_down(self) -> Configuration:
        ours = self.ours()
        made = self.configuration(nothing(ours), ours)
        made.apply()
        return made

    def content(self) -> dict[str, str]:
        """Every file and link that outlasts a boot, by its path, without what differs between hosts that are alike."""
        found = {}
        for path in self.folder.rglob("*"):
            name = path.relative_to(self.folder).as_posix()
            if name.startswith("run/"):
                continue
            if path.is_symlink():
                found[name] = f"-> {os.readlink(path)}"
            elif path.is_file():
                found[name] = NUMBERED.sub("", path.read_text().replace(str(self.folder), ""))
        return found

    def boots(self) -> bool:
        """Whether nginx would start with what is on the disk."""
        return not _faults(read_tree(self.root))

    def socket_file(self, path: str) -> Path:
        """Where on this host a Unix socket's file is."""
        return Path(f"{self.folder}{path}")

    # --- What happens to it ---------------------------------------------------------------------------------------

    def kill(self) -> None:
        """`kill -9`: the sockets' files stay. Systemd starts ours anew, Debian's not."""
        self.active, self.loaded, self.sockets = False, {}, set()
        if self.drop_in.exists():
            self._start()

    def boot(self) -> None:
        shutil.rmtree(self.folder / "run")
        (self.folder / "run").mkdir()
        self.active, self.restarting, self.loaded, self.sockets = False, False, {}, set()
        if self.enabled:
            self._start()

    def tick(self) -> None:
        """Systemd tries again."""
        if self.restarting:
            self._start()

    # --- What the transaction asks of it --------------------------------------------------------------------------

    def changing(self, what: str) -> None:
        self.steps.append(what)
        if len(self.steps) - 1 == self.reload_at and self._fault(self.sockets) is None:
            self._load()
        if len(self.steps) - 1 == self.cut_at:
            raise Cut
        if len(self.steps) - 1 == self.fail_at:
            raise OSError(errno.EIO, "Input/output error")
        if 0 <= self.full_at < len(self.steps) and what.startswith(NEED_ROOM):
            raise OSError(errno.ENOSPC, "No space left on device")

    def is_installed(self) -> bool:
        return self.installed

    def test(self, root: Path) -> tuple[int, str]:
        texts = read_tree(root)
        self.tested.append(texts)
        names = re.findall(rb"server_name (\S+);", _read(texts))
        warnings = [f'[warn] conflicting server name "{n.decode()}", ignored' for n in names if names.count(n) > 1]
        faults = [f"[emerg] {fault} in {root}/nginx.conf" for fault in _faults(texts)]
        return (1 if faults else 0), "\n".join(warnings + faults)

    def systemctl(self, *words: str) -> tuple[int, str]:
        self.changing(f"systemctl {' '.join(words)}")
        self.said.append(" ".join(words))
        verb = words[0]
        if not self.installed and verb != "daemon-reload":
            return 5, "Unit nginx.service not found."
        if verb == "stop":
            self._stop()
        elif verb in ("enable", "disable"):
            self.enabled = verb == "enable"
        elif verb == "start":
            self._start()
        elif "re" in verb and verb != "daemon-reload":
            code, said = self._reload_or_restart(verb)
            return (0, "") if "--no-block" in words else (code, said)
        return 0, ""

    def _reload_or_restart(self, verb: str) -> tuple[int, str]:
        if not self.active and verb.startswith("try"):
            return 0, ""
        if self.active and "reload" in verb:
            if not self.is_named_by_its_pid_file(self.show()):
                return 1, "invalid PID number"
            if self._fault(self.sockets) is None:
                self._load()
            return 0, ""
        self._stop()
        return (0, "") if self._start() else (1, "Job for nginx.service failed.")

    def _stop(self) -> None:
        for path in self.sockets:
            self.socket_file(path).unlink(missing_ok=True)
        self.active, self.restarting, self.loaded, self.sockets = False, False, {}, set()

    def _start(self) -> bool:
        if self.drop_in.exists():
            for path in (self.probe_socket, self.probe_socket_again):
                path.unlink(missing_ok=True)
            self.probe_socket.parent.mkdir(0o700, exist_ok=True)
            self.logs.mkdir(exist_ok=True)
        if self._fault(set()) is not None:
            self.active, self.restarting, self.loaded = False, self.drop_in.exists(), {}
            return False
        self.pid += 1
        self.pid_file.write_text(f"{self.pid}\n")
        self.active, self.restarting = True, False
        self._load()
        if self.drop_in.exists():
            self.running_limit = self.descriptors_at_start()
            self.started_with.write_bytes(self.drop_in.read_bytes())
            self.rotates = True
        return True

    def _fault(self, has: set[str]) -> str | None:
        """Why nginx doesn't take what is on the disk, while it listens on the sockets that it has."""
        if not self.takes_it or self.refused in _read(read_tree(self.root)):
            return "bind() failed"
        if not self.logs.is_dir():
            return "open() failed"
        for path in self._wanted_sockets() - has:
            if os.path.lexists(self.socket_file(path)) or not self.socket_file(path).parent.is_dir():
                return f"bind() to {path} failed"
        return next(iter(_faults(read_tree(self.root))), None)

    def _load(self) -> None:
        self.loaded = read_tree(self.root)
        wanted = self._wanted_sockets()
        for path in wanted - self.sockets:
            os.mknod(self.socket_file(path), stat.S_IFSOCK | 0o666)
        for path in self.sockets - wanted:
            self.socket_file(path).unlink(missing_ok=True)
        self.sockets = wanted

    def _wanted_sockets(self) -> set[str]:
        return {path.decode() for path in SOCKET.findall(_read(read_tree(self.root)))}

    def show(self) -> dict[str, str]:
        return {
            "ActiveState": "active" if self.active else "activating" if self.restarting else "inactive",
            "UnitFileState": "enabled" if self.enabled else "disabled",
            "NeedDaemonReload": "no",
            "MainPID": str(self.pid if self.active else 0),
        }

    def logs_are_rotated(self) -> bool:
        return self.rotates

    def let_logs_be_rotated(self, *, is_wanted: bool) -> None:
        self.rotates = is_wanted

    def descriptors(self) -> int:
        return self.running_limit

    def descriptors_at_start(self) -> int:
        return min(65536, self.hard_limit)

    def proves(self, names: Iterable[str], probe_socket: Path) -> bool:
        is_there = os.fspath(probe_socket) in self.listening() and probe_socket.is_socket()
        return is_there and {*names} <= {name for text in _included(self.loaded).values() for name in proof_names(text)}

    def listening(self) -> set[str]:
        return {os.fspath(self.socket_file(path)) for path in self.sockets}

    def log_size(self) -> int:
        return 0

    def complaints(self, since: int) -> str:
        return "[emerg] bind() failed"

    def uid(self, user: str) -> int:
        return os.geteuid()

    def remove_folders(self) -> None:
        self.remove_stale_sockets()
        self.started_with.unlink(missing_ok=True)
        for folder in (self.probe_socket.parent, self.drop_in.parent):
            with contextlib.suppress(OSError):
                folder.rmdir()

    def give(self, handle: int, user: str) -> None:
        pass

    def clock(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds


def _included(texts: dict[str, bytes]) -> dict[str, bytes]:
    """The files that nginx reads."""
    return {path: text for path, text in texts.items() if path == MAIN or INCLUDED.fullmatch(path)}


def _read(texts: dict[str, bytes]) -> bytes:
    """All that nginx reads of these files."""
    return b"".join(_included(texts).values())


def _faults(texts: dict[str, bytes]) -> list[str]:
    """What keeps nginx from using these files."""
    faults = []
    whole = _read(texts)
    if b"nonsense" in whole:
        faults.append('unknown directive "nonsense"')
    if b" requests;" in whole.replace(b"log_format requests;", b"") and b"log_format requests;" not in texts.get(
        MAIN, b""
    ):
        faults.append('unknown log format "requests"')
    if whole.count(b"default_server") > 1:
        faults.append("a duplicate default server")
    return faults
