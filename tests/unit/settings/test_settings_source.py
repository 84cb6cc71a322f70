"""What a source must hold, what it must not, and what its requirements file may say."""

from __future__ import annotations

import gzip
import hashlib
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.source import folder as source_room
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.source.folder import code_files

from settings import Workshop, app


def test_the_source_is_there(workshop: Workshop) -> None:
    assert workshop.problem(app(source="elsewhere")) == (
        f"web_apps: 'shop' has 'source': there is no folder '{workshop.folder}/elsewhere'; "
        "give one, relative to the playbook or absolute"
    )


def test_a_file_is_no_source(workshop: Workshop) -> None:
    assert workshop.problem(app(source="shop/flask_wsgi.py")) == (
        f"web_apps: 'shop' has 'source': '{workshop.source}/flask_wsgi.py' is a file; give the folder that it is in"
    )


def test_the_source_of_an_absent_app_may_be_gone(workshop: Workshop) -> None:
    assert workshop.problems({"name": "old-shop", "state": "absent"}) == []


@pytest.mark.parametrize("module", ["flask_wsgy", "flask_wsgi.web", "static"])
def test_the_module_is_there(workshop: Workshop, module: str) -> None:
    told = workshop.problem(app(module=module))
    beginning = f"web_apps: 'shop' has 'module': '{module}', but there is no such module in '{workshop.source}'"
    near = ". " if module == "static" else "; did you mean 'flask_wsgi'? "
    assert told == f"{beginning}{near}Known modules: flask_wsgi"


def test_a_module_that_pip_installs_needs_one_of_the_source_that_imports_it(workshop: Workshop) -> None:
    assert workshop.problem(app(module="isso.run")) == (
        f"web_apps: 'shop' has 'module': 'isso.run', but there is no such module in '{workshop.source}'. "
        "Known modules: flask_wsgi; what pip installs is imported by a module of the source: 'from isso.run import …'"
    )


@pytest.mark.parametrize(("module", "path"), [("pkg", "pkg/__init__.py"), ("pkg.web", "pkg/web.py")])
def test_the_module_may_be_in_a_package(workshop: Workshop, module: str, path: str) -> None:
    workshop.write(f"shop/{path}", "app = made()\n")
    assert workshop.problems(app(module=module)) == []


def test_the_module_must_be_part_of_the_release(workshop: Workshop) -> None:
    workshop.write("shop/venv/web.py", "app = None\n")
    assert "'shop' has 'module': 'venv.web'" in workshop.problem(app(module="venv.web"))


def test_a_static_folder_is_there_if_it_is_named(workshop: Workshop) -> None:
    assert workshop.problem(app(static_folder="publik")) == (
        f"web_apps: 'shop' has 'static_folder': there are no files in '{workshop.source}/publik'"
    )
    workshop.write("shop/publik/style.css", "")
    assert workshop.problems(app(static_folder="publik")) == []
    (workshop.source / "static" / "style.css").unlink()
    assert workshop.problems(app()) == []


def test_a_static_folder_publishes_no_code(workshop: Workshop) -> None:
    workshop.write("shop/app/sub/views.py", "")
    assert workshop.problem(app(static_folder="app")) == (
        "web_apps: 'shop' has 'static_folder': nginx would publish the code in 'app/sub/views.py'; keep the two apart"
    )


@pytest.mark.parametrize("page", ["error.html", "404.html", "502.html"])
def test_error_pages_are_there_if_they_are_named(workshop: Workshop, page: str) -> None:
    for other in ("errors/404.html", "static/404.html", "static/errors/503.html", "static/errors/en/404.html"):
        workshop.write(f"shop/{other}", "")
    assert workshop.problem(app(error_pages="errors")) == (
        "web_apps: 'shop' has 'error_pages': there is neither error.html nor a page like 404.html in "
        f"'{workshop.source}/static/errors'; put one there, or name another folder of the static folder"
    )
    workshop.write(f"shop/static/errors/{page}", "")
    assert workshop.problems(app(error_pages="errors")) == []


# --- What a release can't hold ------------------------------------------------------------------------------------


def _socket(path: Path) -> None:
    # Where sockets are bound, a path of over 100 bytes is refused.
    with socket.socket(socket.AF_UNIX) as one:
        here = os.getcwd()
        os.chdir(path.parent)
        try:
            one.bind(path.name)
        finally:
            os.chdir(here)


