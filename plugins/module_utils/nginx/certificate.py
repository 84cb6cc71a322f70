"""Certificates on a host: what one says, and one that the host signs itself. The work is openssl's."""

from __future__ import annotations

import dataclasses
import datetime
import ipaddress
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

from ansible_collections.uwsgi_flask.web.plugins.module_utils.names import is_covered
from ansible_collections.uwsgi_flask.web.plugins.module_utils.nginx.system import System

# Browsers take none that is valid for longer, and a deploy makes a new one in good time.
SELF_SIGNED_DAYS = 397
RENEWED_DAYS = 30
REQUEST = """\
[req]
prompt = no
distinguished_name = subject
x509_extensions = extensions
[subject]
CN = {name}
[extensions]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = {names}
"""


@dataclasses.dataclass(frozen=True)
class Certificate:
    """What a certificate says: the names it is for, who has signed it, and when it is valid."""

    names: list[str]
    subject: str
    issuer: str
    begins: datetime.datetime
    expires: datetime.datetime

    @property
    def is_self_signed(self) -> bool:
        return self.subject == self.issuer

    def days_left(self, now: datetime.datetime) -> int:
        """Whole days; less than 0 if it has expired."""
        return (self.expires - now).days

    def covered(self, names: Sequence[str]) -> list[str]:
        """Those of these names that it is for."""
        return [name for name in names if is_covered(name, self.names)]

    def share_left(self, now: datetime.datetime) -> float:
        """The part of its time that is left, from 1 to 0."""
        return (self.expires - now) / (self.expires - self.begins)


def read(system: System, path: Path) -> Certificate | None:
    """The first certificate of a file; None if there is none."""
    words = ("x509", "-in", str(path), "-noout", "-subject", "-issuer", "-dates", "-ext", "subjectAltName")
    code, said = system.openssl(*words, "-nameopt", "RFC2253", "-dateopt", "iso_8601")
    found = dict(re.findall(r"^(subject|issuer|notBefore|notAfter)=(.*)$", said, re.MULTILINE))
    if code != 0 or len(found) != 4:
        return None
    names = re.findall(r"(?:DNS|IP Address):([^,\s]+)", said)
    begins, expires = (datetime.datetime.fromisoformat(found[when]) for when in ("notBefore", "notAfter"))
    return Certificate(sorted(names), found["subject"].strip(), found["issuer"].strip(), begins, expires)


def fits(system: System, key: Path, certificate: Path) -> bool:
    """Whether a private key is the one of the first certificate of a file."""
    code, public = system.openssl("pkey", "-in", str(key), "-pubout")
    return code == 0 and system.openssl("x509", "-in", str(certificate), "-noout", "-pubkey") == (0, public)


def self_signed(system: System, path: Path, names: Sequence[str]) -> str:
    """Key and certificate for these names, in PEM: those at `path` while they serve, or new ones. Raises OSError."""
    there = read(system, path) if path.is_file() else None
    wanted = sorted(map(_as_openssl_writes, names))
    if there and there.is_self_signed and there.days_left(system.today()) > RENEWED_DAYS and there.names == wanted:
        return path.read_text()
    with tempfile.TemporaryDirectory(prefix="tls-") as made:
        return _new(system, names, Path(made))


def _new(system: System, names: Sequence[str], folder: Path) -> str:
    request, key, certificate = folder / "request", folder / "key", folder / "certificate"
    listed = [f"IP:{name.strip('[]')}" if _is_address(name) else f"DNS:{name}" for name in names]
    # A common name has 64 characters at most, and nobody reads it.
    request.write_text(REQUEST.format(name=names[0][:64], names=", ".join(listed)))
    code, said = system.openssl(
        "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-config", str(request),
        "-days", str(SELF_SIGNED_DAYS), "-keyout", str(key), "-out", str(certificate),
    )  # fmt: skip
    if code != 0:
        raise OSError(f"openssl can't make a certificate for {', '.join(names)}: {said}")
    return key.read_text() + certificate.read_text()


def _as_openssl_writes(name: str) -> str:
    """`[2001:db8::7]` is 2001:DB8:0:0:0:0:0:7 to openssl."""
    if not name.startswith("["):
        return name
    groups = ipaddress.IPv6Address(name.strip("[]")).exploded.split(":")
    return ":".join(group.lstrip("0").upper() or "0" for group in groups)


def _is_address(name: str) -> bool:
    return name.startswith("[") or re.fullmatch(r"[0-9.]+", name) is not None
