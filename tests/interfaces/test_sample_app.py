"""The sample app's own requirements."""

from __future__ import annotations

import re

from project import PROJECT


def test_it_stands_above_the_known_faults() -> None:
    """No audit tool can be trusted without its database; these are the versions that the known faults ended with."""
    text = (PROJECT / "uwsgi-flask/requirements.txt").read_text()
    pinned = re.findall(r"^(\w+)==([\d.]+)", text, re.MULTILINE)
    versions = {name: tuple(map(int, version.split("."))) for name, version in pinned}
    assert versions["flask"] >= (3, 1, 3)
    assert versions["werkzeug"] >= (3, 1, 6)
    assert versions["jinja2"] >= (3, 1, 6)
