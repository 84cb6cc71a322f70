"""Another nginx in place of the old one: the old one goes only when the other has workers."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.successor import NoSuccessor, Succession


class Nginx:
    """An nginx that answers signals; `comes` and `workers` say after how many looks another one is there."""

    def __init__(self, folder: Path, comes: int = 2, workers: int = 4) -> None:
        self.folder, self.comes, self.workers = folder, comes, workers
        self.now = 0
        self.signals: list[tuple[int, int]] = []
        (folder / "nginx.pid").write_text("10\n")
        self._children(10, "11 12 ")
        self.succession = Succession(folder / "nginx.pid", folder, self.kill, self.sleep, lambda: float(self.now))

    def _children(self, pid: int, who: str) -> None:
        folder = self.folder / str(pid) / "task" / str(pid)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "children").write_text(who)

    def kill(self, pid: int, number: int) -> None:
        self.signals.append((pid, number))

    def sleep(self, _seconds: float) -> None:
        self.now += 1
        if self.now == self.comes:
            (self.folder / "nginx.pid").write_text("20\n")
            self._children(20, "")
        if self.now == self.workers:
            self._children(20, "21 22 ")


def test_the_old_one_goes_when_the_other_has_workers(tmp_path: Path) -> None:
    nginx = Nginx(tmp_path)
    nginx.succession.run()
    assert nginx.signals == [(10, signal.SIGUSR2), (10, signal.SIGQUIT)]
    assert nginx.now == nginx.workers


@pytest.mark.parametrize(("comes", "workers"), [(99, 99), (2, 99)])
def test_the_old_one_stays_where_no_other_comes_up(tmp_path: Path, comes: int, workers: int) -> None:
    nginx = Nginx(tmp_path, comes, workers)
    with pytest.raises(NoSuccessor, match="that one serves as before"):
        nginx.succession.run()
    assert nginx.signals == [(10, signal.SIGUSR2)]


def test_no_nginx_at_all(tmp_path: Path) -> None:
    nginx = Nginx(tmp_path)
    (tmp_path / "nginx.pid").unlink()
    with pytest.raises(NoSuccessor, match="nginx doesn't run"):
        nginx.succession.run()
    assert nginx.signals == []
