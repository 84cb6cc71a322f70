"""Random orders of events on a host with nginx: whatever happens, what serves goes on serving.

The transaction's own code runs; nginx and systemd are those of tests/fake_nginx.py. The invariants: an app that nginx
serves is served until somebody takes it off; what is on the disk passes nginx's test; no text that nginx rejected
outlasts the run that learns of it; an undisturbed run converges, and the one after it changes nothing; and nothing that
a hand has written is ever lost.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from ansible_collections.uwsgi_flask.web.plugins.module_utils.layout import PROBE_SOCKET
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.places import DEFAULT_SITE, site_file
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.rejected import Rejected
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.tree import generation_in, read_tree
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from fake_nginx import Cut, Nginx
from orders import random_orders

APPS = ("shop", "wiki", "blog")
SOME_APPS = st.lists(st.sampled_from(APPS), min_size=1, unique=True)
AN_APP = st.sampled_from(APPS)
# More than the changes that any of the runs makes.
MOMENT = st.integers(0, 45)
# What comes right after a cut, more often than chance would have it.
NEXT = st.lists(st.sampled_from(["kill", "boot", "reject", "fail"]), max_size=2, unique=True)
# Passes the test, and nginx doesn't take it: a port that somebody else has.
ILL = "listen 8081;"


class Host(RuleBasedStateMachine):
    """One host, three apps, a person, and bad luck."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="model-"))
        self.nginx = Nginx(self.folder)
        self.nginx.refused = ILL.encode()
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(os, "fsync", lambda handle: None)
        self.count = 0
        self.served: set[str] = set()
        # Apps that somebody was taking off when the run was cut.
        self.leaving: set[str] = set()
        self.by_hand: list[str] = []
        # nginx ended while something unproven was on the disk: nothing of ours runs until the next run.
        self.is_down = False

    def teardown(self) -> None:
        self.patch.undo()
        shutil.rmtree(self.folder)

    # --- What a person does -------------------------------------------------------------------------------------

    @rule(apps=SOME_APPS)
    def deploy(self, apps: list[str]) -> None:
        """An undisturbed run of some apps; the one after it changes nothing."""
        texts = self._texts(apps)
        self.nginx.deploy(**texts)
        self.served |= set(apps)
        self.leaving.clear()
        self._assert_settled()
        assert self.nginx.sockets == {PROBE_SOCKET}
        self.nginx.steps.clear()
        assert self.nginx.wanted(**texts).is_live()
        assert self.nginx.steps == []

    @rule(apps=SOME_APPS, text=st.sampled_from(["nonsense;", ILL]))
    def deploy_what_is_rejected(self, apps: list[str], text: str) -> None:
        before = self._reachable()
        with pytest.raises(Rejected):
            self.nginx.deploy(**dict.fromkeys(apps, text))
        self._assert_settled()
        assert before <= self._reachable()

    @rule(apps=SOME_APPS, moment=MOMENT, text=st.sampled_from(["", ILL]), then=NEXT)
    def deploy_cut_off(self, apps: list[str], moment: int, text: str, then: list[str]) -> None:
        texts = {app: text + more for app, more in self._texts(apps).items()}
        self._cut_off(moment, lambda: self.nginx.deploy(**texts), then)

    @rule(apps=SOME_APPS, moment=MOMENT)
    def deploy_on_a_full_disk(self, apps: list[str], moment: int) -> None:
        self.nginx.steps.clear()
        self.nginx.full_at = moment
        try:
            self.nginx.deploy(**self._texts(apps))
            self.served |= set(apps)
        except Rejected:
            pass
        except OSError:
            assert self._is_cut()
        finally:
            self.nginx.full_at = -1

    @rule(app=AN_APP)
    def take_off(self, app: str) -> None:
        """As teardown of one app does it: nothing is known but its name."""
        if not self._is_deployed():
            return
        self.nginx.take_off(app)
        self.served.discard(app)
        self._assert_settled()
        assert not os.path.lexists(self.nginx.root / site_file(app)) or app not in self.nginx.ours().files

    @rule(app=AN_APP, moment=MOMENT, then=NEXT)
    def take_off_cut_off(self, app: str, moment: int, then: list[str]) -> None:
        if self._is_deployed():
            self.leaving |= self.served & {app}
            self.served.discard(app)
            self._cut_off(moment, lambda: self.nginx.take_off(app), then)

    @rule(moment=MOMENT, then=NEXT)
    def tear_down_cut_off(self, moment: int, then: list[str]) -> None:
        if self.nginx.ours().exists():
            self.leaving |= self.served
            self.served.clear()
            self._cut_off(moment, self.nginx.tear_down, then)

    @rule()
    def tear_down(self) -> None:
        if self.nginx.ours().exists():
            self.nginx.tear_down()
            self.served.clear()
            self.leaving.clear()
            self._assert_settled()
            assert not self.nginx.serves_ours()

    @rule(app=AN_APP)
    def edit(self, app: str) -> None:
        """A hand edits an app's file, or makes one of that name."""
        self.count += 1
        place = self.nginx.root / site_file(app)
        before = place.read_text() if place.is_file() else f"server_name their{self.count}.test;\n"
        self.by_hand.append(f"# by hand {self.count}\n")
        # What is edited is what is saved: an earlier edit of the same file is in it.
        place.write_text(before + self.by_hand[-1])

    # --- What happens -------------------------------------------------------------------------------------------

    @precondition(lambda self: self.nginx.drop_in.exists())
    @rule()
    def kill(self) -> None:
        self.nginx.kill()
        self._look()

    @precondition(lambda self: self.nginx.drop_in.exists() and not self._is_cut())
    @rule(apps=SOME_APPS, is_killed=st.booleans())
    def deploy_while_nginx_cant_take_anything(self, apps: list[str], is_killed: bool) -> None:
        """Somebody else has its port for a while; it may be down when the run comes."""
        self.nginx.takes_it = False
        if is_killed:
            self.nginx.kill()
        with pytest.raises(Rejected):
            self.nginx.deploy(**self._texts(apps))
        self.nginx.takes_it = True
        self._assert_settled()

    @rule()
    def boot(self) -> None:
        self.nginx.boot()
        self._look()

    @rule()
    def lose_the_socket(self) -> None:
        self.nginx.probe_socket.unlink(missing_ok=True)

    @rule()
    def lose_the_sockets_folder(self) -> None:
        shutil.rmtree(self.nginx.probe_socket.parent, ignore_errors=True)

    @rule()
    def find_a_stale_socket(self) -> None:
        place = self.nginx.probe_socket_again
        if place.parent.is_dir() and not os.path.lexists(place):
            os.mknod(place, stat.S_IFSOCK | 0o666)

    @rule()
    def lose_the_pid_file(self) -> None:
        self.nginx.pid_file.unlink(missing_ok=True)

    @precondition(lambda self: self.nginx.drop_in.exists())
    @rule()
    def lose_the_logs(self) -> None:
        shutil.rmtree(self.nginx.logs, ignore_errors=True)

    # --- What must hold -----------------------------------------------------------------------------------------

    @invariant()
    def what_serves_goes_on_serving(self) -> None:
        self.nginx.tick()
        if self.is_down:
            return
        assert self.nginx.active
        missing = {app for app in self.served if f"server_name {app}.test;" not in self._loaded()}
        assert not missing

    @invariant()
    def what_is_on_the_disk_passes_the_test(self) -> None:
        assert self.nginx.boots()

    @invariant()
    def nothing_that_a_hand_wrote_is_lost(self) -> None:
        whole = "".join(self.nginx.content().values())
        assert [text for text in self.by_hand if text not in whole] == []

    # --- Helpers ------------------------------------------------------------------------------------------------

    def _texts(self, apps: list[str]) -> dict[str, str]:
        self.count += 1
        return dict.fromkeys(apps, f"listen unix:{PROBE_SOCKET};\n# version {self.count}\n")

    def _loaded(self) -> str:
        return b"".join(self.nginx.loaded.values()).decode()

    def _reachable(self) -> set[str]:
        """What visitors reach and a rejected run must leave: apps, or the distribution's own site where none is."""
        apps = {app for app in self.served | self.leaving if f"server_name {app}.test;" in self._loaded()}
        return apps or (set() if self.leaving else {DEFAULT_SITE} & self.nginx.loaded.keys())

    def _is_deployed(self) -> bool:
        return self.nginx.ours().exists() and bool(generation_in(read_tree(self.nginx.root)))

    def _is_cut(self) -> bool:
        return (self.nginx.root / ".distribution/exchange.json").exists()

    def _cut_off(self, moment: int, run: Callable[[], object], then: list[str]) -> None:
        self.nginx.steps.clear()
        self.nginx.cut_at = moment
        try:
            run()
        except (Cut, Rejected):
            pass
        finally:
            self.nginx.cut_at = -1
        for what in then:
            if what == "boot":
                self.boot()
            elif what == "kill" and self.nginx.drop_in.exists():
                self.kill()
            else:
                self.deploy_what_is_rejected(["shop"], ILL if what == "fail" else "nonsense;")

    def _look(self) -> None:
        """Whether nginx is up again, which it must be unless what is on the disk is what it doesn't take."""
        self.is_down = not self.nginx.active
        assert not self.is_down or ILL in "".join(self.nginx.content().values())

    def _assert_settled(self) -> None:
        """What an undisturbed run leaves, also one that was rejected."""
        self.nginx.tick()
        self.is_down = False
        assert self.nginx.active
        texts = read_tree(self.nginx.root)
        assert ILL.encode() not in b"".join(texts.values())
        assert not self._is_cut()
        assert not [path for path in self.nginx.content() if path.endswith((".old", ".unfinished"))]


TestHost: Any = Host.TestCase
TestHost.settings = random_orders(150)


@pytest.mark.parametrize("moment", range(0, 30, 3))
def test_a_hands_file_in_the_place_of_a_block_that_never_came(moment: int) -> None:
    """The manifest knows it. Another run, cut off too, moves the socket for probes."""
    host = Host()
    try:
        host.deploy(["wiki", "shop"])
        host.deploy_cut_off(["wiki", "shop", "blog"], 12, "listen 8081;", [])
        host.lose_the_socket()
        host.edit("blog")
        host.take_off_cut_off("wiki", moment, [])
        host.tear_down()
        host.nothing_that_a_hand_wrote_is_lost()
    finally:
        host.teardown()
