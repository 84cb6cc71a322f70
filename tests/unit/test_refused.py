"""What a refused release is said to have failed of."""

from __future__ import annotations

import pytest
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.refused import Refused, cause_in, last_lines

WRITE = "the app may write only to the folder that STATE_DIRECTORY names"
BUILD = "name what the build needs in 'build_packages', such as gcc and python3-dev"
SAID = [
    ("ValueError: a\nImportError: no shop\nFailed to start.", "ImportError: no shop"),
    ("AssertionError\n", "AssertionError"),
    (
        "Error:\nUnable to load celery application.\nThe module shop was not found.",
        "Error: Unable to load celery application.",
    ),
    ("Error:", "Error:"),
    ("all is well", ""),
    (
        "OSError: [Errno 30] Read-only file system: '/opt/shop/releases/1/code/instance'",
        f"OSError: [Errno 30] Read-only file system: '/opt/shop/releases/1/code/instance'; {WRITE}",
    ),
    (
        "sqlite3.OperationalError: unable to open database file",
        f"sqlite3.OperationalError: unable to open database file; {WRITE}",
    ),
    (
        "error: command 'gcc' failed\nERROR: Failed to build installable wheels for some projects (misaka)",
        f"ERROR: Failed to build installable wheels for some projects (misaka); {BUILD}",
    ),
]


@pytest.mark.parametrize(("evidence", "cause"), SAID)
def test_the_cause_is_one_line_with_what_helps(evidence: str, cause: str) -> None:
    assert cause_in(evidence) == cause


def test_what_an_app_says_does_nothing_to_a_terminal() -> None:
    said = "\x1b]0;title\x07ValueError: \x1b[31mno\x1b[0m\r"
    assert Refused("probe", said).cause == r"\x1b]0;title\x07ValueError: no"
    assert last_lines(said) == [r"\x1b]0;title\x07ValueError: no"]
