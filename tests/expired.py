"""Executions that ended long ago, with logs of any length, for tests of what becomes of them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, update

from kernel.database import Sessions, transaction
from kernel.tables import execution_events, executions


async def let_pass(make_session: Sessions, days: float, *ended: UUID) -> None:
    """Moves the end of these executions back, of all of them where none is named."""
    query = update(executions).values(completed_at=executions.c.completed_at - timedelta(days=days))
    async with transaction(make_session) as tx:
        await tx.session.execute(query.where(executions.c.id.in_(ended)) if ended else query)


async def kept(make_session: Sessions) -> dict[UUID, int]:
    """Answers which executions there are, and how many events of each."""
    events = (
        select(func.count())
        .select_from(execution_events)
        .where(execution_events.c.execution_id == executions.c.id)
        .scalar_subquery()
    )
    async with make_session() as session:
        return {row.id: row.events for row in await session.execute(select(executions.c.id, events.label("events")))}


async def marks(make_session: Sessions, wanted: Iterable[UUID]) -> list[tuple[Any, Any]]:
    """Answers when the logs expired and when they were gone."""
    query = select(executions.c.log_expired_at, executions.c.log_removed_at).where(executions.c.id.in_(list(wanted)))
    async with make_session() as session:
        return [(row.log_expired_at, row.log_removed_at) for row in await session.execute(query)]
