"""What the tests of all scenarios share."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from testinfra.host import Host

import collection  # first of all: it lets the tests import the project's own modules
from server import PROJECT, Server

assert collection


@pytest.fixture(scope="module")
def installed(host: Host, tmp_path_factory: pytest.TempPathFactory) -> Server:
    """The scenario's server with the unbroken app deployed from a copy that tests may change."""
    server = Server(host, tmp_path_factory.mktemp("server"))
    server.deploy()
    return server


@pytest.fixture
def server(installed: Server) -> Iterator[Server]:
    """The same, with source and settings as they were at first when the test has ended."""
    settings = dict(installed.app)
    yield installed
    installed.app = settings
    installed.others = []
    shutil.rmtree(installed.source)
    unwanted = shutil.ignore_patterns("tests", "__pycache__")
    shutil.copytree(PROJECT / "uwsgi-flask", installed.source, ignore=unwanted)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests come in the order in which they stand: a scenario is a story."""
    here = Path(__file__).parent
    items.sort(key=lambda item: "shared" in item.path.relative_to(here).parts if item.path.is_relative_to(here) else 0)
