"""Virtualenvs: what a build gets and may do, what root takes over of it, and what is seen of a later change."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import netrc
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from ansible_collections.uwsgi_flask.web.plugins.module_utils import files
from ansible_collections.uwsgi_flask.web.plugins.module_utils.layout import AppLayout
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases import interpreter, virtualenv
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.index import without_passwords
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.refused import Refused
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.system import System

KEY = "0123456789ab"
SOURCE_TIME = 1_600_000_000_123_456_789


class Cut(BaseException):
    """The run ends here."""


def ordinary(tree: Path) -> None:
    """What pip leaves."""
    package = tree / "lib/python3/site-packages/flask"
    (package / "__pycache__").mkdir(parents=True)
    (package / "app.py").write_text("x = 1\n")
    os.utime(package / "app.py", ns=(SOURCE_TIME, SOURCE_TIME))
    (package / "__pycache__/app.pyc").write_text("compiled")
    (tree / "bin").mkdir()
    (tree / "bin/flask").write_text("#!python\n")
    (tree / "bin/flask").chmod(0o755)
    (tree / "bin/python").symlink_to("/usr/bin/python3")
    (tree / "lib64").symlink_to("lib")


@dataclasses.dataclass
class Builder(System):
    """A machine on which `systemd-run` fills the tree that it is told to bind."""

    make: Callable[[Path], None] = ordinary
    code: int = 0
    printed: str = ""
    takes: float = 0
    commands: list[list[str]] = dataclasses.field(default_factory=list)
    done: list[str] = dataclasses.field(default_factory=list)
    cut_at: int | str = ""
    seen: dict[str, tuple[int, str]] = dataclasses.field(default_factory=dict)
    seconds: float = 0

    def doing(self, app: str, step: str) -> None:
        """Nobody waits for it."""

    def changing(self, what: str) -> None:
        if self.cut_at and what.startswith(str(self.cut_at)):
            self.cut_at = len(self.done)
        if len(self.done) == self.cut_at:
            # And whatever the run would do on its way out is cut too.
            raise Cut(what)
        self.done.append(what)

    def clock(self) -> float:
        return self.seconds

    def run(
        self, words: Sequence[str], environment: Mapping[str, str] | None = None, timeout: float | None = None
    ) -> tuple[int, str]:
        self.commands.append(list(words))
        if words[0] != "systemd-run":
            return 0, ""
        assert environment is None
        assert timeout is not None
        assert timeout > virtualenv.BUILD_SECONDS
        tree = Path(self.bound("BindPaths")[0][0])
        for path in [tree.parent, *tree.parent.iterdir()]:
            text = path.read_text() if path.is_file() else ""
            self.seen[path.name] = (path.stat().st_mode & 0o7777, text)
        self.make(tree)
        self.seconds += self.takes
        return self.code, self.printed

    @property
    def command(self) -> list[str]:
        """The one that builds."""
        (found,) = [words for words in self.commands if words[0] == "systemd-run"]
        return found

    def properties(self) -> list[str]:
        return [word.removeprefix("--property=") for word in self.command if word.startswith("--property=")]

    def bound(self, name: str) -> list[list[str]]:
        """Source and target of each bind."""
        (line,) = [line for line in self.properties() if line.startswith(f"{name}=")] if self.commands else []
        return [pair.split(":") for pair in line.partition("=")[2].split()]


@pytest.fixture
def app(tmp_path: Path) -> AppLayout:
    app = AppLayout("shop", group="root", prefix=str(tmp_path))
    app.virtualenvs.mkdir(parents=True)
    return app


def build(
    app: AppLayout,
    system: System,
    requirements: str = "flask==3.1.3\n",
    wheels: Sequence[Path] = (),
    **environment: str,
) -> Path:
    return virtualenv.build(system, app, KEY, interpreter.PYTHON, requirements, wheels, environment)


def mode(path: Path) -> int:
    return path.lstat().st_mode & 0o7777


def left(app: AppLayout) -> list[str]:
    return sorted(path.name for path in app.virtualenvs.iterdir())


# --- What a build gets --------------------------------------------------------------------------------------------


def test_it_is_built_at_the_path_that_it_will_have(app: AppLayout) -> None:
    system = Builder()
    final = build(app, system)
    assert final == app.virtualenvs / KEY
    assert [target for _source, target in system.bound("BindPaths")] == [str(final)]
    assert f"-m venv --clear {final}\n{final}/bin/pip install " in system.command[-1]


def inside(system: Builder, name: str) -> str:
    """Where a build finds what is bound for it by this name."""
    return next(target for source, target in system.bound("BindReadOnlyPaths") if source.endswith(f"/{name}"))


def test_pip_reads_a_copy_of_the_requirements_and_requires_their_hashes(app: AppLayout) -> None:
    system = Builder()
    build(app, system)
    assert system.seen["requirements.txt"] == (0o444, "flask==3.1.3\n")
    assert system.command[-1].endswith(f"--require-hashes --requirement {inside(system, 'requirements.txt')}")
    assert "--no-deps" not in system.command[-1]


def test_a_commit_is_installed_though_it_has_no_hash(app: AppLayout) -> None:
    """pip refuses it beside what has one, so it gets a step of its own, with the index that the file names."""
    system = Builder()
    commit = f"lib @ git+https://git.test/lib.git@{'a' * 40} ; python_version > '3'\n"
    build(app, system, requirements=f"--index-url x\nflask==3.1.3 \\\n    --hash=sha256:00\n{commit}# via lib\n")
    assert system.seen["commits.txt"] == (0o444, f"--index-url x\n{commit}")
    assert commit not in system.seen["requirements.txt"][1]
    _venv, first, second = system.command[-1].splitlines()
    assert first.endswith(f"--no-deps --require-hashes --requirement {inside(system, 'requirements.txt')}")
    assert second.endswith(f"--no-deps --requirement {inside(system, 'commits.txt')}")
    assert "--require-hashes" not in second


def test_pip_finds_the_wheels_of_the_release(app: AppLayout, tmp_path: Path) -> None:
    wheel = tmp_path / "shop-1.0-py3-none-any.whl"
    wheel.write_text("a wheel")
    wheel.chmod(0o600)
    system = Builder()
    found: list[str] = []

    def looking(tree: Path) -> None:
        found.extend(path.name for path in (tree.parent / "wheels").iterdir())
        ordinary(tree)

    system.make = looking
    build(app, system, wheels=[wheel])
    assert found == [wheel.name]
    assert system.seen["wheels"][0] == 0o755
    assert f"--find-links {inside(system, 'wheels')} " in system.command[-1]


def test_where_no_index_is_asked_pip_is_told_of_none(app: AppLayout, tmp_path: Path) -> None:
    wheel = tmp_path / "shop-1.0-py3-none-any.whl"
    wheel.write_text("zip")
    system = Builder()
    environment = {
        "PIP_INDEX_URL": "https://reader:secret@index.test/",
        "PIP_FIND_LINKS": "https://index.test/links",
        "CFLAGS": "-O2",
    }
    virtualenv.build(system, app, KEY, interpreter.PYTHON, "shop==1.0\n", [wheel], environment, asks_index=False)
    assert f" --no-index --find-links {inside(system, 'wheels')} --require-hashes " in system.command[-1]
    assert system.seen["environment"][1] == 'CFLAGS="-O2"\n'
    assert system.seen["netrc"][1] == ""
    build(app, plain := Builder(), wheels=[wheel])
    assert "--no-index" not in plain.command[-1]


@pytest.mark.parametrize(
    "option",
    [
        "DynamicUser=yes", "NoNewPrivileges=yes", "CapabilityBoundingSet=", "ProtectSystem=strict", "ProtectHome=yes",
        "PrivateDevices=yes", "ProtectProc=invisible", "ProtectKernelTunables=yes", "ProtectKernelModules=yes",
        "ProtectKernelLogs=yes", "ProtectControlGroups=yes", "RestrictNamespaces=yes", "RestrictSUIDSGID=yes",
        "LockPersonality=yes", "SystemCallFilter=@system-service", "UMask=0022", "RuntimeMaxSec=1800",
        "KillSignal=SIGKILL",
    ],
)  # fmt: skip
def test_it_is_built_in_a_sandbox(app: AppLayout, option: str) -> None:
    system = Builder()
    build(app, system)
    assert option in system.properties()


def test_nothing_of_the_app_is_seen_but_what_is_bound(app: AppLayout) -> None:
    system = Builder()
    build(app, system)
    assert f"TemporaryFileSystem={app.root}" in system.properties()
    sources = {source for name in ("BindPaths", "BindReadOnlyPaths") for source, _target in system.bound(name)}
    assert {Path(source).name for source in sources} == {"tree", "requirements.txt", "netrc"}
    assert len({Path(source).parent for source in sources}) == 1


def test_only_root_reaches_the_tree_that_the_builder_may_write(app: AppLayout) -> None:
    system = Builder()
    build(app, system)
    folder = Path(system.bound("BindPaths")[0][0]).parent
    assert (system.seen[folder.name][0], system.seen["tree"][0]) == (0o700, 0o777)


def test_what_pip_caches_is_kept_for_the_app_alone(app: AppLayout) -> None:
    system = Builder()
    build(app, system)
    assert {"CacheDirectory=web-build/shop", "CacheDirectoryMode=0700"} <= set(system.properties())
    # Where systemd makes such a directory: what is removed with the app.
    assert f"Environment=HOME={app.prefix}/var/cache/web-build/shop" in system.properties()
    assert str(app.build) == f"{app.prefix}/var/cache/private/web-build/shop"


def test_no_password_is_in_a_command_line(app: AppLayout) -> None:
    system = Builder()
    build(app, system, PIP_INDEX_URL="https://me:geheim@pypi.test/simple", TOKEN="geheim")
    assert "geheim" not in repr(system.commands)
    assert system.seen["environment"] == (0o600, 'PIP_INDEX_URL="https://pypi.test/simple"\nTOKEN="geheim"\n')
    file = next(source for source, _target in system.bound("BindReadOnlyPaths") if source.endswith("netrc"))
    assert f"EnvironmentFile={Path(file).parent}/environment" in system.properties()
    assert system.seen["netrc"][1] == 'machine pypi.test login "me" password "geheim"\n'


@pytest.mark.parametrize("code", [0, 1])
def test_nothing_of_a_build_is_left(app: AppLayout, code: int) -> None:
    with contextlib.suppress(Refused):
        build(app, Builder(code=code), TOKEN="geheim")
    assert left(app) == [KEY][code:]


def test_what_a_cut_run_left_at_work_is_stopped_first(app: AppLayout) -> None:
    system = Builder()
    build(app, system)
    assert system.commands[0] == ["systemctl", "stop", "web-build-shop.service"]
    assert "--unit=web-build-shop.service" in system.commands[1]


def test_what_a_cut_run_left_on_the_disk_is_not_taken(app: AppLayout) -> None:
    def again(tree: Path) -> None:
        assert list(tree.iterdir()) == []
        ordinary(tree)

    with pytest.raises(Cut):
        build(app, Builder(cut_at="copy"))
    (desk,) = app.virtualenvs.iterdir()
    assert list((desk / "tree").iterdir()) != []
    build(app, Builder(make=again))
    assert left(app) == [KEY]


# --- A build that fails -------------------------------------------------------------------------------------------


def test_a_refusal_says_what_pip_said(app: AppLayout) -> None:
    printed = "Collecting flsk\nERROR: No matching distribution found for flsk\n"
    with pytest.raises(Refused) as refused:
        build(app, Builder(code=1, printed=printed))
    assert refused.value.step == "virtualenv"
    assert refused.value.cause == "ERROR: No matching distribution found for flsk"
    assert refused.value.evidence == printed


def test_a_refusal_names_the_status_where_nothing_was_said(app: AppLayout) -> None:
    with pytest.raises(Refused, match="ended with status 7"):
        build(app, Builder(code=7))


@pytest.mark.parametrize("code", [1, 124])
def test_a_build_that_hangs_is_stopped_and_said_to(app: AppLayout, code: int) -> None:
    system = Builder(code=code, printed="ERROR: something else\n", takes=virtualenv.BUILD_SECONDS)
    with pytest.raises(Refused, match="took longer than 1800 s"):
        build(app, system)
    assert system.commands[-1] == ["systemctl", "stop", "web-build-shop.service"]


# --- What root takes over -----------------------------------------------------------------------------------------


@pytest.fixture(params=[0o000, 0o022, 0o027, 0o077], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    """Each umask that an administrator may have set."""
    before = os.umask(request.param)
    yield
    os.umask(before)


def test_everything_is_roots_and_the_app_reads_it(app: AppLayout, umask: None) -> None:
    venv = build(app, Builder())
    modes = {
        ".": 0o750, "bin": 0o750, "bin/flask": 0o750, "lib/python3/site-packages/flask/app.py": 0o640,
        "lib/python3/site-packages/flask/__pycache__/app.pyc": 0o640, virtualenv.MANIFEST: 0o640,
    }  # fmt: skip
    assert {path: mode(venv / path) for path in modes} == modes
    owners = {
        ((status := entry.stat(follow_symlinks=False)).st_uid, status.st_gid) for _name, entry in files.entries(venv)
    }
    assert owners == {(os.geteuid(), os.getegid())}


def test_links_stay_links(app: AppLayout) -> None:
    venv = build(app, Builder())
    assert {os.readlink(venv / "bin/python"), os.readlink(venv / "lib64")} == {"/usr/bin/python3", "lib"}


def test_byte_code_stays_good(app: AppLayout) -> None:
    """Python takes it only for a source of the same time."""
    venv = build(app, Builder())
    assert (venv / "lib/python3/site-packages/flask/app.py").stat().st_mtime_ns == SOURCE_TIME


def test_what_the_builder_still_has_open_isnt_the_virtualenvs(app: AppLayout) -> None:
    opened = []

    def make(tree: Path) -> None:
        ordinary(tree)
        opened.append((tree / "bin/flask").open("a"))

    venv = build(app, Builder(make=make))
    with opened[0] as file:
        file.write("evil")
    assert (venv / "bin/flask").read_text() == "#!python\n"
    assert virtualenv.damage(venv) == []


def test_a_suid_bit_doesnt_survive(app: AppLayout) -> None:
    def make(tree: Path) -> None:
        (tree / "sh").write_text("")
        (tree / "sh").chmod(0o6755)

    assert mode(build(app, Builder(make=make)) / "sh") == 0o750


def a_hard_link(tree: Path) -> None:
    os.link(tree.parents[3] / "requirements.txt", tree / "odd")


STRANGE = {
    "a hard link": a_hard_link,
    "a pipe": lambda tree: os.mkfifo(tree / "odd"),
}


@pytest.mark.parametrize("name", STRANGE)
def test_what_has_no_place_in_a_virtualenv_is_refused(app: AppLayout, name: str) -> None:
    (Path(app.prefix) / "opt/requirements.txt").write_text("a file of somebody else's")
    with pytest.raises(Refused, match="'odd'") as refused:
        build(app, Builder(make=STRANGE[name]))
    assert refused.value.step == "virtualenv"
    assert left(app) == []


def test_a_run_that_is_cut_off_anywhere_leaves_nothing_that_looks_whole(app: AppLayout) -> None:
    whole = [name for name, _path in files.entries(build(app, Builder()))]
    shutil.rmtree(app.virtualenvs / KEY)
    for cuts in range(1, 100):
        system = Builder(cut_at=cuts)
        with contextlib.suppress(Cut):
            build(app, system)
        found = virtualenv.find(app, KEY)
        assert found is None or [name for name, _path in files.entries(found)] == whole, system.done
        if found and len(system.done) < cuts:
            break
        shutil.rmtree(app.virtualenvs / KEY, ignore_errors=True)
    assert cuts > 5
    assert left(app) == [KEY]


# --- Finding and comparing ----------------------------------------------------------------------------------------


def test_one_that_was_damaged_is_left_and_another_built_beside_it(app: AppLayout) -> None:
    first = build(app, Builder())
    (first / "bin/flask").write_text("by hand")
    assert virtualenv.find(app, KEY) is None
    second = build(app, Builder())
    assert second == app.virtualenvs / f"{KEY}-2"
    (second / "bin/flask").unlink()
    third = build(app, Builder())
    assert third == app.virtualenvs / f"{KEY}-3"
    assert virtualenv.find(app, KEY) == third
    assert (first / "bin/flask").read_text() == "by hand"


def with_python(version: str, python: Path) -> Callable[[Path], None]:
    """What venv leaves, and pip, of the interpreter at a path."""

    def made(tree: Path) -> None:
        ordinary(tree)
        (tree / "bin/python").unlink()
        (tree / "bin/python").symlink_to(python)
        (tree / "pyvenv.cfg").write_text(f"home = {python.parent}\nversion = {version}\n")

    return made


def test_one_whose_python_has_become_another_is_not_used(app: AppLayout, tmp_path: Path) -> None:
    """Debian's /usr/bin/python3 leads to another Python after an upgrade. A point release changes nothing."""
    python = tmp_path / "python3"
    for minor in ("3.11", "3.13"):
        (tmp_path / f"python{minor}").touch()
    python.symlink_to("python3.11")
    venv = build(app, Builder(make=with_python("3.11.2", python)))
    assert virtualenv.find(app, KEY) == venv
    python.unlink()
    python.symlink_to("python3.13")
    assert virtualenv.orphaned(venv) == "it is for Python 3.11, and this host has 3.13 now"
    assert virtualenv.find(app, KEY) is None
    python.unlink()
    assert virtualenv.orphaned(venv) == f"its Python is gone ({python})"
    assert virtualenv.find(app, KEY) is None


