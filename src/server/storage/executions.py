"""Executions, as callers see them. What moves one is `kernel.lifecycle`; its log is `kernel.event_log`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, Select, bindparam, func, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.execution.status import ExecutionStatus
from kernel.execution_row import NEVER_CLAIMED, STATE_COLUMNS
from kernel.statement import Statement, Statements
from kernel.tables import execution_attempts, execution_events, executions
from kernel.turns import is_unended
from server.domain.execution import Execution, ExecutionAttempt
from server.storage.newest import Listing

_FIXED = (
    "id",
    "runbook_id",
    "team_id",
    "version",
    "digest",
    "trigger",
    "triggered_by",
    "incident_id",
    "workflow_run_id",
    "parameters",
    "max_attempts",
    "created_at",
)
_HEAD = [executions.c[name] for name in (*_FIXED, *STATE_COLUMNS, "log_expired_at")]
_OUTPUT = ("stdout", "stderr", "output", "output_error")
_LISTING = Listing(
    executions,
    _HEAD,
    (
        ("workflow_run_id",),
        ("incident_id",),
        ("runbook_id", "status"),
        ("runbook_id",),
        ("team_id", "status"),
        ("team_id",),
        ("status",),
        (),
    ),
)


@dataclass(frozen=True, slots=True)
class ExecutionFilter:
    """Which executions; None everywhere means all of them."""

    team_ids: Collection[UUID] | None = None
    runbook_id: UUID | None = None
    incident_id: UUID | None = None
    workflow_run_id: UUID | None = None
    status: ExecutionStatus | None = None


async def find(session: AsyncSession, execution_id: UUID, *, output: bool = False) -> Execution | None:
    """Answers one execution; with `output`, also the kept parts of its output and the object that it left."""
    columns = [*_HEAD, *(executions.c[name] for name in _OUTPUT)] if output else _HEAD
    query = select(*columns).where(executions.c.id == execution_id)
    row = (await session.execute(query)).mappings().one_or_none()
    return _execution(row) if row else None


def new(row: Mapping[str, Any]) -> Execution:
    """Answers the execution that `kernel.lifecycle.create_pending` stores of `row`, which has what never changes."""
    return Execution(**{name: row[name] for name in _FIXED}, state=NEVER_CLAIMED)


async def attempts_of(session: AsyncSession, execution_id: UUID) -> list[ExecutionAttempt]:
    """Answers every attempt that has begun, the first one first."""
    query = (
        select(*(execution_attempts.c[field.name] for field in fields(ExecutionAttempt)))
        .where(execution_attempts.c.execution_id == execution_id)
        .order_by(execution_attempts.c.attempt)
    )
    return [ExecutionAttempt(**row) for row in (await session.execute(query)).mappings()]


async def page(session: AsyncSession, wanted: ExecutionFilter, *, before: UUID | None, limit: int) -> list[Execution]:
    """Answers executions older than `before`, newest first, without output."""
    rows = await session.execute(page_query(wanted, before=before, limit=limit))
    return [_execution(row) for row in rows.mappings()]


def page_query(wanted: ExecutionFilter, *, before: UUID | None, limit: int) -> Select[Any]:
    values = {
        "runbook_id": wanted.runbook_id,
        "incident_id": wanted.incident_id,
        "workflow_run_id": wanted.workflow_run_id,
        "status": wanted.status,
    }
    return _LISTING.page(values, team_ids=wanted.team_ids, before=before, limit=limit)


async def find_unended(session: AsyncSession, runbook_id: UUID) -> UUID | None:
    """Answers the oldest execution of the runbook that waits or runs, if there is one."""
    query = (
        select(executions.c.id)
        .where(executions.c.runbook_id == runbook_id, is_unended(executions))
        .order_by(executions.c.arrival)
        .limit(1)
    )
    found: UUID | None = await session.scalar(query)
    return found


@dataclass(frozen=True, slots=True)
class LogEnd:
    """How far a log goes, whether it can go further, and whether it has expired: then what is left of it is no log."""

    last: int
    ended: bool
    expired: bool


def _log_ends() -> Select[Any]:
    last = (
        select(func.max(execution_events.c.sequence))
        .where(execution_events.c.execution_id == executions.c.id)
        .correlate(executions)
        .scalar_subquery()
    )
    head = (executions.c.id, executions.c.status, executions.c.log_expired_at)
    wanted = executions.c.id == func.any(bindparam("wanted", type_=ARRAY(executions.c.id.type)))
    return select(*head, func.coalesce(last, 0).label("last")).where(wanted)


_LOG_ENDS = Statement(_log_ends())


async def log_ends(session: Statements, execution_ids: Collection[UUID]) -> dict[UUID, LogEnd]:
    """Answers how far each log goes, in one statement that looks at one index entry for each; not of what is gone."""
    found = await _LOG_ENDS.all(session, {"wanted": list(execution_ids)})
    return {
        row["id"]: LogEnd(row["last"], ExecutionStatus(row["status"]).ended, expired=row["log_expired_at"] is not None)
        for row in found
    }


def _execution(row: RowMapping) -> Execution:
    state: dict[str, Any] = {name: row[name] for name in STATE_COLUMNS}
    state = {name: value.isoformat() if isinstance(value, datetime) else value for name, value in state.items()}
    fixed = {name: row[name] for name in _FIXED}
    return Execution(
        **fixed,
        state=state,
        **{name: row[name] for name in _OUTPUT if name in row},
        log_expired_at=row["log_expired_at"],
    )
