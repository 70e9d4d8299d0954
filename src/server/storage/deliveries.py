"""Deliveries as callers see them; those that are being sent are `storage.outbox`'s."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, Select, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.ids import new_id
from kernel.notification_tables import deliveries
from server.domain.delivery import (
    DEAD,
    LONGEST_BODY,
    LONGEST_SUBJECT,
    PENDING,
    Delivery,
    DeliveryStatus,
    NewDelivery,
    NotificationEvent,
    as_data,
    storable,
)
from server.storage.newest import Listing

CHANNEL = "oncall_deliveries"
"""PostgreSQL's NOTIFY, told with the commit: whoever sends looks at once. It may be lost; the sweep finds all."""

_HEAD = [
    deliveries.c[name] for name in Delivery.__dataclass_fields__ if name in deliveries.c
]  # all but what it says and where to
_LISTING = Listing(
    deliveries,
    _HEAD,
    (("workflow_run_id",), ("incident_id",), ("channel_id",), ("team_id", "status"), ("team_id",), ()),
)


@dataclass(frozen=True, slots=True)
class DeliveryFilter:
    """Which deliveries; None everywhere means all of them."""

    team_ids: Collection[UUID] | None = None
    channel_id: UUID | None = None
    status: DeliveryStatus | None = None
    workflow_run_id: UUID | None = None
    incident_id: UUID | None = None


async def add_deliveries(session: AsyncSession, new: Sequence[NewDelivery], now: datetime) -> list[UUID]:
    """Makes deliveries that are due `now`, and answers the ids of those made.

    One whose `dedupe_key` was used before is left out: it was made then, whatever became of it. Whoever sends hears of
    them with the commit. Subjects and bodies that are too long are cut.
    """
    if not new:
        return []
    query = insert(deliveries).on_conflict_do_nothing(index_elements=[deliveries.c.dedupe_key])
    rows = [_row(delivery, now) for delivery in new]
    made = list((await session.execute(query.values(rows).returning(deliveries.c.id))).scalars())
    if made:
        await ring(session)
    return made


async def ring(session: AsyncSession) -> None:
    """Tells whoever sends to look, once the transaction has been committed."""
    await session.execute(select(func.pg_notify(CHANNEL, "")))


async def of_run(session: AsyncSession, run_id: UUID) -> list[Delivery]:
    """Answers the deliveries that a workflow run made, oldest first."""
    query = select(*_HEAD).where(deliveries.c.workflow_run_id == run_id).order_by(deliveries.c.id)
    return [_delivery(row) for row in (await session.execute(query)).mappings()]


async def give_up(session: AsyncSession, run_id: UUID, node: str, now: datetime) -> None:
    """Has what a node of a run sends not be tried again; a try that is under way may still succeed."""
    sent = deliveries.c.workflow_run_id == run_id, deliveries.c.node == node, deliveries.c.status == PENDING
    own = deliveries.c.event.in_([NotificationEvent.WORKFLOW_MESSAGE, NotificationEvent.WORKFLOW_WEBHOOK])
    await session.execute(update(deliveries).where(*sent, own).values(give_up_at=now))


async def find(session: AsyncSession, delivery_id: UUID, *, lock: bool = False) -> Delivery | None:
    query = select(*_HEAD).where(deliveries.c.id == delivery_id)
    row = (await session.execute(query.with_for_update() if lock else query)).mappings().one_or_none()
    return _delivery(row) if row else None


async def page(session: AsyncSession, wanted: DeliveryFilter, *, before: UUID | None, limit: int) -> list[Delivery]:
    """Answers deliveries older than `before`, newest first."""
    rows = await session.execute(page_query(wanted, before=before, limit=limit))
    return [_delivery(row) for row in rows.mappings()]


def page_query(wanted: DeliveryFilter, *, before: UUID | None, limit: int) -> Select[Any]:
    values = {
        "channel_id": wanted.channel_id,
        "status": wanted.status,
        "workflow_run_id": wanted.workflow_run_id,
        "incident_id": wanted.incident_id,
    }
    return _LISTING.page(values, team_ids=wanted.team_ids, before=before, limit=limit)


async def revive(session: AsyncSession, delivery_id: UUID, now: datetime) -> Delivery | None:
    """Makes a DEAD delivery due again, with all its attempts before it; None where it is not DEAD."""
    query = (
        update(deliveries)
        .where(deliveries.c.id == delivery_id, deliveries.c.status == DEAD)
        .values(status=PENDING, attempts_before=deliveries.c.attempts, next_attempt_at=now, ended_at=None)
        .returning(*_HEAD)
    )
    row = (await session.execute(query)).mappings().one_or_none()
    if row is None:
        return None
    await ring(session)
    return _delivery(row)


def _row(delivery: NewDelivery, now: datetime) -> dict[str, object]:
    return {
        "id": new_id(),
        "dedupe_key": delivery.dedupe_key,
        "team_id": delivery.team_id,
        "channel_id": delivery.channel_id,
        "webhook": delivery.webhook.as_json() if delivery.webhook else None,
        "event": delivery.event,
        "subject": storable(" ".join(delivery.subject.split()), LONGEST_SUBJECT),
        "body": storable(delivery.body, LONGEST_BODY),
        "data": as_data(delivery.data),
        "workflow_run_id": delivery.workflow_run_id,
        "node": delivery.node,
        "incident_id": delivery.incident_id,
        "execution_id": delivery.execution_id,
        "give_up_at": delivery.give_up_at,
        "created_at": now,
        "next_attempt_at": now,
    }


def _delivery(row: RowMapping) -> Delivery:
    values = dict(row)
    values["event"] = NotificationEvent(values["event"])
    values["status"] = DeliveryStatus(values["status"])
    return Delivery(**values)
