"""Signatures of webhooks, against the published vector of Standard Webhooks and its own verification."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from server.outbound.webhook import OutgoingWebhook, _request, _retry_after

OLD, NEW = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_" + "b" * 32
WEBHOOK = OutgoingWebhook(
    UUID(int=7), "https://example.org/x?y=1", {"é": 1}, headers={"x-own": "1"}, signing_secrets=[NEW, OLD]
)


def test_the_library_signs_as_the_convention_publishes_it() -> None:
    at = datetime.fromtimestamp(1614265330, UTC)
    signed = Webhook(OLD).sign("msg_p5jXN8AQM9LWM0D4loKWxJek", at, '{"test": 2432232314}')
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


async def sent(webhook: OutgoingWebhook) -> tuple[dict[str, str], bytes]:
    request = _request(webhook, datetime.now(UTC))
    headers = {name.decode().lower(): value.decode() for name, value in request.headers}
    return headers, b"".join([chunk async for chunk in request.stream])  # type: ignore[union-attr]


@pytest.mark.parametrize("secret", [OLD, NEW])
async def test_a_receiver_with_either_secret_can_verify(secret: str) -> None:
    headers, body = await sent(WEBHOOK)
    assert Webhook(secret).verify(body, headers) == {"é": 1}
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body + b" ", headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body, headers | {"webhook-id": str(UUID(int=8))})


async def test_a_request_without_secrets_has_an_id_and_no_signature() -> None:
    headers, _ = await sent(OutgoingWebhook(UUID(int=7), "http://example.org:81/", []))
    assert headers["webhook-id"] == str(UUID(int=7))
    assert "webhook-signature" not in headers
    assert headers["host"] == "example.org:81"


async def test_headers_that_say_how_a_request_is_sent_are_nobody_elses() -> None:
    own = {"Host": "inside", "Transfer-Encoding": "chunked", "Content-Length": "0", "Webhook-Id": "1", "X-A": "b"}
    headers, body = await sent(OutgoingWebhook(UUID(int=7), "https://example.org/", {}, headers=own))
    assert headers["host"] == "example.org"
    assert headers["content-length"] == str(len(body))
    assert headers["webhook-id"] == str(UUID(int=7))
    assert "transfer-encoding" not in headers
    assert headers["x-a"] == "b"


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (b"120", 120),
        (b"0", 0),
        (b"Tue, 01 Jan 2030 00:01:00 GMT", 60),
        (b"Mon, 31 Dec 2029 00:00:00 GMT", 0),
        (b"soon", None),
        (b"-5", None),
        (b"", None),
        (b"9" * 400, 10**8),
        ("²".encode("latin-1"), None),
    ],
)
def test_a_wish_to_wait_is_read_in_both_its_forms(value: bytes, seconds: float | None) -> None:
    found = _retry_after([(b"Retry-After", value)], datetime(2030, 1, 1, tzinfo=UTC))
    assert (found.total_seconds() if found is not None else None) == seconds
