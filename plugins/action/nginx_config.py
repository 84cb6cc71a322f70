"""Controller's half of nginx_config: renders every file, so that one call brings the whole configuration to a host."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.uwsgi_flask.web.plugins.module_utils.layout import PROBE_SOCKET, PROBE_SOCKET_AGAIN
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx import places
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.system import DESCRIPTORS
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.rendering import Renderer

MODULE = "uwsgi_flask.web.nginx_config"
# The template of each file that is there whatever the apps are.
TEMPLATES = {
    places.MAIN: "nginx.conf.j2",
    places.BASE: "default.conf.j2",
    places.TLS_BASE: "tls.conf.j2",
    places.DROP_IN: "service.conf.j2",
    places.TMPFILES: "tmpfiles.conf.j2",
    places.LOGROTATE: "logrotate.conf.j2",
}
SITE = "uwsgi-flask.conf.j2"


class ActionModule(ActionBase):
    """Sends the rendered files; a configuration without some apps, or without any, needs none."""

    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        sites, web, folder = (arguments.pop(name, None) for name in ("sites", "web", "templates"))
        certificates = arguments.pop("certificates", {})
        if arguments.get("state", "present") == "present":
            arguments |= {
                "files": texts(Renderer(self, folder, task_vars or {}), sites or [], web),
                "certificates": json.dumps(certificates),
                "self_signed": {
                    site["app"]["name"]: site["app"]["server_names"]
                    for site in sites or []
                    if site["app"]["tls"] == "self_signed"
                },
                "apps": [site["app"]["name"] for site in sites or []],
                "user": web["nginx_user"],
            }
        return dict(self._execute_module(module_name=MODULE, module_args=arguments, task_vars=task_vars))


def texts(renderer: Renderer, sites: Sequence[Mapping[str, Any]], web: Mapping[str, Any]) -> dict[str, str]:
    """The text of every file by its path. `sites` are the plan's items: each with `app` and `site`."""
    known = {
        "web": web,
        # What every `listen` of a TCP port says.
        "proxied": " proxy_protocol" if web["proxy_protocol"] else "",
        "probe_socket": PROBE_SOCKET,
        "probe_sockets": [PROBE_SOCKET, PROBE_SOCKET_AGAIN],
        "probe_directory": os.path.dirname(PROBE_SOCKET),
        "pid_file": str(places.PID_FILE),
        "logs": str(places.LOGS),
        "descriptors": DESCRIPTORS,
    }
    base = {path: renderer.text(template, **known) for path, template in TEMPLATES.items()}
    blocks = {
        places.site_file(item["app"]["name"]): renderer.text(
            SITE,
            app=item["app"],
            site=item["site"],
            pem=places.pem_file(item["app"]["name"]),
            **known,
        )
        for item in sites
    }
    return {**base, **blocks}
