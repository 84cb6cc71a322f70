"""A repository on this machine: a bare copy of one elsewhere, or the one that a folder belongs to.

Files are read out of git's objects: nothing is checked out, so no filter, hook or setting of anybody's changes them.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, NamedTuple

from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.source import cache, command
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.source.command import GitFailed
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.words import nearest

COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
_SHORT = re.compile(r"[0-9a-f]{7,63}")
# Commits and tags, for a server that gives nothing else.
EVERYTHING = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
# Seconds in which a server must answer what it has.
TO_ANSWER = 120

# Kinds of a tree's entries, as git writes them.
_EXECUTABLE, _LINK, _SUBMODULE = "100755", "120000", "160000"


class Access(NamedTuple):
    """How to get in: git's environment, and what no message may hold."""

    extra: Mapping[str, str]
    secrets: tuple[str, ...]


NOTHING_NEEDED = Access({}, ())


class Item(NamedTuple):
    """An entry of a commit's tree."""

    mode: str
    sha: str
    path: str


@dataclasses.dataclass(frozen=True)
class Repository:
    """`git_dir` holds the objects; `url` is where they come from, "" if they are the user's own."""

    git_dir: Path
    url: str = ""
    access: Access = NOTHING_NEEDED

    def git(self, *words: str, timeout: float = command.LONGEST) -> str:
        """What git prints. Raises GitFailed."""
        # Nothing of the user's repository may be tidied up by a deploy.
        begin = [f"--git-dir={self.git_dir}", "-c", "gc.auto=0", "-c", "maintenance.auto=false"]
        said = command.run([*begin, *words], extra=self.access.extra, secrets=self.access.secrets, timeout=timeout)
        return said.decode(errors="surrogateescape")

    # --- Which commit ---------------------------------------------------------------------------------------------

    def commit(self, ref: str) -> str:
        """The commit that a branch, tag or commit stands for, its objects fetched. Raises GitFailed."""
        if not self.url:
            return self._local(ref)
        if not (self.git_dir / "HEAD").exists():
            command.run(["init", "--quiet", "--bare", "--template=", str(self.git_dir)])
        if COMMIT.fullmatch(ref):
            return self._have(ref)
        refs = self._advertised()
        if not refs:
            raise GitFailed(
                "it has no branch and no tag; push a commit first, or mend the URL if it is that of a web page"
            )
        if found := self._choice(ref, refs):
            return self._have(found)
        if _SHORT.fullmatch(ref):
            self._fetch_everything()
            with contextlib.suppress(GitFailed):
                return self._peeled(ref)
        if (there := ref.removeprefix("origin/")) != ref and self._choice(there, refs):
            raise GitFailed(f"there is no branch, tag or commit {ref!r}; there it is called {there!r}")
        names = sorted({name.split("/", 2)[2] for name in refs if name.startswith(("refs/heads/", "refs/tags/"))})
        raise GitFailed(f"there is no branch, tag or commit {ref!r}{nearest(ref, names[:20], 'names')}")

    def _local(self, ref: str) -> str:
        kinds = [f"refs/{kind}/{ref}" for kind in ("heads", "tags") if self._has(f"refs/{kind}/{ref}")]
        if len({self._peeled(name) for name in kinds}) > 1:
            raise GitFailed(_twice(ref))
        try:
            return self._peeled(kinds[0] if kinds else ref)
        except GitFailed:
            names = self.git("for-each-ref", "--format=%(refname:lstrip=2)", "refs/heads", "refs/tags").split()
            told = f"there is no branch, tag or commit {ref!r}{nearest(ref, names[:20], 'names')}"
            raise GitFailed(told) from None

    def _advertised(self) -> dict[str, str]:
        """What the other side calls which object; a tag by the commit that it leads to."""
        said = self.git("ls-remote", "--quiet", self.url, "HEAD", "refs/heads/*", "refs/tags/*", timeout=TO_ANSWER)
        refs = {name: sha for sha, name in (line.split("\t") for line in said.splitlines())}
        peeled = {name.removesuffix("^{}"): sha for name, sha in refs.items() if name.endswith("^{}")}
        return {name: sha for name, sha in (refs | peeled).items() if not name.endswith("^{}")}

    def _choice(self, ref: str, refs: Mapping[str, str]) -> str:
        if not ref:
            if "HEAD" not in refs:
                raise GitFailed("the repository's HEAD leads to no branch; name one as 'ref'")
            return refs["HEAD"]
        found = [refs[name] for name in (f"refs/heads/{ref}", f"refs/tags/{ref}") if name in refs]
        if len(set(found)) > 1:
            raise GitFailed(_twice(ref))
        return found[0] if found else refs.get(ref, "")

    def _have(self, commit: str) -> str:
        if not self._has(commit):
            kept = f"refs/deploy/{cache.digest(commit)}"
            try:
                self._fetch("--depth=1", f"+{commit}:{kept}")
            except GitFailed as error:
                if not re.search(r"not our ref|unadvertised|dumb http|shallow|couldn't find remote ref", str(error)):
                    raise
                self._fetch_everything()
                if not self._has(commit):
                    told = f"the commit {commit} isn't there; it may have been replaced by a forced push"
                    raise GitFailed(told) from None
        return self._peeled(commit)

    def _fetch_everything(self) -> None:
        """The history of what was fetched alone, too."""
        self._fetch(*(["--unshallow"] if (self.git_dir / "shallow").exists() else []), *EVERYTHING)

    def _fetch(self, *words: str) -> None:
        options = [word for word in words if word.startswith("-")]
        refspecs = [word for word in words if not word.startswith("-")]
        fixed = ["--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--update-shallow"]
        self.git("fetch", *fixed, *options, "--", self.url, *refspecs)

    def _has(self, ref: str) -> bool:
        try:
            self.git("cat-file", "-e", f"{ref}^{{commit}}")
        except GitFailed:
            return False
        return True

    def _peeled(self, ref: str) -> str:
        return self.git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}").strip()

    # --- Its files ------------------------------------------------------------------------------------------------

    def items(self, commit: str, below: str = "") -> list[Item]:
        """Everything in the commit, or in a folder of it, folders apart."""
        said = self.git("ls-tree", "-r", "-z", "--full-tree", f"{commit}:{below}" if below else commit)
        items = []
        for line in filter(None, said.split("\0")):
            about, _tab, path = line.partition("\t")
            mode, _kind, sha = about.split()
            if any(part in ("", ".", "..") or part.lower() == ".git" for part in path.split("/")):
                raise GitFailed(f"{path!r} in {commit[:12]} isn't a path that a folder can have")
            items.append(Item(mode, sha, path))
        return items

    def write(self, items: list[Item], folder: Path) -> list[Item]:
        """Write files into `folder`; returns the submodules, which others must bring."""
        files = [item for item in items if item.mode not in (_LINK, _SUBMODULE)]
        links = [item for item in items if item.mode == _LINK]
        with self._contents() as content_of:
            for item in files:
                path = folder / item.path
                path.parent.mkdir(parents=True, exist_ok=True)
                mode = 0o700 if item.mode == _EXECUTABLE else 0o600
                with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
                    content_of(item.sha, file)
            # Last, so that nothing is written through one. Where they lead is looked at with the rest.
            for item in links:
                path = folder / item.path
                path.parent.mkdir(parents=True, exist_ok=True)
                with open(os.devnull, "wb") as nothing:
                    path.symlink_to(os.fsdecode(content_of(item.sha, nothing)))
        return [item for item in items if item.mode == _SUBMODULE]

    @contextlib.contextmanager
    def _contents(self) -> Iterator[Callable[[str, IO[bytes]], bytes]]:
        """A function that writes an object's content to a file, and returns its beginning."""
        words = ["git", f"--git-dir={self.git_dir}", "cat-file", "--batch"]
        with subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=command.environment()
        ) as process:
            assert process.stdin
            assert process.stdout
            ask, answer = process.stdin, process.stdout

            def content_of(sha: str, file: IO[bytes]) -> bytes:
                ask.write(f"{sha}\n".encode())
                ask.flush()
                head = answer.readline().split()
                if len(head) != 3 or head[1] != b"blob":
                    raise GitFailed(f"the object {sha} isn't there; delete {self.git_dir} and run again")
                left, beginning = int(head[2]), b""
                while left:
                    if not (part := answer.read(min(left, 1 << 20))):
                        raise GitFailed(f"the object {sha} ends too early; delete {self.git_dir} and run again")
                    file.write(part)
                    beginning, left = beginning or part, left - len(part)
                answer.read(1)
                return beginning

            yield content_of
            ask.close()

    def submodules(self, commit: str) -> dict[str, str]:
        """The URL of each submodule by its path, as .gitmodules has them."""
        try:
            words = ["config", "-z", f"--blob={commit}:.gitmodules", "--get-regexp", r"^submodule\..*\.(path|url)$"]
            said = self.git(*words)
        except GitFailed:
            return {}
        found: dict[str, dict[str, str]] = {}
        for line in filter(None, said.split("\0")):
            key, _newline, value = line.partition("\n")
            name, _dot, what = key.removeprefix("submodule.").rpartition(".")
            found.setdefault(name, {})[what] = value
        return {one["path"]: one["url"] for one in found.values() if {"path", "url"} <= one.keys()}


def _twice(ref: str) -> str:
    return f"{ref!r} is both a branch and a tag; write 'refs/heads/{ref}' or 'refs/tags/{ref}'"
