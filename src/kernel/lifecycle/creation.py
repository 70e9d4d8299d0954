"""Where an execution begins: PENDING, with the first event of its log, due to be rung for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import CTE, bindparam, func, insert, select, true, update
from sqlalchemy.ext.asyncio import AsyncSession

from kernel import audit
from kernel.audit import AuditEntry
from kernel.event_log import begin_log, log_begun
from kernel.execution.event import Event
from kernel.execution.status import PENDING
from kernel.execution_row import NEVER_CLAIMED
from kernel.executor_registry import somebody_carries
from kernel.statement import Statement, Statements
from kernel.tables import executions
from kernel.turns import Waiting, it_is_its_turn

RING_AGAIN_AFTER = timedelta(seconds=10)


GIVEN_COLUMNS = (
    "id",
    "runbook_id",
    "version",
    "team_id",
    "digest",
    "trigger",
    "triggered_by",
    "incident_id",
    "workflow_run_id",
    "parameters",
    "sealed_parameters",
    "max_attempts",
    "concurrency",
    "required_tags",
    "created_at",
)
"""The columns of `executions` that whoever creates one fills; they never change, but that what is sealed goes."""


def creation(*along: CTE) -> Statement:
    """Answers what creates an execution, in one statement with `along`: `create_pending` executes it."""
    given: dict[str, Any] = {name: bindparam(f"new_{name}") for name in GIVEN_COLUMNS}
    created = insert(executions).values(**given, status=PENDING, rung_at=func.now()).cte("created")
    return Statement(log_begun(created, audit.appended(), *along))


_CREATE = creation()


async def create_pending(
    session: Statements,
    execution: Mapping[str, Any],
    *,
    warnings: Sequence[str] = (),
    audited: AuditEntry,
    by: Statement = _CREATE,
    along: Mapping[str, Any] | None = None,
) -> Event:
    """Stores a new execution, the first event of its log and what is audited of it, in one statement.

    That is `by`, a `creation` that takes the values `along`.

    `execution` has the columns that never change, `GIVEN_COLUMNS`, but for those that may be absent; all others begin
    as `NEVER_CLAIMED`.

    It counts as rung, for whoever creates it rings after the commit; a lost ring is repeated by the sweep. Where its
    concurrency is QUEUE or FORBID, the caller holds `kernel.turns.lock_line`.
    """
    given = {f"new_{name}": execution.get(name) for name in GIVEN_COLUMNS}
    values = {**given, **audit.values_of(audited), **(along or {})}
    return await begin_log(session, by, execution["id"], NEVER_CLAIMED, warnings=warnings, along=values)


async def to_ring_again(session: AsyncSession, *, limit: int = 200) -> list[Waiting]:
    """Answers PENDING executions that are due and were not rung lately, oldest first, and marks them as rung.

    One whose tags nobody carries is not rung for: nobody would take the ring out of its list.
    """
    due = (
        select(executions.c.id)
        .where(
            executions.c.status == PENDING,
            executions.c.run_after <= func.now(),
            func.coalesce(executions.c.rung_at < func.now() - RING_AGAIN_AFTER, true()),
            it_is_its_turn(),  # or those that wait for others would take up the limit, and nobody else be rung for
            somebody_carries(executions.c.required_tags),
        )
        .order_by(executions.c.run_after)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    rung = await session.execute(
        update(executions)
        .where(executions.c.id.in_(due.scalar_subquery()))
        .values(rung_at=func.now())
        .returning(executions.c.id, executions.c.required_tags)
    )
    return sorted(Waiting(row.id, tuple(row.required_tags)) for row in rung)
