"""nginx's whole configuration as one transaction: staged, tested, put in place, loaded, proven; or nothing of it.

No Ansible in here. What touches nginx itself is in `System`; the unit tests put another in its place.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from ansible_collections.uwsgi_flask.web.plugins.module_utils.files import OwnedFile, make_directory, remove
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.aim import Aim
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.exchange import Exchange, Source, mark_of
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.logs import Logs
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.ours import Ours
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.places import JOURNAL, is_shown
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.rejected import Rejected
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.service import load_again, settled_state
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.system import UNIT, System
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.tree import stage, times_of

PROOF_SECONDS = 10.0
PAUSE = 0.1
STAGED = "nginx-staged-"
# nginx only warns of these, and then serves one of the two.
FATAL_WARNINGS = ("conflicting server name",)
# Of a test's output, what is no reason for its failure: the test itself may open fewer files than nginx will.
BESIDE_THE_POINT = "worker_connections exceed open file resource limit"


class NotTaken(Exception):
    """nginx didn't load what is on the disk."""


@dataclasses.dataclass
class Configuration:
    """What is below `root` (/etc/nginx) and belongs to it elsewhere, and what it should be.

    `saved` holds, after a change, where there is a copy of what others had written or edited at each path.
    """

    root: Path
    ours: Ours
    aim: Aim
    system: System
    saved: dict[str, Path] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        self.logs = Logs(self.ours, self.system)

    # --- What is ------------------------------------------------------------------------------------------------

    def changes(self) -> dict[str, Source]:
        """What must be changed, by path."""
        return {path: source for path, source in self.aim.sources.items() if not _is(self.root / path, source)}

    def is_live(self) -> bool:
        """Whether all is in place, and it is what the running nginx has loaded."""
        if not self.aim.generation:
            return not self.ours.exists()
        state = self.system.show()
        return (
            not self.changes()
            and not os.path.lexists(self.root / JOURNAL)
            and not self.aim.doomed
            and not self.logs.unguarded(self.aim)
            and all((path in self.ours.files) is (source is not None) for path, source in self.aim.sources.items())
            and self.system.probe_directory_is_guarded()
            and self.system.logs_are_rotated()
            and state.get("ActiveState") == "active"
            and state.get("UnitFileState") == "enabled"
            and state.get("NeedDaemonReload") != "yes"
            and self.system.is_named_by_its_pid_file(state)
            and self.ours.times == times_of(self.root)
            and self._answers()
        )

    def diff(self) -> list[dict[str, str]]:
        """What `--diff` shows: each file that changes, before and after; of links, keys and programs only the name."""
        return [
            {
                "before_header": os.fspath(self.root / path),
                "after_header": os.fspath(self.root / path) if source is not None else "/dev/null",
                "before": _text(self.root / path) if is_shown(path) else "",
                "after": (source.text if isinstance(source, OwnedFile) else _text(source)) if is_shown(path) else "",
            }
            for path, source in self.changes().items()
        ]

    def test(self) -> None:
        """Test the tree as it would be, in a place of its own. Raises Rejected."""
        if not self.system.is_installed():
            return
        try:
            # In memory, and gone after a boot: it holds keys.
            run = self.system.probe_socket.parent.parent
            for left in run.glob(f"{STAGED}*"):
                remove(left)
            with tempfile.TemporaryDirectory(prefix=STAGED, dir=run) as made:
                staged = stage(self.root, self.changes(), Path(made))
                code, said = self.system.test(staged)
        except OSError as error:
            raise Rejected(f"{error}\nnginx's new configuration can't be tested; nothing was changed") from error
        lines = said.replace(os.fspath(staged), os.fspath(self.root)).splitlines()
        conflicts = [line for line in lines if any(words in line for words in FATAL_WARNINGS)]
        if code != 0:
            conflicts = [line for line in lines if BESIDE_THE_POINT not in line]
        if code != 0 or conflicts:
            fault = "\n".join(conflicts)
            is_up = self.system.show().get("ActiveState") == "active"
            serves = "the old one serves" if is_up else "nginx doesn't run"
            raise Rejected(f"{fault}\nnginx's new configuration is wrong; {serves}, and its files are untouched")

    # --- What is done -------------------------------------------------------------------------------------------

    def apply(self) -> None:
        """Test, put in place, load, prove. Raises Rejected with everything as it was, and OSError."""
        self.test()
        if self.aim.generation and self.system.has_lost_its_socket():
            self._make_the_socket_anew()
        else:
            self._change()

    def _make_the_socket_anew(self) -> None:
        """nginx makes a lost socket anew only under another name, and a restart would cost visitors their connections.

        So everything listens elsewhere for a moment, the files of apps outside this run included.
        """
        bystanders = self.aim.bystanders(self.ours)
        noted = {path: self.ours.files[path] for path in bystanders}
        whole = self.aim.along_with(bystanders)
        elsewhere = dataclasses.replace(self, aim=whole.listening_elsewhere(), saved={})
        elsewhere._change()
        dataclasses.replace(self, aim=whole)._change()
        # Somebody's edit of a file that isn't of this run is back where it was, and still counts as an edit.
        of_bystanders = [elsewhere.saved.pop(path) for path in bystanders if path in elsewhere.saved]
        self.saved |= elsewhere.saved
        self.ours.files |= noted
        with contextlib.suppress(OSError):
            self._keep_manifest()
            # Before, the manifest takes the edit for ours, and its copy would be all that is left of it.
            self.ours.withdraw(of_bystanders)

    def _change(self) -> None:
        state, since = settled_state(self.system), self.system.log_size()
        if state["ActiveState"] in ("inactive", "failed") and self.system.serves_ours():
            raise Rejected(f"an nginx runs that {UNIT} didn't start: end it (nginx -s quit); nothing was changed")
        exchange = None
        try:
            exchange = self._exchange()
            exchange.prepare()
        except OSError as error:
            if exchange:
                exchange.clear()
            self._withdraw()
            raise Rejected(f"{error}\nnginx's new configuration can't be written; nothing was changed") from error
        try:
            exchange.do()
            self._load(state)
        except (OSError, NotTaken) as error:
            kept = exchange.undo(self.ours.save_place)
            if load_again(self.system, state):
                exchange.clear()
            said = "\n".join([self.system.complaints(since), str(error), *(f"kept as {copy}" for copy in kept)]).strip()
            self._withdraw()
            raise Rejected(f"{said}\nnginx didn't take the new configuration; the old files are back") from error
        exchange.clear()
        self._settle()

    def _exchange(self) -> Exchange:
        """All that changes. Saves what others have written at these places. Raises OSError."""
        changes = self.changes()
        before = {place: mark_of(place) for place in (self.ours.manifest, *(self.root / path for path in changes))}
        for path in changes:
            self.system.changing(f"save {path}")
            saved = self.ours.save(path)
            if saved:
                self.saved[path] = saved
        for path, source in self.aim.sources.items():
            if isinstance(source, OwnedFile):
                self.ours.note(path, source)
        self.logs.note(self.aim)
        # The manifest first: after a cut, a file that we wrote is never mistaken for somebody else's.
        places = {
            self.ours.manifest: self.ours.file(),
            **{self.root / path: source for path, source in changes.items()},
        }
        make_directory(self.ours.kept, 0o700)
        return Exchange(places, self.root / JOURNAL, self.system.changing, before)

    def _settle(self) -> None:
        """Forget what is gone. A full disk is no reason to undo what runs: the next run does it."""
        with contextlib.suppress(OSError):
            self.logs.remove(self.aim)
            if not self.aim.generation:
                self.system.let_logs_be_rotated(is_wanted=False)
                self.ours.forget()
                self.system.remove_folders()
                return
            self.ours.let_go(path for path, source in self.aim.sources.items() if source is None)
            self.ours.times = times_of(self.root)
            self._keep_manifest()
            self.system.let_logs_be_rotated(is_wanted=True)

    def _keep_manifest(self) -> None:
        """Let the manifest say what is known now. Raises OSError."""
        if not self.ours.file().is_right():
            self.ours.file().put()

    def _withdraw(self) -> None:
        """Remove the copies and the logs that were made for a change that isn't made."""
        self.logs.withdraw()
        self.ours.withdraw(self.saved.values())
        self.saved.clear()

    def _load(self, state: Mapping[str, str]) -> None:
        """Let nginx load what is on the disk. Raises NotTaken unless it proves that it has, and OSError.

        `state` is what systemd knew before anything was changed.
        """
        needs_restart = state.get("ActiveState") == "active" and not self.system.serves_ours()
        self._systemctl("daemon-reload")
        if not self.aim.generation:
            if self.system.is_installed():
                self.system.make_ready_for_a_reload()
                self._systemctl("try-reload-or-restart", UNIT)
                self._wait_for(lambda: not self.system.serves_ours())
            return
        self.system.guard_probe_directory()
        self.system.remove_stale_sockets()
        self.system.make_ready_for_a_reload()
        self.logs.guard(self.aim)
        self._systemctl("enable", UNIT)
        # A reload costs no visitor a connection, and an nginx that can't take what it gets goes on as it was. Where
        # one is about to start, a reload would be content with that, though it has read the files that were there.
        is_starting = self.system.show().get("ActiveState") in ("activating", "failed")
        self._systemctl("restart" if is_starting else "reload-or-restart", UNIT)
        self._wait_for(self._answers)
        if needs_restart:
            # One that wasn't ours has its old limit of open files for as long as it runs.
            self._systemctl("restart", UNIT)
            self._wait_for(self._answers)

    def _systemctl(self, *words: str) -> None:
        code, said = self.system.systemctl(*words)
        if code != 0:
            raise NotTaken(said)

    def _answers(self) -> bool:
        socket = self.system.probe_socket_again if self.aim.is_elsewhere else self.system.probe_socket
        return self.system.proves([self.aim.generation, *self.ours.proof_names()], socket)

    def _wait_for(self, is_done: Callable[[], bool]) -> None:
        end = self.system.clock() + PROOF_SECONDS
        while not is_done():
            if self.system.clock() >= end:
                raise NotTaken(f"after {PROOF_SECONDS:g} s nginx still runs another configuration")
            self.system.sleep(PAUSE)


def _is(place: Path, source: Source) -> bool:
    """Whether what is wanted at a place is there."""
    if isinstance(source, OwnedFile):
        return source.is_right()
    return source is None and not os.path.lexists(place)


def _text(path: Path | None) -> str:
    """What `--diff` shows of a file. A link's own text is its target, which says little."""
    return path.read_bytes().decode(errors="replace") if path and path.is_file() and not path.is_symlink() else ""
