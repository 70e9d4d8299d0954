"""Sessions of browsers that were ended before their time."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.status_page_tables import ended_page_sessions
from server.storage import old_rows


async def end(session: AsyncSession, session_hash: bytes, expires_at: datetime) -> bool:
    """Answers whether it had not been ended before."""
    row = {"session_hash": session_hash, "expires_at": expires_at}
    ending = insert(ended_page_sessions).values(row).on_conflict_do_nothing()
    return await session.scalar(ending.returning(ended_page_sessions.c.session_hash)) is not None


async def has_ended(session: AsyncSession, session_hash: bytes) -> bool:
    query = select(ended_page_sessions.c.session_hash).where(ended_page_sessions.c.session_hash == session_hash)
    return await session.scalar(query) is not None


async def forget(session: AsyncSession, kept: timedelta, most: int) -> int:
    """Deletes at most so many of those that would have ended anyway, longer ago than `kept`; answers how many."""
    return await old_rows.remove(session, ended_page_sessions.c.expires_at, kept, most)
