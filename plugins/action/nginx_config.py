"""Controller's half of nginx_config: renders every file, so that one call brings the whole configuration to a host."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.uwsgi_flask.web.plugins.module_utils.layout import (
    BODIES,
    LOGS_STATE,
    PROBE_SOCKET,
    PROBE_SOCKET_AGAIN,
    WEBROOT,
)
from ansible_collections.uwsgi_flask.web.plugins.module_utils.names import is_shared
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx import places
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.system import DESCRIPTORS
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.rendering import Renderer
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.renewal_hook import renewal_hook
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.sandbox import lines

MODULE = "uwsgi_flask.web.nginx_config"
ACME_MODULE = "uwsgi_flask.web.acme"
# What the templates read besides what they are handed.
ROLE_VARIABLES = ("nginx_ipv6", "nginx_backlog")
# Of what is agreed on with a CA, what certbot is told each time.
TERMS = ("directory", "email", "dns_plugin", "dns_seconds", "ask_first")
# The template of each file that is there whatever the apps are.
TEMPLATES = {
    places.MAIN: "nginx.conf.j2",
    places.BASE: "default.conf.j2",
    places.TLS_BASE: "tls.conf.j2",
    places.DROP_IN: "service.conf.j2",
    places.TMPFILES: "tmpfiles.conf.j2",
    places.LOGROTATE: "logrotate.conf.j2",
    places.LOGS_RULES: "logs.conf.j2",
    places.LOGS_SERVICE_FILE: "logs.service.j2",
    places.LOGS_TIMER_FILE: "logs.timer.j2",
}
SITE = "uwsgi-flask.conf.j2"
# Where several apps share their host names: what they share, and what leads to each of them, live and candidate.
SHARED = "shared.conf.j2"
PARTS = ("part.conf.j2", "candidate.conf.j2")

Item = Mapping[str, Any]


class ActionModule(ActionBase):
    """Sends the rendered files; a configuration without some apps, or without any, needs none.

    Where a certificate is missing, the CA is asked for it once nginx answers for the app's names. A second call then
    brings it to nginx.
    """

    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        sites, web, folder = (arguments.pop(name, None) for name in ("sites", "web", "templates"))
        certificates, terms = arguments.pop("certificates", {}), arguments.pop("terms", {})
        shared = arguments.pop("shared", None) or []
        if arguments.get("state", "present") != "present":
            return self._send(MODULE, arguments, task_vars)
        renderer = Renderer(self, folder, task_vars or {}, ROLE_VARIABLES)
        arguments |= told(renderer, sites or [], shared, web, certificates, terms)
        result = self._send(MODULE, arguments, task_vars)
        result = self._with_certificates(result, arguments, terms, task_vars)
        return with_renewals(result, arguments["acme"])

    def _with_certificates(
        self, result: dict[str, Any], arguments: dict[str, Any], terms: dict[str, Any], task_vars: dict[str, Any] | None
    ) -> dict[str, Any]:
        """The result, once the CA was asked for what is missing. Adds `failed_certificates`: {app: reason}."""
        missing = result.get("uncertified", [])
        if not missing or result.get("rejected") or result.get("failed"):
            return {"failed_certificates": {}, **result}
        if self._task.check_mode:
            return {"failed_certificates": {}, **result, "changed": True}
        self._display.display(f"Asking {terms['directory']} for the certificates of {', '.join(missing)}")
        names = {app: arguments["acme"][app]["names"] for app in missing}
        asked = {"apps": names, "lease": arguments.get("lease", ""), **{name: terms[name] for name in TERMS}}
        answer = self._send(ACME_MODULE, asked, task_vars)
        if answer.get("failed"):
            return {**result, "failed_certificates": dict.fromkeys(missing, answer.get("msg", "certbot wasn't asked"))}
        if answer["changed"]:
            before, result = result, self._send(MODULE, arguments, task_vars)
            result["changed"] = True
            for name in ("diff", "warnings", "saved"):
                result[name] = [*before.get(name, []), *result.get(name, [])]
        still = dict.fromkeys(
            result.get("uncertified", []), "it was got, and isn't as wanted; see certbot certificates"
        )
        return {**result, "failed_certificates": {**still, **answer["failed_apps"]}}

    def _send(self, module: str, arguments: dict[str, Any], task_vars: dict[str, Any] | None) -> dict[str, Any]:
        return dict(self._execute_module(module_name=module, module_args=arguments, task_vars=task_vars))


def told(
    renderer: Renderer,
    sites: Sequence[Item],
    shared: Sequence[Item],
    web: Mapping[str, Any],
    certificates: Mapping[str, str],
    terms: Mapping[str, Any],
) -> dict[str, Any]:
    """What the module is told of a configuration: every file's text, and what only the host can add."""
    acme = _acme(renderer, sites, shared, web, terms)
    return {
        "files": {**texts(renderer, sites, web, shared), **of_certbot(renderer, terms if acme else {})},
        "certificates": json.dumps(certificates),
        "self_signed": {
            site["app"]["name"]: site["site"]["names"]
            for site in with_names(sites, shared)
            if site["app"]["tls"] == "self_signed"
        },
        "apps": [site["app"]["name"] for site in sites],
        "user": web["nginx_user"],
        "acme": {},
        "acme_directory": "",
        "acme_dns_plugin": "",
        "dns_secret": "",
        "renewal_hook": "",
        **acme,
    }


