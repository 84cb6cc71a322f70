"""Controller's half of nginx_config: renders every file, so that one call brings the whole configuration over."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.rendering import Renderer

MODULE = "uwsgi_flask.web.nginx_config"
# Files outside nginx's directory that belong to its configuration, by their template.
BESIDE = {
    "/etc/systemd/system/nginx.service.d/web.conf": "nginx.service.conf.j2",
    "/etc/tmpfiles.d/web-probe.conf": "tmpfiles.conf.j2",
    "/etc/logrotate.d/nginx-errors": "logrotate.j2",
}


class ActionModule(ActionBase):
    """Renders the templates of the role and calls the module."""

    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        sites, web = arguments.pop("sites", []), arguments.pop("web", {})
        renderer = Renderer(self, arguments.pop("templates", ""), task_vars or {})
        state = arguments.get("state", "present")
        if state == "present":
            arguments["files"] = {
                "nginx.conf": renderer.text("nginx.conf.j2", web=web),
                "conf.d/00-default.conf": renderer.text("default.conf.j2", web=web),
                **{
                    f"conf.d/{item['app']['name']}.conf": renderer.text("uwsgi-flask.conf.j2", web=web, **item)
                    for item in sites
                },
            }
            arguments["apps"] = [item["app"]["name"] for item in sites]
            arguments["port"] = web["http_port"]
        if state != "without":
            arguments["beside"] = {path: renderer.text(name, web=web) for path, name in BESIDE.items()}
        return dict(self._execute_module(module_name=MODULE, module_args=arguments, task_vars=task_vars))
