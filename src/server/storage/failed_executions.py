"""Executions that failed and whose team has not been told: found along an index of just those."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, literal, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.execution.status import FAILED, TIMEOUT
from kernel.tables import executions, runbooks


@dataclass(frozen=True, slots=True)
class FailedExecution:
    """What is told of an execution that failed."""

    id: UUID
    team_id: UUID
    runbook_id: UUID
    runbook_name: str
    version: int
    status: str
    exit_code: int | None
    error_code: str | None
    error_message: str
    attempt: int
    max_attempts: int
    workflow_run_id: UUID | None
    incident_id: UUID | None
    completed_at: datetime


async def take(session: AsyncSession, *, limit: int) -> list[FailedExecution]:
    """Marks executions as told of, the oldest first, and answers them; skips what others take just now."""
    due = (
        select(executions.c.id)
        .where(
            # As the index has it, which a parameter would not match:
            or_(*(executions.c.status == literal(status.value, literal_execute=True) for status in (FAILED, TIMEOUT))),
            executions.c.failure_told_at.is_(None),
        )
        .order_by(executions.c.completed_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    names = [name for name in FailedExecution.__dataclass_fields__ if name != "runbook_name"]
    query = (
        update(executions)
        .where(executions.c.id.in_(due.scalar_subquery()), runbooks.c.id == executions.c.runbook_id)
        .values(failure_told_at=func.now())
        .returning(*(executions.c[name] for name in names), runbooks.c.name.label("runbook_name"))
    )
    return [FailedExecution(**row) for row in (await session.execute(query)).mappings()]
