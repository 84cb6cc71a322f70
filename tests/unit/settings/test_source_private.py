"""Sources for which one needs a token or a key: they get in, and the secret is nowhere else."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.source import command, forms

from authority import Authority
from repositories import FILES, Server, Upstream, serving
from settings import Workshop, app

TOKEN = "hunter2-token"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    upstream = Upstream(tmp_path / "work")
    bare = tmp_path / "served/shop.git"
    subprocess.run(["git", "clone", "--quiet", "--bare", upstream.folder, bare], check=True)
    return bare.parent


@pytest.fixture
def pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    (tmp_path / "ca").mkdir()
    authority = Authority(tmp_path / "ca")
    made = authority.make("localhost")
    for name in ("GIT_SSL_CAINFO", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "ca/ca.pem"))
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return Path(made["tls_certificate"]), Path(made["tls_key"])


@pytest.fixture
def server(root: Path, pair: tuple[Path, Path]) -> Iterator[Server]:
    with serving(root, *pair, login=f"x-access-token:{TOKEN}") as running:
        yield running


@pytest.fixture
def words(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[list[str]]]:
    """Every command line that is run."""
    seen: list[list[str]] = []
    real = subprocess.Popen

    class Watched(real):  # type: ignore[valid-type, misc]
        def __init__(self, words: list[str], **more: object) -> None:
            seen.append([str(word) for word in words])
            super().__init__(words, **more)

    monkeypatch.setattr(subprocess, "Popen", Watched)
    yield seen
    assert TOKEN not in str(seen)


def is_in(folder: Path, secret: str) -> bool:
    return any(secret.encode() in path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_a_token_lets_git_in(
    workshop: Workshop, server: Server, words: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    # What would print the headers, and what would store them.
    monkeypatch.setenv("GIT_TRACE_CURL", str(workshop.folder / "trace"))
    monkeypatch.setenv("GIT_CURL_VERBOSE", "1")
    monkeypatch.setenv("HOME", str(workshop.folder / "home"))
    workshop.write("home/.gitconfig", "[credential]\n\thelper = store\n")
    url = f"{server.url}/shop.git"
    item = workshop.item(app(source=url), web_source_tokens={server.host: TOKEN})
    assert [file[0] for file in item["release"]["files"]] == sorted(FILES)
    assert any(command[-1] != "-" and "upload-pack" in command for command in server.asked)
    assert words
    assert not is_in(workshop.folder / "cache", TOKEN)
    assert not (workshop.folder / "trace").exists()
    assert not (workshop.folder / "home/.git-credentials").exists()
    assert TOKEN not in str(item)


def test_a_token_may_have_a_user(workshop: Workshop, root: Path, pair: tuple[Path, Path]) -> None:
    with serving(root, *pair, login=f"gitlab+deploy:{TOKEN}") as server:
        told = {"web_source_tokens": {server.host: f"gitlab+deploy:{TOKEN}"}}
        assert workshop.problems(app(source=f"{server.url}/shop.git"), **told) == []


def test_without_a_token_nobody_is_asked(workshop: Workshop, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    window = workshop.write("window", f"#!/bin/sh\ntouch {workshop.folder}/opened\necho x\n")
    window.chmod(0o755)
    monkeypatch.setenv("SSH_ASKPASS", str(window))
    # One for another host is none for this.
    told = workshop.problem(app(source=f"{server.url}/shop.git"), web_source_tokens={"git.test": TOKEN})
    assert all(line.endswith(" -") for line in server.asked)
    assert told == (
        f"web_apps: 'shop' has 'source': {server.url}/shop.git: could not read Username for '{server.url}': "
        "terminal prompts disabled; give a token in 'web_source_tokens'"
    )
    assert not (workshop.folder / "opened").exists()


def test_a_wrong_token_isnt_shown(workshop: Workshop, server: Server, words: list[list[str]]) -> None:
    told = workshop.problem(app(source=f"{server.url}/shop.git"), web_source_tokens={server.host: "wrong-token"})
    assert told == (
        f"web_apps: 'shop' has 'source': {server.url}/shop.git: Authentication failed for '{server.url}/shop.git/'; "
        "give another token in 'web_source_tokens'"
    )
    assert words


def test_a_token_goes_to_its_own_host_alone(
    workshop: Workshop, root: Path, pair: tuple[Path, Path], server: Server
) -> None:
    with serving(root, *pair, elsewhere=server.url) as first:
        tokens = {"web_source_tokens": {first.host: TOKEN}}
        for path in ("moved/shop.git", "moved/shop.tar.gz"):
            told = workshop.problem(app(source=f"{first.url}/{path}", **sha(path)), **tokens)
            assert server.host in told or "the server answers 401" in told
    assert server.asked
    assert all(line.endswith(" -") for line in server.asked), server.asked


def sha(path: str) -> dict[str, str]:
    return {"sha256": "0" * 64} if path.endswith(".gz") else {}


def test_a_repository_from_elsewhere_doesnt_read_this_machine(
    workshop: Workshop, root: Path, server: Server, tmp_path: Path
) -> None:
    Upstream(tmp_path / "private", {"secret.txt": "x"})
    upstream = Upstream(tmp_path / "evil")
    upstream.git("submodule", "--quiet", "add", f"file://{tmp_path}/private", "lib")
    upstream.commit({})
    subprocess.run(["git", "clone", "--quiet", "--bare", upstream.folder, root / "evil.git"], check=True)
    for url in (f"file://{tmp_path}/private", f"{tmp_path}/private", "ext::sh -c true"):
        upstream.git("config", "--file", ".gitmodules", "submodule.lib.url", url)
        commit = upstream.commit({})
        upstream.git("push", "--quiet", str(root / "evil.git"), "main")
        told = workshop.problem(
            app(source=f"{server.url}/evil.git", ref=commit), web_source_tokens={server.host: TOKEN}
        )
        assert told.endswith("its submodule 'lib' leads to a place on this machine; give it a URL in .gitmodules")


# --- A key by SSH -------------------------------------------------------------------------------------------------

KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nhunter2\n-----END OPENSSH PRIVATE KEY-----\n"

FAKE_SSH = """#!/bin/sh
# Notes how it was called and what the key's file is, then does what the other side's sshd would.
printf '%s\\n' "$@" > "$0.called"
while [ $# -gt 0 ]; do
    [ "$1" = -i ] && { stat -c %a "$2"; cat "$2"; } > "$0.key" && echo "$2" > "$0.path"
    last="$1"
    shift
done
eval "$last"
"""


@pytest.fixture(params=["PATH", "GIT_SSH", "GIT_SSH_COMMAND", "core.sshCommand"])
def fake(request: pytest.FixtureRequest, workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An ssh of the user's own, in each way that git finds one."""
    fake = workshop.write("bin/ssh", FAKE_SSH)
    fake.chmod(0o755)
    monkeypatch.setenv("GIT_SSH_VARIANT", "ssh")
    if request.param == "PATH":
        monkeypatch.setenv("PATH", f"{fake.parent}:{os.environ['PATH']}")
    elif request.param == "core.sshCommand":
        workshop.write("home/.gitconfig", f"[core]\n\tsshCommand = {fake}\n[safe]\n\tdirectory = *\n")
        monkeypatch.setenv("HOME", str(workshop.folder / "home"))
    else:
        monkeypatch.setenv(request.param, str(fake))
    return fake


@pytest.mark.parametrize("form", ["git@git.test:{0}", "ssh://git@git.test:2222{0}"])
def test_a_key_is_lent_to_ssh(workshop: Workshop, root: Path, form: str, fake: Path) -> None:
    workshop.write("deploy key", KEY.rstrip())
    item = workshop.item(app(source=form.format(f"{root}/shop.git"), source_key="deploy key"))
    assert [file[0] for file in item["release"]["files"]] == sorted(FILES)
    called = Path(f"{fake}.called").read_text().splitlines()
    assert {"BatchMode=yes", "IdentitiesOnly=yes"} <= {*called}
    assert "StrictHostKeyChecking" not in str(called)
    # For this user alone, as it was but for a last newline, and gone.
    assert Path(f"{fake}.key").read_text() == f"600\n{KEY}"
    assert not Path(Path(f"{fake}.path").read_text().strip()).exists()
    assert not is_in(workshop.folder / "cache", "hunter2")
    assert "hunter2" not in str(item)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "can't be read: No such file or directory"),
        ("ssh-ed25519 AAAA x@y\n", "is no private key; give the one without .pub"),
    ],
)
def test_a_key_that_is_none(workshop: Workshop, content: str | None, why: str) -> None:
    if content is not None:
        workshop.write("key", content)
    told = workshop.problem(app(source="git@git.test:shop.git", source_key="key"))
    assert told == f"web_apps: 'shop' has 'source_key', but '{workshop.folder}/key' {why}"


