"""Executions whose log or record has outlived its retention: found along indexes, taken in batches, removed for good.

A log goes in two steps. First it is marked as expired, which is committed: from then on nobody is shown it. Then its
events go, from the first one on, as many at a time as one short transaction bears, and the last batch marks it as
removed. A record goes after its log, so that it never takes megabytes of events along. Whoever takes a batch holds its
rows; others skip them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, CursorResult, Delete, Select, Uuid, cast, delete, func, select, true, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.tables import execution_events, executions

_HAS_EVENTS = select(execution_events.c.sequence).where(execution_events.c.execution_id == executions.c.id).exists()


def logs_due(age: timedelta, limit: int) -> Select[Any]:
    """Finds executions that ended longer ago than `age` and whose log has not expired, the oldest first."""
    ended = executions.c.completed_at
    return _locked(
        select(executions.c.id)
        .where(ended.is_not(None), ended < func.now() - age, executions.c.log_expired_at.is_(None))
        .order_by(ended),
        limit,
    )


def logs_to_remove(limit: int) -> Select[Any]:
    """Finds executions whose log has expired and may still have events."""
    expired = executions.c.log_expired_at
    query = select(executions.c.id).where(expired.is_not(None), executions.c.log_removed_at.is_(None)).order_by(expired)
    return _locked(query, limit)


def records_due(age: timedelta, limit: int) -> Select[Any]:
    """Finds executions without a log that ended longer ago than `age`, the oldest first."""
    ended = executions.c.completed_at
    return _locked(
        select(executions.c.id)
        .where(ended < func.now() - age, executions.c.log_removed_at.is_not(None))
        .order_by(ended),
        limit,
    )


async def take(session: AsyncSession, due: Select[Any]) -> list[UUID]:
    """Locks what one of these queries finds, until the end of the transaction; what others hold is left to them."""
    return list((await session.execute(due)).scalars())


async def expire_logs(session: AsyncSession, taken: Sequence[UUID]) -> None:
    """Marks the logs of locked executions as expired."""
    await session.execute(update(executions).where(executions.c.id.in_(taken)).values(log_expired_at=func.now()))


def first_events(taken: Sequence[UUID], *, rows: int, size: int) -> Select[Any]:
    """Finds the first events of these logs, log after log: so many rows, or up to the one that reaches `size`.

    Sizes are known without reading the data.
    """
    log = (
        func.unnest(cast(list(taken), ARRAY(Uuid)))
        .table_valued("id", with_ordinality="place", name="log")
        .render_derived()
    )
    of_log = (
        select(execution_events.c.sequence, func.coalesce(func.octet_length(execution_events.c.data), 0).label("size"))
        .where(execution_events.c.execution_id == log.c.id)
        .order_by(execution_events.c.sequence)
        .limit(rows)
        .lateral("event")
    )
    first = select(log.c.id, log.c.place, of_log.c.sequence, of_log.c.size).join_from(log, of_log, true()).limit(rows)
    found = first.subquery("found")
    before = func.sum(found.c.size).over(order_by=(found.c.place, found.c.sequence)) - found.c.size
    sized = select(found.c.id, found.c.sequence, before.label("before")).subquery("sized")
    return select(sized.c.id, sized.c.sequence).where(sized.c.before < size)


def removal(taken: Sequence[UUID], *, rows: int, size: int) -> Delete:
    """Removes the first events of these logs; they are found once and then looked up one by one."""
    first = first_events(taken, rows=rows, size=size).cte("first").prefix_with("MATERIALIZED", dialect="postgresql")
    key = tuple_(execution_events.c.execution_id, execution_events.c.sequence)
    return delete(execution_events).where(key.in_(select(first.c.id, first.c.sequence)))


async def remove_events(session: AsyncSession, taken: Sequence[UUID], *, rows: int, size: int) -> int:
    """Removes the first events of the logs of locked executions, marks those that have none left; answers how many."""
    query = removal(taken, rows=rows, size=size)
    removed: CursorResult[Any] = await session.execute(query)  # type: ignore[assignment] # what a DELETE answers
    empty = executions.c.id.in_(taken) & ~_HAS_EVENTS
    await session.execute(update(executions).where(empty).values(log_removed_at=func.now()))
    return removed.rowcount


async def remove_records(session: AsyncSession, taken: Sequence[UUID]) -> None:
    """Removes locked executions, with their attempts."""
    await session.execute(delete(executions).where(executions.c.id.in_(taken)))


def _locked(query: Select[Any], limit: int) -> Select[Any]:
    return query.limit(limit).with_for_update(skip_locked=True)
