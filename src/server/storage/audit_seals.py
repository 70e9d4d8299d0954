"""The chain over the audit, written: what waits for a seal, where the chain ends, and one writer at a time."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.tables import audit_events, audit_seals, audit_unsealed
from server.domain.audit import AuditEvent, Seal
from server.storage.audit_events import event_of

_LOCK = int.from_bytes(b"sealing")


async def lock(session: AsyncSession) -> bool:
    """Whether this transaction may seal; false while another does."""
    return bool(await session.scalar(select(func.pg_try_advisory_xact_lock(_LOCK))))


async def head(session: AsyncSession) -> Seal | None:
    """Answers the end of the chain."""
    seals = audit_seals.c
    query = select(seals.position, seals.previous_hash, seals.hash).order_by(seals.position.desc()).limit(1)
    row = (await session.execute(query)).one_or_none()
    return Seal(*row) if row else None


async def waiting(session: AsyncSession, *, limit: int) -> list[AuditEvent]:
    """Answers committed events without a seal, in the order of their ids."""
    query = (
        select(audit_events)
        .join(audit_unsealed, audit_unsealed.c.event_id == audit_events.c.id)
        .order_by(audit_unsealed.c.event_id)
        .limit(limit)
    )
    return [event_of(row) for row in (await session.execute(query)).mappings()]


async def add(session: AsyncSession, seals: Mapping[int, Seal]) -> None:
    """Stores the seals of events, which then wait no more."""
    rows = [
        {"event_id": event_id, "position": seal.position, "previous_hash": seal.previous_hash, "hash": seal.hash}
        for event_id, seal in seals.items()
    ]
    await session.execute(insert(audit_seals), rows)
    await session.execute(delete(audit_unsealed).where(audit_unsealed.c.event_id.in_(seals)))
