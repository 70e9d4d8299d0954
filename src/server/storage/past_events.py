"""Incidents and maintenances that ended longer ago than they are kept: found along an index of their ends."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Column, ColumnElement, Select, Table, delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.incident_tables import incidents, maintenances
from kernel.tables import executions
from kernel.workflow_tables import incident_events, workflow_runs
from server.storage.expired_runs import GOES_ON

_RUN = select(workflow_runs.c.id).where(
    workflow_runs.c.incident_id == incidents.c.id, (workflow_runs.c.status == "RUNNING") | GOES_ON
)
_EXECUTION = select(executions.c.id).where(
    executions.c.incident_id == incidents.c.id, executions.c.status.in_(["PENDING", "RUNNING"])
)
_EVENT = select(incident_events.c.id).where(
    incident_events.c.incident_id == incidents.c.id, incident_events.c.handled_at.is_(None)
)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of event: when one ended, and what must not go on about it."""

    ended: Column[Any]
    busy: Sequence[ColumnElement[bool]] = ()

    @property
    def table(self) -> Table:
        return self.ended.table


INCIDENTS = Kind(incidents.c.resolved_at, (_RUN.exists(), _EXECUTION.exists(), _EVENT.exists()))
"""Not one that is still worked on; what has ended names it by an id without a foreign key, and goes on doing so."""
MAINTENANCES = Kind(maintenances.c.ended_at)


def due(kind: Kind, kept: timedelta, limit: int, *, besides: Collection[UUID] = ()) -> Select[Any]:
    """Finds the oldest that ended longer ago than `kept`, on no page of `besides`: of each its id and its page's."""
    page = kind.table.c.status_page_id
    query = select(kind.table.c.id, page).where(
        kind.ended < func.now() - kept, *(~condition for condition in kind.busy)
    )
    if besides:
        query = query.where(page.is_(None) | page.not_in(besides))
    return query.order_by(kind.ended).limit(limit)


async def remove(session: AsyncSession, kind: Kind, kept: timedelta, ids: Collection[UUID]) -> int:
    """Deletes those of them that are due still, with what was said of them; answers how many.

    What others hold is left to them. The caller holds the lock of their page, if they have one.
    """
    locked = due(kind, kept, len(ids)).where(kind.table.c.id.in_(ids)).with_for_update(of=kind.table, skip_locked=True)
    taken = list((await session.execute(locked)).scalars())
    await session.execute(delete(kind.table).where(kind.table.c.id.in_(taken)))
    return len(taken)
