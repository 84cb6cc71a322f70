"""Rules that a value must obey: each takes a value and returns it in its final form, or raises WrongValue."""

from __future__ import annotations

import difflib
import ipaddress
import re
from collections.abc import Callable
from typing import Any

from ansible_collections.uwsgi_flask.web.plugins.plugin_utils.settings.words import shown

Rule = Callable[[Any], Any]

SSH = 22
LETS_ENCRYPT = "https://acme-v02.api.letsencrypt.org/directory"
STAGING = "https://acme-staging-v02.api.letsencrypt.org/directory"
# What people write for a way to get a certificate, besides what resembles the right word.
TRIED_FOR_TLS = {
    "acme": ("true", "on", "yes", "letsencrypt", "lets-encrypt", "lets_encrypt", "certbot", "auto"),
    "off": ("none", "no", "disabled"),
}


class WrongValue(Exception):
    """A rule's refusal: "must be …"."""


def text(pattern: str, what: str) -> Rule:
    """A string that matches `pattern` as a whole: an allow-list, because these reach nginx, ini and unit files."""
    allowed = re.compile(pattern, re.ASCII)

    def rule(value: Any) -> str:
        if not isinstance(value, str) or not allowed.fullmatch(value):
            raise WrongValue(f"must be {what}")
        return str(value)

    return rule


def whole(low: int, high: int, unit: str = "") -> Rule:
    """A whole number from `low` to `high`; YAML's true and false are not numbers."""

    def rule(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise WrongValue(f"must be a whole number{unit and ' of ' + unit} from {low} to {high}")
        return int(value)

    return rule


def port(value: Any) -> int:
    """A TCP port, also as text: `-e web_http_port=8080` knows nothing else."""
    is_digits = isinstance(value, str) and re.fullmatch("[0-9]{1,5}", value)
    number: int = whole(1, 65535)(int(value) if is_digits else value)
    return number


def port_of_nginx(value: Any) -> int:
    """A port that SSH has left free."""
    number = port(value)
    if number == SSH:
        raise WrongValue(f"must not be {SSH}, where SSH listens")
    return number


def yes_or_no(value: Any) -> bool:
    """True or false, and nothing that merely looks like it."""
    if not isinstance(value, bool):
        raise WrongValue("must be true or false")
    return value


def one_of(*words: str) -> Rule:
    """One of these words."""

    def rule(value: Any) -> str:
        if value not in words:
            near = difflib.get_close_matches(value, words, n=1) if isinstance(value, str) else []
            raise WrongValue(f"must be one of {', '.join(words)}{_meant(near)}")
        return str(value)

    return rule


def _meant(words: list[str]) -> str:
    return f"; did you mean {words[0]!r}?" if words else ""


def tls_way(value: Any) -> str:
    """How a site gets its certificate. YAML reads a bare `off` as false, and `on` as true."""
    ways = ("off", "self_signed", "files", "acme")
    tried = str(value).lower() if isinstance(value, str | bool) else ""
    meant = [way for way, words in TRIED_FOR_TLS.items() if tried in words]
    if meant:
        raise WrongValue(f"must be one of {', '.join(ways)}{_meant(meant)}")
    way: str = one_of(*ways)("off" if value is False else value)
    return way


def headers(value: Any) -> dict[str, str]:
    """Response headers by name. An empty value stands for no such header."""
    if not isinstance(value, dict):
        raise WrongValue("must be a dictionary of response headers (X-Frame-Options: DENY)")
    names: set[str] = set()
    for name, content in value.items():
        if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z][A-Za-z0-9]*(-[A-Za-z0-9]+)*", name, re.ASCII):
            raise WrongValue(f"must name each header with letters, digits and single hyphens; {shown(name)} isn't so")
        if name.lower() in names:
            raise WrongValue(f"must name each header once; {name} appears twice")
        names.add(name.lower())
        if name.lower() in ("connection", "content-length", "content-type", "date", "server", "transfer-encoding"):
            raise WrongValue(f"must not set {name}, which is nginx's and the app's own")
        if name.lower() == "strict-transport-security":
            raise WrongValue(f"must not set {name}; the key 'hsts' does")
        # What nginx would take for the end of the text, an escape, or a variable of its own.
        if not isinstance(content, str) or not re.fullmatch(r"[ -~]*", content) or set(content) & set('"\\$'):
            raise WrongValue(f"must give {name} a text in ASCII without quotation marks (\"), backslashes and '$'")
    return {str(name): str(content) for name, content in value.items()}


def list_of(rule: Rule, what: str, meant: Callable[[Any], str] = lambda _item: "") -> Rule:
    """A list with at least one item, each passing `rule`, none twice. `meant` says what a wrong one should be."""

    def check(value: Any) -> list[Any]:
        if not isinstance(value, list) or not value:
            raise WrongValue(f"must be a list of {what} with at least one item")
        items = []
        for item in value:
            try:
                items.append(rule(item))
            except WrongValue as error:
                remedy = meant(item)
                raise WrongValue(f"{error}; {shown(item)} isn't{remedy and f'; {remedy}'}") from None
        for item in items:
            if items.count(item) > 1:
                raise WrongValue(f"must list each of its {what} once; {item!r} appears twice")
        return items

    return check


def maybe(rule: Rule) -> Rule:
    """What passes `rule`, or nothing at all: an empty text or list, which is what isn't given."""

    def check(value: Any) -> Any:
        return value if value in ("", []) and isinstance(value, str | list) else rule(value)

    return check


