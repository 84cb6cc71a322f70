"""Apps of every kind side by side, on Debian 12 and 13, and what one may do to another: nothing."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.uwsgi_flask.web.plugins.module_utils.layout import AppLayout
from ansible_collections.uwsgi_flask.web.plugins.module_utils.releases.virtualenv import SANDBOX
from testinfra.host import Host

import index
from repositories import Upstream
from server import Run, Server, ask

SHOP = """
import ctypes
import os
import socket

from flask import Flask, request

def create_app(mode, *, greeting):
    app = Flask(__name__)

    @app.get("/")
    def home():
        return f"{mode} {greeting}"

    @app.get("/health")
    def health():
        return "ok"

    @app.get("/values")
    def values():
        return {name.decode(): value.hex() for name, value in os.environb.items() if name.startswith(b"T_")}

    @app.get("/try")
    def attempt():
        what, at = request.args["what"], request.args["at"]
        try:
            if what == "read":
                open(at).read(1)
            elif what == "write":
                open(at, "a").close()
            elif what == "list":
                os.listdir(at)
            elif what == "connect":
                socket.socket(socket.AF_UNIX).connect(at)
            elif what == "signal":
                os.kill(int(at), 0)
            elif what == "trace":
                libc = ctypes.CDLL(None, use_errno=True)
                if libc.ptrace(16, int(at), 0, 0) != 0:
                    raise OSError(ctypes.get_errno(), "ptrace")
        except OSError as error:
            return type(error).__name__
        return "done"

    return app
"""

LOCKED = """
[project]
name = "wiki"
version = "1.0"
requires-python = ">=3.11"
dependencies = ["flask"]
"""

WIKI = """
from flask import Flask

app = Flask(__name__)

@app.get("/health")
def health():
    return "ok"

@app.get("/")
def home():
    return "the wiki"
