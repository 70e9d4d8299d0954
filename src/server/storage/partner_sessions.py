"""Who read: sessions of partners' clients, and their accesses by day; `recorded_accesses` writes them."""

from __future__ import annotations

from datetime import date, timedelta
from uuid import UUID

from sqlalchemy import literal, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.status_page_tables import partner_access_batches, partner_accesses, partner_sessions
from server.domain.partner_access import DayOfAccess, Session
from server.storage import old_rows

DayKey = tuple[date, str, str]


async def page(session: AsyncSession, partner_id: UUID, *, before: UUID | None, limit: int) -> list[Session]:
    """Answers a partner's sessions, newest first, that are older than `before`."""
    query = select(partner_sessions).where(partner_sessions.c.partner_id == partner_id)
    if before is not None:
        query = query.where(partner_sessions.c.id < before)
    rows = await session.execute(query.order_by(partner_sessions.c.id.desc()).limit(limit))
    return [Session(**row) for row in rows.mappings()]


async def days(session: AsyncSession, partner_id: UUID, *, after: DayKey | None, limit: int) -> list[DayOfAccess]:
    """Answers a partner's accesses by day, newest first, that come after `after` in the list."""
    columns = [column for column in partner_accesses.c if column.name != "partner_id"]
    key = (partner_accesses.c.date, partner_accesses.c.token_prefix, partner_accesses.c.address)
    query = select(*columns).where(partner_accesses.c.partner_id == partner_id)
    if after is not None:
        query = query.where(tuple_(*key) < tuple_(*(literal(v, c.type) for v, c in zip(after, key, strict=True))))
    rows = await session.execute(query.order_by(*(column.desc() for column in key)).limit(limit))
    return [DayOfAccess(**row) for row in rows.mappings()]


async def forget_sessions(session: AsyncSession, kept: timedelta, most: int) -> int:
    return await old_rows.remove(session, partner_sessions.c.last_active_at, kept, most)


async def forget_days(session: AsyncSession, kept: timedelta, most: int) -> int:
    return await old_rows.remove(session, partner_accesses.c.date, kept, most)


async def forget_batches(session: AsyncSession, kept: timedelta, most: int) -> int:
    return await old_rows.remove(session, partner_access_batches.c.recorded_at, kept, most)
