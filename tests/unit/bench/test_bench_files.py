"""What the contenders read: nginx's base settings and uWSGI's, derived from those that site.yml wrote."""

from __future__ import annotations

import pytest

from bench import contenders, nginx_files

NGINX = """user www-data;
pid /run/nginx.pid;
error_log /var/log/nginx/error.log;
include modules-enabled/*.conf;
http {
    include mime.types;
    keepalive_timeout 75s;
    access_log /var/log/nginx/access.log requests;
    include conf.d/*.conf;
    include sites-enabled/*;
}
"""
INI = """# A comment.
[uwsgi]
plugins = python3
processes = 2
threads = 4
http-socket = /run/bench/1/http.sock
stats = /run/bench/1/stats.sock
vacuum = true
chdir = /opt/bench/code
virtualenv = /opt/bench/venv
py-executable = /opt/bench/venv/bin/python
wsgi-file = /opt/bench/wsgi.py
max-requests = 100000
add-header = X-Release: 1
"""


def test_the_base_settings_stay_and_the_places_are_others() -> None:
    assert nginx_files.base(NGINX, "others").splitlines() == [
        "user www-data;",
        "pid /run/bench-nginx-others.pid;",
        "error_log /srv/bench/log/others-error.log warn;",
        "include /etc/nginx/modules-enabled/*.conf;",
        "http {",
        "    include /etc/nginx/mime.types;",
        "    keepalive_timeout 75s;",
        "    access_log /srv/bench/log/others.log requests;",
        "    include /srv/bench/nginx/others.sites;",
        "}",
    ]


def test_a_base_without_a_place_for_sites_is_refused() -> None:
    with pytest.raises(ValueError, match=r"conf\.d"):
        nginx_files.base(NGINX.replace("conf.d/*.conf", "other/*"), "others")


def test_ours_without_being_deployed_has_the_same_settings() -> None:
    lines = contenders.own_ini(INI, ["uwsgi-socket = /run/x.sock"], threads=16).splitlines()
    assert lines == [
        "[uwsgi]",
        "plugins = python3",
        "processes = 2",
        "threads = 16",
        "chdir = /srv/bench/app",
        "virtualenv = /srv/bench/venv",
        "max-requests = 100000",
        "uwsgi-socket = /run/x.sock",
        "vacuum = true",
        "wsgi-file = /srv/bench/app/ours.py",
    ]


def test_each_contender_has_its_own_ports_and_unit() -> None:
    everyone = [*contenders.CONTENDERS, contenders.RESTARTED]
    ports = [port for one in everyone for port in (one.port, one.own_port) if port]
    assert len(set(ports) | {contenders.RETURN_200, contenders.CLOSED_PORT}) == len(ports) + 2
    assert len({one.unit for one in everyone}) == len(everyone)
    assert max(ports) < contenders.VARIANT_PORT or max(ports) > 8200


@pytest.mark.parametrize("one", contenders.CONTENDERS, ids=lambda one: one.name)
def test_a_command_is_whole(one: contenders.Contender) -> None:
    assert "{" not in one.started_by(2, 4)
    if one.speaks:
        assert one.upstream in nginx_files.site(one)