def networks(value: Any) -> list[str]:
    """Addresses and networks, as nginx takes them; there may be none."""
    if not isinstance(value, list):
        raise WrongValue("must be a list of addresses or networks (10.0.0.0/8, 2001:db8::7)")
    found = []
    for item in value:
        try:
            network = ipaddress.ip_network(item if isinstance(item, str) else "")
        except ValueError:
            wrong = f"must be a list of addresses or networks (10.0.0.0/8); {shown(item)} isn't one"
            raise WrongValue(f"{wrong}{_its_network(item)}") from None
        if network.prefixlen == 0:
            raise WrongValue(f"must not list everybody; {network} is every address")
        found.append(str(network if network.num_addresses > 1 else network.network_address))
    if len(set(found)) < len(found):
        raise WrongValue("must list each address or network once")
    return found


def _its_network(item: Any) -> str:
    """The network of `10.20.0.1/16`, which is an address in it."""
    try:
        network = ipaddress.ip_interface(item if isinstance(item, str) else "").network
    except ValueError:
        return ""
    return f"; its network is {network}" if network.prefixlen else ""


def shell_lines(value: Any) -> list[str]:
    """Lines for /bin/sh; there may be none."""
    if not isinstance(value, list) or not all(isinstance(line, str) and line.strip() for line in value):
        raise WrongValue("must be a list of shell lines (- flask db upgrade)")
    if any("\0" in line for line in value):
        raise WrongValue("must not contain a NUL byte")
    return [str(line) for line in value]


def extras(value: Any) -> list[str]:
    """Names of extras; there may be none."""
    if not isinstance(value, list) or not all(isinstance(one, str) and _EXTRA.fullmatch(one) for one in value):
        raise WrongValue("must be a list of names of extras (- web)")
    return [str(one) for one in value]


_EXTRA = re.compile(r"[A-Za-z0-9]([\w.-]*[A-Za-z0-9])?", re.ASCII)
_NAMED = r"[A-Za-z0-9]([\w.-]*[A-Za-z0-9])?(\[[\w., -]+\])?"
_VERSION = r" ?(==|>=|<=|~=|!=|>|<) ?[\w.*+!-]+"
package = text(
    rf"(?!.*://)[^\0\n@]+\.whl(\[[\w., -]+\])?"
    rf"|{_NAMED}({_VERSION}( ?,{_VERSION})*)?"
    rf"|{_NAMED} ?@ ?git\+https://[^\s@]+(@[\w./-]+)?",
    "a package (httpbin, httpbin==0.10.2, shop @ git+https://…) or a wheel's path (dist/shop-1.0-py3-none-any.whl)",
)
python_version = text(r"3\.(1[1-9]|2[0-9])", 'a version of Python in quotes, 3.11 or newer ("3.13")')

dotted_name = text(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", "a dotted Python name (flask_wsgi, shop.web)")


def module_name(value: Any) -> str:
    """A module as Python imports it, without what other servers write beside it."""
    try:
        name: str = dotted_name(value)
    except WrongValue as error:
        given = value if isinstance(value, str) else ""
        if both := re.fullmatch(r"([\w.]+):(.+)", given):
            raise WrongValue(
                f"names a callable too; write 'module: {both[1]}' and 'callable: {shown(both[2])[1:-1]}'"
            ) from None
        meant = given.removesuffix(".py").strip("./").replace("/", ".")
        hint = f"; write {meant!r}" if given and re.fullmatch(r"[A-Za-z_]\w*(\.\w+)*", meant) else ""
        raise WrongValue(f"{error}{hint}") from None
    return name


https_url = text(
    r"https://[\w.:\[\]-]+(/[\w.~/-]*)?", "a URL that begins with https:// (https://ca.example.com/directory)"
)


def acme_directory(value: Any) -> str:
    """The URL at which a CA says how it is asked."""
    try:
        url: str = https_url(value)
    except WrongValue as error:
        word = value.lower() if isinstance(value, str) else ""
        if "staging" in word:
            raise WrongValue(f"{error}; that of Let's Encrypt's staging environment is {STAGING}") from None
        if word in ("letsencrypt", "lets_encrypt", "production"):
            raise WrongValue(f"{error}; without one it is Let's Encrypt's") from None
        raise
    return url


email = text(r"[\w.+-]+@[\w-]+(\.[\w-]+)+", "an e-mail address (ops@example.com)")
dns_plugin = text(r"[a-z0-9]+", "the name of one of certbot's plugins for the DNS (cloudflare, route53, rfc2136)")
# Google's file is JSON.
credentials_text = text(
    r"[^\0]*=[^\0]*|\s*\{[^\0]*\}\s*|", "the text of the plugin's file (dns_cloudflare_api_token = …), not its path"
)


def credentials(value: Any) -> str:
    """What stands in the file of one of certbot's plugins."""
    if isinstance(value, dict):
        raise WrongValue(
            "must be the text of the plugin's file (dns_cloudflare_api_token = …), not a dictionary; write '|' after "
            "the colon, and below it a line 'name = value' for each"
        )
    told: str = credentials_text(value)
    return told


body_size = text(r"[1-9][0-9]{0,5}[kmgKMG]", "a size as nginx writes it (1m, 512k)")
memory_size = text(r"([1-9][0-9]*[KMGT])?", "a whole number of K, M, G or T (512M)")
worker_size = text(r"([1-9][0-9]{0,5}[MG])?", "a whole number of M or G (300M)")
cpu_share = text(r"([1-9][0-9]{0,4}%)?", "a share of one processor in percent (150%)")
