"""What a person writes in `web_apps`, checked, and all that follows from it.

This is the only home of an app's defaults and of every derived value (paths, sockets, ids). The roles get their
slices through `group_vars/all/wiring.yml`; templates and tasks use values and compute none.

Pure Python but for the last lines, so that the tests need no Ansible and no host.
"""

from __future__ import annotations

import dataclasses
import difflib
import fnmatch
import functools
import hashlib
import json
import os
import re
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import Any, NamedTuple

# What never belongs to a release: version control, caches, somebody's virtualenv.
NOT_CODE = (
    ".git",
    ".hg",
    ".svn",
    "__pycache__",
    "*.pyc",
    ".venv",
    "venv",
    "node_modules",
    ".*_cache",
    ".tox",
    ".nox",
)

# A Unix socket's path holds 108 bytes with its final NUL; uWSGI refuses over 103 (sun_path, and its own suffixes).
SOCKET_PATH_BYTES = 103

COMPILE = "make one file of all with 'uv pip compile --generate-hashes'"

# Options of a requirements file, short, long or abbreviated, that lead to another file or folder.
PIP_LEADS_ELSEWHERE = re.compile(r"-[rce]|--(requirem|c|ed)")
PIP_LOCAL = re.compile(r"([^@#]+@\s*)?(file:|[./])")

# What Debian, and what often runs beside an app, has below /run and /var/lib or among units, logs and tmpfiles: an app
# of that name would take it over, and `purge` would delete it.
SYSTEM_NAMES = """
    access adduser apt autovt blockdev capsule containers credentials cron dbus debian docker dpkg error getty git
    grafana home initctl legacy letsencrypt libpod lock log man-db memcached misc modprobe mount mysql netns nginx pam
    passwd podman postgresql private prometheus provision python quotaon rabbitmq redis runc serial-getty shm ssh sshd
    sudo systemd tmp ucf user uwsgi uwsgi-app var vim www x11
"""

# A shorter value is no secret, and stands in half of all that Ansible prints.
SECRET_LENGTH = 4

# 48 bits: two releases of one app collide about once in 17 million deploys.
ID_DIGITS = 12

Rule = Callable[[Any], Any]


class WrongValue(Exception):
    """A rule's refusal: "must be …"."""