def with_names(sites: Sequence[Item], shared: Sequence[Item]) -> list[Item]:
    """What has host names and a certificate in nginx: apps that have theirs to themselves, and what several share."""
    return [*(item for item in sites if not item["site"]["shared"]), *shared]


def _acme(
    renderer: Renderer, sites: Sequence[Item], shared: Sequence[Item], web: Mapping[str, Any], terms: Mapping[str, Any]
) -> dict[str, Any]:
    """What the module must know of host names whose certificates come from a CA by ACME."""
    proven = [item for item in with_names(sites, shared) if item["app"]["tls"] == "acme"]
    if not proven:
        return {}
    return {
        "acme": {
            item["app"]["name"]: {
                "names": item["site"]["names"],
                "waiting": {
                    path: text
                    for one in (*sites, *shared)
                    if item["app"]["name"] in (one["app"]["name"], one["site"]["shared"])
                    for path, text in _blocks(renderer, {**one, "site": one["site"]["waiting"]}, web).items()
                },
            }
            for item in proven
        },
        "acme_directory": terms["directory"],
        "acme_dns_plugin": terms["dns_plugin"],
        "dns_secret": terms["dns_secret"],
        "renewal_hook": base64.b64encode(renewal_hook()).decode(),
    }


def with_renewals(result: Mapping[str, Any], apps: Iterable[str]) -> dict[str, Any]:
    """The result, in which all that is well fails if it won't be renewed."""
    fault = result.get("renewal_fault", "")
    return {
        **result,
        "failed_certificates": {**(dict.fromkeys(apps, fault) if fault else {}), **result["failed_certificates"]},
    }


def of_certbot(renderer: Renderer, terms: Mapping[str, Any]) -> dict[str, str]:
    """What certbot's service is told, and the certificates of a CA that the system doesn't know, if there is one."""
    if not terms:
        return {}
    bundle = {places.CA_BUNDLE: terms["ca_bundle"]} if terms["ca_bundle"] else {}
    drop_in = renderer.text(
        "certbot.conf.j2",
        hook=places.RENEWAL_HOOK,
        ca_bundle=places.CA_BUNDLE if bundle else "",
        system_trust=places.SYSTEM_TRUST,
        trusted=places.TRUSTED,
        trusted_folder=os.path.basename(os.path.dirname(places.TRUSTED)),
    )
    return {**bundle, places.CERTBOT_DROP_IN: drop_in}


def texts(
    renderer: Renderer, sites: Sequence[Item], web: Mapping[str, Any], shared: Sequence[Item] = ()
) -> dict[str, str]:
    """The text of every file by its path. `sites` and `shared` are the plan's items: each with `app` and `site`."""
    made = {path: renderer.text(template, **_known(web)) for path, template in TEMPLATES.items()}
    for item in (*sites, *shared):
        made |= _blocks(renderer, item, web)
    return made


def _blocks(renderer: Renderer, item: Item, web: Mapping[str, Any]) -> dict[str, str]:
    """The files of one app by their path, or of names that several share."""
    name, shared = item["app"]["name"], item["site"]["shared"]
    known = {
        **_known(web),
        "app": item["app"],
        "site": item["site"],
        "pem": places.pem_file(name),
        "log": str(places.LOGS / places.log_name("access" if is_shared(name) else name)),
        "cache_folder": places.cache_folder(name),
        "server_file": str(places.ROOT / places.site_file(shared)),
        "parts": places.parts_folder(name),
        "candidates": places.candidates_folder(name),
    }
    if is_shared(name):
        return {places.site_file(name): renderer.text(SHARED, **known)}
    own = dict(zip(places.part_files(shared, name), PARTS, strict=True)) if shared else {}
    parts = {path: renderer.text(template, **known) for path, template in own.items()}
    # With these its own file changes, which proves that it is loaded.
    digest = hashlib.sha256("".join(parts.values()).encode()).hexdigest()
    return {**parts, places.site_file(name): renderer.text(SITE, parts_digest=digest, **known)}


def _known(web: Mapping[str, Any]) -> dict[str, Any]:
    """What every template gets."""
    return {
        "web": web,
        # What every `listen` of a TCP port says.
        "proxied": " proxy_protocol" if web["proxy_protocol"] else "",
        "probe_socket": PROBE_SOCKET,
        "probe_sockets": [PROBE_SOCKET, PROBE_SOCKET_AGAIN],
        "probe_directory": os.path.dirname(PROBE_SOCKET),
        "pid_file": str(places.PID_FILE),
        "logs": str(places.LOGS),
        "bodies": BODIES,
        "cache_folders": places.cache_folder("*"),
        "logs_rules": places.LOGS_RULES,
        "logs_timer": places.LOGS_TIMER,
        "logs_state": LOGS_STATE,
        "logs_state_name": os.path.basename(LOGS_STATE),
        "descriptors": DESCRIPTORS,
        "drop_in": places.DROP_IN,
        "started_with": places.STARTED_WITH,
        "sandbox_lines": lines(web["nginx_sandbox"]),
        "webroot": WEBROOT,
    }