def test_another_python_is_found_by_its_version(
    app: AppLayout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And run by its real path, around which it looks for its library."""
    monkeypatch.setattr(interpreter, "PATH", f"{tmp_path}/local:{tmp_path}/bin")
    for folder in ("elsewhere", "local", "bin"):
        (tmp_path / folder).mkdir()
    file = tmp_path / "elsewhere/python3.12"
    file.touch(0o755)
    with pytest.raises(Refused, match=f"'python' asks for 3.12, and this host has no {tmp_path}/local/python3.12 or "):
        interpreter.asked_for("3.12")
    (tmp_path / "bin/python3.12").symlink_to(file)
    assert interpreter.asked_for("3.12") == file
    assert interpreter.asked_for("") == Path("/usr/bin/python3")
    system = Builder()
    virtualenv.build(system, app, KEY, file, "", [], {})
    assert f"{file} -m venv --clear " in system.command[-1]
    monkeypatch.setattr(interpreter, "HIDDEN", (str(tmp_path / "elsewhere"),))
    with pytest.raises(Refused, match="where no app may look; move it to /opt"):
        interpreter.asked_for("3.12")


def test_what_an_interpreter_is_by_its_file(tmp_path: Path) -> None:
    """Not by the one that runs Ansible's modules, which may be any that the host has."""
    (tmp_path / "python3.13").touch()
    (tmp_path / "python3").symlink_to("python3.13")
    assert interpreter.minor_of(tmp_path / "python3") == "3.13"
    assert interpreter.minor_of(tmp_path / "python4") == ""


def test_a_link_that_leads_nowhere_is_no_free_place(app: AppLayout) -> None:
    (app.virtualenvs / KEY).symlink_to("gone")
    assert build(app, Builder()) == app.virtualenvs / f"{KEY}-2"


def test_another_key_is_another_virtualenv(app: AppLayout) -> None:
    (app.virtualenvs / KEY).mkdir()
    shutil.move(build(app, Builder()), app.virtualenvs / f"{KEY}ff")
    assert virtualenv.find(app, KEY) is None
    assert virtualenv.find(app, f"{KEY}ff") is not None


def test_where_no_virtualenv_is_none_is_found(app: AppLayout) -> None:
    app.virtualenvs.rmdir()
    assert virtualenv.find(app, KEY) is None


def replaced_by_a_folder(venv: Path) -> None:
    (venv / "bin/flask").unlink()
    (venv / "bin/flask").mkdir()


def replaced_by_a_link(venv: Path) -> None:
    (venv / "bin/flask").rename(venv.parent / "flask")
    (venv / "bin/flask").symlink_to(venv.parent / "flask")


def edited_in_secret(venv: Path) -> None:
    """Same size, and times put back."""
    file = venv / "lib/python3/site-packages/flask/app.py"
    status = file.stat()
    file.write_text("x = 2\n")
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))


