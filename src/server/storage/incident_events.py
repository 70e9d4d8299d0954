"""What happened to incidents and may start workflows: an outbox, each row of it handled once."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import CursorResult, delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.workflow_tables import incident_events
from server.domain.workflow.definition import Event, Json


@dataclass(frozen=True, slots=True)
class IncidentEvent:
    """One thing that happened; `incident` is as it was then, `caused_by` None where the platform did it.

    `tries` is how often handling it did not come to its end, and `left_workflows` are those that are to be looked at
    again then; None: all that it may start.
    """

    id: UUID
    incident_id: UUID
    team_id: UUID
    event: Event
    incident: Mapping[str, Json]
    caused_by: UUID | None
    created_at: datetime
    tries: int = 0
    left_workflows: Collection[UUID] | None = None


async def add(session: AsyncSession, happened: IncidentEvent) -> None:
    row = {name: getattr(happened, name) for name in IncidentEvent.__slots__}
    await session.execute(insert(incident_events).values(**row | {"incident": dict(happened.incident)}))


async def take(session: AsyncSession) -> IncidentEvent | None:
    """Locks the oldest that is due and that nobody else handles just now; None where there is none."""
    columns = [incident_events.c[name] for name in IncidentEvent.__slots__]
    try_at = incident_events.c.try_at
    due = incident_events.c.handled_at.is_(None), or_(try_at.is_(None), try_at <= func.now())
    query = select(*columns).where(*due).order_by(incident_events.c.id).limit(1)
    row = (await session.execute(query.with_for_update(skip_locked=True))).mappings().one_or_none()
    return IncidentEvent(**{**row, "event": Event(row["event"])}) if row else None


async def put_off(
    session: AsyncSession, event_id: UUID, *, tries: int, left: Collection[UUID] | None, pause: timedelta
) -> None:
    """Has it tried again after `pause`, for the workflows that are `left`; None: for all of them."""
    again = {"tries": tries, "left_workflows": None if left is None else list(left), "try_at": func.now() + pause}
    unhandled = incident_events.c.id == event_id, incident_events.c.handled_at.is_(None)
    await session.execute(update(incident_events).where(*unhandled).values(again))


async def mark_handled(session: AsyncSession, event_id: UUID) -> None:
    await session.execute(update(incident_events).where(incident_events.c.id == event_id).values(handled_at=func.now()))


async def forget(session: AsyncSession, older_than: timedelta, limit: int) -> int:
    """Deletes some that were handled longer ago; answers how many."""
    handled = incident_events.c.handled_at
    old = select(incident_events.c.id).where(handled.is_not(None), handled < func.now() - older_than)
    query = delete(incident_events).where(incident_events.c.id.in_(old.order_by(handled).limit(limit)))
    gone: CursorResult[Any] = await session.execute(query)  # type: ignore[assignment] # what a DELETE answers
    return gone.rowcount
