"""nginx's whole configuration as one transaction: staged, tested, put in place, loaded, proven; or nothing of it."""

from __future__ import annotations

import dataclasses
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from ansible_collections.uwsgi_flask.web.plugins.module_utils import files
from ansible_collections.uwsgi_flask.web.plugins.module_utils.files import OwnedFile, diff_of
from ansible_collections.uwsgi_flask.web.plugins.module_utils.layout import PROBE_SOCKET
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.ours import KEPT, Ours
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.system import System
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.tree import (
    GENERATION,
    Found,
    digest_of,
    generation_in,
    put_back,
    read_tree,
    there,
)

# Stands in a file's text for the number of connections of a worker, which depends on the host.
CONNECTIONS = "@worker_connections@"
# A proxied request takes two descriptors, and a static file one more.
DESCRIPTORS_EACH = 3
PROOF_SECONDS = 10.0
PAUSE = 0.1
# nginx only warns of these, and then serves one of the two.
FATAL_WARNINGS = ("conflicting server name",)
LOGS = "/var/log/nginx"
PID = "/run/nginx.pid"


class Rejected(Exception):
    """The new configuration can't be used; the old one is on disk and runs."""


@dataclasses.dataclass
class Configuration:
    """The tree below `root` (/etc/nginx), the `texts` that are ours ({path below it: text}) and paths to remove.

    `beside` are files outside the tree that belong to it (a drop-in of nginx's unit, tmpfiles), `logs` the log files,
    which must not be readable by everybody from the start; `connections` is how many a worker may have at most.
    """

    root: Path
    texts: Mapping[str, str]
    absent: Sequence[str]
    address: str
    connections: int = 4096
    beside: Sequence[OwnedFile] = ()
    logs: Sequence[OwnedFile] = ()
    system: System = dataclasses.field(default_factory=System)

    def __post_init__(self) -> None:
        self.ours = Ours(self.root)
        room = self.system.descriptors() if self.ours.exists() else self.system.descriptors_at_start()
        self.granted = min(self.connections, room // DESCRIPTORS_EACH)
        plain = {path: text.replace(CONNECTIONS, str(self.granted)) for path, text in self.texts.items()}
        self.generation = self._digest(plain)
        self.final = {path: text.replace(GENERATION, self.generation) for path, text in plain.items()}
        self.owned = [OwnedFile(self.root / path, text) for path, text in self.final.items()]

    # --- What is ------------------------------------------------------------------------------------------------

    def wrong(self) -> list[OwnedFile]:
        """The files that aren't as they should be."""
        return [file for file in [*self.owned, *self.beside] if not file.is_right()]

    def unwanted(self) -> list[str]:
        """Paths that are there and should not be."""
        return [path for path in self.absent if os.path.lexists(self.root / path)]

    def unguarded(self) -> list[OwnedFile]:
        """Logs that aren't there, or that too many may read."""
        return [log for log in self.logs if not log.path.exists() or log.path.stat().st_mode & 0o007]

    def diff(self) -> list[dict[str, str]]:
        """What `--diff` shows: the files that aren't right, and those that are removed."""
        going = [OwnedFile(self.root / path, "") for path in self.unwanted()]
        # A link's own text is its target; that it goes is all there is to show.
        gone = [
            {**one, "after_header": "/dev/null"}
            for one in diff_of(file for file in going if not file.path.is_symlink())
        ]
        return [*diff_of(self.wrong()), *gone]

    def is_live(self) -> bool:
        """Whether all is in place, and it is what the running nginx has loaded."""
        state = self.system.show()
        return (
            not self.wrong()
            and not self.unwanted()
            and not self.unguarded()
            and set(self.final) <= set(self.ours.files())
            and state.get("ActiveState") == "active"
            and state.get("UnitFileState") == "enabled"
            and state.get("NeedDaemonReload") != "yes"
            and self.system.answers_to(self.generation, self.address)
        )

    # --- What is done -------------------------------------------------------------------------------------------

    def test(self) -> None:
        """Test the tree as it would be, in a place of its own. Raises Rejected."""
        self._test({**self._content(), **dict.fromkeys(self.absent)})

    def apply(self) -> None:
        """Test, put in place, load, prove. Raises Rejected with everything as it was."""
        self.test()
        is_first = not self.ours.exists()
        paths = [*self.final, *self.absent]
        before = {path: there(self.root / path) for path in paths}
        try:
            self.ours.save(paths)
            self.ours.note(self.final, [path for path in self.absent if before[path] is not None])
            self._put_beside()
            put_back(self.root, {**self._content(), **dict.fromkeys(self.absent)})
            said = self._load("restart" if is_first else "reload-or-restart")
        except OSError as error:
            put_back(self.root, before)
            raise Rejected(f"{error}\nnginx's configuration couldn't be written; the old files are back") from error
        if said is None:
            return
        put_back(self.root, before)
        self._load("reload-or-restart", prove=False)
        raise Rejected(f"{said}\nnginx didn't take the new configuration; the old files are back".strip())

    def restore(self) -> None:
        """Remove all that is ours and put back what it replaced. Raises Rejected with everything as it was."""
        originals = self.ours.originals()
        self._test(originals)
        now = {path: there(self.root / path) for path in originals}
        self.ours.save(path for path in now if now[path] is not None)
        put_back(self.root, originals)
        for file in self.beside:
            files.remove(file.path)
            if file.path.parent.name.endswith(".d") and not any(file.path.parent.iterdir()):
                _remove_own_folder(file.path.parent)
        self.system.systemctl("daemon-reload")
        code, said = self.system.systemctl("reload-or-restart", "nginx.service")
        if code != 0:
            put_back(self.root, now)
            raise Rejected(f"{said}\nnginx didn't take the configuration that it came with; ours is back")
        self.ours.forget()

    def _put_beside(self) -> None:
        for file in self.beside:
            if not file.is_right():
                file.put()
                if file.path.parent.name == "tmpfiles.d":
                    self.system.make_temporary_files(file.path)
        for log in self.unguarded():
            _guard(log)
        self.system.systemctl("daemon-reload")

    def _load(self, verb: str, prove: bool = True) -> str | None:
        """Let nginx load what is on the disk. None if it proves that it has; else what it said."""
        self.system.systemctl("enable", "nginx.service")
        code, said = self.system.systemctl(verb, "nginx.service")
        if code == 0 and (not prove or self._is_proven()):
            return None
        return f"{self.system.complaints()}\n{said}".strip()

    def _is_proven(self) -> bool:
        end = self.system.now() + PROOF_SECONDS
        while not self.system.answers_to(self.generation, self.address):
            if self.system.now() >= end:
                return False
            self.system.sleep(PAUSE)
        return True

    def _test(self, changes: Mapping[str, Found]) -> None:
        """Test a copy of the tree with these changes. It opens no log, no pid file and no socket of the real one."""
        with tempfile.TemporaryDirectory(prefix="nginx-staged-") as made:
            staged = Path(made, "nginx")
            shutil.copytree(self.root, staged, symlinks=True, ignore=shutil.ignore_patterns(KEPT))
            put_back(staged, {path: self._staged(content, made) for path, content in changes.items()})
            Path(made, "log").mkdir()
            Path(made, "log/errors").mkdir()
            code, said = self.system.test(staged)
            said = said.replace(os.fspath(staged), os.fspath(self.root))
        conflicts = [line for line in said.splitlines() if any(words in line for words in FATAL_WARNINGS)]
        if code != 0 or conflicts:
            fault = said if code != 0 else "\n".join(conflicts)
            raise Rejected(
                f"{fault}\nnginx's new configuration is wrong; the old one serves, and its files are untouched"
            )

    def _staged(self, content: Found, made: str) -> Found:
        """A file as it is tested: a link, which is a string here, stays as it is."""
        if not isinstance(content, bytes):
            return content
        text = content.decode(errors="surrogateescape")
        places = {os.fspath(self.root): "nginx", LOGS: "log", PID: "pid", PROBE_SOCKET: "probe"}
        for real, other in places.items():
            text = text.replace(real, f"{made}/{other}")
        return text.encode(errors="surrogateescape")

    def _content(self) -> dict[str, Found]:
        return {path: text.encode(errors="surrogateescape") for path, text in self.final.items()}

    def _digest(self, plain: Mapping[str, str]) -> str:
        """The digest of the tree as it would be."""
        texts = read_tree(self.root)
        for path in self.absent:
            texts.pop(path, None)
        return digest_of({**texts, **{path: text.encode(errors="surrogateescape") for path, text in plain.items()}})


def from_disk(root: Path, without: Sequence[str], address: str, system: System | None = None) -> Configuration:
    """The configuration that is deployed, without some of its files: needs nothing but the host."""
    ours, texts = Ours(root), read_tree(root)
    generation = generation_in(texts)
    kept = [path for path in ours.files() if path not in without and path in texts]
    plain = {path: texts[path].decode(errors="surrogateescape").replace(generation, GENERATION) for path in kept}
    return Configuration(root, plain, [path for path in without if path in texts], address, system=system or System())


def drift(root: Path, address: str, system: System) -> list[str]:
    """One line for each way in which nginx isn't as it was deployed, found without knowing what was to be deployed."""
    texts = read_tree(root)
    generation = generation_in(texts)
    if not generation:
        return [f"{root} holds no configuration of ours"]
    plain = {path: text.replace(generation.encode(), GENERATION.encode()) for path, text in texts.items()}
    lines = []
    if digest_of(plain) != generation:
        lines.append(f"files below {root} were changed since the last deploy")
    if not system.answers_to(generation, address):
        lines.append("nginx runs another configuration than the one that was deployed")
    return lines


def _guard(log: OwnedFile) -> None:
    """Make a log, or take from everybody the right to read it; what is in it stays."""
    # nginx's workers pass through it when they open a rotated log anew.
    files.make_directory(log.path.parent, 0o755, log.group)
    if not log.path.exists():
        log.put()
    log.path.chmod(log.mode)
    os.chown(log.path, -1, files.gid(log.group))


def _remove_own_folder(folder: Path) -> None:
    if folder.name == "nginx.service.d":
        folder.rmdir()
