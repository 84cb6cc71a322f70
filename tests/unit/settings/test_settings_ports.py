"""Ports that nginx needs on a host, and that another program has there: told before anything is changed."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.placement import Inventory
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.request import BadSettings

from settings import Workshop, app

SECURE = app(tls="self_signed")
TAKEN = "stop that for good there (sudo ss -ltnp 'sport = :{port}' tells which it is, systemctl disable --now"


@pytest.mark.parametrize(
    ("item", "variables", "listeners", "problem"),
    [
        (app(), {}, {"80": "apache2"}, "web_http_port: port 80 of web1 is taken by apache2; "),
        (app(), {}, {"80": ""}, "web_http_port: port 80 of web1 is taken by another program; "),
        (app(), {"web_http_port": 8080}, {"8080": "java"}, "web_http_port: port 8080 of web1 is taken by java; "),
        (SECURE, {}, {"443": "caddy"}, "web_https_port: port 443 of web1 is taken by caddy; "),
    ],
)
def test_one_that_another_program_has_is_refused(
    workshop: Workshop, item: dict[str, Any], variables: dict[str, Any], listeners: dict[str, str], problem: str
) -> None:
    (port,) = listeners
    with pytest.raises(BadSettings) as refused:
        workshop.plan(item, host={"listeners": listeners}, inventory=Inventory("web1"), **variables)
    (told,) = str(refused.value).splitlines()
    assert told.startswith(problem)
    assert TAKEN.format(port=port) in told


@pytest.mark.parametrize(
    ("item", "variables", "listeners"),
    [
        (app(), {}, {"80": "nginx", "443": "nginx"}),
        (app(), {}, {"22": "sshd", "443": "caddy"}),
        (app(), {"web_http_port": 8080}, {"80": "apache2"}),
        (app(state="absent"), {}, {"80": "apache2"}),
        (app(), {}, {}),
    ],
)
def test_others_are_nobodys_business(
    workshop: Workshop, item: dict[str, Any], variables: dict[str, Any], listeners: dict[str, str]
) -> None:
    assert workshop.plan(item, host={"listeners": listeners}, inventory=Inventory("web1"), **variables)