class BadSettings(ValueError):
    """The settings can't be used. `problems` holds one sentence for each, with the key, the fault and the remedy."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = list(problems)


# --- Rules: each takes a value, returns it in its final form, or raises WrongValue with "must be …" ---------------


def text(pattern: str, what: str) -> Rule:
    """A string that matches `pattern` as a whole. An allow-list, for these strings reach nginx, ini and unit files."""
    allowed = re.compile(pattern, re.ASCII)

    def rule(value: Any) -> str:
        if not isinstance(value, str) or not allowed.fullmatch(value):
            raise WrongValue(f"must be {what}")
        return str(value)

    return rule


def whole(low: int, high: int, unit: str = "") -> Rule:
    """A whole number from `low` to `high`; YAML's true and false are not numbers."""

    def rule(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise WrongValue(f"must be a whole number{unit and ' of ' + unit} from {low} to {high}")
        return int(value)

    return rule


def yes_or_no(value: Any) -> bool:
    """True or false, and nothing that merely looks like it."""
    if not isinstance(value, bool):
        raise WrongValue("must be true or false")
    return value


def one_of(*words: str) -> Rule:
    def rule(value: Any) -> str:
        if value not in words:
            raise WrongValue(f"must be one of {', '.join(words)}")
        return str(value)

    return rule


def list_of(rule: Rule, what: str) -> Rule:
    """A list with at least one item, each passing `rule`, none twice."""

    def check(value: Any) -> list[Any]:
        if not isinstance(value, list) or not value:
            raise WrongValue(f"must be a list of {what} with at least one item")
        items = []
        for item in value:
            try:
                items.append(rule(item))
            except WrongValue as error:
                raise WrongValue(f"{error}; {_shown(item)} isn't") from None
        for item in items:
            if items.count(item) > 1:
                raise WrongValue(f"must name each of its {what} once; {item!r} is there twice")
        return items

    return check


def shell_lines(value: Any) -> list[str]:
    """Lines for /bin/sh, which may be none."""
    if not isinstance(value, list) or not all(isinstance(line, str) and line.strip() for line in value):
        raise WrongValue("must be a list of shell lines (- flask db upgrade)")
    return [str(line) for line in value]


def environment(value: Any) -> dict[str, str]:
    """Names and values of environment variables. Whole numbers become strings; true, false, null and fractions are
    refused, for YAML has dropped the spelling that the app expects: 3.10 arrives here as 3.1."""
    if not isinstance(value, Mapping):
        raise WrongValue("must be a dictionary of NAME: value")
    result = {}
    for name, content in value.items():
        if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            raise WrongValue(f"must have names of letters, digits and underscores; {name!r} is none")
        if name in RESERVED_NAMES or name.startswith(RESERVED_PREFIXES):
            raise WrongValue(f"must not set {name!r}: uWSGI, systemd or the deploy itself reads it")
        if isinstance(content, bool) or not isinstance(content, str | int):
            raise WrongValue(f"must hold strings; put the value of {name!r} in quotes")
        if "\0" in str(content):
            raise WrongValue(f"must not hold a NUL byte; the value of {name!r} does")
        result[str(name)] = str(content)
    return result


# uWSGI takes UWSGI_* for its own options; systemd's notification and sockets would be misled by the rest.
RESERVED_PREFIXES = ("UWSGI_", "LISTEN_")
RESERVED_NAMES = (
    "NOTIFY_SOCKET",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
    "WEB_APP",
    "WEB_RELEASE",
)

spelt_name = text(
    r"(?!.*-(check|before|after)$)[a-z][a-z0-9]*(-[a-z0-9]+)*",
    "lower-case letters, digits and single hyphens, a letter first (shop-2), and not end in -check, -before or -after",
)


def app_name(value: Any) -> str:
    """A name that fits directories, units and nginx, and that the system doesn't use itself."""
    name: str = spelt_name(value)
    if name in SYSTEM_NAMES.split() or name.startswith("systemd-"):
        raise WrongValue("must not be a name that the system uses itself; add a word (shop-nginx)")
    return name


host_name = text(
    r"(\*\.)?[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*|\[[0-9a-f:]+\]",
    "a lower-case host name or address (shop.example.com, *.example.com, 192.0.2.7)",
)
dotted_name = text(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", "a dotted Python name (flask_wsgi, shop.web)")
python_name = text(r"[A-Za-z_]\w*", "a Python name (app)")
relative_path = text(
    r"(?!/)(?!.*(^|/)\.\.?(/|$))[\w.+@-]+(/[\w.+@-]+)*",
    "a path inside the source, without '..'",
)
source_path = text(r"[^\0\n]+", "the path of a folder, relative to the playbook or absolute")
url_path = text(r"/[A-Za-z0-9._~/-]*", "a URL path that begins with '/' (/health)")
static_path = text(
    r"/((?!\.\.?/)[A-Za-z0-9._~-]+/)*",
    "a URL path that begins and ends with '/', without '..' (/static/, or / for the site's root)",
)
body_size = text(r"[1-9][0-9]{0,5}[kmgKMG]", "a size as nginx writes it (1m, 512k)")
account = text(r"(?!root$)[a-z_][a-z0-9_-]{0,31}", "the name of a user or group other than root (www)")
below_run = text(r"/run(/(?!\.\.?(/|$))[\w.+@-]+)*", "/run or a path below it, no '/' at its end")
absolute_path = text(r"(/(?!\.\.?(/|$))[\w.+@-]+)+", "an absolute path without '..', no '/' at its end (/opt)")


def key(rule: Rule, means: str) -> dict[str, Any]:
    """What is known of a public key: the rule that it obeys and its meaning in one line."""
    return {"rule": rule, "means": means}


@dataclasses.dataclass(frozen=True, kw_only=True)
class App:
    """One item of `web_apps`. Every public key, with its default, is a field here."""

    name: str = field(metadata=key(app_name, "names the app's directories, units, sockets and log entries"))
    server_names: list[str] = field(
        metadata=key(
            list_of(host_name, "host names"),
            "host names that nginx answers to for this app",
        )
    )
    source: str = field(
        default="",
        metadata=key(source_path, "folder with the code; the app's name if not given"),
    )
    module: str = field(
        default="flask_wsgi",
        metadata=key(dotted_name, "Python module that holds the callable"),
    )
    callable: str = field(
        default="app",
        metadata=key(python_name, "name of the Flask object in the module"),
    )
    requirements: str = field(
        default="requirements.txt",
        metadata=key(relative_path, "what pip installs, a path inside the source"),
    )
    require_hashes: bool = field(default=True, metadata=key(yes_or_no, "refuse requirements without hashes"))
    static_folder: str = field(default="static", metadata=key(relative_path, "folder that nginx serves itself"))
    static_url: str = field(default="/static/", metadata=key(static_path, "where that folder appears"))
    environment: dict[str, str] = field(
        default_factory=dict,
        metadata=key(environment, "environment variables of the app"),
    )
    before_live: list[str] = field(
        default_factory=list, metadata=key(shell_lines, "shell lines run once, on one host, before a release goes live")
    )
    after_live: list[str] = field(
        default_factory=list, metadata=key(shell_lines, "shell lines run once, on one host, after it went live")
    )
    processes: int = field(
        default=2,
        metadata=key(whole(1, 512), "uWSGI workers; as many as cores is a good start"),
    )
    threads: int = field(
        default=4,
        metadata=key(whole(1, 512), "threads in each worker; more for an app that waits"),
    )
    listen_queue: int = field(
        default=4096,
        metadata=key(whole(16, 65535, "connections"), "how many may wait for a free thread"),
    )
    request_timeout: int = field(
        default=30,
        metadata=key(whole(1, 3600, "seconds"), "a request that takes longer is ended"),
    )
    max_requests: int = field(
        default=100_000,
        metadata=key(whole(100, 10**9), "requests after which a worker is renewed"),
    )
    max_body: str = field(default="1m", metadata=key(body_size, "largest request body"))
    health_path: str = field(default="/health", metadata=key(url_path, "answers 200 when the app is well"))
    health_successes: int = field(
        default=3,
        metadata=key(whole(1, 100), "good answers in a row that prove a release"),
    )
    start_timeout: int = field(
        default=60,
        metadata=key(whole(1, 3600, "seconds"), "a release that isn't well by then is refused"),
    )
    state: str = field(
        default="present", metadata=key(one_of("present", "absent"), "absent takes the app off the hosts")
    )
    purge: bool = field(default=False, metadata=key(yes_or_no, "with state: absent, also delete its data in /var/lib"))
    keep_releases: int = field(default=5, metadata=key(whole(2, 100), "good releases kept on the host"))

    @property
    def folder(self) -> str:
        return self.source or self.name

    def is_present(self) -> bool:
        return self.state == "present"


def public_keys() -> dict[str, str]:
    """Each key with its meaning, for messages and documentation."""
    return {public.name: public.metadata["means"] for public in dataclasses.fields(App)}


def parse(apps: Any, secrets: Any, base: str, problems: list[str]) -> list[tuple[App, dict[str, str]]]:
    """The apps with their secrets, all checked; what is wrong is added to `problems`, a sentence for each fault.

    `apps` is the list of dicts that a person wrote, `secrets` a dict of dicts keyed by the apps' names, `base` the
    folder that a relative source starts from.
    """
    if not isinstance(apps, list) or not all(isinstance(app, Mapping) for app in apps):
        problems.append("web_apps: must be a list of dictionaries, one for each app (begin each with '- name: …')")
        return []
    if not isinstance(secrets, Mapping):
        problems.append("web_app_secrets: must be a dictionary with an app's name as key")
        secrets = {}
    parsed = [_parse_app(given, number, problems) for number, given in enumerate(apps, start=1)]
    known = [app for app in parsed if app is not None]
    named = [given for given in apps if isinstance(given.get("name"), str)]
    problems += _clashes(named)
    for app in filter(App.is_present, known):
        problems += [f"web_apps: '{app.name}' {problem}" for problem in _look_into(app, Path(base, app.folder))]
    names = [str(given["name"]) for given in named]
    problems += [
        f"web_app_secrets: '{name}' is not an app; {_nearest(str(name), names, 'apps')}"
        for name in secrets
        if name not in names
    ]
    pairs = []
    for app in known:
        try:
            hidden = environment(secrets.get(app.name, {}))
        except WrongValue as error:
            problems.append(f"web_app_secrets: '{app.name}' {error}")
            continue
        short = [name for name, value in hidden.items() if 0 < len(value) < SECRET_LENGTH]
        if short:
            problems.append(
                f"web_app_secrets: '{app.name}' has a value of less than {SECRET_LENGTH} characters in {short[0]!r}: "
                "Ansible would blot it out wherever it stands in what it prints; put it into 'environment'"
            )
        twice = sorted(hidden.keys() & app.environment.keys())
        if twice:
            problems.append(f"web_app_secrets: '{app.name}' sets {twice[0]!r}, and so does its 'environment'; keep one")
        pairs.append((app, hidden))
    return pairs


# Keys without which nothing can be said of the source.
LEADS_TO_SOURCE = {"name", "source", "module", "requirements", "require_hashes", "static_folder", "state"}


def _parse_app(given: Mapping[str, Any], number: int, problems: list[str]) -> App | None:
    """The app, its faults added to `problems`, with defaults in their place; None if they hide what its source is."""
    fields = {public.name: public for public in dataclasses.fields(App)}
    called = f"'{given['name']}'" if given.get("name") else f"item {number}"
    unknown = [name for name in given if name not in fields]
    problems += [f"web_apps: {called} has an unknown key {it!r}; {_nearest(str(it), fields, 'keys')}" for it in unknown]
    for name, public in fields.items():
        required = public.default is dataclasses.MISSING and public.default_factory is dataclasses.MISSING
        if required and name not in given and (name == "name" or given.get("state") != "absent"):
            problems.append(f"web_apps: {called} lacks the key {name!r}: {public.metadata['means']}")
    wrong = {near for it in unknown for near in difflib.get_close_matches(str(it), fields, n=1)}
    values: dict[str, Any] = {"server_names": []}
    for name, value in given.items():
        if name in fields:
            try:
                values[str(name)] = fields[name].metadata["rule"](value)
            except WrongValue as error:
                wrong.add(str(name))
                # Not the values of an environment: people put there what others need not see.
                shown = "" if isinstance(value, Mapping) else f": {_shown(value)}"
                problems.append(f"web_apps: {called} has {name!r}{shown}, but it {error}")
    return None if "name" not in values or wrong & LEADS_TO_SOURCE else App(**values)


def _shown(value: Any) -> str:
    """The value as a person would recognise it, short."""
    shown = json.dumps(value, default=str, ensure_ascii=False)
    return shown if len(shown) <= 60 else shown[:57] + "…"


def _nearest(word: str, known: Iterable[str], kind: str) -> str:
    names = list(known)
    near = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"{hint}Known {kind}: {', '.join(names) or 'none'}"


def _clashes(apps: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Names that two apps claim. nginx only warns of a server name that is there twice, and serves one of them."""
    owners: dict[str, str] = {}
    names: set[str] = set()
    for app in apps:
        if app["name"] in names:
            yield f"web_apps: the name {app['name']!r} is there twice; each app needs a name of its own"
        names.add(app["name"])
        # An app that is on its way out leaves its host names to others.
        listed = app.get("server_names") if app.get("state") != "absent" else None
        for server_name in listed if isinstance(listed, list) else []:
            owner = owners.setdefault(str(server_name), app["name"])
            if owner != app["name"]:
                yield (
                    f"web_apps: '{app['name']}' and '{owner}' both have {server_name!r} in 'server_names'; "
                    "a host name leads to one app"
                )


def _look_into(app: App, folder: Path) -> Iterator[str]:
    """What the source itself lacks."""
    if not folder.is_dir():
        yield f"has 'source': there is no folder {os.fspath(folder)!r}; give one, relative to the playbook or absolute"
        return
    entries = list(_entries(os.fspath(folder)))
    for path, entry in entries:
        if entry.is_symlink() and (fault := _link_fault(entry, folder)):
            yield f"has 'source': {path!r} is a link {fault}; put what it means in its place"
    files = [path for path, entry in entries if entry.is_file()]
    module = app.module.replace(".", "/")
    if f"{module}.py" not in files and f"{module}/__init__.py" not in files:
        found = [path.removesuffix(".py") for path in sorted(files) if path.endswith(".py") and "/" not in path]
        hint = _nearest(app.module, found, "modules")
        yield f"has 'module': {app.module!r}, but {os.fspath(folder)!r} holds no such module; {hint}"
    public = [path for path in sorted(files) if path.startswith(f"{app.static_folder}/")]
    if not public and app.static_folder != App.static_folder:
        yield f"has 'static_folder': there are no files in {os.fspath(folder / app.static_folder)!r}"
    if code := next((path for path in public if path.endswith(".py")), ""):
        yield f"has 'static_folder': nginx would publish the code in {code!r}; keep the two apart"
    if app.requirements not in files:
        yield f"has 'requirements': there is no file {app.requirements!r} in {os.fspath(folder)!r}; an empty one does"
    else:
        # Only looked through for what pip would follow; a remark in some other encoding is no fault.
        content = (folder / app.requirements).read_text(encoding="utf-8-sig", errors="replace")
        yield from _read_requirements(app, content)


def _link_fault(link: os.DirEntry[str], folder: Path) -> str:
    """Why a release can't hold the link; "" if it can, which then holds what the link leads to."""
    if not os.path.exists(link.path):
        return "to nothing"
    if not link.is_file():
        return "to a folder"
    return "" if Path(link.path).resolve().is_relative_to(folder.resolve()) else "out of the source"


def _read_requirements(app: App, content: str) -> Iterator[str]:
    """Requirements must stand in one file, or the virtualenv's key would miss a change in another."""
    logical = re.sub(r"\\\n", " ", content).splitlines()
    for line in filter(None, (re.sub(r"(^|\s)#.*", "", line).strip() for line in logical)):
        if PIP_LEADS_ELSEWHERE.match(line) or (PIP_LOCAL.match(line) and "--hash=" not in line):
            yield f"has 'requirements': {line!r} leads to another file; {COMPILE}"
        elif app.require_hashes and not line.startswith("-") and "--hash=" not in line:
            yield (f"has 'requirements': {line.split()[0]!r} has no hash; {COMPILE}, or set 'require_hashes: false'")
            return


# --- What follows from an app ---------------------------------------------------------------------------------------


class CodeFile(NamedTuple):
    """One file of the source: its path inside it, the SHA-256 of its content, whether it may be executed."""

    path: str
    sha256: str
    executable: bool


def code_files(folder: str) -> list[CodeFile]:
    """Every file of the source but what NOT_CODE names, sorted by path. A link to a file counts as the file."""
    found = []
    for path, entry in _entries(folder):
        if entry.is_file():
            status = entry.stat()
            stamp = (status.st_mtime_ns, status.st_ctime_ns, status.st_size)
            found.append(CodeFile(path, _sha256(entry.path, stamp), bool(status.st_mode & 0o100)))
    return sorted(found)


def _entries(folder: str, inside: str = "") -> Iterator[tuple[str, os.DirEntry[str]]]:
    """All but the folders, and but what NOT_CODE names, with its path inside `folder`. Links are not followed.

    A few hundred tasks ask for it, hence os.scandir: it knows most of what os.walk would ask the disk for again.
    """
    with os.scandir(folder) as entries:
        for entry in entries:
            if _IS_NOT_CODE(entry.name):
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from _entries(entry.path, f"{inside}{entry.name}/")
            else:
                yield f"{inside}{entry.name}", entry


_IS_NOT_CODE = re.compile("|".join(map(fnmatch.translate, NOT_CODE))).match


@functools.cache
def _sha256(path: str, stamp: tuple[int, int, int]) -> str:
    """The digest of a file. `stamp` (times of change, size) tells one state of it from the next."""
    del stamp
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Contract:
    """What the roles must agree on; `group_vars/all/contract.yml` says what each value means."""

    user: str = field(metadata={"rule": account})
    group: str = field(metadata={"rule": account})
    nginx_group: str = field(metadata={"rule": account})
    app_root: str = field(metadata={"rule": absolute_path})
    run_root: str = field(metadata={"rule": below_run})
    http_port: int = field(metadata={"rule": whole(1, 65535)})


def parse_contract(given: Mapping[str, Any], problems: list[str]) -> Contract:
    """The contract, checked; what is wrong is added to `problems`."""
    values = dict(given)
    for agreed in dataclasses.fields(Contract):
        try:
            values[agreed.name] = agreed.metadata["rule"](given[agreed.name])
        except WrongValue as error:
            problems.append(f"web_{agreed.name}: is {_shown(given[agreed.name])}, but it {error}")
    return Contract(**values)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Release:
    """A release of an app on a host: its id, and every path and name that follows from the two."""

    app: App
    contract: Contract
    id: str
    venv_id: str
    files: list[CodeFile]
    environment: dict[str, str]
    secrets: dict[str, str]
    source: str

    @property
    def root(self) -> str:
        return f"{self.contract.app_root}/{self.app.name}"

    @property
    def run(self) -> str:
        return f"{self.contract.run_root}/{self.app.name}"

    @property
    def directory(self) -> str:
        return f"{self.root}/releases/{self.id}"

    @property
    def static_at_root(self) -> bool:
        return self.app.static_url == "/"

    def sockets(self) -> dict[str, str]:
        """Where the instance is reached: by nginx, under its own name and under the live one's, and by probes."""
        return {
            "socket": f"{self.run}/{self.id}.sock",
            "live_socket": f"{self.run}/{self.app.name}.sock",
            "http_socket": f"{self.run}/{self.id}/http.sock",
            "stats_socket": f"{self.run}/{self.id}/stats.sock",
        }

    def _import_check(self) -> str:
        """A shell line, run in the code's folder, that fails with a traceback if the app can't be imported."""
        importing = f'import importlib; getattr(importlib.import_module("{self.app.module}"), "{self.app.callable}")'
        return f"exec ../venv/bin/python -c '{importing}'"

    def flask_app(self) -> dict[str, Any]:
        """The slice of the role flask_app, but for environment and secrets."""
        return {
            "name": self.app.name,
            "id": self.id,
            "root": self.root,
            "release": self.directory,
            "source": self.source,
            "files": [list(file) for file in self.files],
            "check": self._import_check(),
            "before_live": self.app.before_live,
            "after_live": self.app.after_live,
            "public_folder": self.app.static_folder,
            "venv": f"{self.root}/venvs/{self.venv_id}",
            "requirements": f"{self.directory}/code/{self.app.requirements}",
            "require_hashes": self.app.require_hashes,
            "ref": _ref(self.source),
        }

    def uwsgi(self) -> dict[str, Any]:
        """The slice of the role uwsgi."""
        return {
            "name": self.app.name,
            "id": self.id,
            "root": self.root,
            "run": self.run,
            "runtime_directory": self.run.removeprefix("/run/"),
            "release": self.directory,
            **self.sockets(),
            "module": self.app.module,
            "callable": self.app.callable,
            "processes": self.app.processes,
            "threads": self.app.threads,
            "backlog": self.app.listen_queue,
            "request_timeout": self.app.request_timeout,
            "stop_timeout": self.app.request_timeout + 15,
            "start_timeout": self.app.start_timeout,
            "max_requests": self.app.max_requests,
            "keep_releases": self.app.keep_releases,
            "has_hooks": bool(self.app.before_live),
            "ref": _ref(self.source),
            "health": {
                "path": self.app.health_path,
                "successes": self.app.health_successes,
                "deadline": self.app.start_timeout,
            },
            "front": {
                "address": f"127.0.0.1:{self.contract.http_port}",
                "host": self.app.server_names[0].replace("*.", "probe."),
            },
        }

    def nginx(self) -> dict[str, Any]:
        """The slice of the role nginx."""
        return {
            "name": self.app.name,
            "upstream": self.app.name,
            "server_names": self.app.server_names,
            "socket": self.sockets()["live_socket"],
            "static_root": f"{self.root}/current/code/{self.app.static_folder}",
            "static_url": self.app.static_url,
            "static_at_root": self.static_at_root,
            # With static files at the root, nginx looks for a file first and asks the app by this name.
            "app_location": f"@{self.app.name}" if self.static_at_root else "/",
            "max_body": self.app.max_body,
            # uWSGI ends a slow request first, so that the visitor's answer and the journal tell the same story.
            "read_timeout": self.app.request_timeout + 5,
        }


@functools.cache
def _ref(folder: str) -> str:
    """What git calls the source, for the history; "" where it isn't under git. It decides nothing."""
    words = ["git", "-C", folder, "describe", "--always", "--dirty", "--tags"]
    try:
        return subprocess.run(words, capture_output=True, text=True, check=False, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


# Settings that a running instance doesn't carry: a change of one of these needs no new release.
NOT_IN_RELEASE = (
    "state",
    "purge",
    "server_names",
    "static_url",
    "max_body",
    "health_path",
    "health_successes",
    "start_timeout",
    "keep_releases",
)


def release(
    app: App,
    secrets: dict[str, str],
    contract: Contract,
    python: str,
    recipe: str,
    base: str,
) -> Release:
    """The release that these inputs make. Equal inputs make an equal id, so there is nothing to do for them.

    `python` is the host's Python version ("3.13.5"), `recipe` the folder of the templates that instances are made from.
    """
    folder = os.path.abspath(os.path.join(base, app.folder))
    files = code_files(folder)
    settings = {
        name: value for name, value in dataclasses.asdict(app).items() if name not in (*NOT_IN_RELEASE, "source")
    }
    identity = _digest(
        [
            files,
            settings,
            secrets,
            dataclasses.asdict(contract),
            python,
            code_files(recipe),
        ]
    )
    requirements = next((file.sha256 for file in files if file.path == app.requirements), "")
    # A virtualenv of Debian's Python outlives its point releases; only 3.11 -> 3.13 asks for a new one.
    venv = _digest([requirements, app.require_hashes, python.split(".")[:2]])
    return Release(
        app=app,
        contract=contract,
        id=identity[:ID_DIGITS],
        venv_id=venv[:ID_DIGITS],
        files=files,
        environment=app.environment,
        secrets=secrets,
        source=folder,
    )


def _too_long(app: App, contract: Contract) -> Iterator[str]:
    """A socket whose path no Unix socket can have, whatever the release's id will be."""
    any_release = Release(
        app=app,
        contract=contract,
        id="0" * ID_DIGITS,
        venv_id="",
        files=[],
        environment={},
        secrets={},
        source="",
    )
    longest = max(any_release.sockets().values(), key=len)
    if len(longest) > SOCKET_PATH_BYTES:
        yield (
            f"web_apps: '{app.name}' has a name too long for a socket: {longest} is over {SOCKET_PATH_BYTES} bytes; "
            "shorten it"
        )


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def web_plan(
    apps: Any,
    secrets: Any,
    *,
    contract: Mapping[str, Any],
    python: str,
    recipe: str,
    base: str,
) -> dict[str, Any]:
    """All that the roles need to know, a slice for each: the filter behind `web_plan` in wiring.yml.

    Raises BadSettings; settings.yml asks web_problems first, so that a person sees the problems and nothing else.
    """
    problems: list[str] = []
    agreed = parse_contract(contract, problems)
    pairs = parse(apps, secrets, base, problems)
    for app, _hidden in pairs:
        problems += _too_long(app, agreed)
    if problems:
        raise BadSettings(problems)
    releases = [release(app, hidden, agreed, python, recipe, base) for app, hidden in pairs if app.is_present()]
    return {
        "flask_app": [made.flask_app() for made in releases],
        "uwsgi": [made.uwsgi() for made in releases],
        "nginx": [made.nginx() for made in releases],
        "absent": [_places(app, agreed) for app, _hidden in pairs if not app.is_present()],
        "everything": [_places(app, agreed) for app, _hidden in pairs],
        # Apart from the rest, so that no task has to print an item that holds a secret.
        "environments": {made.app.name: made.environment for made in releases},
        "secrets": {made.app.name: made.secrets for made in releases},
    }


def web_problems(*arguments: Any, **options: Any) -> list[str]:
    """What is wrong with the settings, a sentence for each fault; nothing if web_plan can use them."""
    try:
        web_plan(*arguments, **options)
    except BadSettings as error:
        return error.problems
    return []


def web_misspelt(names: Iterable[str], base: str) -> list[str]:
    """Which of these variables are misspelt ones of ours, a sentence for each: Ansible takes them without a word.

    `names` are those that begin like ours, `base` is the playbook's folder. One that resembles none of ours is taken
    for somebody else's.
    """
    homes = [*Path(base, "group_vars/all").glob("*.yml"), *Path(base, "roles").glob("*/defaults/main.yml")]
    known = [name for home in homes for name in re.findall(r"^(\w+):", home.read_text(encoding="utf-8"), re.MULTILINE)]
    # Names begin alike, so only those count that are near indeed.
    near = {name: difflib.get_close_matches(name, known, n=1, cutoff=0.85) for name in {*names} - {*known}}
    return [
        f"{name}: no role reads this variable; did you mean {near[name][0]!r}?" for name in sorted(near) if near[name]
    ]


def _places(app: App, contract: Contract) -> dict[str, Any]:
    """Where an app is on a host, for its removal."""
    return {
        "name": app.name,
        "root": f"{contract.app_root}/{app.name}",
        "run": f"{contract.run_root}/{app.name}",
        "data": f"/var/lib/{app.name}",
        "purge": app.purge,
    }


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"web_plan": web_plan, "web_problems": web_problems, "web_misspelt": web_misspelt}
