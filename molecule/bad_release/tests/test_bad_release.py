"""Every way in which a release can be bad, each tried under load."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

import pytest

from server import TOKEN, Server, report

# What is broken, and words that the end of the run must hold.
Breakage = tuple[Callable[[Server], None], str]


def append(path: str, text: str) -> Callable[[Server], None]:
    def breakage(server: Server) -> None:
        with (server.source / path).open("a") as file:
            file.write(text)

    return breakage


def on_health(body: str) -> Callable[[Server], None]:
    """Let the app do this when its health is asked for."""
    lines = "".join(f"        {line}\n" for line in body.splitlines())
    hook = "@app.before_request\ndef _broken() -> None:\n    if flask.request.path == '/health':\n"
    return append("flask_wsgi.py", f"\nimport flask, os, signal, time\ncount = []\n{hook}{lines}")


def setting(**changes: object) -> Callable[[Server], None]:
    def breakage(server: Server) -> None:
        server.app |= changes

    return breakage


def both(*breakages: Callable[[Server], None]) -> Callable[[Server], None]:
    def breakage(server: Server) -> None:
        for each in breakages:
            each(server)

    return breakage


def wrong_hash(server: Server) -> None:
    requirements = server.source / "requirements.txt"
    text = requirements.read_text()
    first = text.index("sha256:") + len("sha256:")
    name = text.rindex("\n", 0, text.index("==", 0)) + 1
    end = text.index("\n    # via", first) if "\n    # via" in text else len(text)
    hashes = text[name:end]
    broken = " \\\n".join([hashes.split(" \\\n")[0], "    --hash=sha256:" + "0" * 64])
    requirements.write_text(text.replace(hashes, broken))


UNKNOWN = f"\nno-such-thing-anywhere==1.0 --hash=sha256:{'0' * 64}\n"

BAD: dict[str, Breakage] = {
    "syntax error": (append("app/__init__.py", "\nexec('def broken(:')\n"), "SyntaxError"),
    "exception at import": (append("flask_wsgi.py", "\nraise RuntimeError('no configuration')\n"), "no configuration"),
    "missing dependency": (append("flask_wsgi.py", "\nimport no_such_module\n"), "No module named 'no_such_module'"),
    "requirement that can't be installed": (append("requirements.txt", UNKNOWN), "no-such-thing-anywhere"),
    "hash mismatch": (wrong_hash, "HASHES"),
    "no callable": (append("flask_wsgi.py", "\ndel app\n"), "cannot import name 'app'"),
    "a factory that nobody can see": (
        both(append("flask_wsgi.py", "\nglobals()['make'] = lambda: app\n"), setting(callable="make")),
        "make is a function, not an app; write make()",
    ),
    "health 500": (both(on_health("flask.abort(500)"), setting(start_timeout=8)), "status 500"),
    "health 404": (both(on_health("flask.abort(404)"), setting(start_timeout=8)), "status 404"),
    "health hangs": (both(on_health("time.sleep(60)"), setting(start_timeout=6)), "within 6 s"),
    "ready after the deadline": (
        both(append("flask_wsgi.py", "\nimport time\ntime.sleep(20)\n"), setting(start_timeout=4)),
        "timeout",
    ),
    "answers once, then dies": (
        on_health("count.append(1)\nif len(count) > 1: os.kill(os.getppid(), signal.SIGKILL)"),
        "died",
    ),
    "failing hook": (setting(before_live=["echo migrating", "exit 3"]), "status 3"),
}


@pytest.mark.parametrize("name", BAD)
def test_never_serves(server: Server, name: str) -> None:
    breakage, cause = BAD[name]
    good = server.live()
    breakage(server)
    with server.load() as load:
        run = server.run()
    assert run.code != 0, run.output[-3000:]
    assert cause in run.last_lines(20), run.output[-4000:]
    report(f"{name} ({run.seconds:.0f} s)", load)
    assert list(load.by) == [f"200 {good}"]
    server.assert_serves(good)
    kept = server.sh("cat $(ls -td /opt/uwsgi-flask/releases/*/failure.log | head -1)")
    assert cause in kept


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("module", "flask_wsgy", "did you mean 'flask_wsgi'?"),
        ("callable", "ap", "did you mean 'app'?"),
        ("callable", "create_app", "is a function; write create_app()"),
    ],
)
def test_what_the_code_shows_is_refused_before_the_host_is_touched(
    server: Server, key: str, value: str, told: str
) -> None:
    server.app[key] = value
    run = server.run()
    assert run.code != 0
    assert told in run.output
    assert "See what the host has" not in run.output


def test_no_secret_is_printed(server: Server) -> None:
    """Not with everything shown that Ansible can show, and not by a task that fails."""
    append("flask_wsgi.py", "\nraise RuntimeError('shown')\n")(server)
    secret = server.secrets["uwsgi-flask"]["TOKEN_MD5"] = "a-secret-nobody-may-see"
    run = server.run("site.yml", "-vvv", "--diff")
    server.secrets["uwsgi-flask"]["TOKEN_MD5"] = TOKEN
    assert run.code != 0
    assert "RuntimeError: shown" in run.output
    assert "WEB_RELEASE" not in run.output, "the diff shows the environment"
    assert secret not in run.output


@contextlib.contextmanager
def little_room(server: Server, spare_kilobytes: int) -> Iterator[None]:
    """The app's directory on a disk of its own, with so much room left."""
    used = int(server.sh("du -sk /opt/uwsgi-flask | cut -f1"))
    size = used * 11 // 10 + spare_kilobytes
    server.sh(
        f"mkdir -p /mnt/small && mount -t tmpfs -o mode=0751,size={size}k small /mnt/small"
        " && cp -a /opt/uwsgi-flask/. /mnt/small/ && chgrp web-uwsgi-flask /mnt/small"
        " && mount --bind /mnt/small /opt/uwsgi-flask"
    )
    room = int(server.sh("df -k --output=avail /opt/uwsgi-flask | tail -1"))
    filler = max(room - spare_kilobytes, 0)
    server.sh(f"dd if=/dev/zero of=/opt/uwsgi-flask/filler bs=1k count={filler} status=none")
    try:
        yield
    finally:
        server.sh("umount /opt/uwsgi-flask && umount /mnt/small && rmdir /mnt/small")


