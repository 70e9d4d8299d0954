"""The gateway's own TLS: which versions, and a certificate that is renewed under open connections."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gateway.edge.tls import open_pair
from kernel.certificate_files import UnusableFiles
from tests.integration.edge import BEARER, an_edge


def write_pair(folder: Path, name: str) -> tuple[Path, Path]:
    """Writes a certificate for `localhost` that names itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    files = folder / "certificate.pem", folder / "key.pem"
    files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return files


def trusting(certificate: Path, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(certificate))
    context.set_alpn_protocols(["h2", "http/1.1"])
    context.maximum_version = version
    return context


async def test_a_renewed_certificate_is_shown_and_open_connections_stay(tmp_path: Path) -> None:
    certificate, key = write_pair(tmp_path, "first")
    pair = open_pair(certificate, key)
    async with an_edge(pair) as edge:
        url = f"https://localhost:{edge.port}/livez"
        async with httpx.AsyncClient(verify=trusting(certificate)) as before:
            first = await before.get(url)
            assert first.status_code == 200
            assert first.headers["strict-transport-security"] == "max-age=31536000"
            assert pair.reload() is False
            write_pair(tmp_path, "second")
            assert pair.reload() is True
            assert (await before.get(url)).status_code == 200
            async with httpx.AsyncClient(verify=trusting(certificate)) as after:
                assert (await after.get(url)).status_code == 200
            key.write_text("nonsense")
            with pytest.raises(UnusableFiles, match="cannot be used"):
                pair.reload()
            assert pair.reload() is False
            async with httpx.AsyncClient(verify=trusting(certificate)) as after:
                assert (await after.get(url)).status_code == 200


async def test_the_session_cookie_is_a_secure_one_and_old_tls_is_refused(tmp_path: Path) -> None:
    certificate, key = write_pair(tmp_path, "first")
    async with an_edge(open_pair(certificate, key)) as edge:
        async with httpx.AsyncClient(
            base_url=f"https://localhost:{edge.port}", verify=trusting(certificate, ssl.TLSVersion.TLSv1_2)
        ) as client:
            answer = await client.post("/status/acme/session", headers=BEARER, json={"token": "ocp_right"})
            assert answer.headers["set-cookie"].startswith("__Secure-oncall-session=ocs_right;")
            assert answer.headers["set-cookie"].endswith("; Path=/status/acme; HttpOnly; SameSite=Lax; Secure")
            assert (await client.get("/status/acme")).status_code == 200
        old = trusting(certificate)
        with pytest.warns(DeprecationWarning, match="TLSv1_1"):
            old.minimum_version = ssl.TLSVersion.TLSv1_1
        with pytest.warns(DeprecationWarning, match="TLSv1_1"):
            old.maximum_version = ssl.TLSVersion.TLSv1_1
        async with httpx.AsyncClient(verify=old) as client:
            with pytest.raises(httpx.ConnectError):
                await client.get(f"https://localhost:{edge.port}/livez")


def test_a_pair_that_is_none_is_said_in_a_sentence(tmp_path: Path) -> None:
    certificate, _ = write_pair(tmp_path, "first")
    other = tmp_path / "other"
    other.mkdir()
    _, foreign = write_pair(other, "second")
    for key, problem in ((foreign, "not that of the certificate"), (tmp_path / "none", "No such file")):
        with pytest.raises(UnusableFiles, match=problem):
            open_pair(certificate, key)
    with pytest.raises(UnusableFiles, match="no PEM"):
        open_pair(foreign, foreign)
