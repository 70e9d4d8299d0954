"""Whose turn it is: an execution whose version says QUEUE waits for all of its runbook that came before it.

Who came first is `executions.arrival`, a number that the database gives while whoever inserts holds the lock of the
runbook's row until the commit (`lock_line`). So, whatever the clocks of the servers say, one that queues never finds
an earlier one later on, and "all before it have ended", once true, stays true: the claim may read it without a lock,
on any number of executors at once. The order is total and whoever is first waits for nobody, so nobody waits for ever.

One whose version says ALLOW takes no number under the lock, and need not: at whatever moment of its insertion a
queued one looks, the answer is right for one of the two orders in which they could have come.
"""

from __future__ import annotations

from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, FromClause, Select, bindparam, func, literal_column, select
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.execution.content import ConcurrencyPolicy
from kernel.execution.status import PENDING
from kernel.execution.tags import Tags
from kernel.statement import Statement, Statements
from kernel.tables import executions, runbooks


class Waiting(NamedTuple):
    """An execution to be rung for, and what it asks of its executor."""

    execution_id: UUID
    tags: Tags = ()


async def lock_line(session: AsyncSession, runbook_id: UUID) -> None:
    """Lets nobody else join the line of a runbook before this transaction ends; needed to join it, or to forbid it."""
    await session.execute(select(runbooks.c.id).where(runbooks.c.id == runbook_id).with_for_update())


def it_is_its_turn() -> ColumnElement[bool]:
    """A condition on `executions`: its version does not queue, or all that came before it have ended."""
    earlier = executions.alias("earlier")
    waits = (
        select(earlier.c.id)
        .where(
            earlier.c.runbook_id == executions.c.runbook_id,
            earlier.c.arrival < executions.c.arrival,
            is_unended(earlier),
        )
        .exists()
    )
    return (executions.c.concurrency != ConcurrencyPolicy.QUEUE) | ~waits


def is_unended(table: FromClause) -> ColumnElement[bool]:
    """A condition on executions that wait or run, in the words of the index of them, so that every plan can use it."""
    return (table.c.status == literal_column("'PENDING'")) | (table.c.status == literal_column("'RUNNING'"))


def _next_in_line() -> Select[Any]:
    ended = executions.alias("ended")
    line = select(ended.c.runbook_id).where(ended.c.id == bindparam("ended_id")).scalar_subquery()
    return (
        select(executions.c.id, executions.c.required_tags)
        .where(
            executions.c.runbook_id == line,
            is_unended(executions),
            executions.c.status == PENDING,
            executions.c.run_after <= func.now(),
            executions.c.concurrency == ConcurrencyPolicy.QUEUE,
            it_is_its_turn(),
        )
        .order_by(executions.c.arrival)
        .limit(1)
    )


_NEXT_IN_LINE = Statement(_next_in_line())


async def next_in_line(session: Statements, ended_id: UUID) -> Waiting | None:
    """Answers the execution whose turn has come with the end of another, to be rung for.

    Ask in a transaction that begins after the end was committed: of several that end at once the last one to ask then
    sees all of them ended. A queue that an answer never left is found by the sweep.
    """
    found = await _NEXT_IN_LINE.one_or_none(session, {"ended_id": ended_id})
    return Waiting(found["id"], tuple(found["required_tags"])) if found else None
