"""A person's own certificate and key: whether browsers would take them for an app's names."""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Iterator, Sequence

from ansible_collections.uwsgi_flask.web.plugins.module_utils.names import is_covered
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

CERTIFICATE = b"-----BEGIN CERTIFICATE-----"
# There are several kinds of keys (RSA, EC, ENCRYPTED).
PRIVATE_KEY = b"PRIVATE KEY-----"


def certificate_faults(chain: bytes, key: bytes, names: Sequence[str]) -> Iterator[str]:
    """What is wrong with a certificate (PEM, the host's own first, then those that sign it) and its key, a line each.

    Each line names the setting that leads to the file, and the remedy.
    """
    if swapped := _swapped(chain, key):
        yield swapped
        return
    try:
        certificates = x509.load_pem_x509_certificates(chain)
    except ValueError:
        yield "'tls_certificate': must be a file of certificates in PEM ('-----BEGIN CERTIFICATE-----')"
        return
    try:
        public = load_pem_private_key(key, password=None).public_key()
    except TypeError:
        yield "'tls_key': has a passphrase, which nginx can't ask for; remove it, and use ansible-vault instead"
        return
    except ValueError:
        yield "'tls_key': must be a private key in PEM ('-----BEGIN PRIVATE KEY-----')"
        return
    own = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    fits = [_public_key(certificate) == own for certificate in certificates]
    if not any(fits):
        yield "'tls_key': doesn't fit 'tls_certificate'; give the key that this certificate was made for"
    elif not fits[0] or not _is_in_order(certificates):
        yield "'tls_certificate': is in the wrong order; the host's own certificate must come first, then its issuers"
    else:
        yield from _certificate_faults(certificates, names)


def _swapped(chain: bytes, key: bytes) -> str:
    """Which file holds what belongs into the other. Both may be in one."""
    is_key = PRIVATE_KEY in chain and CERTIFICATE not in chain
    is_certificate = CERTIFICATE in key and PRIVATE_KEY not in key
    if is_key and is_certificate:
        return "'tls_certificate': is a private key, and 'tls_key' is a certificate; swap the two"
    if is_key:
        return "'tls_certificate': is a private key; name the file of the certificate"
    return "'tls_key': is a certificate; name the file of its private key" if is_certificate else ""


def _certificate_faults(certificates: Sequence[x509.Certificate], names: Sequence[str]) -> Iterator[str]:
    now = datetime.datetime.now(datetime.UTC)
    for certificate in certificates:
        whose = certificate.subject.rfc4514_string() or "the certificate"
        if certificate.not_valid_after_utc <= now:
            yield f"'tls_certificate': {whose} expired on {certificate.not_valid_after_utc:%Y-%m-%d}; renew it"
        if certificate.not_valid_before_utc > now:
            begins = f"{certificate.not_valid_before_utc:%Y-%m-%d}"
            yield f"'tls_certificate': {whose} isn't valid before {begins}; look at this machine's clock"
    covered = _names(certificates[0])
    for name in names:
        if not is_covered(name, covered):
            listed = ", ".join(covered) or "no name at all"
            yield f"'tls_certificate': isn't for {name}, only for {listed}; get one for all of 'server_names'"


def _public_key(certificate: x509.Certificate) -> bytes:
    return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _is_in_order(certificates: Sequence[x509.Certificate]) -> bool:
    """Whether each is signed by the one after it, as nginx sends them."""
    for certificate, issuer in itertools.pairwise(certificates):
        try:
            certificate.verify_directly_issued_by(issuer)
        except (ValueError, TypeError, InvalidSignature):
            return False
    return True


def _names(certificate: x509.Certificate) -> list[str]:
    """Host names and addresses, as they stand in `server_names`. Browsers don't look at the common name."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    addresses = map(str, names.get_values_for_type(x509.IPAddress))
    return [
        *(name.lower() for name in names.get_values_for_type(x509.DNSName)),
        *(f"[{address}]" if ":" in address else address for address in addresses),
    ]
