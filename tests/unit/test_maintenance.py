"""An app closed to visitors, by a folder that nginx looks for."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.uwsgi_flask.web.plugins.module_utils.layout import AppLayout
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.maintenance import (
    DEFAULT_PAGE,
    THIS_HOST,
    Maintenance,
)
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.system import System


class Cut(BaseException):
    """The run ends here."""


@pytest.fixture
def maintenance(tmp_path: Path) -> Maintenance:
    layout = AppLayout("shop", prefix=str(tmp_path))
    layout.root.mkdir(parents=True)
    return Maintenance(layout, System())


def test_closed_and_open_again(maintenance: Maintenance) -> None:
    assert maintenance.let_pass() is None
    assert not maintenance.is_closed([], "")
    maintenance.close(["203.0.113.7"], "")
    assert maintenance.let_pass() == ["203.0.113.7"]
    assert maintenance.is_closed(["203.0.113.7"], "")
    folder = maintenance.layout.maintenance
    assert {path.name for path in folder.iterdir()} == {"page.html", "203.0.113.7", *THIS_HOST}
    assert (folder / "page.html").read_text() == DEFAULT_PAGE
    assert (folder.stat().st_mode & 0o777, (folder / "page.html").stat().st_mode & 0o777) == (0o755, 0o644)
    maintenance.open()
    assert maintenance.let_pass() is None
    assert list(maintenance.layout.root.iterdir()) == []


def test_changed_while_it_is_closed(maintenance: Maintenance) -> None:
    maintenance.close(["203.0.113.7"], "")
    assert not maintenance.is_closed(["198.51.100.1"], "mine")
    maintenance.close(["198.51.100.1"], "mine")
    assert maintenance.is_closed(["198.51.100.1"], "mine")
    (maintenance.layout.maintenance / "page.html").unlink()
    assert not maintenance.is_closed(["198.51.100.1"], "mine")


def test_a_run_that_is_cut_closes_it_with_its_page_or_not_at_all(
    maintenance: Maintenance, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    cut_at = -1

    def changing(_self: System, what: str) -> None:
        steps.append(what)
        if len(steps) - 1 == cut_at:
            raise Cut

    monkeypatch.setattr(System, "changing", changing)
    maintenance.close([], "")
    maintenance.open()
    for number in range(len(steps) - 1):
        steps.clear()
        cut_at = number
        with pytest.raises(Cut):
            maintenance.close([], "")
        assert maintenance.let_pass() is None
    cut_at = -1
    maintenance.close([], "")
    assert maintenance.is_closed([], "")
