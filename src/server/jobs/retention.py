"""Forgets what nobody needs any more: old accesses of partners, counted batches, and watches that have expired."""

from __future__ import annotations

from datetime import timedelta

from kernel.database import Sessions, transaction
from server.storage import ended_sessions, page_watches, partner_sessions

ACCESSES_KEPT = timedelta(days=400)
BATCHES_KEPT = timedelta(days=2)
"""How long a batch that is sent again counts no second time."""
WATCHES_KEPT = timedelta(minutes=10)
AT_ONCE = 1_000


async def forget_old_accesses(make_session: Sessions) -> int:
    """Deletes in small transactions, so that nothing waits for them; answers how many rows."""
    gone = 0
    for forget, kept in (
        (partner_sessions.forget_sessions, ACCESSES_KEPT),
        (partner_sessions.forget_days, ACCESSES_KEPT),
        (partner_sessions.forget_batches, BATCHES_KEPT),
    ):
        while True:
            async with transaction(make_session) as tx:
                some = await forget(tx.session, kept, AT_ONCE)
            gone += some
            if some < AT_ONCE:
                break
    return gone


async def forget_ended_sessions(make_session: Sessions) -> int:
    async with transaction(make_session) as tx:
        return await ended_sessions.forget(tx.session)


async def forget_expired_watches(make_session: Sessions) -> int:
    async with transaction(make_session) as tx:
        return await page_watches.sweep(tx.session, WATCHES_KEPT)
