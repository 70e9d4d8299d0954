"""Forgets incidents and maintenances that ended long ago, page by page, each batch a short transaction of its own.

What a page shows changes with that, if it shows ones that old: so it is done as all changes of a page are, under its
lock, and gateways are told. A page that somebody changes just now is left to the next round.
"""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import structlog

from kernel.database import Sessions
from server.operations.change import change
from server.operations.remove_expired import in_batches
from server.operations.tell_page_change import tell_page_change
from server.storage import past_events, status_pages
from server.storage.past_events import INCIDENTS, MAINTENANCES, Kind

log = structlog.get_logger()

AT_ONCE = 50
"""Each may have as many updates as were written, and impacts on 500 components."""


async def forget_past_events(make_session: Sessions, days: int) -> int:
    """Answers how many incidents and maintenances that ended so long ago were forgotten; 0 days: none ever is."""
    forgotten = 0
    if days:
        for kind in (INCIDENTS, MAINTENANCES):
            forgotten += await _forget(make_session, kind, timedelta(days=days))
    if forgotten:
        log.info("past_events_forgotten", events=forgotten)
    return forgotten


async def _forget(make_session: Sessions, kind: Kind, kept: timedelta) -> int:
    busy, forgotten = set[UUID](), 0

    async def batch() -> int:
        nonlocal forgotten
        async with change(make_session, None) as tx:
            found = (await tx.session.execute(past_events.due(kind, kept, AT_ONCE, besides=busy))).all()
            if not found:
                return 0
            page_id = found[0].status_page_id
            if page_id is not None and await status_pages.lock_if_free(tx.session, page_id) is None:
                busy.add(page_id)
                return len(found)
            ids = [row.id for row in found if row.status_page_id == page_id]
            removed = await past_events.remove(tx.session, kind, kept, ids)
            if removed and page_id is not None:
                await tell_page_change(tx, page_id)
            forgotten += removed
            return removed

    await in_batches(batch)
    return forgotten
