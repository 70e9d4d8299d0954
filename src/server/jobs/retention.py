"""Forgets what nobody needs any more of pages, partners and gateways: former statuses of components, former tokens, old
accesses, counted batches, sessions that were ended, and watches that have expired."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from kernel.database import Sessions, transaction
from server.operations.remove_expired import in_batches
from server.storage import components, ended_sessions, former_tokens, outbox, page_watches, partner_sessions

ACCESSES_KEPT = timedelta(days=400)
BATCHES_KEPT = timedelta(days=2)
"""How long a batch that is sent again counts no second time."""
WATCHES_KEPT = timedelta(minutes=10)
ENDED_SESSIONS_KEPT = timedelta(days=1)
"""Beyond their end, which servers go by: where the clock of the database is ahead of theirs, none must come back."""
AT_ONCE = 1_000


async def forget_old_accesses(make_session: Sessions) -> int:
    """Answers how many rows went."""
    return (
        await _forget(make_session, partner_sessions.forget_sessions, ACCESSES_KEPT)
        + await _forget(make_session, partner_sessions.forget_days, ACCESSES_KEPT)
        + await _forget(make_session, partner_sessions.forget_batches, BATCHES_KEPT)
    )


async def forget_ended_sessions(make_session: Sessions) -> int:
    """Answers how many of those that were signed out were forgotten."""
    return await _forget(make_session, ended_sessions.forget, ENDED_SESSIONS_KEPT)


async def forget_deliveries(make_session: Sessions, days: int) -> int:
    """Answers how many that ended so long ago were forgotten; 0 days: none ever is."""
    return await _forget(make_session, outbox.forget, timedelta(days=days)) if days else 0


async def forget_old_statuses(make_session: Sessions, days: int) -> int:
    """Answers how many that components had until so long ago were forgotten; 0 days: none ever is."""
    return await _forget(make_session, components.forget_former, timedelta(days=days)) if days else 0


async def forget_old_tokens(make_session: Sessions, days: int) -> int:
    """Answers how many of partners' tokens that ended so long ago were forgotten; 0 days: none ever is."""
    return await _forget(make_session, former_tokens.forget, timedelta(days=days)) if days else 0


async def forget_expired_watches(make_session: Sessions) -> int:
    async with transaction(make_session) as tx:
        return await page_watches.sweep(tx.session, WATCHES_KEPT)


async def _forget(
    make_session: Sessions, forget: Callable[[AsyncSession, timedelta, int], Awaitable[int]], kept: timedelta
) -> int:
    """Deletes in small transactions, so that nothing waits for them; answers how many rows."""

    async def batch() -> int:
        async with transaction(make_session) as tx:
            return await forget(tx.session, kept, AT_ONCE)

    return await in_batches(batch)