def test_a_key_is_for_ssh(workshop: Workshop) -> None:
    told = workshop.problem(app(source="https://git.test/shop.git", source_key="key"))
    assert told == (
        "web_apps: 'shop' has 'source_key', which is for a git repository by SSH; its 'source' is a git repository; "
        "leave it out"
    )


# --- What git says ------------------------------------------------------------------------------------------------


SSH_END = "fatal: Could not read from remote repository.\n\nPlease make sure you have the correct access rights\n"
MEND = "mend the URL, or give a token in 'web_source_tokens' if it is private"
LOGIN = "give the URL that it leads to, or a token in 'web_source_tokens' if that is a page to log in"
READS = "give a token in 'web_source_tokens' that may read it"
PAGE = "give the URL to clone from, not that of a web page"
A_KEY = "give a key that may read it as 'source_key', or load one into your agent"
SAID = [
    (
        "remote: Repository not found.\nfatal: repository 'https://u:hunter2@g.test/a/' not found\n",
        f"repository 'https://(not shown)@g.test/a/' not found; {MEND}",
    ),
    (f"git@g.test: Permission denied (publickey).\r\n{SSH_END}", f"git@g.test: Permission denied (publickey); {A_KEY}"),
    (
        f"Host key verification failed.\r\n{SSH_END}",
        "Host key verification failed; connect to it once by hand, because its host key is checked",
    ),
    (
        "fatal: unable to update url base from redirection:\n  asked for: https://g.test/x\n   redirect: https://l.test",
        f"unable to update url base from redirection; {LOGIN}",
    ),
    (
        "fatal: unable to access 'https://g.test/': The requested URL returned error: 403\n",
        f"unable to access 'https://g.test/': The requested URL returned error: 403; {READS}",
    ),
    (
        "fatal: https://g.test/info/refs not valid: is this a git repository?\n",
        f"https://g.test/info/refs not valid: is this a git repository?; {PAGE}",
    ),
    ("fatal: hunter2-token is wrong\n", "(not shown) is wrong"),
    ("", "git failed"),
]


@pytest.mark.parametrize(("said", "cause"), SAID)
def test_gits_own_words_are_told_in_one_line(said: str, cause: str) -> None:
    assert command._cause(said, [TOKEN]) == cause


@pytest.mark.parametrize(
    ("base", "url", "joined"),
    [
        ("https://g.test/a/shop.git", "../lib.git", "https://g.test/a/lib.git"),
        ("https://g.test/a/shop.git/", "../../b/lib", "https://g.test/b/lib"),
        ("https://g.test/a/shop.git", "./lib", "https://g.test/a/shop.git/lib"),
        ("git@g.test:a/shop.git", "../lib.git", "git@g.test:a/lib.git"),
        ("git@g.test:shop.git", "../lib.git", "git@g.test:lib.git"),
        ("/srv/shop", "../lib", "/srv/lib"),
        ("https://g.test/a/shop.git", "https://h.test/lib", "https://h.test/lib"),
    ],
)
def test_a_submodules_url_may_be_relative(base: str, url: str, joined: str) -> None:
    assert forms.joined(base, url) == joined
