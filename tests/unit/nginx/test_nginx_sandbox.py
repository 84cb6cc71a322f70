"""nginx's sandbox: what of other people's sites it would break is told first, and which one nginx runs in."""

from __future__ import annotations

import pytest
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.drift import AS_BEFORE, drift
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.others import refuse_what_is_kept_from
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.rejected import Rejected

from fake_nginx import Nginx

SANDBOX = "[Service]\nReadWritePaths=/run /var/log -/var/cache/nginx\nPrivateTmp=yes\n"
OPEN = f"{SANDBOX}ReadWritePaths=-/srv/cache\nPrivateTmp=no\n"
NEEDY = [
    ("proxy_cache_path /srv/cache keys_zone=a:1m;", "{ReadWritePaths: [/srv/cache]}"),
    ("fastcgi_temp_path /srv/cache/temp;", "{ReadWritePaths: [/srv/cache/temp]}"),
    ("server { access_log /srv/cache/a.log; }", "{ReadWritePaths: [/srv/cache]}"),
    ('error_log "/srv/cache/a.log";', "{ReadWritePaths: [/srv/cache]}"),
    ("upstream a { server unix:/tmp/a.sock; }", "{PrivateTmp: false}"),
    ("root /var/tmp/pages;", "{PrivateTmp: false}"),
]


@pytest.mark.parametrize(("text", "remedy"), NEEDY)
@pytest.mark.parametrize("path", ["conf.d/wiki.conf", "sites-enabled/wiki"])
def test_a_site_that_needs_more_is_told_with_the_setting(path: str, text: str, remedy: str) -> None:
    with pytest.raises(Rejected) as told:
        refuse_what_is_kept_from({path: text.encode()}, SANDBOX)
    assert f"/etc/nginx/{path} has " in str(told.value)
    assert str(told.value).splitlines()[0].endswith(f"; set web_nginx_sandbox: {remedy}")


@pytest.mark.parametrize("text", [text for text, _remedy in NEEDY])
def test_with_it_nothing_is_told(text: str) -> None:
    refuse_what_is_kept_from({"conf.d/wiki.conf": text.encode()}, OPEN)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("sites-available/wiki", "proxy_cache_path /srv/cache keys_zone=a:1m;"),
        ("conf.d/wiki.conf.off", "proxy_cache_path /srv/cache keys_zone=a:1m;"),
        ("conf.d/wiki.conf", "# proxy_cache_path /srv/cache keys_zone=a:1m;"),
        ("conf.d/wiki.conf", "proxy_cache_path /var/cache/nginx/a keys_zone=a:1m;"),
        (
            "conf.d/wiki.conf",
            "access_log /var/log/wiki/a.log;\naccess_log off;\nerror_log syslog:server=unix:/dev/log;",
        ),
        ("conf.d/wiki.conf", "error_log /dev/null;\nroot /home/wiki/public;\nroot /srv/tmp/a;"),
        ("conf.d/wiki.conf", "upstream a { server unix:/run/a.sock; }"),
    ],
)
def test_others_need_nothing(path: str, text: str) -> None:
    refuse_what_is_kept_from({path: text.encode()}, SANDBOX)


def test_a_deploy_asks_first(nginx: Nginx, monkeypatch: pytest.MonkeyPatch) -> None:
    place = "ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.aim.DROP_IN"
    monkeypatch.setattr(place, str(nginx.drop_in))
    texts = nginx.texts
    monkeypatch.setattr(nginx, "texts", lambda **sites: {**texts(**sites), str(nginx.drop_in): SANDBOX})
    (nginx.root / "sites-enabled/wiki").write_text("upstream a { server unix:/tmp/a.sock; }\n")
    before = nginx.content()
    with pytest.raises(Rejected, match="PrivateTmp: false"):
        nginx.deploy(shop="")
    assert nginx.content() == before


def test_nginx_goes_on_in_the_sandbox_that_it_was_started_with(nginx: Nginx) -> None:
    """Until somebody restarts it; a deploy doesn't."""
    nginx.deploy(shop="")
    assert AS_BEFORE not in drift(nginx.root, nginx)
    texts = nginx.texts
    nginx.texts = lambda **sites: {**texts(**sites), str(nginx.drop_in): SANDBOX}  # type: ignore[method-assign]
    nginx.said.clear()
    nginx.deploy(shop="")
    assert "restart nginx.service" not in nginx.said
    assert drift(nginx.root, nginx) == [AS_BEFORE]
    nginx.systemctl("restart", "nginx.service")
    assert drift(nginx.root, nginx) == []


def test_of_an_nginx_that_does_not_run_nothing_is_said(nginx: Nginx) -> None:
    nginx.deploy(shop="")
    nginx.drop_in.write_text(SANDBOX)
    nginx.active = False
    assert nginx.runs_as_its_unit_says()


def test_a_teardown_leaves_no_note_of_it(nginx: Nginx) -> None:
    nginx.deploy(shop="")
    assert nginx.started_with.is_file()
    nginx.tear_down()
    assert not nginx.started_with.exists()
