"""The audit, read: newest first, or in the order of its chain."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import RowMapping, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.tables import audit_events, audit_seals
from server.domain.audit import AuditEvent, AuditOutcome, AuditRecord, Seal

_SEAL = (audit_seals.c.event_id, audit_seals.c.position, audit_seals.c.previous_hash, audit_seals.c.hash)


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which events; None or empty everywhere means all of them."""

    team_id: UUID | None = None
    actor_id: UUID | None = None
    action: str = ""
    resource_type: str = ""
    resource_id: str = ""
    since: datetime | None = None
    until: datetime | None = None
    outcome: AuditOutcome | None = None


async def page(session: AsyncSession, wanted: AuditFilter, *, before: int | None, limit: int) -> list[AuditRecord]:
    """Answers events, newest first, with ids below `before`."""
    event = audit_events.c
    query = select(audit_events, *_SEAL).outerjoin(audit_seals, audit_seals.c.event_id == event.id)
    for name in ("team_id", "actor_id", "action", "resource_type", "resource_id", "outcome"):
        if value := getattr(wanted, name):
            query = query.where(event[name] == value)
    if wanted.since is not None:
        query = query.where(event.time >= wanted.since)
    if wanted.until is not None:
        query = query.where(event.time < wanted.until)
    if before is not None:
        query = query.where(event.id < before)
    rows = await session.execute(query.order_by(event.id.desc()).limit(limit))
    return [_record(row) for row in rows.mappings()]


async def chain(session: AsyncSession, *, after: int, limit: int) -> list[AuditRecord]:
    """Answers what is sealed at the positions past `after`, in order, events that are gone included."""
    query = (
        select(*_SEAL, audit_events)
        .outerjoin(audit_events, audit_events.c.id == audit_seals.c.event_id)
        .where(audit_seals.c.position > after)
        .order_by(audit_seals.c.position)
        .limit(limit)
    )
    return [_record(row) for row in (await session.execute(query)).mappings()]


async def chain_length(session: AsyncSession) -> int:
    return await session.scalar(select(func.coalesce(func.max(audit_seals.c.position), 0))) or 0


async def count_unsealed(session: AsyncSession) -> int:
    """Answers how many events have no seal; counted from events and seals alone, whatever is said to wait."""
    sealed = select(audit_seals.c.event_id).where(audit_seals.c.event_id == audit_events.c.id).exists()
    return await session.scalar(select(func.count()).select_from(audit_events).where(~sealed)) or 0


def event_of(row: RowMapping) -> AuditEvent:
    values = {column.name: row[column] for column in audit_events.columns}
    return AuditEvent(**{**values, "outcome": AuditOutcome(row["outcome"])})


def _record(row: RowMapping) -> AuditRecord:
    event = event_of(row) if row[audit_events.c.id] is not None else None
    seal = None
    if row["position"] is not None:
        seal = Seal(row["position"], row["previous_hash"], row["hash"])
    return AuditRecord(event.id if event else row["event_id"], event, seal)
