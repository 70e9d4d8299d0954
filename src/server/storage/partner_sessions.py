"""Who read: sessions of partners' clients, and the counts and last uses that follow from them."""

from __future__ import annotations

from datetime import UTC, date, timedelta
from uuid import UUID

from sqlalchemy import Uuid, cast, func, literal, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.status_page_tables import (
    partner_access_batches,
    partner_accesses,
    partner_sessions,
    partner_tokens,
    partners,
)
from server.domain.partner_access import SESSION_ENDS_AFTER, DayOfAccess, Session, Visitor, Visits
from server.storage import old_rows

DayKey = tuple[date, str, str]


async def record(session: AsyncSession, session_id: UUID, visitor: Visitor, visits: Visits) -> None:
    """Adds visits to the visitor's session, or begins one with that id where the last has ended.

    The partner's row is written first, and with it locked; so two servers never begin the same session twice.
    """
    partner = await session.execute(
        update(partners)
        .where(partners.c.id == visitor.partner_id)
        .values(
            access_count=partners.c.access_count + visits.count,
            last_access_at=func.greatest(partners.c.last_access_at, visits.last_at),
        )
        .returning(partners.c.id)
    )
    if partner.one_or_none() is None:
        return  # deleted since; its sessions went with it
    await session.execute(
        update(partner_tokens)
        .where(partner_tokens.c.id == visitor.token_id)
        .values(last_used_at=func.greatest(partner_tokens.c.last_used_at, visits.last_at))
    )
    await _count_day(session, visitor, visits)
    if not await _continue(session, visitor, visits):
        await session.execute(
            insert(partner_sessions).values(
                id=session_id,
                partner_id=visitor.partner_id,
                address=visitor.address,
                user_agent=visitor.user_agent,
                token_prefix=visitor.token_prefix,
                started_at=visits.first_at,
                last_active_at=visits.last_at,
                access_count=visits.count,
            )
        )


async def claim_batch(session: AsyncSession, batch_id: str) -> bool:
    """Whether a batch of accesses is new; waits for one of the same id that is being written."""
    claimed = await session.execute(
        insert(partner_access_batches)
        .values(batch_id=batch_id, recorded_at=func.now())
        .on_conflict_do_nothing()
        .returning(partner_access_batches.c.batch_id)
    )
    return claimed.one_or_none() is not None


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


async def _count_day(session: AsyncSession, visitor: Visitor, visits: Visits) -> None:
    """Adds visits to the day of the last of them; batches are short, so one over midnight matters to nobody."""
    new = insert(partner_accesses).values(
        partner_id=visitor.partner_id,
        date=visits.last_at.astimezone(UTC).date(),
        token_prefix=visitor.token_prefix,
        address=visitor.address,
        first_at=visits.first_at,
        last_at=visits.last_at,
        access_count=visits.count,
    )
    await session.execute(
        new.on_conflict_do_update(
            index_elements=["partner_id", "date", "token_prefix", "address"],
            set_={
                "first_at": func.least(partner_accesses.c.first_at, new.excluded.first_at),
                "last_at": func.greatest(partner_accesses.c.last_at, new.excluded.last_at),
                "access_count": partner_accesses.c.access_count + new.excluded.access_count,
            },
        )
    )


async def _continue(session: AsyncSession, visitor: Visitor, visits: Visits) -> bool:
    """Adds visits to the newest session of the visitor that has not ended; answers whether there is one."""
    newest = (
        select(partner_sessions.c.id)
        .where(
            partner_sessions.c.partner_id == visitor.partner_id,
            partner_sessions.c.address == visitor.address,
            partner_sessions.c.user_agent == visitor.user_agent,
            partner_sessions.c.token_prefix == visitor.token_prefix,
            partner_sessions.c.last_active_at >= visits.first_at - SESSION_ENDS_AFTER,
        )
        .order_by(partner_sessions.c.last_active_at.desc())
        .limit(1)
        .scalar_subquery()
    )
    continued = await session.execute(
        update(partner_sessions)
        .where(partner_sessions.c.id == cast(newest, Uuid))
        .values(
            started_at=func.least(partner_sessions.c.started_at, visits.first_at),
            last_active_at=func.greatest(partner_sessions.c.last_active_at, visits.last_at),
            access_count=partner_sessions.c.access_count + visits.count,
        )
        .returning(partner_sessions.c.id)
    )
    return continued.one_or_none() is not None
