"""What the action of a release sends: small code within the call, large code as a file, nothing twice."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.uwsgi_flask.web.plugins.action import release
from ansible_collections.uwsgi_flask.web.plugins.action.release import IN_THE_CALL, ActionModule


def test_nothing_is_sent_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The host lacks the code of the first two, as is known beforehand, and finds that the third's is damaged."""
    sizes = {"large": IN_THE_CALL + 10_000, "small": 100, "damaged": 100}
    apps = []
    for name, size in sizes.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "app.py").write_bytes(Random(size).randbytes(size))
        about = {"id": name, "source": str(tmp_path / name), "wheelhouse": "", "files": [["app.py", "", False]]}
        apps.append({"app": {"name": name}, "release": about})
    monkeypatch.setattr(release, "texts", lambda *_given: {})
    monkeypatch.setattr(release, "Renderer", lambda *_given: None)
    action = ActionModule.__new__(ActionModule)
    action._task = SimpleNamespace(check_mode=False)
    action._connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir=None))
    files: list[str] = []
    calls: list[dict[str, Any]] = []

    def sent(_archive: str, called: str) -> str:
        files.append(called)
        return f"/tmp/{called}"

    def send(arguments: dict[str, Any], _variables: Any) -> dict[str, Any]:
        calls.append(arguments)
        return {"needs_code": ["damaged"]} if len(calls) == 1 else {"apps": []}

    monkeypatch.setattr(action, "_sent", sent)
    monkeypatch.setattr(action, "_send", send)
    monkeypatch.setattr(action, "_remove_tmp_path", lambda _path: None)
    known = {"damaged": {"releases": ["damaged"]}}
    action._deploy({"templates": "", "web": {}, "known": known, "apps": apps}, {})
    assert files == ["large.code.tar.gz"]
    assert [sorted(json.loads(call["packed"])) for call in calls] == [["small"], ["damaged", "small"]]
    assert [call["archives"] for call in calls] == [{"large": "/tmp/large.code.tar.gz"}] * 2
    assert calls[1]["all_is_sent"]
