"""Where an execution begins: PENDING, with the first event of its log, due to be rung for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import func, insert, select, true, update
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.audit import AuditEntry, appended
from kernel.event_log import begin_log
from kernel.execution.event import Event
from kernel.execution.status import PENDING
from kernel.execution_row import NEVER_CLAIMED
from kernel.executor_registry import somebody_carries
from kernel.tables import executions
from kernel.turns import Waiting, it_is_its_turn

RING_AGAIN_AFTER = timedelta(seconds=10)


async def create_pending(
    session: AsyncSession,
    execution: Mapping[str, Any],
    *,
    warnings: Sequence[str] = (),
    audited: AuditEntry | None = None,
) -> Event:
    """Stores a new execution, the first event of its log and what is audited of it, in one statement.

    `execution` has the columns that never change; all others begin as `NEVER_CLAIMED`.

    It counts as rung, for whoever creates it rings after the commit; a lost ring is repeated by the sweep. Where its
    concurrency is QUEUE or FORBID, the caller holds `kernel.turns.lock_line`.
    """
    created = insert(executions).values(**execution, status=PENDING, rung_at=func.now()).cte("created")
    along = [created] if audited is None else [created, appended(audited)]
    return await begin_log(session, execution["id"], NEVER_CLAIMED, warnings=warnings, along=along)


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