def another_link(venv: Path) -> None:
    (venv / "lib64").unlink()
    (venv / "lib64").symlink_to("bin")


EDITS: dict[str, tuple[Callable[[Path], object], list[str]]] = {
    "edited": (lambda venv: (venv / "bin/flask").write_text("by hand"), ["bin/flask"]),
    "edited in secret": (edited_in_secret, ["lib/python3/site-packages/flask/app.py"]),
    "byte code edited": (
        lambda venv: (venv / "lib/python3/site-packages/flask/__pycache__/app.pyc").write_text("evil"),
        ["lib/python3/site-packages/flask/__pycache__/app.pyc"],
    ),
    "missing": (lambda venv: (venv / "bin/flask").unlink(), ["bin/flask"]),
    "added": (lambda venv: (venv / "bin/new").write_text("x"), ["bin/new"]),
    "folder added": (lambda venv: (venv / "bin/new").mkdir(), ["bin/new"]),
    "made writable": (lambda venv: (venv / "bin/flask").chmod(0o777), ["bin/flask"]),
    "folder made writable": (lambda venv: (venv / "bin").chmod(0o777), ["bin"]),
    "another link": (another_link, ["lib64"]),
    "a link for a file": (replaced_by_a_link, ["bin/flask"]),
    "a folder for a file": (replaced_by_a_folder, ["bin/flask"]),
    "no manifest": (lambda venv: (venv / virtualenv.MANIFEST).unlink(), [virtualenv.MANIFEST]),
    "manifest cut short": (lambda venv: (venv / virtualenv.MANIFEST).write_text("{"), [virtualenv.MANIFEST]),
}