ODD: dict[str, tuple[Callable[[Path], object], str]] = {
    "a link to a file outside": (lambda path: path.symlink_to("/etc/passwd"), "is a link out of the source; {stands}"),
    "a link to a file beside": (
        lambda path: path.symlink_to("../../templates/ini.j2"),
        "is a link out of the source; {stands}",
    ),
    "a link to a folder outside": (lambda path: path.symlink_to("/etc"), "is a link to a folder; {stands}"),
    "a link to its own folder": (lambda path: path.symlink_to("."), "is a link to a folder; {stands}"),
    "a link to nothing": (lambda path: path.symlink_to("nowhere"), "is a link to nothing; {stands}"),
    "a link to itself": (
        lambda path: path.symlink_to(path.name),
        "is a link that can't be followed (Too many levels of symbolic links); {stands}",
    ),
    "a link through a file": (
        lambda path: path.symlink_to("style.css/x"),
        "is a link that can't be followed (Not a directory); {stands}",
    ),
    "a link to a device": (lambda path: path.symlink_to("/dev/null"), "is a link out of the source; {stands}"),
    "a pipe": (os.mkfifo, "is a pipe, a socket or a device; remove it"),
    "a socket": (_socket, "is a pipe, a socket or a device; remove it"),
}


@pytest.mark.parametrize("what", ODD)
def test_what_a_release_cant_hold(workshop: Workshop, what: str) -> None:
    make, fault = ODD[what]
    make(workshop.source / "static" / "odd")
    stands = "replace it with what it stands for"
    assert workshop.problem(app()) == f"web_apps: 'shop' has 'source': 'static/odd' {fault.format(stands=stands)}"


