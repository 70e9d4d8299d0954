"""Tries a channel with a test message, and has deliveries that were given up tried again."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from uuid import UUID

from kernel.errors import FailedPrecondition, FieldViolation, InvalidArgument
from server.domain.delivery import PENDING, Delivery, NewDelivery, NotificationEvent
from server.domain.permission import Call, not_found
from server.domain.violation import require_uuid
from server.operations.change import change
from server.operations.environment import Environment
from server.operations.read_channels import load_channel, load_delivery
from server.storage import deliveries

DEFAULT_WAIT = timedelta(seconds=5)
LONGEST_WAIT = timedelta(seconds=60)
POLL_SECONDS = 0.2


async def try_channel(env: Environment, call: Call, channel_id: str, wait: timedelta) -> Delivery:
    """Sends a test message and answers its delivery once something came of it, or after `wait`."""
    wanted = require_uuid("channel_id", channel_id)
    if not timedelta(0) <= wait <= LONGEST_WAIT:
        raise InvalidArgument([FieldViolation("wait", f"must be 0 to {LONGEST_WAIT.seconds} s")])
    async with change(env.sessions, call) as tx:
        channel = await load_channel(tx.session, call, wanted)
        test = NewDelivery(
            dedupe_key=f"test:{env.new_id()}",
            team_id=channel.team_id,
            event=NotificationEvent.TEST,
            subject="Test of a notification channel",
            body=f"Somebody tries the channel {channel.content.name}. Nothing is wrong, and nothing has to be done.",
            channel_id=channel.id,
            data={"channel_id": str(channel.id), "channel_name": channel.content.name},
        )
        (made,) = await deliveries.add_deliveries(tx.session, [test], env.now())
        await tx.audit("notification_channel.tested", channel.id, team_id=channel.team_id, name=channel.content.name)
    return await _wait_for(env, made, wait)


async def retry_delivery(env: Environment, call: Call, delivery_id: str) -> Delivery:
    """Has a delivery that was given up tried again, as often as a new one."""
    wanted = require_uuid("delivery_id", delivery_id)
    async with change(env.sessions, call) as tx:
        await load_delivery(tx.session, call, wanted, lock=True)
        revived = await deliveries.revive(tx.session, wanted, env.now())
        if revived is None:
            raise FailedPrecondition(
                "only a delivery that was given up can be retried; this one waits, or was delivered",
                reason="DELIVERY_NOT_DEAD",
            )
        await tx.audit("delivery.retried", wanted, team_id=revived.team_id, event=revived.event.value)
    return revived


async def _wait_for(env: Environment, delivery_id: UUID, wait: timedelta) -> Delivery:
    """Looks now and then, each time with a connection of its own: many may wait, and for long."""
    deadline = time.monotonic() + wait.total_seconds()
    while True:
        async with env.sessions() as session:
            delivery = await deliveries.find(session, delivery_id)
        if delivery is None:
            raise not_found("delivery")
        if delivery.status is not PENDING or delivery.last_error or time.monotonic() >= deadline:
            return delivery
        await asyncio.sleep(POLL_SECONDS)