"""

# A whole WSGI app without any dependency, in one module.
PLAIN = """
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"a wheel"]
"""

# What means something to a shell, to YAML, to Jinja, to systemd, to an ini or to nothing at all.
TORTURE = {
    "T_BRACES": "{{ 7 * 7 }} {% raw %}",
    "T_PERCENT": "100%, %n, %%, %(name)s",
    "T_DOLLAR": "$HOME ${HOME} $$ $(id) `id`",
    "T_HASH": "# not a remark; nor this",
    "T_SINGLE": "it's 'quoted'",
    "T_DOUBLE": 'she said "no"',
    "T_BACKSLASH": "C:\\new\\table\\",
    "T_EQUALS": "a=b=c==",
    "T_NEWLINE": "first\nsecond\n\nfourth\n",
    "T_RETURN": "first\r\nsecond\r",
    "T_TAB": "a\tb\t",
    "T_SPACES": "  both ends  ",
    "T_UNICODE": "Grüße, 日本語, 🙂",
    "T_URL": "postgres://u:p%40ss@db/shop?sslmode=require#x",
    "T_JSON": '{"key": [1, null, "x"]}',
    "T_YAML": "yes: [no, ~, 0x1F]",
    "T_EXPORT": "export A=1; B=2 && C=3",
    "T_NUMBERISH": "0012.50",
    "T_CONTROL": "bell\x07 escape\x1b[31m end",
    "T_LONG": "x" * 4000 + "end",
}


class House(Server):
    """Every kind of app on both servers; what they are is in `kinds`."""

    def __init__(self, host: Host, folder: Path) -> None:
        super().__init__(host, folder)
        self.limit = ""
        self.app |= {"user": "www"}
        self.web |= {"web_locks": str(folder / "locks")}
        self.kinds = {"a folder": self.app, **{what: self._made(what) for what in KINDS}}
        self.others = [self.kinds[what] for what in KINDS]
        self.secrets |= {"shop": {name: {"__ansible_unsafe": value} for name, value in TORTURE.items()}}

    def _made(self, what: str) -> dict[str, Any]:
        name, keys = KINDS[what]
        return {"name": name, "server_names": [f"{name}.test"], "start_timeout": 60, **keys(self.folder)}

    def everywhere(self) -> dict[str, dict[str, tuple[int, str]]]:
        """What both servers answer, by port and page."""
        return {
            str(port): {what: ask_at(port, path, name) for what, (name, path) in PAGES.items()}
            for port in (self.port, self.port + 1)
        }


def _git(folder: Path) -> dict[str, Any]:
    upstream = Upstream(folder / "upstream", {"src/shop/__init__.py": SHOP, "requirements.txt": "flask\n"})
    upstream.git("tag", "v1")
    factory = "create_app('production', greeting='hello')"
    return {"source": upstream.url, "ref": "v1", "chdir": "src", "module": "shop", "callable": factory}


def _locked(folder: Path) -> dict[str, Any]:
    """A project as uv makes it, with the lock that uv makes."""
    source = folder / "wiki"
    source.mkdir()
    (source / "pyproject.toml").write_text(LOCKED)
    (source / "flask_wsgi.py").write_text(WIKI)
    subprocess.run(["uv", "lock", "--quiet", "--project", str(source)], check=True)
    return {"source": str(source)}


def _wheel(folder: Path) -> dict[str, Any]:
    made = index.wheel(folder / "dist", "plain", "1.0", text=PLAIN)
    # Below the wiki's name.
    return {
        "package": str(made),
        "module": "plain",
        "server_names": ["wiki.test"],
        "prefix": "/plain",
        "health_path": "/",
    }


def _package(_folder: Path) -> dict[str, Any]:
    return {"package": "httpbin", "module": "httpbin", "health_path": "/get"}


KINDS: dict[str, tuple[str, Any]] = {
    "git and a factory": ("shop", _git),
    "uv.lock": ("wiki", _locked),
    "a wheel": ("plain", _wheel),
    "a package of the index": ("httpbin", _package),
}


@pytest.fixture(scope="module")
def house(host: Host, tmp_path_factory: pytest.TempPathFactory) -> House:
    return House(host, tmp_path_factory.mktemp("house"))


@pytest.fixture(scope="module")
def first(house: House) -> Run:
    """All of them deployed, with all that Ansible can be made to print."""
    done = house.run("site.yml", "-vvv", "--diff")
    assert done.code == 0, done.output[-6000:]
    return done


@pytest.fixture(scope="module")
def hosts(host: Host) -> dict[str, Host]:
    """Both servers by name."""
    inventory = host.backend.ansible_inventory
    names = ("many-apps-one", "many-apps-two")
    return {name: host.get_host(f"ansible://{name}", ansible_inventory=inventory) for name in names}


def sh(host: Host, command: str) -> str:
    with host.sudo():
        return str(host.check_output(command))


# --- Every kind serves ------------------------------------------------------------------------------------------------


def test_every_kind_serves_under_its_name(first: Run, house: House) -> None:
    table = first.output[first.output.rindex("HOST  ") :].partition("\nok:")[0]
    print(f"\nthe whole run: {first.seconds:.0f} s\n{table}")
    for seen in house.everywhere().values():
        assert seen["wiki"] == (200, "the wiki")
        assert seen["shop"] == (200, "production hello")
        assert seen["plain"] == (200, "a wheel")
        assert json.loads(seen["httpbin"][1])["headers"]["Host"] == "httpbin.test"
        assert "uWSGI" in seen["flask"][1]


def test_two_apps_share_a_host_name_by_a_prefix(first: Run, house: House) -> None:
    for port in (house.port, house.port + 1):
        assert ask_at(port, "/plain/whatever", "wiki.test") == (200, "a wheel")
        assert ask_at(port, "/plain", "wiki.test")[0] == 301
        assert ask_at(port, "/plainly", "wiki.test")[0] == 404
        assert ask_at(port, "/plain/.git", "wiki.test")[0] == 404
    house.run("maintenance.yml", "-estate=on", "-eapp=plain")
    closed = house.everywhere()
    house.run("maintenance.yml", "-estate=off", "-eapp=plain")
    for seen in closed.values():
        assert (seen["wiki"], seen["plain"][0]) == ((200, "the wiki"), 503)


PAGES = {
    "flask": ("flask.test", "/"),
    "shop": ("shop.test", "/"),
    "wiki": ("wiki.test", "/"),
    "plain": ("wiki.test", "/plain/any"),
    "httpbin": ("httpbin.test", "/get"),
}


def ask_at(port: int, path: str, name: str) -> tuple[int, str]:
    status, _headers, body = ask(port, path, name)
    return status, body


def test_nothing_is_built_or_changed_a_second_time(first: Run, house: House) -> None:
    done = house.deploy()
    print(f"\nnothing to do: {done.seconds:.0f} s")
    assert done.changed == 0
    assert done.output.count("unchanged") == 2 * len(house.kinds)


def test_changed_code_of_one_needs_no_new_virtualenv(first: Run, house: House, hosts: dict[str, Host]) -> None:
    before = {name: sh(host, "stat -c %Z /opt/wiki/venvs/*") for name, host in hosts.items()}
    page = Path(house.kinds["uv.lock"]["source"], "flask_wsgi.py")
    page.write_text(WIKI.replace("the wiki", "the new wiki"))
    done = house.deploy()
    print(f"\nchanged code of one of {len(house.kinds)}: {done.seconds:.0f} s")
    assert house.get("/", "wiki.test") == (200, "the new wiki")
    assert {name: sh(host, "stat -c %Z /opt/wiki/venvs/*") for name, host in hosts.items()} == before


def test_one_that_is_broken_holds_back_none(first: Run, house: House) -> None:
    page = Path(house.kinds["uv.lock"]["source"], "flask_wsgi.py")
    page.write_text("raise RuntimeError('on purpose')\napp = made()\n")
    house.say("beside a broken one")
    done = house.run()
    assert done.code == 2
    assert "RuntimeError: on purpose" in done.output
    assert "beside a broken one" in house.get("/", "flask.test")[1]
    assert house.get("/", "wiki.test") == (200, "the new wiki")


# --- Secrets ----------------------------------------------------------------------------------------------------------


def test_every_value_arrives_as_it_is(first: Run, house: House) -> None:
    for port in (house.port, house.port + 1):
        values = json.loads(ask_at(port, "/values", "shop.test")[1])
        assert {name: bytes.fromhex(value).decode() for name, value in values.items()} == TORTURE


@pytest.mark.parametrize("name", TORTURE)
def test_no_secret_is_printed_even_with_vvv(first: Run, name: str) -> None:
    value = TORTURE[name]
    for form in (value, json.dumps(value)[1:-1], value.encode("unicode_escape").decode()):
        assert form not in first.output


def test_no_secret_is_anywhere_but_in_roots_file(first: Run, house: House, hosts: dict[str, Host]) -> None:
    for host in hosts.values():
        # sudo logs this very command, so it must not hold what is looked for.
        sh(host, f"echo {base64.b64encode(b'p%40ss@db').decode()} | base64 --decode > /dev/shm/needle")
        found = sh(host, "grep -rlsF --file=/dev/shm/needle /etc /opt /var /run /tmp /home /root; true")
        assert {Path(path).name for path in found.split()} == {"environment"}
        assert set(sh(host, "stat -c '%a %U' /opt/shop/releases/*/environment").splitlines()) == {"600 root"}
        assert "p%40ss@db" not in sh(host, "journalctl --no-pager --output=cat; systemctl show 'shop@*'; ps -eo args")


# --- Kept apart -------------------------------------------------------------------------------------------------------

# What an app has that is nobody else's business, as (what is tried, where).
THEIRS = [
    ("read", "{directory}/environment"),
    ("read", "{directory}/release.json"),
    ("read", "{directory}/requirements.txt"),
    ("list", "{directory}/code"),
    ("list", "{root}/current/venv/"),
    ("list", "{data}"),
    ("read", "{data}/orders"),
    ("write", "{data}/orders"),
    ("connect", "{live_socket}"),
    ("connect", "{run}/{id}.sock"),
    ("connect", "{run}/{id}/http.sock"),
    ("connect", "{run}/{id}/stats.sock"),
    ("signal", "{pid}"),
    ("trace", "{pid}"),
    ("read", "/proc/{pid}/environ"),
    ("list", "/proc/{pid}/root"),
    ("list", "/proc/{pid}/cwd"),
]
# The same without the app's own code, for who isn't one.
WITHOUT_APP = {
    "read": "head -c1 '{at}' >/dev/null",
    "write": ": >> '{at}'",
    "list": "ls '{at}' >/dev/null",
    "connect": "python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])' '{at}'",
    "signal": "kill -0 {at}",
    "trace": "python3 -c 'import ctypes, sys; sys.exit(ctypes.CDLL(None).ptrace(16, {at}, 0, 0) != 0)'",
}


def places(host: Host, app: str) -> dict[str, str]:
    layout = AppLayout(app)
    live = layout.release(sh(host, f"readlink {layout.current}").rpartition("/")[2])
    sh(host, f"touch {layout.data}/orders")
    pid = sh(host, f"systemctl show --value --property=MainPID '{live.service}'")
    return {**layout.describe(), **live.describe(), "pid": pid, "root": str(layout.root), "run": str(layout.run)}


def tried(host: Host, app: str) -> list[tuple[str, str]]:
    where = places(host, app)
    return [(what, at.format_map(where)) for what, at in THEIRS]


@pytest.mark.parametrize("other", ["uwsgi-flask", "wiki", "httpbin"])
def test_an_app_may_not_touch_another(first: Run, house: House, hosts: dict[str, Host], other: str) -> None:
    """From its own worker."""
    for name, port in zip(hosts, (house.port, house.port + 1), strict=True):
        got = {
            f"{what} {at}": ask_at(port, f"/try?what={what}&at={at}", "shop.test")[1]
            for what, at in tried(hosts[name], other)
        }
        refused = ("PermissionError", "FileNotFoundError", "ProcessLookupError")
        assert {which: answer for which, answer in got.items() if answer not in refused} == {}


def test_what_is_its_own_it_may(first: Run, house: House, hosts: dict[str, Host]) -> None:
    """Or the test above could pass because nothing works."""
    own = tried(hosts["many-apps-one"], "shop")
    may = [(what, at) for what, at in own if what in ("read", "write", "list") and "/proc" not in at]
    got = {at: ask_at(house.port, f"/try?what={what}&at={at}", "shop.test")[1] for what, at in may}
    assert got.pop(next(at for at in got if at.endswith("/environment"))) == "PermissionError"
    assert set(got.values()) == {"done"}


def without_app(host: Host, command: str, other: str) -> dict[str, bool]:
    """What works for somebody who runs `command`, as root it would all."""
    attempts = [(what, WITHOUT_APP[what].format(at=at)) for what, at in tried(host, other)]
    script = "".join(
        f"if ( {line} ) 2>/dev/null; then echo {number}; fi\n" for number, (_what, line) in enumerate(attempts)
    )
    sh(host, f"cat > /tmp/attempts <<'END'\n{script}END\nchmod 755 /tmp/attempts")
    done = {int(number) for number in sh(host, f"{command} /bin/sh /tmp/attempts; true").split()}
    return {line: number in done for number, (_what, line) in enumerate(attempts)}


def test_root_or_the_app_itself_may_all_of_it(first: Run, hosts: dict[str, Host]) -> None:
    """Or the next two could pass because their commands are wrong. A container's root may not trace."""
    by_root = without_app(hosts["many-apps-one"], "env", "wiki")
    itself = without_app(hosts["many-apps-one"], "runuser -u web-wiki --", "wiki")
    assert [line for line, did in by_root.items() if not did and not itself[line]] == []


