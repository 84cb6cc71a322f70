"""libraries.yml after an upgrade of what nginx and uWSGI have loaded: nobody notices that they are replaced."""

from __future__ import annotations

import re
import shutil

from server import Server, report

WIKI = "wiki.test"
# `apt-get install --reinstall` puts new files in the place of those that are loaded, as an upgrade does.
UPGRADE = "DEBIAN_FRONTEND=noninteractive apt-get -q -y install --reinstall "
# It prints a line of figures, and says nothing that a test could take for another one.
KEPT = "needrestart -b -l -r l"


def told(output: str, server: Server) -> str:
    """The line of the host at the end of a run."""
    (line,) = re.findall(rf"^{server.name}: (.*)$", output, re.MULTILINE)
    return str(line)


def test_nothing_is_outdated_on_a_new_server(installed: Server) -> None:
    """Two apps: one by Debian's uWSGI, with a worker, and one by pyuwsgi."""
    installed.app["workers"] = {"mail": {"command": "sleep 100000"}}
    source = installed.folder / "wiki"
    shutil.copytree(installed.source, source)
    (source / "requirements.txt").write_text("flask\npyuwsgi>=2.0.28,<2.1\n")
    wiki = {"name": "wiki", "source": str(source), "server_names": [WIKI], "workers": {}, "python": "3.13"}
    installed.others = [{**installed.app, **wiki}]
    installed.web = {"web_locks": str(installed.folder / "locks")}
    installed.secrets["wiki"] = installed.secrets["uwsgi-flask"]
    installed.deploy()
    rehearsed = installed.run("libraries.yml", "--check")
    assert rehearsed.code == 0, rehearsed.output[-3000:]
    assert told(rehearsed.output, installed) == "nothing is known until a run without --check has installed needrestart"
    run = installed.run("libraries.yml")
    assert run.code == 0, run.output[-3000:]
    assert "nginx" not in told(run.output, installed)
    assert "uwsgi-flask" not in told(run.output, installed)
    assert installed.run("libraries.yml").changed == 0


def test_needrestart_leaves_the_apps_alone_even_when_it_is_to_restart_all(installed: Server) -> None:
    units = [f"uwsgi-flask@{installed.live()}.service", f"wiki@{installed.live('wiki')}.service"]
    pids = f"systemctl show --value -p MainPID {' '.join(units)}"
    before = installed.sh(pids)
    nginx = installed.sh("cat /run/nginx.pid")
    installed.sh(UPGRADE + "libpython3.13 libssl3t64")
    listed = installed.sh(KEPT)
    assert [unit for unit in units if unit not in listed] == []
    # In the words of /etc/needrestart/needrestart.conf, `a`; the rest of the server is none of this test's business.
    others = "$nrconf{override_rc}->{qr(^(ssh|systemd|dbus|user))} = 0;"
    installed.sh(f"echo '{others}' > /etc/needrestart/conf.d/test.conf; needrestart -r a -l >/dev/null 2>&1 </dev/null")
    assert installed.sh(pids) == before
    assert installed.sh("cat /run/nginx.pid") != nginx


def test_apps_and_nginx_are_replaced_and_nobody_notices(installed: Server) -> None:
    installed.sh(UPGRADE + "libpython3.13 libssl3t64")
    first, wiki = installed.live(), installed.live("wiki")
    nginx = installed.sh("cat /run/nginx.pid")

    rehearsed = installed.run("libraries.yml", "--check")
    assert rehearsed.code == 0, rehearsed.output[-3000:]
    assert "uwsgi-flask would get a new instance; wiki would get a new instance; nginx would be replaced" in told(
        rehearsed.output, installed
    )
    assert (installed.live(), installed.sh("cat /run/nginx.pid")) == (first, nginx)

    with installed.load() as load:
        run = installed.run("libraries.yml")
    assert run.code == 0, run.output[-4000:]
    # An nginx that goes closes connections on which nobody is asking just then, as a reload does.
    report(f"apps and nginx replaced ({run.seconds:.1f} s)", load, reloads_nginx=True)
    assert "uwsgi-flask got a new instance; wiki got a new instance; nginx was replaced" in told(run.output, installed)
    assert (installed.live() != first, installed.live("wiki") != wiki) == (True, True)
    assert installed.sh("cat /run/nginx.pid") != nginx
    assert installed.sh("systemctl show --value -p MainPID nginx") == installed.sh("cat /run/nginx.pid")
    installed.assert_serves(installed.live())
    assert "uwsgi-flask@" not in installed.sh(KEPT)


def test_what_follows_finds_all_as_it_should_be(installed: Server) -> None:
    live = installed.live()
    assert installed.run("site.yml", f"-erestart={','.join(['uwsgi-flask'])}", "--check").code == 0
    installed.sh("systemctl reload nginx")
    installed.deploy()
    assert installed.run("libraries.yml").changed == 0
    assert installed.get("/health")[0] == 200
    assert installed.live() == live


def test_only_the_app_that_needs_it_is_touched(installed: Server) -> None:
    """What only one of them has loaded: the worker's `sleep` is that of coreutils."""
    wiki, nginx = installed.live("wiki"), installed.sh("cat /run/nginx.pid")
    before = installed.live()
    installed.sh(UPGRADE + "coreutils")
    run = installed.run("libraries.yml")
    assert run.code == 0, run.output[-3000:]
    assert told(run.output, installed).startswith("uwsgi-flask got a new instance")
    assert installed.live() != before
    assert (installed.live("wiki"), installed.sh("cat /run/nginx.pid")) == (wiki, nginx)