@pytest.mark.parametrize("what", ["code", "virtualenv"])
def test_a_full_disk(server: Server, what: str) -> None:
    good = server.live()
    spare = 1_500
    if what == "code":
        (server.source / "large.bin").write_bytes(bytes(range(256)) * 16_000)
    else:
        append("requirements.txt", f"\n# {time.time()}\n")(server)
        # Enough to begin with, not enough for all that the app requires.
        spare = int(server.sh("du -sk $(readlink -f /opt/uwsgi-flask/current/venv) | cut -f1")) - 1_500
    with little_room(server, spare), server.load() as load:
        run = server.run()
        assert server.live() == good
        assert server.instances() == [good]
    assert run.code != 0, run.output[-3000:]
    assert "No space left on device" in run.last_lines(20), run.output[-4000:]
    report(f"disk full ({what})", load)
    server.assert_serves(good)


def test_a_virtualenv_build_that_is_killed(server: Server) -> None:
    good = server.live()
    append("requirements.txt", f"\n# {time.time()}\n")(server)
    with server.load() as load:
        process = server.start()
        server.sh(
            "for n in $(seq 300); do pid=$(pgrep -of 'venvs/[0-9a-f]*/bin/p.*requirements') && break; sleep 0.1; done;"
            " kill -9 $pid"
        )
        output, _nothing = process.communicate(timeout=120)
    assert process.returncode != 0, output[-3000:]
    report("virtualenv build killed", load)
    server.assert_serves(good)
    server.deploy()
    assert server.live() != good


def test_a_good_one_goes_live_after_all(server: Server) -> None:
    server.say("mended")
    before = server.live()
    with server.load("/") as load:
        server.deploy()
    report("good release", load)
    assert server.live() != before
    server.assert_serves(server.live())
    assert "mended" in server.get("/")[1]
