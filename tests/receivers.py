"""What is sent out arrives here: a webhook receiver and a mail server on this machine, and channels that lead there."""

from __future__ import annotations

import asyncio
import email
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from sqlalchemy import update

from kernel.cipher import Cipher
from kernel.database import Sessions, transaction
from kernel.ids import new_id
from kernel.notification_tables import deliveries as rows
from server.domain.delivery import DEAD, SUBSCRIBABLE, NewDelivery, NotificationEvent
from server.domain.notification_channel import (
    ChannelContent,
    ChannelKind,
    ChannelSecret,
    NotificationChannel,
    context_of,
)
from server.storage import deliveries, notification_channels
from server.storage.notification_channels import SealedChannelSecret
from tests.builders import MASTER_KEY, TeamWithPeople
from tests.certificates import Authority

SIGNING_SECRET = "whsec_" + "b25jYWxs" * 4
NEVER = 3600.0

Answer = Callable[["Received"], Awaitable[bytes | None]]
"""Answers what is sent back, as it is; None: nothing, and the connection is closed."""


@dataclass(frozen=True, slots=True)
class Received:
    """A request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class WebhookReceiver:
    """Takes requests; each answer of `answers` is given once, in turn, and then 204 for ever."""

    url: str
    requests: list[Received] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    arrived: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def wait_for(self, number: int, *, within: float = 20) -> list[Received]:
        """Answers the requests once there are so many."""
        async with asyncio.timeout(within), self.arrived:
            await self.arrived.wait_for(lambda: len(self.requests) >= number)
        return self.requests

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                received = await _read(reader)
                answer = self.answers.pop(0) if self.answers else answering(204)
                async with self.arrived:
                    self.requests.append(received)
                    self.arrived.notify_all()
                if (sent_back := await answer(received)) is not None:
                    writer.write(sent_back)
                    await writer.drain()
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()


async def _read(reader: asyncio.StreamReader) -> Received:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, path, _ = head[0].split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
    return Received(method, path, headers, await reader.readexactly(int(headers.get("content-length", "0"))))


def answering(status: int, *headers: str, body: bytes = b"") -> Answer:
    head = "\r\n".join([f"HTTP/1.1 {status} X", f"content-length: {len(body)}", "connection: close", *headers, "", ""])

    async def answer(_: Received) -> bytes:
        return head.encode() + body

    return answer


async def silent(_: Received) -> None:
    """Answers nothing, and keeps the connection."""
    await asyncio.sleep(NEVER)


@asynccontextmanager
async def a_webhook_receiver(
    host: str = "127.0.0.1", *, tls: ssl.SSLContext | None = None
) -> AsyncIterator[WebhookReceiver]:
    receiver = WebhookReceiver("")
    tasks: set[asyncio.Task[None]] = set()

    def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(receiver.serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(serve, host, 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    receiver.url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    try:
        yield receiver
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def a_tls_receiver(folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[WebhookReceiver]:
    """A receiver that is reached over https, and trusted by senders that are made within."""
    authority = Authority(folder)
    pair = authority.server("receiver")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    async with a_webhook_receiver(tls=context) as receiver:
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
        receiver.url = f"https://localhost:{receiver.url.rpartition(':')[2]}"
        yield receiver


class MailReceiver:
    """A mail server that keeps what it is given, or refuses it while `refusing`."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.recipients: list[list[str]] = []
        self.refusing = ""
        self.port = 0

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's
        if self.refusing:
            return self.refusing
        content = envelope.content
        assert isinstance(content, bytes)
        message = email.message_from_bytes(content, policy=default)
        assert isinstance(message, EmailMessage)
        self.mails.append(message)
        self.recipients.append(list(envelope.rcpt_tos))
        return "250 OK"


@contextmanager
def a_mail_receiver() -> Iterator[MailReceiver]:
    receiver = MailReceiver()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        receiver.port = probe.getsockname()[1]
    controller = Controller(receiver, hostname="127.0.0.1", port=receiver.port)
    controller.start()
    try:
        yield receiver
    finally:
        controller.stop()


async def a_channel(
    sessions: Sessions,
    team: TeamWithPeople,
    target: str,
    *,
    kind: ChannelKind = ChannelKind.WEBHOOK,
    events: tuple[NotificationEvent, ...] = SUBSCRIBABLE,
    cipher: Cipher | None = None,
    **content: Any,
) -> NotificationChannel:
    """Puts a channel in place; a WEBHOOK signs with SIGNING_SECRET."""
    cipher = cipher or Cipher(MASTER_KEY)
    channel_id = new_id()
    async with transaction(sessions) as tx:
        now = _now()
        channel = NotificationChannel(
            id=channel_id,
            team_id=team.id,
            kind=kind,
            content=ChannelContent(f"channel {channel_id}", events, **content),
            target_hint="…",
            disabled_reason="",
            revision=1,
            created_by=team.author.id,
            created_at=now,
            updated_at=now,
        )
        await notification_channels.add(tx.session, channel)
        kept = {ChannelSecret.TARGET: target}
        if kind is ChannelKind.WEBHOOK:
            kept[ChannelSecret.SIGNING] = SIGNING_SECRET
        for purpose, value in kept.items():
            sealed = cipher.seal(value.encode(), context_of(channel_id, purpose))
            secret = SealedChannelSecret(purpose, cipher.current_key_id, sealed)
            await notification_channels.put_secret(tx.session, channel_id, secret)
    return channel


async def a_delivery(
    sessions: Sessions, team: TeamWithPeople, channel: NotificationChannel | None = None, **fields: Any
) -> UUID:
    """Makes a delivery, to `channel` if it is given."""
    given = {
        "dedupe_key": str(new_id()),
        "event": NotificationEvent.INCIDENT_CREATED,
        "subject": "Checkout is down",
        "body": "Nobody can pay.",
        "channel_id": channel.id if channel else None,
        **fields,
    }
    async with transaction(sessions) as tx:
        (made,) = await deliveries.add_deliveries(tx.session, [NewDelivery(team_id=team.id, **given)], _now())
    return made


async def a_dead_delivery(sessions: Sessions, team: TeamWithPeople, channel: NotificationChannel) -> UUID:
    """Makes a delivery that was given up after three tries."""
    made = await a_delivery(sessions, team, channel)
    dead = {"status": DEAD, "attempts": 3, "last_error": "HTTP status 503", "response_status": 503, "ended_at": _now()}
    async with transaction(sessions) as tx:
        await tx.session.execute(update(rows).where(rows.c.id == made).values(dead))
    return made


def _now() -> datetime:
    return datetime.now(UTC)
