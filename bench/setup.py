"""The bench server made ready: ours by site.yml, the contenders beside it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from bench import deployed, nginx_files
from bench.contenders import (
    CONTENDERS,
    RESTARTED,
    SEED,
    SOCKETS,
    VARIANT_PORT,
    Contender,
    apache_conf,
    own_ini,
    seed_ini,
)
from bench.server import PLACE, USER, Server

# What each unit needs to be there before its first request.
PATIENCE = 15


def create() -> None:
    deployed.WORK.mkdir(parents=True, exist_ok=True)
    deployed.play("molecule/shared/create.yml", "molecule/shared/prepare.yml")


def destroy() -> None:
    deployed.play("molecule/shared/destroy.yml")


def deploy_ours(server: Server, names: Iterable[str]) -> None:
    settings = deployed.settings_file(server.cores, deployed.stage(), names)
    deployed.play("site.yml", f"-e@{settings}")


def ours(server: Server) -> str:
    """The ini of ours, as it is on the server."""
    return server.sh("cat /opt/bench/current/bench.ini")


def number(ini: str, name: str) -> int:
    """What an ini has as `processes` or `threads`; where it says %k, as many as there are cores: 0."""
    found = re.search(rf"^{name} = (\S+)", ini, re.MULTILINE)
    return int(found[1]) if found and found[1].isdigit() else 0


def variants() -> list[Contender]:
    """Ours with so many threads, and with another interval of Python's interpreter lock (seconds)."""
    made = [(threads, "") for threads in (1, 2, 4, 8, 16, 32)] + [(16, it) for it in ("0.0005", "0.02")]
    return [
        Contender(
            f"{threads} threads" + (f", switch {switch} s" if switch else ""),
            VARIANT_PORT + at,
            "uwsgi",
            (f"/usr/bin/env BENCH_SWITCH={switch} " if switch else "")
            + f"/usr/bin/uwsgi --ini {PLACE}/ini/variant-{at}.ini",
        )
        for at, (threads, switch) in enumerate(made)
    ]


def files(server: Server) -> Path:
    """Everything that the contenders read, in a folder here."""
    folder = deployed.WORK / "srv"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(deployed.WORK / "app", folder / "app")
    shutil.copytree(deployed.ROOT / "bench/inside", folder / "inside", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("ini", "nginx", "log"):
        (folder / name).mkdir()
    ini = ours(server)
    queue = f"listen = {nginx_files.BACKLOG}"
    # It would leave it to the client to find out that it hangs up.
    direct = [f"http-socket = 127.0.0.1:{port('uWSGI without nginx')}", "add-header = Connection: close", queue]
    texts = {
        "ini/seed.ini": seed_ini(),
        "ini/apache.conf": apache_conf(server.cores, number(ini, "threads") or 4),
        "ini/direct.ini": own_ini(ini, direct),
        "ini/restarted.ini": own_ini(ini, [f"uwsgi-socket = {RESTARTED.socket}", "chmod-socket = 666", queue]),
        "nginx/ours.conf": nginx_files.base(server.sh("cat /etc/nginx/nginx.conf"), "ours"),
        "nginx/ours.sites": nginx_files.return_site()
        + "".join(
            nginx_files.site(one) for one in [*CONTENDERS, RESTARTED, *variants()] if one.speaks and one.name != SEED
        ),
        "nginx/seed.conf": nginx_files.base(debians_nginx_conf(server), "seed"),
        "nginx/seed.sites": nginx_files.seed_site(CONTENDERS[0]),
    }
    for at, variant in enumerate(variants()):
        threads = int(variant.name.split()[0])
        lines = [f"uwsgi-socket = {variant.socket}", "chmod-socket = 666", queue]
        texts[f"ini/variant-{at}.ini"] = own_ini(ini, lines, threads=threads)
    for name, text in texts.items():
        (folder / name).write_text(text)
    return folder


def port(name: str) -> int:
    (found,) = [one.port for one in CONTENDERS if one.name == name]
    return found


def debians_nginx_conf(server: Server) -> str:
    """As the package brings it; ours has replaced the one in /etc."""
    return server.sh(
        "cd /tmp && rm -f nginx-common_*.deb && apt-get download -qq nginx-common >/dev/null 2>&1"
        " && dpkg-deb --fsys-tarfile nginx-common_*.deb | tar --extract --to-stdout ./etc/nginx/nginx.conf"
    )


def install(server: Server, say: Callable[[str], None]) -> None:
    """Everything of the contenders that isn't running yet."""
    say("the contenders' packages")
    # What a run that was ended left behind.
    for unit in ("bench-load", "bench-slow"):
        server.stop(unit)
    server.sh(f"mkdir -p {PLACE}")
    server.send(str(files(server)), PLACE)
    deployed.play("bench/contenders.yml")
    server.sh(f"install -d -o {USER} -g {USER} -m 0755 {SOCKETS} && chown -R {USER}: {PLACE}/log {PLACE}/app")
    for name in ("ours", "seed"):
        server.start(f"bench-nginx-{name}", f"/usr/sbin/nginx -c {PLACE}/nginx/{name}.conf -g 'daemon off;'", "root")


def start(server: Server, contenders: Iterable[Contender]) -> None:
    """Start these and wait until each answers. Raises TimeoutError."""
    threads = number(ours(server), "threads") or 4
    for one in contenders:
        server.start(one.unit, one.started_by(server.cores, threads), one.user)
    for one in contenders:
        asks = f"curl -sf -o /dev/null -m 2 {one.target('/health').url}"
        server.sh(f"for _ in $(seq {PATIENCE * 4}); do {asks} && break; sleep 0.25; done", is_checked=False)
        if server.status(one.target("/health"))[0] != "200":
            log = server.sh(f"journalctl --no-pager -n 15 -u {one.unit}", is_checked=False)
            raise TimeoutError(f"{one.name} does not answer:\n{log}")
