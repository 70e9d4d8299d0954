"""Webhooks: requests after the convention of Standard Webhooks (standardwebhooks.com), signed and bounded.

No redirect is followed, no cookie kept, no proxy of the environment used, and of an answer only its head counts.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from uuid import UUID

import httpcore
import httpx
from standardwebhooks import Webhook

from server.domain.delivery_attempt import Attempt, failed
from server.domain.outbound import AddressRefused, OutboundPolicy
from server.outbound.guarded_network import GuardedBackend, Resolve, resolve

GREATEST_ANSWER_BYTES = 64 * 1024
GONE_STATUS = 410
USER_AGENT = "oncall-webhooks/1"
MOST_CONNECTIONS = 64
_OURS = frozenset({"connection", "expect", "te", "trailer", "transfer-encoding", "upgrade"})
"""Headers that say how a request is sent, which is nobody's business but ours."""


@dataclass(frozen=True, slots=True)
class OutgoingWebhook:
    """A request to be sent; each secret in `signing_secrets` makes a signature of its own."""

    id: UUID
    url: str = field(repr=False)
    payload: Any = field(repr=False)
    method: str = "POST"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    signing_secrets: Sequence[str] = field(default=(), repr=False)


class WebhookSender:
    """Sends webhooks; `seconds` is the time for all of one, from the lookup of the name to the end of the answer."""

    def __init__(self, policy: OutboundPolicy, seconds: float, find: Resolve = resolve) -> None:
        self._seconds = seconds
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=httpx.create_ssl_context(),  # with the authorities of SSL_CERT_FILE, where it is set
            max_connections=MOST_CONNECTIONS,
            max_keepalive_connections=0,  # what one team's receiver did to a connection is nobody else's
            network_backend=GuardedBackend(policy, find),
        )

    async def send(self, webhook: OutgoingWebhook, now: datetime) -> Attempt:
        try:
            request = _request(webhook, now)
        except (httpx.InvalidURL, ValueError, TypeError):  # the texts of these have what they are about
            return failed(
                "the request cannot be made: its address or a header is not one of HTTP, or its secret cannot sign",
                final=True,
            )
        try:
            async with asyncio.timeout(self._seconds):
                return await self._exchange(request, now)
        except TimeoutError:
            return failed(f"no answer within {self._seconds:g} s")
        except AddressRefused as error:
            return failed(str(error), final=True)
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, OSError) as error:
            return failed(f"no answer: {type(error).__name__}")

    async def close(self) -> None:
        await self._pool.aclose()

    async def _exchange(self, request: httpcore.Request, now: datetime) -> Attempt:
        response = await self._pool.handle_async_request(request)
        try:
            await _read(response)
        finally:
            await response.aclose()
        status = response.status
        if 200 <= status < 300:
            return Attempt(response_status=status)
        return Attempt(
            _said(status),
            response_status=status,
            final=status == GONE_STATUS,
            gone=status == GONE_STATUS,
            retry_after=_retry_after(response.headers, now),
        )


def signatures(webhook: OutgoingWebhook, body: str, now: datetime) -> str:
    return " ".join(Webhook(secret).sign(str(webhook.id), now, body) for secret in webhook.signing_secrets)


def _request(webhook: OutgoingWebhook, now: datetime) -> httpcore.Request:
    url = httpx.URL(webhook.url)
    if url.scheme not in {"http", "https"} or not url.host or url.userinfo:
        raise ValueError("not an address of HTTP")
    body = json.dumps(webhook.payload, ensure_ascii=False, separators=(",", ":"))
    headers = httpx.Headers({"user-agent": USER_AGENT, "accept": "*/*", "accept-encoding": "identity"})
    headers.update({name: value for name, value in webhook.headers.items() if name.lower() not in _OURS})
    headers["host"] = url.netloc.decode("ascii")
    headers["content-type"] = "application/json"
    headers["content-length"] = str(len(body.encode()))
    headers["webhook-id"] = str(webhook.id)
    headers["webhook-timestamp"] = str(int(now.timestamp()))
    if webhook.signing_secrets:
        headers["webhook-signature"] = signatures(webhook, body, now)
    return httpcore.Request(
        webhook.method,
        httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
        headers=headers.raw,
        content=body.encode(),
    )


async def _read(response: httpcore.Response) -> None:
    """Takes some of the answer, so that a receiver that writes one sees it taken; the rest is cut."""
    size = 0
    async for chunk in response.aiter_stream():
        size += len(chunk)
        if size > GREATEST_ANSWER_BYTES:
            return


def _said(status: int) -> str:
    if 300 <= status < 400:
        return f"HTTP status {status}: redirects are not followed"
    return f"HTTP status {status}"


def _retry_after(headers: Sequence[tuple[bytes, bytes]], now: datetime) -> timedelta | None:
    """Answers how long the receiver asks to wait, RFC 9110 section 10.2.3; None where it does not, or not clearly."""
    value = next((value.decode("latin-1").strip() for name, value in headers if name.lower() == b"retry-after"), "")
    if value.isascii() and value.isdigit():
        return timedelta(seconds=min(int(value[:9]), 10**8))
    try:
        at = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(at.replace(tzinfo=at.tzinfo or UTC) - now, timedelta(0))
