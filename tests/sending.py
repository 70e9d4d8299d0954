"""A sender that really sends, and what became of a delivery."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from uuid import UUID

from sqlalchemy import func, update

from kernel.cipher import Cipher
from kernel.database import Sessions, transaction
from kernel.notification_tables import deliveries
from server.domain.delivery import PENDING, Delivery
from server.domain.outbound import OutboundPolicy
from server.domain.page import Pager
from server.operations.environment import Environment
from server.operations.send_deliveries import DeliverySender
from server.outbound.apprise_courier import AppriseCourier, MailServer
from server.outbound.channels import Channels
from server.outbound.webhook import WebhookSender
from server.storage import deliveries as stored
from tests.builders import MASTER_KEY
from tests.waiting import eventually

LIMIT = 3
Sending = Callable[..., AbstractAsyncContextManager[DeliverySender]]


@asynccontextmanager
async def a_sender(
    db: Sessions, rung: list[UUID], mail: MailServer | None = None, *, seconds: float = 5
) -> AsyncIterator[DeliverySender]:
    """Sends, at most LIMIT times and to this machine, for as long as the block lasts."""
    policy = OutboundPolicy.parse("127.0.0.1")
    ways = Channels(WebhookSender(policy, seconds), AppriseCourier(policy, seconds, mail))
    env = Environment(db, Pager(b""))

    async def ring_run(run_id: UUID) -> None:
        rung.append(run_id)

    sender = DeliverySender(env, Cipher(MASTER_KEY), ways, ring_run, seconds=seconds, limit=LIMIT)
    stop = asyncio.Event()
    running = asyncio.create_task(sender.run(stop))
    try:
        yield sender
    finally:
        stop.set()
        await running
        await ways.close()


async def delivery(db: Sessions, delivery_id: UUID) -> Delivery:
    async with db() as session:
        found = await stored.find(session, delivery_id)
    assert found is not None
    return found


async def ended(db: Sessions, delivery_id: UUID) -> Delivery:
    """Answers a delivery once it has ended; whatever is to be tried again is due at once."""

    async def has_ended() -> bool:
        async with transaction(db) as tx:
            await tx.session.execute(
                update(deliveries)
                .where(deliveries.c.status == PENDING, deliveries.c.last_error != "")
                .values(next_attempt_at=func.least(deliveries.c.next_attempt_at, func.now()), last_error="")
            )
        return (await delivery(db, delivery_id)).status is not PENDING

    await eventually(has_ended, within=30)
    return await delivery(db, delivery_id)