@pytest.mark.parametrize("other", ["uwsgi-flask", "wiki"])
def test_nor_may_its_user_without_any_sandbox(first: Run, hosts: dict[str, Host], other: str) -> None:
    for host in hosts.values():
        worked = without_app(host, "runuser -u web-shop --", other)
        assert [line for line, did in worked.items() if did] == []


def test_nor_may_a_build(first: Run, hosts: dict[str, Host]) -> None:
    """What pip runs may be a stranger's."""
    words = " ".join(f"--property='{one}'" for one in SANDBOX)
    for host in hosts.values():
        # The script lies where the sandbox sees it.
        sh(host, "mkdir -p /opt/attempts && touch /opt/attempts/x")
        without_app(host, "true", "wiki")
        sh(host, "cp /tmp/attempts /opt/attempts/script && chmod 755 /opt/attempts/script")
        found = sh(host, f"systemd-run --quiet --wait --pipe --collect {words} /bin/sh /opt/attempts/script; true")
        sh(host, "rm -r /opt/attempts")
        assert found.split() == []


# --- Servers without a way out ----------------------------------------------------------------------------------------


@pytest.fixture
def cut_off(hosts: dict[str, Host]) -> Iterator[None]:
    """Whoever isn't on the servers' own network can't be reached."""
    ways = {name: sh(host, "ip route show default") for name, host in hosts.items()}
    for name, way in ways.items():
        route(name, "del", way)
        route(name, "add", "blackhole default")
    yield
    for name, way in ways.items():
        route(name, "del", "blackhole default")
        route(name, "add", way)


