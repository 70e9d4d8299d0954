"""Sessions of browsers that were ended before their time."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.status_page_tables import ended_page_sessions


async def end(session: AsyncSession, session_hash: bytes, expires_at: datetime) -> None:
    row = {"session_hash": session_hash, "expires_at": expires_at}
    await session.execute(insert(ended_page_sessions).values(row).on_conflict_do_nothing())


async def has_ended(session: AsyncSession, session_hash: bytes) -> bool:
    query = select(ended_page_sessions.c.session_hash).where(ended_page_sessions.c.session_hash == session_hash)
    return await session.scalar(query) is not None


async def forget(session: AsyncSession) -> int:
    """Deletes those that would have ended anyway; answers how many."""
    over = delete(ended_page_sessions).where(ended_page_sessions.c.expires_at < func.now())
    return len((await session.execute(over.returning(ended_page_sessions.c.session_hash))).all())
