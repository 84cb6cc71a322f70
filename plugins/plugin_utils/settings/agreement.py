"""What the roles must agree on: each field is a variable `web_<field>` that a person may set anywhere."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import field
from typing import Any

from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.environment import environment
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.firewall import openings
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.keys import key
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.name_rules import account
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.path_rules import (
    absolute_path,
    below_run,
    file_path,
    folder_path,
)
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.rules import (
    LETS_ENCRYPT,
    WrongValue,
    acme_directory,
    credentials,
    dns_plugin,
    email,
    networks,
    port_of_nginx,
    python_version,
    whole,
    yes_or_no,
)
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.sandbox import of_nginx
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.source.rules import tokens
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.words import shown

PREFIX = "web_"
# Their values are told nobody.
HIDDEN = ("build_environment", "acme_dns_credentials", "source_tokens")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Agreement:
    """The only home of these defaults. The meanings are Markdown: docs/apps.md is made from them."""

    nginx_group: str = field(
        default="www-data",
        metadata=key(account, "the group of nginx's own user: nobody else may connect to the apps' sockets"),
    )
    nginx_user: str = field(
        default="www-data",
        metadata=key(account, "the user that nginx runs as, a member of that group", carried=False),
    )
    app_root: str = field(
        default="/opt",
        metadata=key(absolute_path, "an app's releases and virtualenvs are in `<web_app_root>/<name>`"),
    )
    run_root: str = field(
        default="/run",
        metadata=key(below_run, "an app's sockets are in `<web_run_root>/<name>`: `/run`, or a short path below it"),
    )
    nginx_sandbox: dict[str, list[str]] = field(
        default_factory=dict,
        metadata=key(
            of_nginx,
            "[options of nginx's sandbox](sandbox.md#nginx) that other sites on it need otherwise, by systemd's names: "
            "`ReadWritePaths: [/srv/cache]`",
            carried=False,
        ),
    )
    http_port: int = field(default=80, metadata=key(port_of_nginx, "nginx listens here for every app", carried=False))
    https_port: int = field(
        default=443,
        metadata=key(port_of_nginx, "nginx listens here for every app with `tls`", carried=False),
    )
    trusted_proxies: list[str] = field(
        default_factory=list,
        metadata=key(
            networks,
            "addresses and networks of the [proxies in front](behind-a-proxy.md), which say who the visitor is",
            carried=False,
        ),
    )
    proxy_protocol: bool = field(
        default=False,
        metadata=key(yes_or_no, "whether those proxies speak the PROXY protocol; then all of them must", carried=False),
    )
    health_clients: list[str] = field(
        default_factory=list,
        metadata=key(
            networks,
            "addresses and networks that may ask a host by its address, `http://192.0.2.7/health`, whether nginx is up",
            carried=False,
        ),
    )
    firewall_open: list[dict[str, Any]] = field(
        default_factory=list,
        metadata=key(
            openings,
            "ports that the [firewall](firewall.md) leaves open besides SSH and nginx: `- port: 9100`",
            carried=False,
        ),
    )
    acme_directory: str = field(
        default=LETS_ENCRYPT,
        metadata=key(
            acme_directory,
            "the CA that apps with `tls: acme` get their [certificates](https.md#acme) from",
            carried=False,
        ),
    )
    acme_email: str = field(
        default="",
        metadata=key(
            email,
            "the address of your account there; by giving it you agree to the CA's terms",
            carried=False,
        ),
    )
    acme_ca_bundle: str = field(
        default="",
        metadata=key(
            file_path,
            "certificates (PEM) that certbot trusts besides the system's, for a CA of your own",
            carried=False,
        ),
    )
    acme_dns_plugin: str = field(
        default="",
        metadata=key(
            dns_plugin,
            "certbot's plugin that proves names by DNS, such as `cloudflare`; by HTTP if not given",
            carried=False,
        ),
    )
    acme_dns_credentials: str = field(
        default="",
        metadata=key(credentials, "the text of that plugin's credentials file; vault it; never shown", carried=False),
    )
    acme_dns_seconds: int = field(
        default=60,
        metadata=key(whole(1, 3600, "seconds"), "seconds after which the CA sees a change of the DNS", carried=False),
    )
    acme_ask_first: bool = field(
        default=True,
        metadata=key(
            yes_or_no,
            "whether a host asks for a name itself before the CA does; `false` where it doesn't reach its own public "
            "address",
            carried=False,
        ),
    )
    build_environment: dict[str, str] = field(
        default_factory=dict,
        metadata=key(
            environment,
            "environment variables for pip on the hosts, and for making locks here, such as `PIP_INDEX_URL`; never "
            "shown",
            carried=False,
        ),
    )

    locks: str = field(
        default="locks",
        metadata=key(
            folder_path,
            "folder of [the locks](dependencies.md#locks) that runs make, relative to the playbook or absolute: keep "
            "it where your settings are",
            carried=False,
        ),
    )
    lock_python: str = field(
        default="3.11",
        metadata=key(
            python_version,
            "the oldest Python of your servers: what has no hashes is [locked](dependencies.md) for it and newer ones",
            carried=False,
        ),
    )

    wheelhouse: str = field(
        default="",
        metadata=key(
            folder_path,
            "folder of [wheels](dependencies.md#servers-without-an-index) that deploys send to the servers, which then "
            "ask no index; relative to the playbook or absolute",
            carried=False,
        ),
    )

    source_tokens: dict[str, str] = field(
        default_factory=dict,
        metadata=key(
            tokens,
            "tokens by host, as in `{git.example.com: …}`, for [sources](sources.md#a-private-repository) by HTTPS; "
            "vault them; never shown",
            carried=False,
        ),
    )

    def plain(self) -> dict[str, Any]:
        """What templates and roles get: all that may be shown, but for what certbot, pip or the firewall alone need."""
        values = dataclasses.asdict(self)
        apart = ("acme_", "firewall_", "lock", "wheelhouse")
        return {name: value for name, value in values.items() if name not in HIDDEN and not name.startswith(apart)}


def variables() -> list[str]:
    """Names of the variables, as a person sets them."""
    return [PREFIX + agreed.name for agreed in dataclasses.fields(Agreement)]


def parse_agreement(given: Mapping[str, Any], problems: list[str]) -> tuple[Agreement, frozenset[str]]:
    """The agreement from variables by their full names; a default where one isn't set.

    What is wrong is added to `problems`, and the default taken in its place. Beside that the names of these variables.
    """
    values, refused = {}, set()
    for agreed in dataclasses.fields(Agreement):
        variable = PREFIX + agreed.name
        if variable in given:
            try:
                values[agreed.name] = agreed.metadata["rule"](given[variable])
            except WrongValue as error:
                refused.add(variable)
                quoted = "" if agreed.name in HIDDEN else f"is {shown(given[variable])}, but it "
                problems.append(f"{variable}: {quoted}{error}")
    return Agreement(**values), frozenset(refused)
