"""What a CA would refuse, or certbot's plugin: told before anybody asks them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

from ansible_collections.uwsgi_flask.web.plugins.module_utils.acme.dns import (
    MAY_HAVE_CREDENTIALS,
    WITHOUT_CREDENTIALS,
)
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.agreement import Agreement
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.app import App
from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.keys import Fault
from cryptography import x509

# Names that belong to nobody (RFC 2606, 6761, 6762, 8375), or are used for networks of one's own.
NOT_PUBLIC = ("test", "example", "invalid", "localhost", "local", "home.arpa", "internal", "lan")


def account_faults(agreed: Agreement, bundle: Callable[[], bytes]) -> Iterator[Fault]:
    """What is wrong with the way to a CA. `bundle` gives the certificates that certbot trusts, or raises OSError."""
    if not agreed.acme_email:
        missing = "web_acme_email: is not set, but an app has 'tls: acme'; give the address that the CA may write to"
        yield Fault(missing, ("web_acme_email",))
    yield from _plugin_faults(agreed.acme_dns_plugin, has_credentials=bool(agreed.acme_dns_credentials))
    if agreed.acme_ca_bundle:
        on = ("web_acme_ca_bundle",)
        try:
            x509.load_pem_x509_certificates(bundle())
        except OSError as error:
            yield Fault(f"web_acme_ca_bundle: {agreed.acme_ca_bundle} can't be read: {error.strerror or error}", on)
        except ValueError:
            yield Fault("web_acme_ca_bundle: must be a file of certificates in PEM ('-----BEGIN CERTIFICATE-----')", on)


def _plugin_faults(plugin: str, *, has_credentials: bool) -> Iterator[Fault]:
    on = ("web_acme_dns_plugin", "web_acme_dns_credentials")
    if has_credentials and not plugin:
        yield Fault(
            "web_acme_dns_credentials: is set, but web_acme_dns_plugin isn't; name the plugin that they are for", on
        )
    elif has_credentials and plugin in WITHOUT_CREDENTIALS:
        reads_none = f"certbot's plugin {plugin} reads no such file: {WITHOUT_CREDENTIALS[plugin]}"
        yield Fault(f"web_acme_dns_credentials: is set, but {reads_none}; remove it", on)
    elif plugin and not has_credentials and plugin not in (*WITHOUT_CREDENTIALS, *MAY_HAVE_CREDENTIALS):
        lacking = f"is {plugin}, but web_acme_dns_credentials isn't set; give the text of its file"
        yield Fault(f"web_acme_dns_plugin: {lacking}", on)


def name_faults(app: App, agreed: Agreement) -> Iterator[Fault]:
    """Names that no CA gives a certificate for, as it is asked."""
    for name in app.every_name():
        told = f"'tls: acme' and {name} in 'server_names':"
        if name.startswith("[") or name.replace(".", "").isdigit():
            yield Fault(f"{told} a CA proves names alone; use 'files'", ("server_names",))
        elif _is_lets_encrypt(agreed.acme_directory) and _is_private(name):
            remedy = "use a CA of your own (web_acme_directory) or 'tls: self_signed'"
            yield Fault(f"{told} no public CA gives a certificate for it; {remedy}", ("web_acme_directory",))
        elif name.startswith("*.") and not agreed.acme_dns_plugin:
            yield Fault(f"{told} a wildcard is proven by DNS; set web_acme_dns_plugin", ("web_acme_dns_plugin",))


def _is_lets_encrypt(directory: str) -> bool:
    return f".{urlsplit(directory).hostname}".endswith(".letsencrypt.org")


def _is_private(name: str) -> bool:
    return "." not in name.removeprefix("*.") or any(f".{name}".endswith(f".{end}") for end in NOT_PUBLIC)
