"""Who read: sessions of partners' clients, and the counts and last uses that follow from them."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import Uuid, cast, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.status_page_tables import partner_sessions, partner_tokens, partners
from server.domain.partner_access import SESSION_ENDS_AFTER, Visitor, Visits


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


async def _continue(session: AsyncSession, visitor: Visitor, visits: Visits) -> bool:
    """Adds visits to the newest session of the visitor that has not ended; answers whether there is one."""
    newest = (
        select(partner_sessions.c.id)
        .where(
            partner_sessions.c.partner_id == visitor.partner_id,
            partner_sessions.c.address == visitor.address,
            partner_sessions.c.user_agent == visitor.user_agent,
            partner_sessions.c.token_prefix == visitor.token_prefix,
            partner_sessions.c.last_active_at > visits.first_at - SESSION_ENDS_AFTER,
        )
        .order_by(partner_sessions.c.last_active_at.desc())
        .limit(1)
        .scalar_subquery()
    )
    continued = await session.execute(
        update(partner_sessions)
        .where(partner_sessions.c.id == cast(newest, Uuid))
        .values(
            last_active_at=func.greatest(partner_sessions.c.last_active_at, visits.last_at),
            access_count=partner_sessions.c.access_count + visits.count,
        )
        .returning(partner_sessions.c.id)
    )
    return continued.one_or_none() is not None
