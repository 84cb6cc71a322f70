"""The program that certbot runs after a renewal, on a host without Ansible."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils import renewal_hook as tested
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.renewal_hook import renewal_hook

RENEWAL = "ansible_collections.uwsgi_flask.web.plugins.module_utils.acme.renewal"
# Python without a single package that isn't its own.
BARE = [sys.executable, "-I", "-S"]


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "web"
    path.write_bytes(renewal_hook())
    return path


def run(*words: str) -> str:
    done = subprocess.run([*BARE, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_its_bytes_are_always_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or every deploy would change the host."""
    made = renewal_hook()
    monkeypatch.setattr("time.time", lambda: 2_000_000_000.0)
    assert renewal_hook() == made


def test_it_begins_as_a_program_that_heeds_no_environment(program: Path) -> None:
    assert program.read_bytes().startswith(b"#!/usr/bin/python3 -I\nPK")


def test_it_needs_nothing_but_python_and_runs_the_renewal(program: Path) -> None:
    told = f"import sys; sys.path.insert(0, {str(program)!r}); import {RENEWAL} as it; print(it.main.__module__)"
    assert run("-c", told) == RENEWAL
    main = zipfile.ZipFile(io.BytesIO(program.read_bytes())).read("__main__.py").decode()
    assert f"from {RENEWAL} import main\n\nsys.exit(main())" in main


def test_an_ansible_that_is_on_the_host_is_never_taken_for_its_own(program: Path, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    package = theirs / "ansible_collections"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise SystemExit('theirs')\n")
    # A namespace package in another place would be joined to it.
    (theirs / "ansible_collections/uwsgi_flask").mkdir()
    told = (
        f"import sys; sys.path[:0] = [{str(program)!r}, {str(theirs)!r}]; import {RENEWAL} as it; print(it.__file__); "
        "print(len(sys.modules['ansible_collections'].__path__))"
    )
    assert run("-c", told).splitlines() == [f"{program}/{RENEWAL.replace('.', '/')}.py", "1"]


def test_every_part_that_is_named_is_in_it(program: Path) -> None:
    names = zipfile.ZipFile(program).namelist()
    for part in tested.PARTS:
        assert any(name.startswith(f"{tested.PACKAGE}/{part}") for name in names), part
    assert len(names) == len({*names})
