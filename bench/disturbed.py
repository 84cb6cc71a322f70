"""Scenes in which something happens meanwhile: slow clients, deploys, restarts."""

from __future__ import annotations

import dataclasses
import shlex
import sys
import time

from bench import deployed, setup, wrk
from bench.contenders import BY_NAME, RESTARTED
from bench.ratios import Scene
from bench.scenes import Bench, now
from bench.server import PLACE
from bench.wrk import Load, Target

SLOW_HEADERS, SLOW_UPLOADS = 200, 20
RESTARTS = 10
# A load that is ended from here ends by itself after so many seconds.
LONGEST_LOAD = 1200


def slow(bench: Bench) -> Scene:
    """The page, alone and beside slow clients."""
    server = bench.server
    targets = {"ours": bench.ours("/"), "uWSGI without nginx": BY_NAME["uWSGI without nginx"].target("/")}
    scene: Scene = {"date": now(), "connections": 32, "seconds": bench.plan.seconds, "runs": {}}
    for _round in range(bench.plan.rounds):
        for name, target in targets.items():
            quiet = server.load(target, 32, bench.plan.seconds)
            words = [str(target.port), target.host, "60", str(SLOW_HEADERS), str(SLOW_UPLOADS)]
            server.start("bench-slow", f"/usr/bin/python3 {PLACE}/inside/slow.py {shlex.join(words)}")
            time.sleep(3)
            beside = server.load(target, 32, bench.plan.seconds)
            server.stop("bench-slow")
            time.sleep(1)
            for what, load in ((f"{name}, alone", quiet), (f"{name}, beside slow clients", beside)):
                scene["runs"].setdefault(what, []).append(dataclasses.asdict(load))
    return scene


def deploys(bench: Bench) -> Scene:
    """Deploys of a changed template under load that takes all there is; as a control, restarts of an ordinary unit."""
    scene: Scene = {"date": now(), "deploys": bench.plan.deploys, "restarts": RESTARTS, "runs": {}, "seconds_each": {}}
    page = deployed.WORK / "app/templates/page.html"
    count = bench.plan.deploys
    for connections in (64, 256):
        began, taken = begin(bench, bench.ours("/"), connections), []
        for number in range(count):
            before = bench.server.live_unit("bench")
            page.write_text(page.read_text().partition("{#")[0] + f"{{# {began} {number} #}}\n")
            taken.append(round(deployed.play("site.yml", f"-e@{deployed.WORK}/settings.yml", "-eapp=bench"), 1))
            if bench.server.live_unit("bench") == before:
                sys.exit("bench: a deploy left the release before it live")
            bench.say(f"deploys at {connections} connections: {number + 1} of {count}")
        scene["runs"][f"deploys at {connections}"] = [dataclasses.asdict(end(bench, connections))]
        scene["seconds_each"][str(connections)] = taken
        bench.server.forget_logs()
    setup.start(bench.server, [RESTARTED])
    begin(bench, RESTARTED.target("/"), 64)
    for _number in range(RESTARTS):
        bench.server.sh(f"systemctl restart {RESTARTED.unit} && sleep 1")
    scene["runs"]["restarts at 64"] = [dataclasses.asdict(end(bench, 64))]
    return scene


def begin(bench: Bench, target: Target, connections: int) -> str:
    """Start a load that goes on until it is ended. Returns when that was."""
    words = shlex.join(wrk.command(target, connections, LONGEST_LOAD, bench.server.cores))
    inner = shlex.quote(f"{words} > {PLACE}/log/load.txt 2>&1")
    bench.server.start("bench-load", f"/bin/bash -c {inner}")
    time.sleep(2)
    return now()


def end(bench: Bench, connections: int) -> Load:
    waits = "for _ in $(seq 100); do systemctl -q is-active bench-load || break; sleep 0.2; done"
    said = bench.server.sh(f"systemctl kill -s INT bench-load; {waits}; cat {PLACE}/log/load.txt")
    return wrk.parse(said, connections)
