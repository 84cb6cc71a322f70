"""Sources in archives: made by the real tar and zip, and by hand where no program makes such a thing."""

from __future__ import annotations

import hashlib
import io
import os
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.source import archive as archive_room
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.source import download as download_room

from authority import Authority
from repositories import FILES, serving
from settings import Workshop, app

MODES = {".tar.gz": "w:gz", ".tgz": "w:gz", ".tar.xz": "w:xz", ".tar.bz2": "w:bz2"}


def tar_of(path: Path, *members: tuple[str, Any]) -> Path:
    """An archive of these members: a name with a text, or with a function that changes its header."""
    path.parent.mkdir(exist_ok=True)
    mode = next(mode for ending, mode in MODES.items() if path.name.endswith(ending))
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]
        for name, content in members:
            member = tarfile.TarInfo(name)
            if callable(content):
                content(member)
                tar.addfile(member)
            else:
                member.size = len(content.encode())
                tar.addfile(member, io.BytesIO(content.encode()))
    return path


def zip_of(path: Path, *members: tuple[str, Any]) -> Path:
    path.parent.mkdir(exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, content in members:
            member = zipfile.ZipInfo(name)
            mode, text = content if isinstance(content, tuple) else (stat.S_IFREG | 0o644, content)
            member.external_attr = mode << 16
            zipped.writestr(member, text)
    return path


def a(kind: bytes, leads_to: str = "") -> Callable[[tarfile.TarInfo], None]:
    def change(member: tarfile.TarInfo) -> None:
        member.type, member.linkname = kind, leads_to

    return change


GOOD = list(FILES.items())


def made(workshop: Workshop, path: str, *more: tuple[str, Any], top: str = "") -> Path:
    members = [(top + name, content) for name, content in [*GOOD, *more]]
    return (zip_of if path.endswith(".zip") else tar_of)(workshop.folder / path, *members)


def files(workshop: Workshop, source: str, **changes: Any) -> list[str]:
    return [file[0] for file in workshop.item(app(source=source, **changes))["release"]["files"]]


def fault(workshop: Workshop, source: str, **changes: Any) -> str:
    told = workshop.problem(app(source=source, **changes))
    begin = f"web_apps: 'shop' has 'source': {source} "
    assert told.startswith(begin), told
    return told.removeprefix(begin)


# --- Good ones ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("top", ["", "./", "shop-1.0/"])
@pytest.mark.parametrize("ending", [*MODES, ".zip"])
def test_what_is_in_it_is_deployed(workshop: Workshop, ending: str, top: str) -> None:
    made(workshop, f"dist/shop{ending}", top=top)
    item = workshop.item(app(source=f"dist/shop{ending}"))["release"]
    assert [file[0] for file in item["files"]] == sorted(FILES)
    assert (item["ref"], item["commit"]) == (f"shop{ending}", "")


def test_the_same_bytes_are_the_same_release(workshop: Workshop) -> None:
    for path, content in FILES.items():
        workshop.write(f"shop/{path}", content)
    made(workshop, "a.tar.gz")
    made(workshop, "b.zip", top="b/")
    assert workshop.id(app(source="a.tar.gz")) == workshop.id(app(source="b.zip")) == workshop.id()


@pytest.mark.parametrize("ending", [".tar.gz", ".zip"])
def test_modes_and_links_are_kept(workshop: Workshop, ending: str) -> None:
    (workshop.source / "run.sh").write_text("")
    (workshop.source / "run.sh").chmod(0o755)
    if ending == ".zip":
        link, run = (stat.S_IFLNK | 0o777, "flask_wsgi.py"), (stat.S_IFREG | 0o755, "")
        made(workshop, "shop.zip", ("link.py", link), ("run.sh", run))
    else:

        def executable(member: tarfile.TarInfo) -> None:
            member.mode = 0o755

        link_and_hard = (
            ("link.py", a(tarfile.SYMTYPE, "flask_wsgi.py")),
            ("hard.py", a(tarfile.LNKTYPE, "flask_wsgi.py")),
        )
        made(workshop, "shop.tar.gz", *link_and_hard, ("run.sh", executable))
    listed = workshop.item(app(source=f"shop{ending}"))["release"]["files"]
    digests = {path: digest for path, digest, _executable in listed}
    assert digests["link.py"] == digests["flask_wsgi.py"] == digests.get("hard.py", digests["link.py"])
    assert [path for path, _digest, executable in listed if executable] == ["run.sh"]


def test_what_stays_at_home_does_so_here_too(workshop: Workshop) -> None:
    """But for .gitignore: who made the archive has decided."""
    made(workshop, "shop.tar.gz", (".env", "x"), (".gitignore", "dist/\n"), ("dist/a.js", "x"), ("docs/a.md", "x"))
    assert files(workshop, "shop.tar.gz", exclude=["docs/"]) == sorted([*FILES, ".gitignore", "dist/a.js"])


def test_it_is_unpacked_once(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    path = made(workshop, "shop.tar.gz")
    before = files(workshop, "shop.tar.gz")
    monkeypatch.setattr(archive_room, "unpack", lambda *_words, **_more: pytest.fail("it was unpacked again"))
    assert files(workshop, "shop.tar.gz", sha256=hashlib.sha256(path.read_bytes()).hexdigest()) == before


def test_another_digest_than_was_said(workshop: Workshop) -> None:
    is_one = hashlib.sha256(made(workshop, "shop.tar.gz").read_bytes()).hexdigest()
    assert fault(workshop, "shop.tar.gz", sha256="0" * 64) == (
        f"has the SHA-256 {is_one}, not that of 'sha256'; look why before you change it"
    )


# --- Bad ones -----------------------------------------------------------------------------------------------------

OUTSIDE = "which would be outside of it; make it from inside the folder"
BAD_TARS: dict[str, tuple[tuple[str, Any], str]] = {
    "a path above": (("../evil.py", "x"), f"holds '../evil.py', {OUTSIDE}"),
    "a path above, within": (("a/../../evil.py", "x"), f"holds 'a/../../evil.py', {OUTSIDE}"),
    "an absolute path": (("/tmp/evil.py", "x"), f"holds '/tmp/evil.py', {OUTSIDE}"),
    "a folder above": (("../evil", a(tarfile.DIRTYPE)), f"holds '../evil', {OUTSIDE}"),
    "another name of a file above": (
        ("x", a(tarfile.LNKTYPE, "../../etc/passwd")),
        f"holds '../../etc/passwd', {OUTSIDE}",
    ),
    "another name of a file that isn't in it": (
        ("x", a(tarfile.LNKTYPE, "nothing")),
        "holds 'x', a link to a file that isn't in it; make it anew",
    ),
    "a device": (("dev", a(tarfile.CHRTYPE)), "holds 'dev', a pipe or a device; leave it out"),
    "a disk": (("dev", a(tarfile.BLKTYPE)), "holds 'dev', a pipe or a device; leave it out"),
    "a pipe": (("pipe", a(tarfile.FIFOTYPE)), "holds 'pipe', a pipe or a device; leave it out"),
}


@pytest.mark.parametrize("what", BAD_TARS)
def test_a_tar_that_is_no_source(workshop: Workshop, what: str) -> None:
    member, told = BAD_TARS[what]
    made(workshop, "shop.tar.gz", member)
    assert fault(workshop, "shop.tar.gz") == told
    assert not list(workshop.folder.rglob("evil*"))
    assert not Path("/tmp/evil.py").exists()


@pytest.mark.parametrize(
    ("member", "told"),
    [
        (("../evil.py", "x"), f"holds '../evil.py', {OUTSIDE}"),
        (("/tmp/evil.py", "x"), f"holds '/tmp/evil.py', {OUTSIDE}"),
        (("pipe", (stat.S_IFIFO | 0o644, "")), "holds 'pipe', a pipe or a device; leave it out"),
    ],
)
def test_a_zip_that_is_no_source(workshop: Workshop, member: tuple[str, Any], told: str) -> None:
    made(workshop, "shop.zip", member)
    assert fault(workshop, "shop.zip") == told


@pytest.mark.parametrize("ending", [".tar.gz", ".zip"])
@pytest.mark.parametrize("target", ["/etc/passwd", "../../../x", "/tmp"])
def test_a_link_out_of_it_leads_nowhere(workshop: Workshop, target: str, ending: str) -> None:
    """Nor is a file written by way of one."""
    link = a(tarfile.SYMTYPE, target) if ending == ".tar.gz" else (stat.S_IFLNK | 0o777, target)
    made(workshop, f"shop{ending}", ("link", link))
    told = workshop.problem(app(source=f"shop{ending}"))
    assert told.startswith("web_apps: 'shop' has 'source': 'link' is a link ")
    made(workshop, f"both{ending}", ("link", link), ("link/evil.py", "x"))
    assert "can't be unpacked" in workshop.problem(app(source=f"both{ending}"))
    assert not Path("/tmp/evil.py").exists()


@pytest.mark.parametrize("ending", [".tar.gz", ".zip"])
def test_one_that_unpacks_to_too_much(workshop: Workshop, monkeypatch: pytest.MonkeyPatch, ending: str) -> None:
    monkeypatch.setattr(archive_room, "LARGEST", 2 << 20)
    made(workshop, f"shop{ending}", ("zeros", "0" * (3 << 20)))
    assert fault(workshop, f"shop{ending}").startswith("unpacks to more than ")
    monkeypatch.setattr(archive_room, "MOST", 2)
    assert fault(workshop, f"shop{ending}") == "holds more than 2 files; leave out what isn't code"
    assert not list((workshop.folder / "cache").rglob("zeros"))


@pytest.mark.parametrize("ending", [*MODES, ".zip"])
@pytest.mark.parametrize("content", [b"", b"not an archive", b"cut"], ids=["empty", "text", "cut"])
def test_one_that_is_broken(workshop: Workshop, ending: str, content: bytes) -> None:
    path = made(workshop, f"shop{ending}", ("random", os.urandom(20000).hex()))
    path.write_bytes(path.read_bytes()[:9000] if content == b"cut" else content)
    told = fault(workshop, f"shop{ending}")
    assert told.startswith("can't be unpacked (")
    assert told.endswith("); make it anew")


def test_one_with_nothing_in_it(workshop: Workshop) -> None:
    tar_of(workshop.folder / "shop.tar.gz")
    assert fault(workshop, "shop.tar.gz") == "is empty; give one that holds the app"


def test_one_with_a_password(workshop: Workshop) -> None:
    path = made(workshop, "shop.zip")
    # The bit that says so, in the list of what is in it.
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    assert fault(workshop, "shop.zip") == "is encrypted; make it without a password"


def test_one_that_isnt_there(workshop: Workshop) -> None:
    assert workshop.problem(app(source="dist/shop.zip")) == (
        f"web_apps: 'shop' has 'source': there is no archive '{workshop.folder}/dist/shop.zip'; give one, or a folder"
    )
    assert workshop.problem(app(source="dist/shop.zip", ref="v1")) == (
        "web_apps: 'shop' has 'ref', which is for git; its 'source' is an archive; leave it out"
    )


# --- From a web server --------------------------------------------------------------------------------------------


@pytest.fixture
def pair(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    (workshop.folder / "ca").mkdir()
    pair = Authority(workshop.folder / "ca").make("localhost")
    monkeypatch.setenv("SSL_CERT_FILE", str(workshop.folder / "ca/ca.pem"))
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return Path(pair["tls_certificate"]), Path(pair["tls_key"])


def test_one_from_elsewhere(workshop: Workshop, pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    path = made(workshop, "served/shop-1.0.tar.gz", top="shop-1.0/")
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    with serving(path.parent, *pair) as server:
        url = f"{server.url}/shop-1.0.tar.gz"
        before = workshop.item(app(source=url, sha256=sha256))["release"]
        assert fault(workshop, url, sha256="0" * 64).startswith(f"has the SHA-256 {sha256}, not that of 'sha256'")
    assert [file[0] for file in before["files"]] == sorted(FILES)
    assert before["ref"] == "shop-1.0.tar.gz"
    # The server is gone.
    assert workshop.item(app(source=url, sha256=sha256))["release"] == before
    assert fault(workshop, url, sha256="1" * 64).startswith("can't be got: ")


def test_it_needs_a_digest(workshop: Workshop) -> None:
    assert workshop.problem(app(source="https://a.test/shop.zip")) == (
        "web_apps: 'shop' has 'source', a URL of an archive, which needs the key 'sha256' too: see 'sha256sum'"
    )


def test_a_token_gets_it(workshop: Workshop, pair: tuple[Path, Path]) -> None:
    path = made(workshop, "served/shop.zip")
    digest = {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    with serving(path.parent, *pair, login="u:hunter2-token") as server:
        url = f"{server.url}/shop.zip"
        assert fault(workshop, url, **digest) == (
            "can't be got: the server answers 401; give a token in 'web_source_tokens'"
        )
        tokens = {"web_source_tokens": {server.host: "u:wrong-token"}}
        assert workshop.problem(app(source=url, **digest), **tokens).endswith(
            "the server answers 401; give another token in 'web_source_tokens'"
        )
        tokens = {"web_source_tokens": {server.host: "u:hunter2-token"}}
        assert "hunter2" not in str(workshop.item(app(source=url, **digest), **tokens))


def test_it_comes_by_https_alone(workshop: Workshop, pair: tuple[Path, Path]) -> None:
    with serving(workshop.folder, *pair, elsewhere="http://localhost:1") as server:
        url = f"{server.url}/moved/shop.zip"
        told = fault(workshop, url, sha256="0" * 64)
        assert told == "can't be got: the server redirects to a place without HTTPS; give another URL"


def test_a_server_that_nobody_vouches_for(
    workshop: Workshop, pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with serving(workshop.folder, *pair) as server:
        told = fault(workshop, f"{server.url}/shop.zip", sha256="0" * 64)
    assert "CERTIFICATE_VERIFY_FAILED" in told
    assert told.endswith("; name the CA's certificates on this machine in SSL_CERT_FILE")


def test_what_is_no_archive_there(workshop: Workshop, pair: tuple[Path, Path]) -> None:
    workshop.write("served/login.zip", "\n<!doctype html><p>Log in</p>")
    with serving(workshop.folder / "served", *pair) as server:
        assert fault(workshop, f"{server.url}/login.zip", sha256="0" * 64) == (
            "can't be got: the server sends a web page in its place; give the URL of the file itself, or a token in "
            "'web_source_tokens' if that page is to log in"
        )
        assert fault(workshop, f"{server.url}/gone.zip", sha256="0" * 64) == (
            "can't be got: the server answers 404; mend the URL, or give a token in 'web_source_tokens' if it is "
            "private"
        )
    assert fault(workshop, f"{server.url}/gone.zip", sha256="0" * 64).endswith(
        "; look whether that server answers this machine"
    )


def test_one_that_cant_be_read(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root reads everything."""
    made(workshop, "shop.zip")

    def refusing(path: Path) -> str:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(archive_room, "sha256_of", refusing)
    assert fault(workshop, "shop.zip") == "can't be read (Permission denied); let the user who deploys read it"


def test_one_that_is_too_large_to_get(
    workshop: Workshop, pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download_room, "LARGEST", 10)
    made(workshop, "served/shop.zip")
    with serving(workshop.folder / "served", *pair) as server:
        assert fault(workshop, f"{server.url}/shop.zip", sha256="0" * 64).startswith("can't be got: it is larger than ")
