"""Tokens that partners had before the one that they have now."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.status_page_tables import partner_tokens
from server.storage import old_rows

ENDS = (partner_tokens.c.revoked_at, partner_tokens.c.expires_at)
"""A token has ended at the earlier of these; each has an index of its own."""

_newer = partner_tokens.alias("newer")
IS_FORMER = (
    select(_newer.c.id)
    .where(_newer.c.partner_id == partner_tokens.c.partner_id, _newer.c.id > partner_tokens.c.id)
    .exists()
)
"""A partner's newest token stays as long as the partner: their record names it."""


async def forget(session: AsyncSession, kept: timedelta, most: int) -> int:
    """Deletes at most so many by each end that ended longer ago than `kept`; answers how many."""
    return sum([await old_rows.remove(session, end, kept, most, IS_FORMER) for end in ENDS])
