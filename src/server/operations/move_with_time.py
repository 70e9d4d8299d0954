"""What time does to status pages: maintenances begin and end, and checks fall silent.

Each step is a transaction of its own, under the lock of its page, and is decided by what is found there: so several
processes may do this at once, each may die at any moment, and nothing happens twice. What was missed while nobody ran
is caught up with in the order in which it was due. A page that somebody is changing just now is left to the next round.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from kernel.database import Sessions
from kernel.ids import new_id
from server.domain.maintenance import move, tell
from server.operations.change import Change, change
from server.operations.change_maintenance import store_change
from server.operations.settle_page import note_silences
from server.operations.tell_page_change import tell_page_change
from server.storage import components, maintenances, status_pages

Clock = Callable[[], datetime]


def _now() -> datetime:
    return datetime.now(UTC)


async def move_due_maintenances(make_session: Sessions, now: Clock = _now) -> int:
    """Begins and completes every maintenance whose time has come; answers how many moves that took."""
    moved, busy = 0, set[UUID]()
    while True:
        at = now()
        async with change(make_session, None) as tx:
            due = await maintenances.due_first(tx.session, at, besides=busy)
            if due is None:
                return moved
            maintenance_id, page_id = due
            if await _lock_if_free(tx.session, page_id):
                await _note_silences(tx, page_id, at)
                moved += await _move(tx, maintenance_id, at)
            else:
                busy.add(page_id)


async def note_silent_checks(make_session: Sessions, now: Clock = _now) -> int:
    """Notes every check that has fallen silent, from when on it has; answers on how many pages."""
    noted, busy = 0, set[UUID]()
    while True:
        at = now()
        async with change(make_session, None) as tx:
            page_id = await components.silent_page(tx.session, at, besides=busy)
            if page_id is None:
                return noted
            if await _lock_if_free(tx.session, page_id):
                noted += await _note_silences(tx, page_id, at)
            else:
                busy.add(page_id)


async def _move(tx: Change, maintenance_id: UUID, at: datetime) -> bool:
    """Moves a maintenance on, if its time has come still: somebody may have been faster."""
    maintenance = await maintenances.find(tx.session, maintenance_id)
    to = maintenance.due(at) if maintenance else None
    if maintenance is None or to is None:
        return False
    moved = tell(move(maintenance, to, at), "", update_id=new_id(), by=None, at=at)
    page = await status_pages.find(tx.session, maintenance.status_page_id)
    await tx.audit(
        "maintenance.moved",
        maintenance.id,
        team_id=page.team_id if page else None,
        title=maintenance.title,
        from_status=maintenance.status,
        to_status=to,
    )
    await store_change(tx, maintenance, moved, at)
    return True


async def _note_silences(tx: Change, page_id: UUID, at: datetime) -> bool:
    noted = await note_silences(tx.session, page_id, at)
    if noted:
        await tell_page_change(tx, page_id)
    return noted


async def _lock_if_free(session: AsyncSession, page_id: UUID) -> bool:
    return await status_pages.lock_if_free(session, page_id) is not None
