"""Certbot, asked for a certificate or told to forget one."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ansible_collections.uwsgi_flask.web.plugins.module_utils.acme.astray import astray, left
from ansible_collections.uwsgi_flask.web.plugins.module_utils.acme.dns import WITHOUT_OPTIONS
from ansible_collections.uwsgi_flask.web.plugins.module_utils.acme.lineage import (
    Lineage,
    lineage,
    lineage_name,
    no_room,
    parts,
    set_aside,
)
from ansible_collections.uwsgi_flask.web.plugins.module_utils.acme.notes import Notes
from ansible_collections.uwsgi_flask.web.plugins.module_utils.files import remove
from ansible_collections.uwsgi_flask.web.plugins.module_utils.layout import WEBROOT
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.places import (
    CA_BUNDLE,
    CERTBOT_DROP_IN,
    DNS_CREDENTIALS,
    SYSTEM_TRUST,
)
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.system import System

# A change of the DNS may take minutes to be seen.
PATIENCE = 900
# Seconds for which certbot changes the links of a lineage at most.
MOMENT = 2.0
# What certbot says when another one is at work, such as its timer's, and for how many seconds that is waited for.
IN_USE = "Another instance of Certbot is already running"
OTHERS_SECONDS = 300.0
PAUSE = 5.0
# Of what certbot says when it fails, what holds for every failure.
BESIDE_THE_POINT = re.compile(r"^(Saving debug log|Ask for help|Some challenges have failed|Hint:|$)")


@dataclasses.dataclass(frozen=True)
class Terms:
    """How a CA is asked: the URL of its directory, the account's e-mail, and which plugin changes the DNS, if any.

    With `asks_first`, a name that doesn't lead here isn't told to the CA.
    """

    directory: str
    email: str
    dns_plugin: str = ""
    dns_seconds: int = 60
    asks_first: bool = True


def issue(system: System, app: str, names: Sequence[str], terms: Terms, notes: Notes) -> str:
    """Get a certificate for all names of an app in place of the one that is there. Why it failed, or "".

    Raises OSError.
    """
    if app not in notes.asked and parts(app):
        name = lineage_name(app)
        return (
            f"certbot has a certificate {name} already, which isn't ours; remove it: certbot delete --cert-name {name}"
        )
    notes.ask(app)
    # Certbot would take what isn't whole for somebody else's, and get another certificate with each run.
    if not (lineage(system, app) or _after_a_while(system, app)):
        set_aside(app)
    if fault := no_room():
        return fault
    with left(Path(WEBROOT)) as mark:
        if terms.asks_first and not terms.dns_plugin:
            faults = [fault for name in names if (fault := astray(name, mark))]
            if faults:
                return "; ".join(faults)
        fault = _get(system, app, names, terms)
    if not fault and not _has(system, app, names, terms):
        return f"certbot says that it has got one, and {lineage_name(app)} isn't it; see certbot certificates"
    return fault


def _get(system: System, app: str, names: Sequence[str], terms: Terms) -> str:
    """Ask for it unless it is there, which another certbot may have got. Waits for that one. Why it failed, or ""."""
    end = system.clock() + OTHERS_SECONDS
    while not _has(system, app, names, terms):
        fault = _run(*_words(app, names, terms))
        if IN_USE not in fault or system.clock() >= end:
            return fault
        system.sleep(PAUSE)
    return ""


def _has(system: System, app: str, names: Sequence[str], terms: Terms) -> bool:
    found = lineage(system, app)
    return found is not None and found.is_as_wanted(names, terms.directory, terms.dns_plugin, system)


def _after_a_while(system: System, app: str) -> Lineage | None:
    """The lineage of an app, once certbot's timer isn't just replacing it."""
    if parts(app):
        system.sleep(MOMENT)
    return lineage(system, app)


def delete(system: System, app: str, notes: Notes) -> None:
    """Forget the certificate of an app, if it is ours, and what is noted of it. It isn't revoked. Raises OSError."""
    if app in notes.asked:
        if lineage(system, app):
            _delete(app)
        set_aside(app)
    notes.forget(app)
    if not notes.asked:
        shutil.rmtree(WEBROOT, ignore_errors=True)
        with contextlib.suppress(OSError):
            Path(CERTBOT_DROP_IN).parent.rmdir()


def _delete(app: str) -> None:
    """Raises OSError."""
    if not shutil.which("certbot"):
        # Somebody has removed it, and what it had is still to go.
        for path in parts(app):
            remove(path)
    elif fault := _run("certbot", "delete", "--non-interactive", "--cert-name", lineage_name(app)):
        raise OSError(fault)


def _words(app: str, names: Sequence[str], terms: Terms) -> list[str]:
    return [
        "certbot", "certonly", "--non-interactive", "--agree-tos", "--no-eff-email", "--email", terms.email,
        "--server", terms.directory, "--cert-name", lineage_name(app),
        *(word for name in names for word in ("--domain", name)),
        # It is asked only for what isn't there: other names, another CA, or a certificate that has grown old.
        "--force-renewal", "--renew-with-new-domains", "--break-my-certs",
        # The hook would wait for the lock of the run that has asked.
        "--no-directory-hooks",
        *(_by_dns(terms) if terms.dns_plugin else ["--webroot", "--webroot-path", WEBROOT]),
    ]  # fmt: skip


def _by_dns(terms: Terms) -> list[str]:
    # Not --dns-gandi: certbot has such a word only for the plugins that it comes with.
    option, plugin = f"--dns-{terms.dns_plugin}", ["--authenticator", f"dns-{terms.dns_plugin}"]
    if terms.dns_plugin in WITHOUT_OPTIONS:
        return plugin
    credentials = [f"{option}-credentials", DNS_CREDENTIALS] if os.path.exists(DNS_CREDENTIALS) else []
    return [*plugin, *credentials, f"{option}-propagation-seconds", str(terms.dns_seconds)]


def _run(*words: str) -> str:
    """Why a command failed, in one line; "" if it didn't."""
    try:
        with _environment() as environment:
            done = subprocess.run(
                words, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
                timeout=PATIENCE, check=False,
            )  # fmt: skip
    except subprocess.TimeoutExpired:
        return f"certbot has not ended after {PATIENCE} s"
    if done.returncode == 0:
        return ""
    return reason(done.stdout, done.stderr) or f"certbot failed ({done.returncode})"


def reason(printed: str, complained: str) -> str:
    """Certbot's own words, without those that it always says. Where the CA has told what it met, that.

    It prints what the CA has told, and complains of the rest.
    """
    told = [
        f"{domain}: {detail}"
        for domain, detail in re.findall(r"(?:Domain|Identifier): *(\S+)\n *Type: .*\n *Detail: *(.*)", printed)
    ]
    return "; ".join(told) or _to_the_point(complained) or _to_the_point(printed)


def _to_the_point(said: str) -> str:
    lines = [line.strip() for line in said.splitlines()]
    return " ".join(line for line in lines if not BESIDE_THE_POINT.match(line))


@contextlib.contextmanager
def _environment() -> Iterator[Mapping[str, str]]:
    """Certbot's, in which a CA of one's own is trusted besides those that the system knows."""
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    if not os.path.exists(CA_BUNDLE):
        yield environment
        return
    with tempfile.NamedTemporaryFile(prefix="web-trusted-", suffix=".pem") as trusted:
        for path in filter(os.path.exists, (SYSTEM_TRUST, CA_BUNDLE)):
            trusted.write(Path(path).read_bytes())
        trusted.flush()
        yield {**environment, "REQUESTS_CA_BUNDLE": trusted.name}
