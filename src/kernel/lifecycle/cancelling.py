"""How somebody asks that an execution end, and what that does at once."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.audit import note_end
from kernel.event_log import append_state
from kernel.execution.event import Event
from kernel.execution.status import CANCELLED, PENDING, RUNNING, ExecutionStatus
from kernel.execution_row import snapshot_of, update_locked
from kernel.tables import executions


@dataclass(frozen=True, slots=True)
class CancelRequested:
    """What a request to cancel did: the state it found or made, the event if any, and whom to tell."""

    status: ExecutionStatus
    event: Event | None = None
    executor_id: str | None = None


async def request_cancel(session: AsyncSession, execution_id: UUID) -> CancelRequested:
    """Cancels a PENDING execution at once and marks a RUNNING one; an ended one is left as it is."""
    row = (
        (await session.execute(select(executions).where(executions.c.id == execution_id).with_for_update()))
        .mappings()
        .one()
    )
    status = ExecutionStatus(row["status"])
    if status is PENDING:
        moved = await update_locked(
            session,
            execution_id,
            status=CANCELLED,
            cancel_requested_at=func.now(),
            completed_at=func.now(),
            sealed_parameters=None,
        )
        await note_end(session, moved)
        return CancelRequested(CANCELLED, await append_state(session, execution_id, snapshot_of(moved)))
    if status is RUNNING:
        if row["cancel_requested_at"] is None:
            await update_locked(session, execution_id, cancel_requested_at=func.now())
        return CancelRequested(RUNNING, executor_id=row["executor_id"])
    return CancelRequested(status)
