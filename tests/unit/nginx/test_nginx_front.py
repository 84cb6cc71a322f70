"""How visitors ask for an app, read from what nginx serves."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.front import front_of

from rendered import rendered
from settings import Workshop, app

PROXIED = {"web_proxy_protocol": True, "web_trusted_proxies": ["10.0.0.0/8"]}


@pytest.mark.parametrize(
    ("changes", "ports", "front"),
    [
        ({}, {}, {"host": "shop.test", "port": 80, "scheme": "http"}),
        ({}, {"web_http_port": 8080}, {"host": "shop.test", "port": 8080, "scheme": "http"}),
        ({"tls": "self_signed"}, {}, {"host": "shop.test", "port": 443, "scheme": "https"}),
        ({"tls": "self_signed"}, {"web_https_port": 8443}, {"host": "shop.test", "port": 8443, "scheme": "https"}),
        ({"server_names": ["*.shop.test", "b.test"]}, {}, {"host": "probe.shop.test", "port": 80, "scheme": "http"}),
        ({"server_names": ["[::1]"]}, {}, {"host": "[::1]", "port": 80, "scheme": "http"}),
        ({}, PROXIED, {"host": "shop.test", "port": 80, "scheme": "http", "proxy_protocol": True}),
        (
            {"tls": "self_signed"},
            PROXIED,
            {"host": "shop.test", "port": 443, "scheme": "https", "proxy_protocol": True},
        ),
    ],
)
def test_it_is_read_from_the_file_that_a_deploy_writes(
    workshop: Workshop, changes: dict[str, Any], ports: dict[str, Any], front: dict[str, Any]
) -> None:
    (made,) = rendered({"web_apps": [app(source=str(workshop.source), **changes)], **ports})
    assert front_of(made.conf, made.base) == {"proxy_protocol": False, **front}


@pytest.mark.parametrize("text", ["", "# nothing\n", "server { listen 80; }", "server {\n    server_name a.test;\n}"])
def test_a_file_without_a_server_block_leads_nowhere(text: str) -> None:
    assert front_of(text, "") is None