def route(name: str, verb: str, way: str) -> None:
    words = ["podman", "exec", "--privileged", f"uwsgi-flask-{name}", "ip", "route", verb, *way.split()]
    subprocess.run(words, check=True)


def test_a_server_that_reaches_no_index_gets_its_wheels(
    first: Run, house: House, hosts: dict[str, Host], request: pytest.FixtureRequest
) -> None:
    needs = "from itsdangerous import Signer\nfrom markupsafe import escape_silent\n"
    made = index.wheel(house.folder / "dist", "plain", "1.1", ["itsdangerous", "markupsafe"], text=needs + PLAIN)
    house.kinds["a wheel"]["package"] = str(made)
    house.web |= {"web_wheelhouse": str(house.folder / "wheelhouse")}
    refused = house.run("site.yml", "-eapp=plain")
    assert "fill it: ansible-playbook wheelhouse.yml -e app=plain" in refused.output
    assert "PLAY [Serve the apps]" not in refused.output
    filled = house.run("wheelhouse.yml", "-eapp=plain")
    assert filled.code == 0, filled.output[-6000:]
    request.getfixturevalue("cut_off")
    for host in hosts.values():
        assert sh(host, "timeout 5 bash -c '</dev/tcp/192.0.2.1/443' 2>/dev/null; echo $?") == "1"
    done = house.run("site.yml", "-eapp=plain")
    assert done.code == 0, done.output[-6000:]
    for (name, host), port in zip(hosts.items(), (house.port, house.port + 1), strict=True):
        assert ask_at(port, "/plain/", "wiki.test") == (200, "a wheel"), name
        # Of the wheels for each Python the one that this host takes.
        python = {"many-apps-one": "cp313", "many-apps-two": "cp311"}[name]
        carried = sh(host, "cd /opt/plain/wheels && ls").split()
        assert [wheel.split("-")[0] for wheel in carried] == ["itsdangerous", "markupsafe"]
        assert python in carried[1]
