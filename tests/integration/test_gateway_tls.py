"""The gateway's own TLS: which versions, and a certificate that is renewed under open connections."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import httpx
import pytest

from gateway.edge.tls import open_pair
from kernel.certificate_files import UnusableFiles
from tests.certificates import Authority, agreed_version
from tests.integration.edge import BEARER, an_edge


def write_pair(folder: Path, name: str) -> tuple[Path, Path]:
    """Writes a certificate for `localhost` and its key, and beside them, as `ca.pem`, who signed it."""
    pair = Authority(folder).server(name, file="pair")
    return pair.certificate, pair.key


def trusting(certificate: Path, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(certificate.with_name("ca.pem")))
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
            for _ in range(2):
                with pytest.raises(UnusableFiles, match="cannot be used"):
                    pair.reload()
            async with httpx.AsyncClient(verify=trusting(certificate)) as after:
                assert (await after.get(url)).status_code == 200
            write_pair(tmp_path, "third")
            assert [pair.reload(), pair.reload()] == [True, False]


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
        assert await asyncio.to_thread(agreed_version, edge.port, ssl.TLSVersion.TLSv1_2) == "TLSv1.2"
        with pytest.warns(DeprecationWarning, match="TLSv1_1"), pytest.raises(OSError):  # noqa: PT011 - it hangs up
            await asyncio.to_thread(agreed_version, edge.port, ssl.TLSVersion.TLSv1_1)


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