def test_a_name_that_isnt_utf_8(workshop: Workshop) -> None:
    for path in (b"caf\xe9.html", b"\xff/x.html"):
        full = os.path.join(os.fsencode(workshop.source), b"static", path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        Path(os.fsdecode(full)).touch()
    assert sorted(workshop.problems(app())) == [
        rf"web_apps: 'shop' has 'source': 'static/{name}' has a name that isn't UTF-8; rename it"
        for name in (r"\\xff/x.html", r"caf\\xe9.html")
    ]


def test_a_name_in_utf_8_is_good(workshop: Workshop) -> None:
    workshop.write("shop/static/größe '\"\n.html", "")
    assert workshop.problems(app()) == []


def test_a_link_to_a_file_of_the_source_is_good(workshop: Workshop) -> None:
    (workshop.source / "link.py").symlink_to("flask_wsgi.py")
    (workshop.source / "venv").symlink_to("/usr")
    assert workshop.problems(app()) == []


READ = "let the user who deploys read it"


def test_an_unreadable_file(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root reads everything, so somebody else's eyes are borrowed."""
    monkeypatch.setattr(os, "access", lambda path, _mode: not os.fspath(path).endswith("style.css"))
    assert workshop.problem(app()) == f"web_apps: 'shop' has 'source': 'static/style.css' can't be read; {READ}"


def test_an_unreadable_requirements_file_is_named_once(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, _mode: not os.fspath(path).endswith("requirements.txt"))
    assert workshop.problem(app()) == f"web_apps: 'shop' has 'source': 'requirements.txt' can't be read; {READ}"


@pytest.mark.parametrize("requirements", [{}, {"requirements": "requirements.txt"}])
def test_a_requirements_file_that_leads_nowhere_is_named_once(workshop: Workshop, requirements: dict[str, str]) -> None:
    (workshop.source / "requirements.txt").unlink()
    (workshop.source / "requirements.txt").symlink_to("requirements.txt")
    assert workshop.problem(app(**requirements)) == (
        "web_apps: 'shop' has 'source': 'requirements.txt' is a link that can't be followed "
        "(Too many levels of symbolic links); replace it with what it stands for"
    )


def test_a_source_that_cant_be_listed_is_named_once(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, _mode: os.fspath(path) != os.fspath(workshop.source))
    _refuse(monkeypatch, "scandir", "shop")
    (workshop.source / "requirements.txt").unlink()
    assert workshop.problem(app()) == (
        f"web_apps: 'shop' has 'source': '{workshop.source}' can't be read (Permission denied); {READ}"
    )


def _refuse(monkeypatch: pytest.MonkeyPatch, name: str, ending: str) -> None:
    """Let a function of the settings' own end as for a user who may not read what ends like this."""
    real = getattr(os if name == "scandir" else source_room, name)

    def refusing(path: str, *arguments: object) -> object:
        if path.endswith(ending):
            raise PermissionError(13, "Permission denied", path)
        return real(path, *arguments)

    monkeypatch.setattr(os if name == "scandir" else source_room, name, refusing)


def test_an_unreadable_folder(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    _refuse(monkeypatch, "scandir", "static")
    assert workshop.problem(app()) == (
        f"web_apps: 'shop' has 'source': '{workshop.source}/static' can't be read (Permission denied); {READ}"
    )


def test_a_file_that_becomes_unreadable(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the check and the plan, or by rules that access(2) knows nothing of."""
    _refuse(monkeypatch, "_sha256", "style.css")
    with pytest.raises(ValueError, match=r"^web_apps: 'shop' has 'source': .*static/style.css' can't be read \(Perm"):
        workshop.plan()


# --- What is code -------------------------------------------------------------------------------------------------

NOT_CODE = [
    ".git/config",
    ".git",
    ".hg/x",
    ".svn/x",
    "__pycache__/a.txt",
    "pkg/__pycache__/a.pyc",
    "pkg/a.pyc",
    ".venv/x",
    "venv/lib/x.py",
    "node_modules/x/y.js",
    "pkg/node_modules/x.js",
    ".ruff_cache/x",
    ".pytest_cache/x",
    ".tox/x",
    ".nox/x",
]


@pytest.mark.parametrize("path", NOT_CODE)
def test_what_is_no_code_doesnt_count(workshop: Workshop, path: str) -> None:
    before = workshop.id()
    workshop.write(f"shop/{path}", "x")
    assert workshop.id() == before


@pytest.mark.parametrize("path", ["venvs/x", "my.git", "a.pyc.txt", "gitignore", "cache", "_cache/x", "pkg/a.py"])
def test_what_only_resembles_it_does(workshop: Workshop, path: str) -> None:
    workshop.write(f"shop/{path}", "x")
    assert path in [file.path for file in code_files(str(workshop.source))]


def test_files_are_listed_in_one_order_with_their_contents(workshop: Workshop) -> None:
    (workshop.source / "link.py").symlink_to("flask_wsgi.py")
    (workshop.source / "flask_wsgi.py").chmod(0o755)
    files = code_files(str(workshop.source))
    assert [file.path for file in files] == ["flask_wsgi.py", "link.py", "requirements.txt", "static/style.css"]
    assert (
        files[0].sha256
        == files[1].sha256
        == hashlib.sha256((workshop.source / "flask_wsgi.py").read_bytes()).hexdigest()
    )
    assert [file.executable for file in files] == [True, True, False, False]


@pytest.mark.parametrize(("file", "content"), [(".gitignore", "/flask_wsgi.py\n"), (".deployignore", "*.py\n")])
def test_a_module_that_stays_at_home_is_not_called_missing(workshop: Workshop, file: str, content: str) -> None:
    workshop.write(f"shop/{file}", content)
    assert workshop.problem(app()) == (
        "web_apps: 'shop' has 'module': 'flask_wsgi', which stays at home by .gitignore, .deployignore or 'exclude'; "
        "write '!flask_wsgi.py' into .deployignore, or let none of these name it"
    )
    workshop.write("shop/.deployignore", f"{content}!flask_wsgi.py\n")
    assert workshop.problems(app()) == []


# --- Static files -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"", b"no gzip", gzip.compress(b"a { color: red }", mtime=0)])
def test_a_compressed_file_is_the_one_beside_it(workshop: Workshop, content: bytes) -> None:
    workshop.write("shop/static/style.css", "a { color: tan }")
    (workshop.source / "static/style.css.gz").write_bytes(content)
    assert workshop.problem(app()) == (
        "web_apps: 'shop' has 'static_folder': 'static/style.css.gz' isn't 'static/style.css' compressed, and nginx "
        "would send it in its place; remove it, or make it anew"
    )
    (workshop.source / "static/style.css.gz").write_bytes(gzip.compress(b"a { color: tan }"))
    assert workshop.problems(app()) == []


def test_one_with_no_file_beside_it_is_a_download(workshop: Workshop) -> None:
    workshop.write("shop/static/data.csv.gz", "whatever it is")
    assert workshop.problems(app()) == []
