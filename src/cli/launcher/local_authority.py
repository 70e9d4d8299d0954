"""A certificate authority of this installation's own, for names of this machine, and what it signs.

Its key never leaves its folder. It is bound to its domain names (RFC 5280, name constraints): a browser that trusts it
trusts it for no other site, whoever gets hold of the key. It is not bound to addresses: gRPC's TLS library refuses an
authority with constraints on these.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cli.launcher.data_folder import write_private

AUTHORITY_DAYS, AUTHORITY_LEFT_DAYS = 3650, 365
CERTIFICATE_DAYS, CERTIFICATE_LEFT_DAYS = 90, 30
"""A certificate is signed for the first, and anew once there are less than the second left."""

_CLOCKS_DIFFER = timedelta(minutes=5)
_Pair = tuple[x509.Certificate, ec.EllipticCurvePrivateKey]


def domains(names: Sequence[str]) -> list[str]:
    """Answers those of the names that are no addresses, each once."""
    return [name for name in dict.fromkeys(names) if isinstance(_general_name(name), x509.DNSName)]


class LocalAuthority:
    """The authority in a folder, made there where it is missing, ends soon, or may not sign for the names."""

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        self._folder = folder
        self._names = [_general_name(name) for name in dict.fromkeys(names)]
        self._domains = [x509.DNSName(name) for name in domains(names)]
        self.file = folder / "ca.pem"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.replaced = False
        """Whether there was another one here before, which this one cannot stand for."""
        self._certificate, self._key = self._open()

    def server_pair(self, name: str) -> tuple[Path, Path]:
        """Answers the files of a certificate for all names, and of its key; signs it if need be."""
        return self._pair(name, x509.SubjectAlternativeName(self._names), ExtendedKeyUsageOID.SERVER_AUTH)

    def client_pair(self, name: str) -> tuple[Path, Path]:
        """Answers the files of a certificate that is shown to servers and good for nothing else."""
        return self._pair(name, None, ExtendedKeyUsageOID.CLIENT_AUTH)

    def _open(self) -> _Pair:
        found = _read(self.file, self._folder / "ca.key")
        if found is not None and _days_left(found[0]) > AUTHORITY_LEFT_DAYS and self._may_sign(found[0]):
            return found
        self.replaced = self.file.exists()
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _name(f"oncall local authority {datetime.now(UTC):%Y-%m-%d}")
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        certificate = (
            _builder(subject, subject, key.public_key(), AUTHORITY_DAYS)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.NameConstraints(self._domains, None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        self._write("ca", (certificate, key))
        return certificate, key

    def _may_sign(self, certificate: x509.Certificate) -> bool:
        try:
            constraints = certificate.extensions.get_extension_for_class(x509.NameConstraints).value
        except x509.ExtensionNotFound:
            return False
        permitted = constraints.permitted_subtrees or []
        return all(domain in permitted for domain in self._domains)

    def _pair(
        self, name: str, names: x509.SubjectAlternativeName | None, purpose: x509.ObjectIdentifier
    ) -> tuple[Path, Path]:
        files = self._folder / f"{name}.pem", self._folder / f"{name}.key"
        found = _read(*files)
        if found is None or not self._is_good(found[0], names):
            # The old key is used again where there is one, so that a reader never sees halves of two pairs.
            key = found[1] if found else ec.generate_private_key(ec.SECP256R1())
            self._write(name, (self._sign(f"oncall {name}", key, names, purpose), key))
        return files

    def _is_good(self, certificate: x509.Certificate, names: x509.SubjectAlternativeName | None) -> bool:
        try:
            certificate.verify_directly_issued_by(self._certificate)
        except (ValueError, TypeError, InvalidSignature):
            return False
        try:
            named = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except x509.ExtensionNotFound:
            named = None
        return named == names and _days_left(certificate) > CERTIFICATE_LEFT_DAYS

    def _sign(
        self,
        common_name: str,
        key: ec.EllipticCurvePrivateKey,
        names: x509.SubjectAlternativeName | None,
        purpose: x509.ObjectIdentifier,
    ) -> x509.Certificate:
        usage = x509.KeyUsage(True, False, False, False, False, False, False, False, False)
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        builder = (
            _builder(_name(common_name), self._certificate.subject, key.public_key(), CERTIFICATE_DAYS)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(issuer, critical=False)
        )
        if names is not None:
            builder = builder.add_extension(names, critical=False)
        return builder.sign(self._key, hashes.SHA256())

    def _write(self, name: str, pair: _Pair) -> None:
        certificate, key = pair
        secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        write_private(self._folder / f"{name}.key", secret.decode())
        write_private(self._folder / f"{name}.pem", certificate.public_bytes(Encoding.PEM).decode())


def _read(certificate: Path, key: Path) -> _Pair | None:
    """Answers a pair; None where there is none, or what is there cannot be used."""
    try:
        found = x509.load_pem_x509_certificate(certificate.read_bytes())
        secret = load_pem_private_key(key.read_bytes(), password=None)
    except (FileNotFoundError, ValueError, TypeError):
        return None
    if not isinstance(secret, ec.EllipticCurvePrivateKey) or found.public_key() != secret.public_key():
        return None
    return found, secret


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, days: int
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder(issuer, subject, key, x509.random_serial_number())
        .not_valid_before(now - _CLOCKS_DIFFER)
        .not_valid_after(now + timedelta(days=days))
    )


def _days_left(certificate: x509.Certificate) -> float:
    return (certificate.not_valid_after_utc - datetime.now(UTC)) / timedelta(days=1)


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _general_name(name: str) -> x509.DNSName | x509.IPAddress:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
