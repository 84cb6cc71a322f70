"""Old releases go, but never one that is needed."""

from __future__ import annotations

from server import Server


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
