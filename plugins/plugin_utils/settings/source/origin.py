"""From what a person wrote as `source` to a folder on this machine that holds the code, and where it is from."""

from __future__ import annotations

import dataclasses
import functools
import os
import re
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from ansible_collections.uwsgi_flask.web.plugins.module_utils.flock import Busy
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.app import App
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.memory import once
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.source import archive, cache, command, forms
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.source.archive import BadArchive
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.source.command import GitFailed
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.source.download import download
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.source.forms import Form
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.source.git import COMMIT, Access, Repository
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.source.patterns import work_tree

# Submodules within submodules: more is a circle.
DEEPEST = 8


class NoSource(Exception):
    """A source can't be used: the end of a sentence that begins with the app."""


class Origin(NamedTuple):
    """The folder with the code. `ref` is what it is called and `commit` what it is in git, "" where nobody said.

    `is_worked_in` where the folder is somebody's own, and holds more than code.
    """

    folder: Path
    ref: str = ""
    commit: str = ""
    is_worked_in: bool = True

    def called(self) -> str:
        """What to call it for people. It decides nothing."""
        return described(work_tree(self.folder.resolve())) if self.is_worked_in else self.ref


@dataclasses.dataclass(frozen=True)
class Settling:
    """Settles sources. `path` makes paths absolute, `read` gives a file decrypted and raises OSError, `tokens` are by
    host, and `memory` is the folder where this run remembers.
    """

    path: Callable[[str], Path]
    read: Callable[[Path], bytes]
    tokens: Mapping[str, str]
    memory: Path

    def origin(self, app: App) -> Origin:
        """Raises NoSource."""
        source, form = app.folder, forms.form_of(app.folder)
        self._refuse_keys_of_others(app, form)
        try:
            if form is Form.GIT:
                return self._by_git(source, app.ref, app.source_key)
            if form in (Form.ARCHIVE, Form.REMOTE_ARCHIVE):
                return self._by_archive(source, app.sha256, form)
            folder = self.path(source)
            return self._of_work_tree(folder, app.ref) if app.ref else self._as_it_stands(folder)
        except GitFailed as error:
            where = source if "://" in source or form is Form.GIT else str(self.path(source))
            raise NoSource(f"has 'source': {where}: {error}") from None
        except Busy as error:
            raise NoSource(f"has 'source': {error}; wait for it, or end it") from None
        except OSError as error:
            raise NoSource(
                f"has 'source': it can't be kept in the cache: {error.strerror} ({error.filename})"
            ) from None

    def _refuse_keys_of_others(self, app: App, form: Form) -> None:
        fits = {
            "ref": form in (Form.GIT, Form.FOLDER),
            "sha256": form in (Form.ARCHIVE, Form.REMOTE_ARCHIVE),
            "source_key": form is Form.GIT and forms.by_ssh(app.folder),
        }
        for key, does in fits.items():
            if getattr(app, key) and not does:
                for_what = {"ref": "git", "sha256": "an archive", "source_key": "a git repository by SSH"}[key]
                raise NoSource(f"has {key!r}, which is for {for_what}; its 'source' is {form.value}; leave it out")

    @staticmethod
    def _as_it_stands(folder: Path) -> Origin:
        # What git keeps without its files (gitrepository-layout(5)).
        if (folder / "HEAD").is_file() and (folder / "objects").is_dir() and (folder / "refs").is_dir():
            told = f"{str(folder)!r} is a bare git repository, which has no files; write 'file://{folder}'"
            raise NoSource(f"has 'source': {told}")
        return Origin(folder)

    # --- git ------------------------------------------------------------------------------------------------------

    def _by_git(self, url: str, ref: str, key: str) -> Origin:
        kept = cache.place("git", cache.digest(url))
        tree = kept / ref
        if COMMIT.fullmatch(ref) and tree.is_dir():
            return Origin(tree, ref, ref, is_worked_in=False)
        with cache.alone(kept):
            commit = self._once(("git", url, ref), lambda: self._fetched(kept, url, ref, key))
        return Origin(kept / commit, ref or "HEAD", commit, is_worked_in=False)

    def _fetched(self, kept: Path, url: str, ref: str, key: str) -> str:
        with command.credentials(forms.host_of(url), self._token(url), self._key(key)) as extra:
            repository = Repository(kept / "objects.git", url, Access(extra, self._secrets()))
            with cache.alone(kept, "fetch"):
                commit = repository.commit(ref)
            cache.whole(kept / commit, functools.partial(self._write, repository, commit, url, key, ""))
        return commit

    def _of_work_tree(self, folder: Path, ref: str) -> Origin:
        if not folder.is_dir():
            # Which is told with every other fault of a folder.
            return Origin(folder)
        try:
            said = command.run(["rev-parse", "--absolute-git-dir", "--show-prefix"], folder=str(folder))
        except GitFailed as error:
            remedy = "leave 'ref' out, or give a repository as 'source'"
            raise NoSource(f"has 'ref', but its 'source' can't be read by git: {error}; {remedy}") from None
        git_dir, below = os.fsdecode(said).split("\n")[:2]
        kept = cache.place("git", cache.digest(git_dir, below))

        def settled() -> str:
            repository = Repository(Path(git_dir))
            commit = repository.commit(ref)
            try:
                url = repository.git("config", "--get", "remote.origin.url").strip()
            except GitFailed:
                url = str(folder)
            write = functools.partial(self._write, repository, commit, url, "", below.rstrip("/"))
            cache.whole(kept / commit, write)
            return commit

        with cache.alone(kept):
            commit = self._once(("git", git_dir, below, ref), settled)
        return Origin(kept / commit, ref, commit, is_worked_in=False)

    def _once(self, name: tuple[str, ...], settle: Callable[[], str]) -> str:
        """The commit that this run has settled on under this name. What fails for one host fails for all, at once."""

        def made() -> dict[str, str]:
            try:
                return {"commit": settle()}
            except GitFailed as error:
                return {"error": str(error)}

        known = once(self.memory, f"git-{cache.digest(*name)}", made)
        if "error" in known:
            raise GitFailed(known["error"])
        return str(known["commit"])

    def _write(
        self, repository: Repository, commit: str, url: str, key: str, below: str, folder: Path, depth: int = 0
    ) -> None:
        """Everything of the commit, its submodules included."""
        items = repository.items(commit, below)
        submodules = repository.write(items, folder)
        urls = repository.submodules(commit) if submodules else {}
        for item in submodules:
            path = f"{below}/{item.path}" if below else item.path
            if path not in urls:
                raise GitFailed(f"{path!r} is a submodule, but .gitmodules has no URL of it; remove or add it in git")
            inner = forms.joined(url, urls[path])
            self._refuse_odd_url(path, inner, url)
            if depth == DEEPEST:
                raise GitFailed(f"{path!r} is a submodule more than {DEEPEST} deep; take it out")
            (folder / item.path).mkdir(parents=True, exist_ok=True)
            self._write_submodule(inner, item.sha, key, folder / item.path, path, depth)

    def _write_submodule(self, url: str, commit: str, key: str, folder: Path, path: str, depth: int) -> None:
        kept = cache.place("git", cache.digest(url))
        key_if_ssh = key if forms.by_ssh(url) else ""
        with command.credentials(forms.host_of(url), self._token(url), self._key(key_if_ssh)) as extra:
            inner = Repository(kept / "objects.git", url, Access(extra, self._secrets()))
            try:
                # Nothing else is held on to meanwhile, or two that hold each other's modules would wait for ever.
                with cache.alone(kept, "fetch"):
                    inner.commit(commit)
                self._write(inner, commit, url, key, "", folder, depth + 1)
            except GitFailed as error:
                raise GitFailed(f"its submodule {path!r} ({url}): {error}") from None

    def _refuse_odd_url(self, path: str, inner: str, outer: str) -> None:
        """What a repository from elsewhere says must not read this machine's disk."""
        is_local = forms.form_of(inner) is not Form.GIT or inner.startswith("file://")
        outer_is_local = forms.form_of(outer) is not Form.GIT or outer.startswith("file://")
        if fault := "" if is_local else forms.fault(inner):
            raise GitFailed(f"the URL of its submodule {path!r} {fault}")
        if is_local and not outer_is_local:
            raise GitFailed(f"its submodule {path!r} leads to a place on this machine; give it a URL in .gitmodules")

    def _token(self, url: str) -> str:
        return self.tokens.get(forms.host_of(url), "") if url.startswith("https://") else ""

    def _secrets(self) -> tuple[str, ...]:
        return tuple(word for token in self.tokens.values() for word in (token, command.user_and_token(token)[1]))

    def _key(self, given: str) -> bytes:
        if not given:
            return b""
        path = self.path(given)
        try:
            content = self.read(path)
        except OSError as error:
            raise NoSource(f"has 'source_key', but {str(path)!r} can't be read: {error.strerror or error}") from None
        if not re.search(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----", content):
            raise NoSource(f"has 'source_key', but {str(path)!r} is no private key; give the one without .pub")
        return content

    # --- Archives -------------------------------------------------------------------------------------------------

    def _by_archive(self, source: str, sha256: str, form: Form) -> Origin:
        name = source.rpartition("/")[2]
        if form is Form.REMOTE_ARCHIVE and not sha256:
            raise NoSource("has 'source', a URL of an archive, which needs the key 'sha256' too: see 'sha256sum'")
        kept = cache.place("archives")
        try:
            if form is Form.REMOTE_ARCHIVE:
                with cache.alone(kept):
                    folder = cache.whole(kept / sha256, functools.partial(self._download, source, sha256))
            else:
                path = self.path(source)
                if not path.is_file():
                    raise NoSource(f"has 'source': there is no archive {str(path)!r}; give one, or a folder")
                made = _digest_of(path)
                _compare(sha256 or made, made)
                with cache.alone(kept):
                    folder = cache.whole(kept / made, lambda made: archive.unpack(path, made, name=name))
        except BadArchive as error:
            raise NoSource(f"has 'source': {source} {error}") from None
        return Origin(folder, name, is_worked_in=False)

    def _download(self, url: str, sha256: str, folder: Path) -> None:
        with tempfile.NamedTemporaryFile(prefix="deploy-") as file:
            download(url, Path(file.name), self._token(url))
            _compare(sha256, archive.sha256_of(Path(file.name)))
            archive.unpack(Path(file.name), folder, name=url)


def _digest_of(path: Path) -> str:
    try:
        return archive.sha256_of(path)
    except OSError as error:
        raise BadArchive(f"can't be read ({error.strerror}); let the user who deploys read it") from None


def _compare(wanted: str, made: str) -> None:
    if made != wanted:
        raise BadArchive(f"has the SHA-256 {made}, not that of 'sha256'; look why before you change it")


@functools.cache
def described(tree: Path) -> str:
    """What git calls what is in a work tree, changes included; "" where it is none. It decides nothing."""
    try:
        words = ["describe", "--always", "--dirty", "--tags"]
        return command.run(words, folder=str(tree), timeout=10).decode().strip()
    except GitFailed:
        return ""
