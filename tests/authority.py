"""A certificate authority to throw away, for tests of HTTPS: they trust it, and a server shows what it signed."""

from __future__ import annotations

import datetime
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class Authority:
    """A certificate authority that a test trusts, and what it signs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.made = 0
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test Authority")])
        self.certificate = self._signed(self.name, self.key, [], days=3650, is_authority=True)
        (folder / "ca.pem").write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))

    def _signed(
        self, name: x509.Name, key: ec.EllipticCurvePrivateKey, names: list[str], days: float, is_authority: bool
    ) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=60))
            .not_valid_after(now + datetime.timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        )
        if names:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([x509.DNSName(it) for it in names]), critical=False
            )
        return builder.sign(self.key, hashes.SHA256())

    def make(self, *names: str, days: float = 90) -> dict[str, str]:
        """The settings for a certificate for these names."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
        made = self._signed(subject, key, list(names), days, is_authority=False)
        pem = serialization.Encoding.PEM
        chain = made.public_bytes(pem) + self.certificate.public_bytes(pem)
        self.made += 1
        paths = {name: self.folder / f"{self.made}.{name}" for name in ("tls_certificate", "tls_key")}
        paths["tls_certificate"].write_bytes(chain)
        paths["tls_key"].write_bytes(
            key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        )
        return {"tls": "files", **{name: str(path) for name, path in paths.items()}}

    def trusted(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.folder / "ca.pem"))
