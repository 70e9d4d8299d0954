"""TLS is spoken with the name that a target has, to the address that was checked."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from server.domain.delivery_attempt import Attempt
from server.domain.outbound import OutboundPolicy
from server.outbound.webhook import OutgoingWebhook, WebhookSender
from tests.certificates import Authority
from tests.receivers import a_webhook_receiver


async def here(host: str, port: int) -> Sequence[str]:
    """Whatever the name, it is this machine."""
    return ["127.0.0.1"]


async def sent(url: str) -> Attempt:
    sender = WebhookSender(OutboundPolicy.parse("127.0.0.1"), 5, here)
    try:
        return await sender.send(OutgoingWebhook(UUID(int=1), url, {}), datetime.now(UTC))
    finally:
        await sender.close()


async def test_a_certificate_must_be_of_the_name_and_of_a_trusted_authority(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority, asked = Authority(tmp_path), []
    pair = authority.server("receiver")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    context.sni_callback = lambda _, name, __: asked.append(name)
    async with a_webhook_receiver(tls=context) as receiver:
        port = receiver.url.rpartition(":")[2]
        untrusted = await sent(f"https://localhost:{port}/")
        assert untrusted.error == "no answer: ConnectError"
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
        assert (await sent(f"https://localhost:{port}/")).delivered
        assert receiver.requests[0].headers["host"] == f"localhost:{port}"
        other = await sent(f"https://other.example:{port}/")
        assert other.error == "no answer: ConnectError"
        assert not other.final
    assert asked == ["localhost", "localhost", "other.example"]
    assert len(receiver.requests) == 1
