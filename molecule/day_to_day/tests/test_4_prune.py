"""Old releases go, but never one that is needed."""

from __future__ import annotations

from server import TOKEN, Server, report


def test_ten_deploys_five_of_them_bad(server: Server) -> None:
    good = []
    server.app["keep_releases"] = 3
    for number in range(5):
        server.say(f"number {number}")
        server.deploy()
        good.append(server.live())
        (server.source / "flask_wsgi.py").write_text(f"raise RuntimeError({number})\n")
        assert server.run().code != 0
        (server.source / "flask_wsgi.py").write_text("from app import create_app\n\napp = create_app()\n")
    kept = set(server.sh("ls /opt/uwsgi-flask/releases").split())
    assert set(good[-3:]) <= kept
    assert not set(good[:2]) & kept
    assert len(kept) <= 3 + 3
    units = server.sh("cd /etc/systemd/system && ls -d uwsgi-flask@*").split()
    assert {unit.partition("@")[2][:12] for unit in units} == kept
    assert server.run("rollback.yml").code == 0
    server.assert_serves(good[-2])


def test_no_old_secret_is_left_when_that_is_asked_for(server: Server) -> None:
    """They may be in a release that could be returned to, or in one that was refused."""

    def holding(secret: str) -> list[str]:
        return server.sh(f"grep -rIl {secret} /opt /etc /run /var/lib 2>/dev/null; true").split()

    server.secrets["uwsgi-flask"]["TOKEN_MD5"] = "changed-token"
    server.deploy()
    live = server.live()
    assert len(holding(TOKEN)) > 2
    rehearsed = server.run("prune.yml", "--check")
    assert (rehearsed.code, rehearsed.changed) == (0, 1), rehearsed.output
    assert "would be pruned" in rehearsed.output
    assert len(holding(TOKEN)) > 2
    with server.load() as load:
        done = server.run("prune.yml")
    assert (done.code, done.changed) == (0, 1), done.output
    report("a prune", load)
    assert holding(TOKEN) == []
    assert holding("changed-token") == [f"/opt/uwsgi-flask/releases/{live}/environment"]
    server.assert_serves(live)
    again = server.run("prune.yml")
    assert (again.code, again.changed) == (0, 0), again.output
    assert "there is no earlier good release on this host to return to" in server.run("rollback.yml").output
    assert server.run().changed == 0
