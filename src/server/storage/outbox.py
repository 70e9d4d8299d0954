"""Deliveries as whoever sends them takes and settles them; any number of processes may do so at once.

A claim moves the time of the next attempt to when this one counts as lost, and raises the number of attempts, which
fences everything written afterwards: whoever was too slow, and was taken for dead, writes nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import CursorResult, RowMapping, delete, func, literal, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.notification_tables import deliveries
from server.domain.delivery import DELIVERED, PENDING, DeliveryStatus, NotificationEvent, WebhookRequest

_LANE = func.coalesce(deliveries.c.channel_id, deliveries.c.team_id)
"""What must not take all places for itself when its receiver is slow: a channel, or the webhooks of a team."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery that this process may send, once, before its claim ends."""

    id: UUID
    team_id: UUID
    channel_id: UUID | None
    webhook: WebhookRequest | None = field(repr=False)
    event: NotificationEvent
    subject: str = field(repr=False)
    body: str = field(repr=False)
    data: Mapping[str, Any] = field(repr=False)
    workflow_run_id: UUID | None
    node: str | None
    incident_id: UUID | None
    execution_id: UUID | None
    attempts: int
    attempts_before: int
    give_up_at: datetime | None
    created_at: datetime

    @property
    def tries(self) -> int:
        """How often it has been tried since it was made or revived, this time among them."""
        return self.attempts - self.attempts_before

    @property
    def lane(self) -> UUID:
        return self.channel_id or self.team_id


async def claim(session: AsyncSession, *, busy: Collection[UUID], limit: int, lasts: timedelta) -> list[Claimed]:
    """Takes what is due, the longest first, but nothing of the lanes in `busy`; skips what others take just now."""
    due = (
        select(deliveries.c.id)
        .where(
            deliveries.c.status == literal("PENDING", literal_execute=True),  # as the index of what is due has it
            deliveries.c.next_attempt_at <= func.now(),
        )
        .order_by(deliveries.c.next_attempt_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    if busy:
        due = due.where(_LANE.not_in(busy))
    query = (
        update(deliveries)
        .where(deliveries.c.id.in_(due.scalar_subquery()))
        .values(attempts=deliveries.c.attempts + 1, next_attempt_at=func.now() + lasts)
        .returning(*(deliveries.c[name] for name in Claimed.__dataclass_fields__))
    )
    return [_claimed(row) for row in (await session.execute(query)).mappings()]


async def settle(
    session: AsyncSession,
    claimed: Claimed,
    status: DeliveryStatus,
    *,
    error: str,
    response_status: int | None,
    again_in: timedelta | None,
) -> bool:
    """Notes what came of a claim; whether it still held. PENDING is tried `again_in` so much time."""
    ended = status is not PENDING
    query = (
        update(deliveries)
        .where(
            deliveries.c.id == claimed.id,
            deliveries.c.status == PENDING,
            deliveries.c.attempts == claimed.attempts,
        )
        .values(
            status=status,
            last_error=error,
            response_status=response_status,
            ended_at=func.now() if ended else None,
            next_attempt_at=func.now() if ended else func.now() + again_in,
        )
    )
    settled: CursorResult[Any] = await session.execute(query)  # type: ignore[assignment] # what an UPDATE answers
    return settled.rowcount == 1


async def is_outdated(session: AsyncSession, claimed: Claimed) -> bool:
    """Whether its channel has taken a newer message about the same incident."""
    newer = select(deliveries.c.id).where(
        deliveries.c.channel_id == claimed.channel_id,
        deliveries.c.id > claimed.id,
        deliveries.c.incident_id == claimed.incident_id,
        deliveries.c.status == DELIVERED,
    )
    return bool(await session.scalar(select(newer.exists())))


async def forget(session: AsyncSession, older_than: timedelta, limit: int) -> int:
    """Removes deliveries that ended so long ago, the oldest first; answers how many, at most `limit`."""
    due = (
        select(deliveries.c.id)
        .where(deliveries.c.ended_at < func.now() - older_than)
        .order_by(deliveries.c.ended_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    query = delete(deliveries).where(deliveries.c.id.in_(due.scalar_subquery()))
    removed: CursorResult[Any] = await session.execute(query)  # type: ignore[assignment] # what a DELETE answers
    return removed.rowcount


def _claimed(row: RowMapping) -> Claimed:
    values = dict(row)
    values["event"] = NotificationEvent(values["event"])
    values["webhook"] = WebhookRequest.from_json(values["webhook"]) if values["webhook"] else None
    return Claimed(**values)