@pytest.mark.parametrize("name", EDITS)
def test_damage_is_seen(app: AppLayout, name: str) -> None:
    venv = build(app, Builder())
    assert virtualenv.damage(venv) == []
    edit, damaged = EDITS[name]
    # The clock of a file system has steps of milliseconds.
    time.sleep(0.02)
    edit(venv)
    assert virtualenv.damage(venv) == damaged


def byte_code(venv: Path) -> None:
    (venv / "bin/__pycache__").mkdir()
    (venv / "bin/__pycache__/x.pyc").write_text("")


def made_writable_and_mended(venv: Path) -> None:
    (venv / "bin/flask").chmod(0o777)
    (venv / "bin/flask").chmod(0o750)


def restored_from_a_backup(venv: Path) -> None:
    shutil.copytree(venv, f"{venv}~", symlinks=True)
    shutil.rmtree(venv)
    shutil.move(f"{venv}~", venv)


HARMLESS: dict[str, Callable[[Path], object]] = {
    "touched": lambda venv: (venv / "bin/flask").touch(),
    "made writable and mended": made_writable_and_mended,
    "byte code that root's Python left": byte_code,
    "restored from a backup": restored_from_a_backup,
}


@pytest.mark.parametrize("name", HARMLESS)
def test_what_changes_nothing_is_no_damage(app: AppLayout, name: str) -> None:
    venv = build(app, Builder())
    HARMLESS[name](venv)
    assert virtualenv.damage(venv) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_what_the_app_could_have_written_to_is_damaged(app: AppLayout) -> None:
    venv = build(app, Builder())
    os.chown(venv / "bin/flask", 12345, -1)
    assert virtualenv.damage(venv) == ["bin/flask"]


