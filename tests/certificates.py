"""Authorities and certificates for tests, in files as processes read them."""

from __future__ import annotations

import ipaddress
import socket
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Pair:
    """The files of a certificate and its key."""

    certificate: Path
    key: Path

    @property
    def as_bytes(self) -> tuple[bytes, bytes]:
        return self.certificate.read_bytes(), self.key.read_bytes()


class Authority:
    """Signs for localhost and 127.0.0.1, each name into the files `name.pem` and `name.key`."""

    def __init__(self, folder: Path, name: str = "ca") -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._subject = _name(f"authority {name}")
        certificate = _builder(self._subject, self._subject, self._key, HOUR, ca=True).sign(self._key, hashes.SHA256())
        self.file = folder / f"{name}.pem"
        self.file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    @property
    def pem(self) -> bytes:
        return self.file.read_bytes()

    def server(self, name: str, *, valid: timedelta = HOUR, file: str = "") -> Pair:
        return self._sign(name, ExtendedKeyUsageOID.SERVER_AUTH, valid, file)

    def client(self, name: str, *, valid: timedelta = HOUR, file: str = "") -> Pair:
        return self._sign(name, ExtendedKeyUsageOID.CLIENT_AUTH, valid, file)

    def _sign(self, name: str, purpose: x509.ObjectIdentifier, valid: timedelta, file: str) -> Pair:
        key = ec.generate_private_key(ec.SECP256R1())
        names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        certificate = (
            _builder(_name(name), self._subject, key, valid, ca=False)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        pair = Pair(self._folder / f"{file or name}.pem", self._folder / f"{file or name}.key")
        pair.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        pair.key.write_bytes(_pem(key))
        return pair


def encrypted(key: Path, password: bytes) -> None:
    """Puts a password on the key in a file."""
    secret = serialization.load_pem_private_key(key.read_bytes(), None)
    how = serialization.BestAvailableEncryption(password)
    key.write_bytes(secret.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, how))


def shown_name(port: int, client: Pair | None = None) -> str:
    """Shakes hands with a server of gRPC and answers whom its certificate names; OSError where it refuses."""
    with _connected(port, _context(client)) as connection:
        shown = connection.getpeercert(binary_form=True)
    assert shown is not None
    return str(x509.load_der_x509_certificate(shown).subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)


def agreed_version(port: int, wanted: ssl.TLSVersion) -> str | None:
    """Answers what a server agrees to with a client that wants one version and takes any cipher."""
    context = _context(None)
    context.set_ciphers("ALL:@SECLEVEL=0")  # else OpenSSL itself says no word of TLS 1.1
    context.minimum_version = context.maximum_version = wanted
    with _connected(port, context) as connection:
        return connection.version()


def _context(client: Pair | None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2", "http/1.1"])
    if client:
        # With TLS 1.3 a client is through before the server has looked at its certificate.
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(client.certificate, client.key)
    return context


def _connected(port: int, context: ssl.SSLContext) -> ssl.SSLSocket:
    plain = socket.create_connection(("127.0.0.1", port), timeout=20)
    try:
        return context.wrap_socket(plain)
    except BaseException:
        plain.close()
        raise


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, valid: timedelta, *, ca: bool
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder(issuer, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=30))
        .not_valid_after(now + valid)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
