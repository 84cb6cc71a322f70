"""nginx on a host that is a folder: it refuses what a real one refuses, and loads what is on the disk when told to.

A test may end a run before any change, let that change fail, fill the disk, or keep nginx from taking what it gets.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Sequence
from pathlib import Path

from ansible_collections.uwsgi_flask.web.plugins.module_utils.layout import PROBE_SOCKET
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.aim import Aim, deployed, nothing, without
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.configuration import Configuration
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.ours import Ours
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.places import (
    BASE,
    DEFAULT_SITE,
    MAIN,
    site_file,
)
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.system import System
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.tree import GENERATION, PROOF_NAME, read_tree

DEBIANS = "# the distribution's\ninclude /etc/nginx/conf.d/*.conf;\n"
OURS = "log_format plain;\nworker_connections 1000;\n"
SERVERS = f"listen 80 default_server;\nlisten unix:{PROBE_SOCKET};\nserver_name {GENERATION}.invalid;\n"
# Changes that need room on the disk.
NEED_ROOM = ("save", "write", "make", "guard")
SOCKET = re.compile(rb"listen unix:(\S+);")


class Cut(BaseException):
    """The run ends here: the line dropped, or the power went."""


class Nginx(System):
    """A host with nginx, as the distribution's package brings it, below `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder / "etc/nginx"
        self.logs = folder / "log"
        self.probe_socket = folder / "run/web-probe/nginx.sock"
        self.drop_in = folder / "etc/nginx.service.d/web.conf"
        self.edited = folder / "backups"
        self.active, self.enabled, self.installed = True, True, True
        self.takes_it = True
        # A text that keeps nginx from taking a configuration, though it passes the test.
        self.refused = b"no such text"
        self.loaded: dict[str, bytes] = {}
        # Sockets for probes that nginx listens on, and whether their files are there.
        self.sockets: dict[str, bool] = {}
        self.running_limit, self.hard_limit = 1024, 524288
        self.time = 0.0
        self.said: list[str] = []
        self.tested: list[dict[str, bytes]] = []
        self.steps: list[str] = []
        # The number of the change before which the run is cut, something fails, or the disk is full from then on.
        self.cut_at, self.fail_at, self.full_at = -1, -1, -1
        for place in ("conf.d", "sites-enabled", "sites-available"):
            (self.root / place).mkdir(parents=True)
        self.logs.mkdir()
        (self.folder / "run").mkdir()
        (self.root / MAIN).write_text(DEBIANS)
        (self.root / "mime.types").write_text("types {}\n")
        (self.root / "sites-available/default").write_text("listen 80 default_server;\n")
        (self.root / DEFAULT_SITE).symlink_to("../sites-available/default")
        self._load(is_fresh=True)

    # --- What a test asks for -------------------------------------------------------------------------------------

    def texts(self, **sites: str) -> dict[str, str]:
        """A configuration with these sites."""
        return {MAIN: OURS, BASE: SERVERS, str(self.drop_in): "[Service]\n"} | {
            site_file(app): f"server_name {app}.test;\naccess_log /var/log/nginx/{app}.log plain;\n{text}"
            for app, text in sites.items()
        }

    def ours(self) -> Ours:
        ours = Ours.read(self.root)
        ours.edited = self.edited
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
        """Every file and link of the host by its path; its own folder isn't named, so hosts can be compared."""
        found = {}
        for path in self.folder.rglob("*"):
            name = path.relative_to(self.folder).as_posix()
            if path.is_symlink():
                found[name] = f"-> {os.readlink(path)}"
            elif path.is_file():
                found[name] = path.read_text().replace(str(self.folder), "")
        return found

    def boots(self) -> bool:
        """Whether nginx would start with what is on the disk."""
        return not _faults(read_tree(self.root))

    # --- What the transaction asks of it --------------------------------------------------------------------------

    def changing(self, what: str) -> None:
        self.steps.append(what)
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
            self.active, self.loaded, self.sockets = False, {}, {}
        elif verb in ("enable", "disable"):
            self.enabled = verb == "enable"
        elif "re" in verb and verb != "daemon-reload":
            return self._reload_or_restart(verb)
        return 0, ""

    def _reload_or_restart(self, verb: str) -> tuple[int, str]:
        is_fresh = verb == "restart" or not self.active
        if not self.active and verb.startswith("try"):
            return 0, ""
        if self.takes_it and self.refused not in _read(read_tree(self.root)):
            self._load(is_fresh)
            return 0, ""
        if is_fresh:
            self.active, self.loaded, self.sockets = False, {}, {}
            return 1, "Job for nginx.service failed."
        return 0, ""

    def _load(self, is_fresh: bool) -> None:
        self.active = True
        self.loaded = read_tree(self.root)
        paths = {path.decode() for text in self.loaded.values() for path in SOCKET.findall(text)}
        before = {} if is_fresh else self.sockets
        self.sockets = {path: before.get(path, True) for path in paths}
        if is_fresh and self.drop_in.exists():
            self.running_limit = self.descriptors_at_start()

    def show(self) -> dict[str, str]:
        return {
            "ActiveState": "active" if self.active else "inactive",
            "UnitFileState": "enabled" if self.enabled else "disabled",
            "NeedDaemonReload": "no",
        }

    def descriptors(self) -> int:
        return self.running_limit

    def descriptors_at_start(self) -> int:
        return min(65536, self.hard_limit)

    def answers_to(self, generation: str, probe_socket: Path) -> bool:
        path = PROBE_SOCKET if probe_socket == self.probe_socket else os.fspath(probe_socket)
        proof = PROOF_NAME.search(self.loaded.get(BASE, b""))
        return self.sockets.get(path, False) and proof is not None and proof[1].decode() == generation

    def serves_ours(self) -> bool:
        return any(path.startswith(PROBE_SOCKET) for path in self.sockets)

    def has_lost_its_socket(self) -> bool:
        return self.serves_ours() and not self.sockets.get(PROBE_SOCKET)

    def log_size(self) -> int:
        return 0

    def complaints(self, since: int) -> str:
        return "[emerg] bind() failed"

    def uid(self, user: str) -> int:
        return os.geteuid()

    def remove_folders(self) -> None:
        for folder in (self.probe_socket.parent, self.drop_in.parent):
            folder.rmdir()

    def give(self, handle: int, user: str) -> None:
        pass

    def clock(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds


def _read(texts: dict[str, bytes]) -> bytes:
    """All that nginx reads of these files."""
    return b"".join(text for path, text in texts.items() if not path.startswith("sites-available"))


def _faults(texts: dict[str, bytes]) -> list[str]:
    """What keeps nginx from using these files."""
    faults = []
    whole = _read(texts)
    if b"nonsense" in whole:
        faults.append('unknown directive "nonsense"')
    if b" plain;" in whole.replace(b"log_format plain;", b"") and b"log_format plain;" not in texts.get(MAIN, b""):
        faults.append('unknown log format "plain"')
    if whole.count(b"default_server") > 1:
        faults.append("a duplicate default server")
    return faults