def test_files_that_nobody_touched_arent_read(app: AppLayout, monkeypatch: pytest.MonkeyPatch) -> None:
    """There are thousands, and a run with nothing to do compares them all."""
    venv = build(app, Builder())
    read: list[str] = []

    def sha256(path: Path) -> str:
        read.append(path.name)
        return ""

    monkeypatch.setattr(files, "sha256", sha256)
    assert virtualenv.damage(venv) == []
    (venv / "bin/flask").touch()
    virtualenv.damage(venv)
    assert read == ["flask"]


def test_a_name_that_isnt_utf_8_is_no_obstacle(app: AppLayout) -> None:
    def make(tree: Path) -> None:
        (tree / os.fsdecode(b"caf\xe9")).write_text("")

    venv = build(app, Builder(make=make))
    assert virtualenv.damage(venv) == []
    assert len(json.loads((venv / virtualenv.MANIFEST).read_text())) == 1


# --- Passwords of indexes -----------------------------------------------------------------------------------------


def accounts(text: str, tmp_path: Path) -> dict[str, tuple[str, str]]:
    """{host: (user, password)} as pip reads it."""
    (tmp_path / "netrc").write_text(text)
    return {host: (user, password or "") for host, (user, _, password) in netrc.netrc(tmp_path / "netrc").hosts.items()}


