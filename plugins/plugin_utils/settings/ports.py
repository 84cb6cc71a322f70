"""Ports that nginx needs on a host, and that another program has there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.request import Settings

# It may be the distribution's, which becomes ours.
NGINX = "nginx"


def taken_ports(settings: Settings, host: Mapping[str, Any]) -> Iterator[str]:
    """A line for each. nginx's package would start it and fail, or a reload would leave the old ports in use.

    `host` is what the module `look` tells, {} if it isn't known yet.
    """
    agreed = settings.agreement
    needed = {"web_http_port": agreed.http_port}
    if any(app.tls != "off" for app in settings.present()):
        needed["web_https_port"] = agreed.https_port
    for variable, port in needed.items():
        program = host.get("listeners", {}).get(str(port))
        if settings.present() and program not in (None, NGINX):
            yield (
                f"{variable}: port {port} of {settings.inventory.host} is taken by {program or 'another program'}; "
                f"stop that for good there (sudo ss -ltnp 'sport = :{port}' tells which it is, systemctl disable --now "
                f"stops a service), or choose another port"
            )