def test_passwords_leave_the_urls(tmp_path: Path) -> None:
    variables, text = without_passwords(
        {
            "PIP_INDEX_URL": "https://me:se%20cret@one.test:8443/simple",
            "PIP_EXTRA_INDEX_URL": "http://two.test/ http://you:a%22b%5Cc@three.test/simple",
            "PIP_CERT": "/etc/ca.crt",
        }
    )
    assert variables == {
        "PIP_INDEX_URL": "https://one.test:8443/simple",
        "PIP_EXTRA_INDEX_URL": "http://two.test/ http://three.test/simple",
        "PIP_CERT": "/etc/ca.crt",
    }
    assert accounts(text, tmp_path) == {"one.test": ("me", "se cret"), "three.test": ("you", 'a"b\\c')}


def test_a_second_account_on_a_host_stays_where_it_is(tmp_path: Path) -> None:
    urls = "https://a:1@x.test/one https://b:2@x.test/two https://a:1@x.test/three"
    variables, text = without_passwords({"PIP_EXTRA_INDEX_URL": urls})
    assert variables["PIP_EXTRA_INDEX_URL"] == "https://x.test/one https://b:2@x.test/two https://x.test/three"
    assert accounts(text, tmp_path) == {"x.test": ("a", "1")}


@pytest.mark.parametrize(
    "environment",
    [
        {"HTTPS_PROXY": "http://me:secret@proxy.test:3128"},
        {"PIP_INDEX_URL": "https://token@x.test/simple"},
        {"NETRC": "/etc/netrc", "PIP_INDEX_URL": "https://me:secret@x.test/simple"},
        {},
    ],
)
def test_what_pip_takes_from_no_netrc_file_stays(environment: dict[str, str]) -> None:
    """A proxy's password; and who has such a file already keeps it."""
    assert without_passwords(environment) == (environment, "")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to another group")
def test_one_that_the_app_cant_read_is_not_found(app: AppLayout) -> None:
    """An app that has got a group of its own can't use what was built for the one before."""
    built = build(app, Builder())
    assert virtualenv.find(app, KEY) == built
    os.chown(built, -1, 61001)
    assert virtualenv.find(app, KEY) is None
